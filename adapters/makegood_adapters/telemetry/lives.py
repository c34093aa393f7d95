"""The whole life of each job that this process brings to its end, read once from the store."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from makegood.errors import StoreError
from makegood.job import Attempt, Job, JobMoney, Transition
from makegood.ports import Call, Move, Reception, Store, Word

log = logging.getLogger("makegood.telemetry")

#: How many lives may wait to be read, how many are read at once, and how long the last ones have at the end.
PENDING_MAX, READERS, LAST_SECONDS = 2_000, 2, 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """A job that is over, with its history and its attempts; `money` and what is known of the attempts are
    there where somebody asked for them."""

    job: Job
    steps: Sequence[Transition]
    attempts: Sequence[Attempt]
    money: JobMoney | None = None

    @property
    def waits(self) -> list[tuple[Transition, float]]:
        """The steps that gave the job a slot, each with how many seconds it had waited for it."""
        found = []
        for before, step in zip(self.steps, self.steps[1:], strict=False):
            if step.attempt > before.attempt:
                found.append((step, max(0.0, (step.at - before.at).total_seconds())))
        return found


class Listener(Protocol):
    """Who wants to hear of lives."""

    def ended(self, life: Life) -> None:
        """Hear of one."""

    def left_out(self) -> None:
        """Hear that one was not read: there were too many, or the store did not answer."""


class Lives:
    """An observer of an engine: reads what `ended` needs beside the work, never in its way.

    What ends in another process, or by SQL alone, is told there or nowhere.
    """

    def __init__(
        self, store: Store, listeners: Sequence[Listener], *, wholly: bool, pending_max: int = PENDING_MAX
    ) -> None:
        self._store, self._listeners, self._wholly = store, listeners, wholly
        self._pending: asyncio.Queue[Job] = asyncio.Queue(pending_max)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Read as long as the block runs, and at its end what is left, for LAST_SECONDS at most."""
        readers = [asyncio.create_task(self._read_on(), name=f"makegood lives {n}") for n in range(READERS)]
        try:
            yield
        finally:
            rest = asyncio.create_task(self._pending.join())
            await asyncio.wait({rest}, timeout=LAST_SECONDS)
            for task in (rest, *readers):
                task.cancel()
            await asyncio.gather(rest, *readers, return_exceptions=True)

    async def read(self) -> None:
        """Wait until everything that has ended so far is read."""
        await self._pending.join()

    def moved(self, move: Move) -> None:
        """See `Observer.moved`."""
        if move.job.finished_at is None:
            return
        try:
            self._pending.put_nowait(move.job)
        except asyncio.QueueFull:
            self._leave_out()

    def dispatched(self, attempt: Attempt) -> None:
        """See `Observer.dispatched`."""

    def called(self, call: Call) -> None:
        """See `Observer.called`."""

    def received(self, account: str | None, reception: Reception) -> None:
        """See `Observer.received`."""

    def learned(self, attempt: Attempt, word: Word, heard_at: datetime | None) -> None:
        """See `Observer.learned`."""

    async def _read_on(self) -> None:
        while True:
            job = await self._pending.get()
            try:
                life = await self._life(job)
                for listener in self._listeners:
                    listener.ended(life)
            except StoreError as error:
                log.info("the times of job %s are left out: %s", job.id, error)
                self._leave_out()
            except Exception:
                log.exception("the times of a job could not be told")
                self._leave_out()
            finally:
                self._pending.task_done()

    async def _life(self, job: Job) -> Life:
        store = self._store
        steps, attempts = await store.jobs.history(job.id), await store.attempts.of(job.id)
        money = None
        if self._wholly:
            money, known = await store.jobs.money(job.id), await store.attempts.evidence(job.id)
            attempts = [
                replace(attempt, known=tuple(each for each in known if each.attempt == attempt.number))
                for attempt in attempts
            ]
        return Life(job=job, steps=steps, attempts=attempts, money=money)

    def _leave_out(self) -> None:
        for listener in self._listeners:
            listener.left_out()
