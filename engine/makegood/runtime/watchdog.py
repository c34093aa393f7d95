"""End what has waited too long: no job stays anywhere for ever, and no slot is held for ever."""

import logging
from collections.abc import Coroutine
from functools import partial
from typing import Any

from makegood.errors import ProviderUnavailable
from makegood.job import Attempt, Evidence, Job, Verdict
from makegood.lifecycle import Failure
from makegood.mover import POLL
from makegood.observing import subject_of
from makegood.runtime.context import Context
from makegood.runtime.crew import Crew
from makegood.runtime.inquiry import Inquiry
from makegood.runtime.loop import survivable
from makegood.subject import Subject

log = logging.getLogger("makegood.watchdog")

#: A job that could not be ended comes again after this, so that it does not stand in the way of others.
_AGAIN_SECONDS = 60.0


class Watchdog:
    """A passed deadline asks the provider first; only then it ends the job, credits back.

    It ends jobs on the stored rules alone: no guard, effect or missing type can keep credits held.
    """

    name = "watchdog"
    topic = "watchdog"

    def __init__(self, context: Context) -> None:
        self._context, self._inquiry = context, Inquiry(context)
        self.crew = Crew(context.settings.batch_max, lambda: context.wakeups.wake(self.topic))

    async def turn(self) -> bool:
        """Deal with overdue jobs, late webhooks, spent attempts, and what has expired, each for itself.

        Jobs about which the provider has to be asked are ended beside the others, which do not wait.
        """
        store, batch = self._context.store, self._context.settings.batch_max
        if self.crew.room:
            overdue = await store.jobs.overdue(self._context.accounts, self.crew.room, _AGAIN_SECONDS)
            for job in overdue:
                ending = _alone(self._end(job), f"overdue job {job.id}")
                if job.submitted:
                    about = Subject(job_id=job.id, type=job.type, attempt=job.attempt)
                    again = partial(store.jobs.hand_back, job.id)
                    self.crew.start(ending, f"end {job.id}", again, about)
                else:
                    await ending
        if self._context.accounts and self.crew.room:
            late = await store.attempts.late(self._context.accounts, self.crew.room, _AGAIN_SECONDS)
            for attempt in late:
                name, again = (
                    f"late {attempt.job_id}/{attempt.number}",
                    partial(store.attempts.ask_after, attempt, 0),
                )
                self.crew.start(self._inquiry.late(attempt), name, again, subject_of(attempt))
        for attempt in await store.attempts.spent(batch):
            await _alone(self._give_up(attempt), f"spent attempt {attempt.job_id}/{attempt.number}")
        await store.ledger.expire(batch)
        swept = await store.hints.sweep(batch)
        if swept.adopted:
            self._context.wakeups.wake(POLL)
        if swept.expired:
            log.info("%d messages about tasks that nobody has had in a day are dropped", swept.expired)
        await store.uploads.forget(self._context.settings.upload_kept_seconds, batch)
        return False

    async def _end(self, job: Job) -> None:
        mover, store = self._context.mover, self._context.store
        job_type = await mover.type_of(job)
        evidence: Evidence | None = None
        if job_type.at_provider(job):
            attempt = await store.attempts.get(job.id, job.attempt)
            if attempt is None or await self._answered(job, attempt):
                return
            evidence = attempt.evidence(Verdict.DEADLINE, self.name)
        elif job.cancel_requested_at and await self._cancelled(job):
            return
        label = job_type.spec.state[job.state].label or job.state
        failure = Failure(category="timeout", message=f"The job was too long {label}.")
        if job_type.spec.on_deadline(job.state) is None:
            log.error("job %s of type %s has no way out of %s for its deadline", job.id, job.type, job.state)
            return
        await mover.end(job, failure, actor=self.name, evidence=evidence)

    async def _cancelled(self, job: Job) -> bool:
        """Cancel as asked; what the type's own code makes of it holds the job no longer than its deadline."""
        try:
            done = await self._context.mover.follow(job.id, "cancel", actor=self.name, reason="was asked to")
        except BaseException as error:
            late = job.deadline_at is not None and job.deadline_at <= await self._context.store.now()
            if not (late and survivable(error)):
                raise
            log.exception("job %s could not be cancelled; it ends by its deadline", job.id)
            return False
        return done is not None

    async def _answered(self, job: Job, attempt: Attempt) -> bool:
        """Ask the provider; return whether that alone has moved the job or found its result."""
        if attempt.closed_at is not None or attempt.account not in self._context.accounts:
            return False
        try:
            await self._inquiry.ask(attempt)
        except ProviderUnavailable as error:
            log.warning("overdue job %s: the provider does not answer: %s", job.id, error)
        except BaseException as error:  # a deadline that could not act would strand the credits
            if not survivable(error):
                raise
            log.exception("overdue job %s: its provider's answer could not be acted on", job.id)
        now = await self._context.store.jobs.get(job.id)
        known = await self._context.store.attempts.get(job.id, attempt.number)
        moved = now is None or now.version != job.version
        return moved or (known is not None and known.verdict is not attempt.verdict)

    async def _give_up(self, attempt: Attempt) -> None:
        log.error(
            "attempt %s of job %s held its slot of %s until the last moment; the slot is taken back, "
            "look at the provider whether task %s still runs",
            attempt.number,
            attempt.job_id,
            attempt.account,
            attempt.task_id or "(unknown)",
        )
        await self._context.store.attempts.record(attempt.evidence(Verdict.ABSENT, "draining deadline"))
        self._context.mover.announce(attempt.job_id)


async def _alone(work: Coroutine[Any, Any, None], what: str) -> None:
    """Await *work*; one bad row delays only itself."""
    try:
        await work
    except BaseException as error:
        if not survivable(error):
            raise
        log.exception("%s could not be ended", what)
