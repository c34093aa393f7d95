"""The time of the running event loop, moved by a test: a machine that stands still lets none of it pass."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def time_by_hand() -> Iterator[Callable[[float], None]]:
    """Let the time of the loop stand, and yield what lets so many seconds pass; what is due by then happens
    with the next turns of the loop. Meanwhile nothing but sockets, other tasks and that time wakes anybody:
    not `asyncio.sleep`, nor `asyncio.timeout`."""
    loop = asyncio.get_running_loop()
    real, stands = loop.time, loop.time()

    def move(seconds: float) -> None:
        nonlocal stands
        stands += seconds

    loop.time = lambda: stands  # type: ignore[method-assign]  # there is no other way to the timers of a loop
    try:
        yield move
    finally:
        loop.time = real  # type: ignore[method-assign]  # as it was


class _Hastened:
    """A time that is ahead of the real one."""

    def __init__(self, real: Callable[[], float]) -> None:
        self._real, self.ahead = real, 0.0

    def __call__(self) -> float:
        return self._real() + self.ahead


def hasten(seconds: float) -> None:
    """Let so many seconds pass at once, for good: a limit that no slow machine reaches is reached by hand."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop.time, _Hastened):
        loop.time = _Hastened(loop.time)  # type: ignore[method-assign]  # there is no other way to its timers
    loop.time.ahead += seconds


async def turns(number: int = 10) -> None:
    """Let the loop turn, so that what is due happens."""
    for _ in range(number):
        await asyncio.sleep(0)
