"""How messages about a tool file name what is not there, and offer what is."""

import difflib
from collections.abc import Iterable

from makegood.machine import Problem
from makegood_adapters.toolfiles.format import Tool


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the way out for a *name* that is not one of the *known*."""
    names = sorted(known)
    if close := difflib.get_close_matches(name, names, n=1):
        return f"did you mean {close[0]!r}?"
    return f"there is {', '.join(names)}" if names else "there is none"


def unknown(tool: Tool, where: str, name: str) -> Problem:
    """Return the problem that there is no input of this name."""
    return Problem("MG504", f"{where}: there is no input {name!r}; {nearest(name, tool.inputs)}")
