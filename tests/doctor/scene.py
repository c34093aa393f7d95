"""What the tests of the doctor share: how it ended, and the places it is told of."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

SECRET = "a-key-that-nobody-must-see"
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


@dataclass(frozen=True)
class Told:
    """How the command ended."""

    status: int
    out: str
    err: str


Doctor = Callable[..., Awaitable[Told]]
