"""The simulator's time: real, scaled, or virtual and moved by a test."""

import asyncio
import heapq
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What stages, repetitions of webhooks, delays and the end of addresses go by."""

    def now(self) -> datetime:
        """Return the time, with its zone."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for that long."""
        ...

    def awake(self) -> None:
        """Count one more piece of work that has something to do now."""
        ...

    def done(self) -> None:
        """Count one less: it is over, or waits for something that is no time."""
        ...


class RealClock:
    """The time of this machine, *speed* times as fast; only the waiting gets shorter by that."""

    def __init__(self, speed: float = 1.0) -> None:
        if speed <= 0:
            raise ValueError(f"speed is {speed}; it must be above 0, 1 for real time.")
        self._speed, self._began, self._base = speed, time.monotonic(), datetime.now(UTC)

    def now(self) -> datetime:
        """Return the time; at another speed than 1 it leaves the wall clock from the start on."""
        if self._speed == 1:
            return datetime.now(UTC)
        return self._base + timedelta(seconds=(time.monotonic() - self._began) * self._speed)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(max(0.0, seconds) / self._speed)

    def awake(self) -> None:
        """Do nothing: real time waits for nobody."""

    def done(self) -> None:
        """Do nothing."""


class VirtualClock:
    """A time that stands still until `advance`; it begins at *start*, by default now.

    It knows how many pieces of the simulator's work are awake, and wakes the next sleeper only
    when none is: so everything happens in order of its time, however long the machine takes.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime.now(UTC)
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._awake = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    def now(self) -> datetime:
        """Return the virtual time."""
        return self._now

    def awake(self) -> None:
        """Count one more piece of work that has something to do now."""
        self._awake += 1
        self._quiet.clear()

    def done(self) -> None:
        """Count one less."""
        self._awake -= 1
        if self._awake == 0:
            self._quiet.set()

    async def sleep(self, seconds: float) -> None:
        """Wait until `advance` has come that far; not at all for 0 seconds."""
        if seconds <= 0:
            return
        due = self._now + timedelta(seconds=seconds)
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (due, next(self._order), woken))
        self.done()
        try:
            await woken
        except asyncio.CancelledError:
            # Who was woken and cancelled at once has been counted by the waker.
            if woken.cancelled():
                self.awake()
            raise

    async def advance(self, seconds: float) -> None:
        """Let *seconds* pass: what is due happens in order, and all that follows from it at once."""
        target = self._now + timedelta(seconds=seconds)
        await self._settle()
        while self._sleepers and self._sleepers[0][0] <= target:
            due, _, woken = heapq.heappop(self._sleepers)
            if woken.done():
                continue
            self._now = max(self._now, due)
            self.awake()
            woken.set_result(None)
            await self._settle()
        self._now = target

    async def _settle(self) -> None:
        """Wait until nobody is awake; a turn of the loop lets those count themselves who begin now."""
        while True:
            await asyncio.sleep(0)
            if self._awake == 0:
                return
            await self._quiet.wait()


@asynccontextmanager
async def at_work(clock: Clock) -> AsyncIterator[None]:
    """Count as awake inside."""
    clock.awake()
    try:
        yield
    finally:
        clock.done()


@asynccontextmanager
async def at_rest(clock: Clock) -> AsyncIterator[None]:
    """Do not count as awake inside, while waiting for what is no time."""
    clock.done()
    try:
        yield
    finally:
        clock.awake()
