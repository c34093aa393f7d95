"""Readings of the whole store that all callers share, so that a crowd of pages costs no more than one."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from makegood import MakegoodError

log = logging.getLogger("makegood.http")

T = TypeVar("T")
#: Who asks for the latest reading waits so long for a new one, in seconds: most are made sooner.
_PATIENCE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """What was read, when that ended by the clock of this process, and how long it took, in seconds; and how
    many changes were known when it began."""

    result: T
    ended_at: float
    took: float
    changes: int = 0

    @property
    def age(self) -> float:
        """How many seconds ago it ended."""
        return max(0.0, asyncio.get_running_loop().time() - self.ended_at)


class Shared(Generic[T]):
    """Calls *read* one at a time, and again once the last result is older than *seconds*, or than *times* as
    long as it took to read, so that however slow it is the store has other things to do. `last` is the
    reading that ended last, None before the first. After `outdate` none counts that had begun before."""

    def __init__(self, read: Callable[[], Awaitable[T]], *, seconds: float, times: float) -> None:
        self._read, self._seconds, self._times = read, seconds, times
        self.last: Reading[T] | None = None
        self._changes = 0
        self._reading: asyncio.Task[Reading[T]] | None = None

    async def get(self) -> T:
        """Return the last result, or a new one where that is too old. Raises what *read* raises."""
        if self.last is not None and self._is_fresh(self.last):
            return self.last.result
        known = self._changes
        while True:
            # Whoever leaves does not end it for the others.
            reading = await asyncio.shield(self._begin())
            if reading.changes >= known:
                return reading.result

    async def latest(self) -> Reading[T]:
        """Return the last reading; of one that is too old a new one, unless that takes longer than a moment:
        then the old one, while the new one is made. Only for the first is waited until it is there. Raises
        what *read* raises where there is none."""
        if self.last is None:
            return await asyncio.shield(self._begin())
        if not self._is_fresh(self.last):
            await asyncio.wait({self._begin()}, timeout=_PATIENCE_SECONDS)
        return self.last

    def outdate(self) -> None:
        """Let whoever calls `get` from now on get what is read from now on: something was changed."""
        self._changes += 1

    def end(self) -> None:
        """End what is being read: the process stops."""
        if self._reading is not None:
            self._reading.cancel()

    def _is_fresh(self, reading: Reading[T]) -> bool:
        known = reading.changes >= self._changes
        return known and reading.age < max(self._seconds, self._times * reading.took)

    def _begin(self) -> "asyncio.Task[Reading[T]]":
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._renew(), name="makegood shared reading")
            self._reading.add_done_callback(_tell)
        return self._reading

    async def _renew(self) -> Reading[T]:
        clock = asyncio.get_running_loop().time
        began_at, changes = clock(), self._changes
        result = await self._read()
        self.last = Reading(result, clock(), clock() - began_at, changes)
        return self.last


def _tell(reading: "asyncio.Task[Reading[T]]") -> None:
    """Log why nothing was read: who has got an older reading at once would never learn it."""
    if not reading.cancelled() and (error := reading.exception()) is not None:
        known = isinstance(error, MakegoodError)
        log.warning("the store could not be read: %s", error, exc_info=None if known else error)
