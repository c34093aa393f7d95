"""What follows from a create call that was refused: who waits, the job, its account, or nobody any more."""

import logging
import random
from datetime import datetime
from typing import assert_never

from makegood.job import Attempt, Evidence, Job, Verdict
from makegood.lifecycle import Failure
from makegood.outcome import Cause, Rejected, Retry
from makegood.runtime.context import Context

log = logging.getLogger("makegood.refusals")

_ACTOR = "submitter"
#: Refusals of a type that lie further apart are not taken for one trouble.
_IN_A_ROW_SECONDS = 86_400.0
#: So long a provider may make a job or its account wait at most, whatever it wishes.
WISH_SECONDS_MAX = 86_400.0


class Refusals:
    """Puts a refused job back or ends it, and lets its account rest, shrink or be unfit."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._unfit_at: dict[str, datetime] = {}

    def is_unfit_since(self, attempt: Attempt) -> bool:
        """Whether this process has found the account unfit after it gave *attempt* a slot: then nothing is
        sent, else each job that has a slot would fail for what is known already."""
        unfit_at = self._unfit_at.get(attempt.account)
        return unfit_at is not None and attempt.opened_at <= unfit_at

    async def take(self, job: Job, attempt: Attempt, refusal: Rejected, *, sent: bool = True) -> None:
        """Record that *refusal* made no task, and act on what it is about.

        An attempt of which nothing was sent yet, whose upload was refused, needs no evidence for that.
        """
        detail = {"code": refusal.code, "message": refusal.message}
        cause = refusal.cause
        told = {**detail, "job_type": job.type} if cause is Cause.TYPE else detail
        evidence = attempt.evidence(Verdict.REJECTED, "submission", detail=told) if sent else None
        # Whatever becomes of the job: what was learned of the account is true for all.
        if cause is Cause.ACCOUNT and not await self._may_be_used_again(attempt.account, refusal):
            await self._go_elsewhere(job, attempt, refusal, evidence)
        elif cause is not Cause.ACCOUNT and refusal.retry is Retry.NEVER:
            message = "The provider refused the job."
            await self._end(job, Failure(category="rejected", message=message, detail=detail), evidence)
        else:
            await self._later(job, attempt, refusal, evidence)
        if cause is Cause.TYPE:
            await self._close_type(job.type, refusal)

    async def rest(self, account: str, wish_seconds: float = 0.0, *, refused: bool = False) -> int:
        """Let the account rest, at least as long as the provider wishes; see `Accounts.rest`."""
        settings, wish_seconds = self._context.settings, _sane(wish_seconds)
        first = max(settings.defer_seconds, wish_seconds)
        longest = max(settings.defer_max_seconds, wish_seconds)
        return await self._context.store.attempts.rest(account, first, longest, refused=refused)

    def pause(self, job: Job) -> float:
        """Return how long the job waits before it is offered again: longer each time, and not all at once."""
        settings = self._context.settings
        doubled = settings.defer_seconds * 2.0 ** min(job.attempt - job.reruns - 1, 16)
        return min(doubled, settings.defer_max_seconds) * random.uniform(0.75, 1.0)

    async def _later(self, job: Job, attempt: Attempt, refusal: Rejected, evidence: Evidence | None) -> None:
        """Put the job back: where its account waits, its jobs keep their order, else the job waits alone."""
        wish = _sane(refusal.after_seconds or 0.0)
        match refusal.cause:
            case Cause.REQUEST | Cause.TYPE:
                await self._defer(job, evidence, max(self.pause(job), wish))
            case Cause.PACE:
                await self.rest(attempt.account, wish)
                await self._defer(job, evidence)
            case Cause.ROOM:
                await self.rest(attempt.account, wish)
                # Before, so that the slot is not given away at once; and when it is closed, since of many
                # that are refused at one moment only the last one counts right.
                await self._context.store.attempts.shrink(attempt)
                await self._defer(job, evidence)
                await self._context.store.attempts.shrink(attempt)
            case Cause.ACCOUNT:
                await self._defer(job, evidence)
            case _:
                assert_never(refusal.cause)

    async def _may_be_used_again(self, account: str, refusal: Rejected) -> bool:
        """Let an account whose key was refused in passing rest, unless it was so too often in a row."""
        if refusal.retry is Retry.NEVER:
            return False
        times = await self.rest(account, refusal.after_seconds or 0.0, refused=True)
        return times < self._context.settings.account_refusals_max

    async def _go_elsewhere(
        self, job: Job, attempt: Attempt, refusal: Rejected, evidence: Evidence | None
    ) -> None:
        """Take the account for unfit, and the job to another one of its pool that is fit, if there is one."""
        settings = self._context.settings
        problem = _said(refusal)
        log.error("provider account %s cannot be used: %s", attempt.account, problem)
        another = await self._context.store.attempts.unfit(
            attempt.account, problem, settings.unfit_seconds, settings.unfit_max_seconds
        )
        self._unfit_at[attempt.account] = await self._context.store.now()
        if another:
            await self._defer(job, evidence)
        else:
            message = "The provider cannot take jobs at the moment."
            detail = {"code": refusal.code, "message": refusal.message}
            await self._end(job, Failure(category="provider", message=message, detail=detail), evidence)

    async def _close_type(self, name: str, refusal: Rejected) -> None:
        """Close the type if its last jobs were all refused for its own sake: the next would be so too."""
        context, times = self._context, self._context.settings.type_refusals_max
        reason = (
            f"{times} jobs in a row were refused for what the type asks for ({_said(refusal)}); compare its "
            f"app and nodes with the provider's, then makegood resume --type {name}"
        )
        closed = await context.store.rules.close(
            name, times=times, within_seconds=_IN_A_ROW_SECONDS, actor=_ACTOR, reason=reason
        )
        if closed:
            catalog = context.catalog
            catalog.learn({**catalog.closed, name: reason}, catalog.look())
            log.error("job type %s is closed: %s", name, reason)

    async def _defer(self, job: Job, evidence: Evidence | None, defer_seconds: float | None = None) -> None:
        mover = self._context.mover
        if await self._cancelled(job, evidence):
            return
        await mover.follow(job.id, "defer", actor=_ACTOR, evidence=evidence, defer_seconds=defer_seconds)

    async def _end(self, job: Job, failure: Failure, evidence: Evidence | None) -> None:
        if await self._cancelled(job, evidence):
            return
        await self._context.mover.follow(
            job.id, "fail", failure, actor=_ACTOR, reason=failure.message, evidence=evidence
        )

    async def _cancelled(self, job: Job, evidence: Evidence | None) -> bool:
        """Cancel a job whose owner has asked for it meanwhile; return whether there is nothing more to do."""
        now = await self._context.store.jobs.get(job.id)
        if now is None or not now.cancel_requested_at:
            return False
        await self._context.mover.follow(job.id, "cancel", actor=_ACTOR, evidence=evidence)
        return True


def _said(refusal: Rejected) -> str:
    told = refusal.message.startswith(refusal.code)
    return refusal.message if told else f"{refusal.code}: {refusal.message}"


def _sane(wish_seconds: float) -> float:
    """Return a wish that a clock can follow: one that is no number is none."""
    return min(max(0.0, wish_seconds), WISH_SECONDS_MAX)
