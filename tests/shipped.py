"""The job types that come with makegood, read once for all tests of a process."""

from functools import cache

from makegood import BaseJob
from makegood_adapters.toolfiles import default_tools_folder, load_tools


@cache
def shipped() -> tuple[type[BaseJob], ...]:
    """Return them; a job type is never changed. A user may have any number of their jobs at one time."""
    return tuple(_crowded(tool) for tool in load_tools(default_tools_folder()))


def file_names() -> list[str]:
    """Return the names of the files that come with makegood, sorted; a job type is called as its file."""
    return sorted(path.stem for path in default_tools_folder().glob("*.toml"))


def _crowded(tool: type[BaseJob]) -> type[BaseJob]:
    members = {
        "name": tool.name,
        "exclusive_by": None,
        "__module__": tool.__module__,
        "__doc__": tool.__doc__,
    }
    return type(tool.__name__, (tool,), members)
