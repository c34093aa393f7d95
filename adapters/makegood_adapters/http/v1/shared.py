"""Readings of the whole store that all callers share, so that a crowd of pages costs no more than one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Calls *read* one at a time, and again once the last result is older than *seconds*, or than *times* as
    long as it took to read, so that however slow it is the store has other things to do."""

    def __init__(self, read: Callable[[], Awaitable[T]], *, seconds: float, times: float) -> None:
        self._read, self._seconds, self._times = read, seconds, times
        self._last: tuple[T, float, float] | None = None
        self._reading: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """Return the last result, or a new one where that is too old. Raises what *read* raises."""
        now = asyncio.get_running_loop().time()
        if self._last is not None:
            result, ended_at, took = self._last
            if now - ended_at < max(self._seconds, self._times * took):
                return result
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._renew(), name="makegood shared reading")
        # Whoever leaves does not end it for the others.
        return await asyncio.shield(self._reading)

    async def _renew(self) -> T:
        clock = asyncio.get_running_loop().time
        began_at = clock()
        result = await self._read()
        ended_at = clock()
        self._last = result, ended_at, ended_at - began_at
        return result
