"""Wake-ups between those who commit and those who wait."""

from contextlib import AbstractContextManager
from typing import Protocol


class Bell(Protocol):
    """Rings for one listener; it remembers a ring until the next wait."""

    async def wait(self, seconds: float) -> bool:
        """Return True once it has rung since the last wait, False after *seconds*."""


class Wakeups(Protocol):
    """Hints that something is to be done; a lost one costs a loop interval, nothing more."""

    def wake(self, topic: str) -> None:
        """Ring the bells of all who listen to *topic*."""

    def listen(self, topic: str) -> AbstractContextManager[Bell]:
        """Return a bell for *topic* that rings from now on."""
