"""How late the event loop is: a sleeper that notes how long after its time it was woken."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import Histogram

_EVERY_SECONDS = 0.5


@asynccontextmanager
async def watch_lag(lag: Histogram, every_seconds: float = _EVERY_SECONDS) -> AsyncIterator[None]:
    """Observe the lag of the running loop in *lag* as long as the block runs."""
    sleeper = _Sleeper(lag, every_seconds)
    sleeper.sleep()
    try:
        yield
    finally:
        sleeper.asleep.cancel()


class _Sleeper:
    def __init__(self, lag: Histogram, every_seconds: float) -> None:
        self._lag, self._every, self._clock = lag, every_seconds, asyncio.get_running_loop()

    def sleep(self) -> None:
        due = self._clock.time() + self._every
        self.asleep = self._clock.call_at(due, self._wake, due)

    def _wake(self, due: float) -> None:
        self._lag.observe(max(0.0, self._clock.time() - due))
        self.sleep()
