"""The files of an app to begin with: a job type, its tests, and what makes it a package."""

import importlib.util
import keyword
import re
import sys
from importlib.resources import files
from pathlib import Path
from string import Template

from makegood.errors import InvalidRequest

_FILES = {"job_types.txt": "{}.py", "tests.txt": "test_{}.py", "pyproject.txt": "pyproject.toml"}


def module_of(folder: Path) -> str:
    """Return the name of the module of an app in *folder*. Raises InvalidRequest for one that is no name."""
    name = folder.resolve().name
    module = re.sub(r"[-. ]", "_", name).lower()
    if not (module.isascii() and module.isidentifier()) or keyword.iskeyword(module):
        raise InvalidRequest(
            f"{name!r} cannot be the name of a Python file: begin with a letter, go on with letters, digits "
            "and -. For a configuration alone, make the folder first."
        )
    if module in sys.stdlib_module_names or importlib.util.find_spec(module) is not None:
        raise InvalidRequest(
            f"{module!r} is the name of a Python module that is installed: choose another. For a "
            "configuration alone, make the folder first."
        )
    return module


def app_files(module: str) -> dict[str, str]:
    """Return the content of each file of an app, by its name."""
    return {
        name.format(module): Template(
            files(__package__).joinpath(template).read_text(encoding="utf-8")
        ).substitute(module=module)
        for template, name in _FILES.items()
    }
