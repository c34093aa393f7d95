"""What becomes of a definition: it stands, is refused, or is noted while somebody checks a whole module."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from makegood.errors import DeclarationError
from makegood.machine.problem import Problem


@dataclass(frozen=True, slots=True)
class Definition:
    """A class that was defined while `collecting`, with what is wrong with it."""

    declared: type
    subject: str
    problems: tuple[Problem, ...]


# The definitions of a module are run by its import, which takes no argument; a context variable keeps the
# noting to whoever imports, other tasks and threads still see their classes refused.
_noted: ContextVar[list[Definition] | None] = ContextVar("noted", default=None)


@contextmanager
def collecting() -> Iterator[list[Definition]]:
    """Note every definition in the list that is given, right or wrong, instead of refusing wrong ones.

    For a program that checks and ends: a wrong class then exists, so that its module goes on to the next
    mistake, and must never be given to an engine.
    """
    found: list[Definition] = []
    token = _noted.set(found)
    try:
        yield found
    finally:
        _noted.reset(token)


def stands(declared: type, subject: str, problems: Sequence[Problem]) -> bool:
    """Whether *declared* may be used; raises DeclarationError for *problems* unless they are collected."""
    noted = _noted.get()
    if noted is not None:
        noted.append(Definition(declared, subject, tuple(problems)))
    elif problems:
        raise DeclarationError(subject, problems)
    return not problems
