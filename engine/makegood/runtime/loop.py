"""The lifecycle that all loops share: turn, rest or be woken, survive errors, stop in order."""

import asyncio
import logging
import random
from collections.abc import Mapping, Sequence
from typing import Protocol

from makegood.ports import Wakeups
from makegood.runtime.health import Health
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
    """Take turns until *stopping*; an error is logged and followed by a growing pause, a turn that does not
    end is told and left alone."""
    clock = asyncio.get_running_loop()
    try:
        with wakeups.listen(loop.topic) as bell:
            while not stopping.is_set():
                pause = settings.loop_interval_seconds
                alarm = clock.call_later(
                    settings.turn_alarm_seconds, health.hangs, settings.turn_alarm_seconds
                )
                health.begins(clock.time())
                try:
                    more = await loop.turn()
                    health.turns, health.failures = health.turns + 1, 0
                except BaseException as error:
                    if not survivable(error):
                        raise
                    health.fails(error, clock.time())
                    _tell(loop.name, health.failures)
                    doubled = min(health.failures, _DOUBLINGS_MAX)
                    pause, more = min(pause * 2**doubled, settings.loop_backoff_max_seconds), False
                finally:
                    alarm.cancel()
                    health.ends(clock.time())
                if more:
                    await asyncio.sleep(0)
                    continue
                health.rest_seconds = pause * random.uniform(0.8, 1.2)  # spread over processes
                await bell.wait(health.rest_seconds)
    finally:
        health.over = True


def _tell(name: str, failures: int) -> None:
    """Log the error of a turn: as one when it is new, and ever more rarely as long as it goes on."""
    level = logging.WARNING if failures & (failures - 1) else logging.ERROR  # the first, second, fourth, …
    log.log(level, "%s could not take its turn (%d in a row)", name, failures, exc_info=True)


async def run_all(
    loops: Sequence[Loop],
    wakeups: Wakeups,
    settings: Settings,
    stopping: asyncio.Event,
    healths: Mapping[str, Health],
) -> None:
    """Run all loops until *stopping*, each as a named task; who cancels this cancels all, each time anew."""
    works = [
        asyncio.create_task(
            run(loop, wakeups, settings, stopping, healths[loop.name]), name=f"makegood {loop.name}"
        )
        for loop in loops
    ]
    try:
        await asyncio.gather(*works)
    finally:
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)
