"""Prove by the provider's count of an exclusive account's tasks that a lost submission made none."""

import asyncio
import logging
from collections.abc import Sequence

from makegood.errors import ProviderUnavailable
from makegood.job import Attempt, Phase, Verdict
from makegood.outcome import Answer, Unfinished
from makegood.ports import Provider
from makegood.runtime.context import Context

log = logging.getLogger("makegood.counting")


class Counting:
    """Takes one reading a turn: all known tasks live, the provider counts, all known tasks live still.

    If the count is their number, no task lived just then that nobody knows. What a row of such readings
    proves, and what it cannot, is told in docs/decisions/0014-a-count-proves-a-submission-lost.md.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._counted: set[str] = set()

    async def look(self, attempt: Attempt) -> None:
        """Take a reading for the uncertain *attempt* if its account can be counted; put jobs back of which it
        is proved now that they have no task. Raises ProviderUnavailable.

        A reading is for all uncertain attempts of the account, so one at a time is enough.
        """
        context, name = self._context, attempt.account
        exclusive = any(account.exclusive for account in context.providers if account.name == name)
        counts = exclusive and context.provider(name).features.counts_tasks
        if attempt.phase is not Phase.UNCERTAIN or not counts or name in self._counted:
            return
        self._counted.add(name)
        try:
            await self._count(name)
        finally:
            self._counted.discard(name)

    async def _count(self, name: str) -> None:
        provider, store = self._context.provider(name), self._context.store
        settings = self._context.settings
        reading = await store.attempts.begin_reading(name)
        if reading is None or not await _all_live(provider, reading.tasks):
            return
        told = await provider.capacity()
        if told.in_use is None or not await _all_live(provider, reading.tasks):
            return
        proved = await store.attempts.end_reading(
            reading,
            told.in_use,
            gap_seconds=settings.count_gap_seconds,
            settle_seconds=settings.submit_timeout_seconds + settings.count_after_seconds,
        )
        for lost in proved:
            await self._put_back(lost)

    async def _put_back(self, attempt: Attempt) -> None:
        job = await self._context.store.jobs.get(attempt.job_id)
        if job is None:
            return
        log.warning("attempt %s of job %s made no task; the job waits again", attempt.number, job.id)
        event = "cancel" if job.cancel_requested_at else "defer"
        evidence = attempt.evidence(Verdict.REJECTED, "count")
        await self._context.mover.follow(job.id, event, actor="inquiry", evidence=evidence)


async def _all_live(provider: Provider, tasks: Sequence[Attempt]) -> bool:
    """Ask about each task; return whether all are under way."""

    async def ask(task_id: str | None) -> Answer | None:
        try:
            return await provider.query(task_id) if task_id else None
        except ProviderUnavailable:
            return None

    answers = await asyncio.gather(*(ask(task.task_id) for task in tasks))
    return all(isinstance(answer, Unfinished) for answer in answers)
