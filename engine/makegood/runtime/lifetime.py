"""The loops of one process from their beginning to an orderly end, after which nobody waits for a lease."""

import asyncio
import logging
from collections.abc import Mapping
from uuid import UUID

from makegood.errors import StoreError
from makegood.ports import WorkerName
from makegood.runtime.collector import Collector
from makegood.runtime.context import Context
from makegood.runtime.courier import Courier
from makegood.runtime.crew import Crew
from makegood.runtime.dispatcher import Dispatcher
from makegood.runtime.estimator import Estimator
from makegood.runtime.health import Health
from makegood.runtime.heartbeat import Heartbeat
from makegood.runtime.herald import Herald
from makegood.runtime.loop import Loop, run, run_all
from makegood.runtime.poller import Poller
from makegood.runtime.relay import Relay
from makegood.runtime.sequencer import Sequencer
from makegood.runtime.submitter import Submitter
from makegood.runtime.surveyor import Surveyor, introduce
from makegood.runtime.watchdog import Watchdog

log = logging.getLogger("makegood.runtime")

#: Longest wait at the end for the row of this process to go; others remove it later.
_LEAVE_SECONDS = 2.0
#: So long a loop may bring its turn to its end in any case: nobody knows what a turn that is cut off took.
_TURN_SECONDS = 2.0
#: Longest wait for who was cut short: what is told once brings its transaction to its end first, what is told
#: twice leaves it. More often than so nobody is told.
_CUT_SECONDS, _TOLD_MAX = 5.0, 3
#: The same for the heartbeat, which nobody misses.
_BEAT_SECONDS = 0.5


class Lifetime:
    """All loops of a process; `health` tells how each is doing."""

    def __init__(self, context: Context, worker_id: UUID, worker: WorkerName) -> None:
        self._context = context
        self._submitter = Submitter(context)
        self._loops: tuple[Loop, ...] = (
            Dispatcher(context),
            self._submitter,
            Poller(context),
            Collector(context),
            Watchdog(context),
            Surveyor(context),
            Estimator(context),
            Relay(context),
            Sequencer(context),
            *((Herald(context), Courier(context, context.messenger)) if context.messenger else ()),
        )
        self._healths = {loop.name: Health(loop.name, crew=_crew(loop)) for loop in self._loops}
        self._heartbeat = Heartbeat(context, worker_id, worker, list(self._healths.values()))
        self._healths[Heartbeat.name] = Health(Heartbeat.name)
        self._left = asyncio.Event()
        self._end_at: float | None = None
        self._running: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None

    @property
    def health(self) -> Mapping[str, Health]:
        """How each loop is doing, by name."""
        return self._healths

    async def begin(self) -> None:
        """Make the accounts known and start the loops."""
        context = self._context
        await introduce(context)
        work = run_all(self._loops, context.wakeups, context.settings, context.stopping, self._healths)
        self._running = asyncio.create_task(work, name="makegood engine")
        beat = run(
            self._heartbeat, context.wakeups, context.settings, self._left, self._healths[Heartbeat.name]
        )
        self._beating = asyncio.create_task(beat, name="makegood heartbeat")

    def stop(self) -> None:
        """Take nothing new from now on; `end` does so, too, and its time counts from here."""
        if self._end_at is not None:
            return
        self._end_at = asyncio.get_running_loop().time() + self._context.settings.drain_seconds
        self._context.stopping.set()
        for loop in self._loops:
            self._context.wakeups.wake(loop.topic)
        self._heartbeat.drains()

    async def end(self) -> None:
        """Take nothing new, let what is under way end within `drain_seconds`, and hand over the rest.

        What was not sent yet goes back at once; a create call under way is waited for as long as
        `drain_submit_seconds`, since its reply names the task. What is cut off is due for others at once.
        """
        self.stop()
        settings, clock = self._context.settings, asyncio.get_running_loop().time
        end = self._end_at or clock()
        try:  # first the loops, so that nothing new is started; then what they have started
            if self._running:
                await asyncio.wait({self._running}, timeout=max(end - clock(), _TURN_SECONDS))
        finally:
            await _cut(self._running)
            try:
                self._submitter.crew.dismiss()
                left = max(0.0, end - clock())
                late = max(0.0, end - settings.drain_seconds + settings.drain_submit_seconds - clock())
                crews = [crew for loop in self._loops if (crew := _crew(loop))]
                await asyncio.gather(*(crew.drain(left, late) for crew in crews))
            finally:
                await self._leave()

    async def _leave(self) -> None:
        self._left.set()
        await _cut(self._beating, _BEAT_SECONDS)
        leaving = asyncio.create_task(self._heartbeat.leave(), name="makegood leaves")
        await asyncio.wait({leaving}, timeout=_LEAVE_SECONDS)
        if not leaving.done():
            log.info("the row of this process stays until others remove it: no answer in time")
            await _cut(leaving, _BEAT_SECONDS)
        elif error := leaving.exception():
            if not isinstance(error, StoreError):
                raise error
            log.info("the row of this process stays until others remove it: %r", error)


def _crew(loop: Loop) -> Crew | None:
    crew: Crew | None = getattr(loop, "crew", None)
    return crew


async def _cut(task: "asyncio.Task[None] | None", seconds: float = _CUT_SECONDS) -> None:
    """Cancel *task*, and again after so many *seconds*, and wait for its end, however it went."""
    if task is None:
        return
    for _ in range(_TOLD_MAX):
        task.cancel()
        await asyncio.wait({task}, timeout=seconds)
        if task.done():
            await asyncio.gather(task, return_exceptions=True)
            return
    log.error("%s does not end; it is left alone", task.get_name())
