"""The job types that come with makegood, read once for all tests of a process."""

from functools import cache

from makegood import BaseJob
from makegood_adapters.toolfiles import default_tools_folder, load_tools


@cache
def shipped() -> tuple[type[BaseJob], ...]:
    """Return them; a job type is never changed."""
    return tuple(load_tools(default_tools_folder()))
