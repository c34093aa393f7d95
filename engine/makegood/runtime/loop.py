"""The lifecycle that all loops share: turn, rest or be woken, survive errors, stop in order."""

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from makegood.ports import Wakeups
from makegood.settings import Settings

log = logging.getLogger("makegood.runtime")

#: Far beyond any longest pause; after a thousand failures the pause would be too large for a float.
_DOUBLINGS_MAX = 40


class Loop(Protocol):
    """Something that takes turns for ever. `topic` names the wake-ups that concern it."""

    name: str
    topic: str

    async def turn(self) -> bool:
        """Do what is due; return whether more is waiting, so that the next turn comes at once."""


@dataclass(slots=True)
class Health:
    """How a loop is doing: turns since it began, errors in a row, the last error as text."""

    name: str
    turns: int = 0
    failures: int = 0
    last_error: str | None = None


class Crew:
    """At most `size` tasks that work beside their loop; each that ends calls `free_again`."""

    def __init__(self, size: int, free_again: Callable[[], None]) -> None:
        self._size, self._free_again = size, free_again
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def room(self) -> int:
        """How many more tasks may start."""
        return self._size - len(self._tasks)

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run *work* as a task; what it raises is logged, the store's rows bring it up again."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def drain(self, seconds: float) -> None:
        """Let the tasks come to their end, at most *seconds*, then cancel what is left."""
        try:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=seconds)
        finally:
            for task in self._tasks:
                task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("%s ended with an error", task.get_name(), exc_info=error)
        self._free_again()


def survivable(error: BaseException) -> bool:
    """Whether a loop may go on after *error*: any Exception, and a CancelledError that is not meant for
    this task, such as that of something a hook awaited and somebody else had cancelled."""
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is not None and not task.cancelling()
    return isinstance(error, Exception)


async def run(
    loop: Loop, wakeups: Wakeups, settings: Settings, stopping: asyncio.Event, health: Health
) -> None:
    """Take turns until *stopping*; an error is logged and followed by a growing pause."""
    with wakeups.listen(loop.topic) as bell:
        while not stopping.is_set():
            pause = settings.loop_interval_seconds
            try:
                more = await loop.turn()
                health.turns, health.failures = health.turns + 1, 0
                if more:
                    await asyncio.sleep(0)
                    continue
            except BaseException as error:
                if not survivable(error):
                    raise
                health.failures += 1
                health.last_error = f"{type(error).__name__}: {error}"
                log.exception("%s could not take its turn (%d in a row)", loop.name, health.failures)
                doubled = min(health.failures, _DOUBLINGS_MAX)
                pause = min(pause * 2**doubled, settings.loop_backoff_max_seconds)
            await bell.wait(pause * random.uniform(0.8, 1.2))  # spread over processes


async def run_all(
    loops: Sequence[Loop],
    wakeups: Wakeups,
    settings: Settings,
    stopping: asyncio.Event,
    healths: Mapping[str, Health],
) -> None:
    """Run all loops until *stopping*, each as a named task of one group."""
    async with asyncio.TaskGroup() as group:
        for loop in loops:
            work = run(loop, wakeups, settings, stopping, healths[loop.name])
            group.create_task(work, name=f"makegood {loop.name}")
