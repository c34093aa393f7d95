"""Turn any hint into one act: ask the provider, then fire at most one event."""

import asyncio
import logging
import random
from collections.abc import Sequence
from dataclasses import asdict
from typing import assert_never

from makegood.errors import ProviderUnavailable
from makegood.job import Attempt, Evidence, Job, Verdict
from makegood.lifecycle import Failure
from makegood.mover import FETCH
from makegood.observing import type_is_known
from makegood.outcome import Answer, Cancelled, CancelReply, Failed, NotFound, Succeeded, Trouble, Unfinished
from makegood.ports import StoredHint, Word
from makegood.reruns import AGAIN, Rerun, request_of
from makegood.runtime.binding import Binding
from makegood.runtime.context import Context
from makegood.runtime.counting import Counting
from makegood.runtime.loop import survivable
from makegood.runtime.refusals import WISH_SECONDS_MAX

log = logging.getLogger("makegood.inquiry")


class Inquiry:
    """Asks about attempts; what the provider answers decides, never what the hint said."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._binding, self._counting = Binding(context), Counting(context)

    async def ask(self, attempt: Attempt) -> None:
        """Learn what has become of *attempt* and bring its job up to it.

        Raises ProviderUnavailable when there is no answer in time; then nothing has changed.
        """
        try:
            async with asyncio.timeout(self._context.settings.ask_timeout_seconds):
                await self._ask(attempt)
        except TimeoutError:
            raise ProviderUnavailable("the provider did not answer in time") from None

    async def late(self, attempt: Attempt) -> None:
        """Look into webhooks about *attempt* that came when it was closed; see `Binding.late`."""
        try:
            async with asyncio.timeout(self._context.settings.ask_timeout_seconds):
                await self._binding.late(attempt)
        except (ProviderUnavailable, TimeoutError) as error:
            log.warning("a late webhook of job %s cannot be looked into yet: %r", attempt.job_id, error)

    async def _ask(self, attempt: Attempt) -> None:
        store = self._context.store
        job = await store.jobs.get(attempt.job_id)
        if job is None:
            return
        self._context.mover.remember(job)
        type_is_known(job)
        provider, task_id, answer = self._context.provider(attempt.account), attempt.task_id, None
        if task_id is not None:
            job = await self._begun(job, attempt)
        elif bound := await self._binding.find(job, attempt):
            task_id, answer = bound
        else:
            await self._counting.look(attempt)
            return
        hints = await store.hints.unread(attempt)
        too_late = await self._pass_cancel_on(job, attempt, task_id)
        if answer is None or (isinstance(answer, Unfinished) and _is_unwanted(job, attempt)):
            answer = await provider.query(task_id)
        if isinstance(answer, Succeeded) and not answer.outputs:
            answer = await provider.query(task_id)  # a result may be listed a moment late
        if self._context.observers and not isinstance(answer, (Unfinished, NotFound)):
            heard_at = min((hint.received_at for hint in hints), default=None)
            self._context.observers.learned(attempt, _word(hints), heard_at)
        if isinstance(answer, Cancelled) and too_late:
            await self._cancelled(job, attempt, answer.ran, by_us=False)
        else:
            await self._take(job, attempt, answer)
        await store.hints.read(hints)

    async def _begun(self, job: Job, attempt: Attempt) -> Job:
        """Let a job begin whose task is known but whose submitter has not come to say so, or never will."""
        rules = (await self._context.mover.type_of(job)).rules
        if job.attempt != attempt.number or "begin" not in rules.allowed(job.state):
            return job
        evidence = attempt.evidence(Verdict.ACCEPTED, "submission", task_id=attempt.task_id)
        try:
            begun = await self._follow(job, "begin", evidence=evidence)
        except BaseException as error:  # a guard or an effect of the type's: the provider's word counts still
            if not survivable(error):
                raise
            log.exception("job %s could not begin", job.id)
            return job
        return begun or await self._context.store.jobs.get(job.id) or job

    async def _pass_cancel_on(self, job: Job, attempt: Attempt, task_id: str) -> bool:
        """Cancel at the provider what was asked to be cancelled, or is no longer wanted; return whether the
        task was over before: then it was not we who cancelled it.

        That it was sent is written first: a cancellation that nobody knows of would be priced wrongly.
        """
        provider = self._context.provider(attempt.account)
        if attempt.cancel_answered or not (_is_unwanted(job, attempt) and provider.features.cancels):
            return attempt.cancel_late
        first = await self._context.store.attempts.sent_cancel(attempt)
        try:
            async with asyncio.timeout(
                self._context.settings.ask_timeout_seconds / 2
            ):  # the rest is the query's
                reply = await provider.cancel(task_id)
        except (ProviderUnavailable, TimeoutError) as error:  # what the query says counts all the same
            log.warning("the cancel of job %s has no usable answer: %r", job.id, error)
            return False
        late = first and reply is not CancelReply.REQUESTED
        if reply is CancelReply.NOT_FOUND:  # perhaps not yet: it is asked again as long as the query knows it
            return late
        await self._context.store.attempts.cancel_answered(attempt, late=late)
        return late

    async def _take(self, job: Job, attempt: Attempt, answer: Answer) -> None:
        store = self._context.store
        match answer:
            case Unfinished(running=running):
                if running and not attempt.ran:
                    await store.attempts.saw_running(attempt)
            case Succeeded(outputs=()):
                failure = Failure(category="no_output", message="The provider delivered no result.")
                await self._failed(job, attempt, failure, Trouble.REQUEST)
            case Succeeded(outputs=outputs, usage=usage):
                evidence = attempt.evidence(
                    Verdict.SUCCEEDED,
                    "query",
                    detail={"usage": dict(usage)},
                    outputs=tuple(asdict(output) for output in outputs),
                )
                await store.attempts.record(evidence)
                self._context.mover.announce(job.id)
                self._context.wakeups.wake(FETCH)
                if job.finished_at is not None and job.output is None:
                    log.warning("job %s was over when its result came; it is discarded", job.id)
            case Failed(reason=reason, trouble=trouble):
                failure = Failure(category="provider", message=reason)
                await self._failed(job, attempt, failure, trouble)
            case Cancelled(ran=ran):
                await self._cancelled(job, attempt, ran)
            case NotFound():
                await self._absent(job, attempt)
            case _:
                assert_never(answer)

    async def _failed(self, job: Job, attempt: Attempt, failure: Failure, trouble: Trouble) -> None:
        """Run the job again if its type says so, else end it; the evidence tells what is changed then."""
        again = await self._again(job, attempt, trouble)
        detail = {**failure.model_dump(mode="json"), "trouble": trouble.value}
        if again:
            detail[AGAIN] = asdict(again)
        evidence = attempt.evidence(Verdict.FAILED, "query", detail=detail)
        if again:
            # Of many that failed at one moment not all shall come back at one moment.
            pause = min(again.after_seconds, WISH_SECONDS_MAX) * random.uniform(0.75, 1.0)
            if await self._follow(job, "rerun", failure, evidence=evidence, defer_seconds=pause):
                return
        await self._follow(job, "fail", failure, evidence=evidence)

    async def _again(self, job: Job, attempt: Attempt, trouble: Trouble) -> Rerun | None:
        """Return how the job is run again; a policy that raises must not keep the credits: it says no."""
        if _is_unwanted(job, attempt) or job.reruns + 1 >= job.attempts_max:
            return None
        job_type, store = await self._context.mover.type_of(job), self._context.store
        known = await store.attempts.evidence(job.id) if job.reruns else []
        try:
            again = job_type.rerun_after(job, trouble, request_of(job, attempt.number, known))
            if again is not None and not isinstance(again, Rerun):
                raise TypeError(f"rerun_after returned a {type(again).__name__}, not a Rerun or None")
            return again
        except BaseException as error:
            if not survivable(error):
                raise
            log.exception("job type %s does not say how job %s is run again; it fails", job.type, job.id)
            return None

    async def _cancelled(self, job: Job, attempt: Attempt, ran: bool | None, *, by_us: bool = True) -> None:
        """End the job as its owner wished if it was we who cancelled the task; of two who ask at once, one
        may have sent the cancel and the other learn of its effect."""
        store, evidence = self._context.store, attempt.evidence(Verdict.CANCELLED, "query")
        job = await store.jobs.get(job.id) or job
        attempt = await store.attempts.get(job.id, attempt.number) or attempt
        sent = attempt.cancel_sent_at is not None and not attempt.cancel_late
        if job.cancel_requested_at and sent and by_us:
            began = attempt.ran if ran is None else ran
            await self._follow(job, "cancel", evidence=evidence, ran=began)
        else:
            message = "The provider cancelled the task, which nobody had asked for."
            failure = Failure(category="provider", message=message)
            await self._follow(job, "fail", failure, evidence=evidence)

    async def _absent(self, job: Job, attempt: Attempt) -> None:
        """A task may be unknown for a moment after its creation; later it is lost."""
        since = attempt.accepted_at or attempt.intent_at
        age = (await self._context.store.now() - since).total_seconds() if since else 0.0
        if age < self._context.settings.absent_after_seconds:
            return
        failure = Failure(category="provider", message="The provider no longer knows the task.")
        evidence = attempt.evidence(Verdict.ABSENT, "query")
        await self._follow(job, "fail", failure, evidence=evidence)

    async def _follow(
        self,
        job: Job,
        event: str,
        failure: Failure | None = None,
        *,
        evidence: Evidence,
        ran: bool = False,
        defer_seconds: float | None = None,
    ) -> Job | None:
        return await self._context.mover.follow(
            job.id,
            event,
            failure,
            actor="inquiry",
            reason=failure.message if failure else None,
            evidence=evidence,
            ran=ran,
            defer_seconds=defer_seconds,
        )


def _word(hints: Sequence[StoredHint]) -> Word:
    """Return from whom we heard before we asked."""
    if not hints:
        return Word.POLL
    return Word.WEBHOOK if any(hint.source == "webhook" for hint in hints) else Word.HINT


def _is_unwanted(job: Job, attempt: Attempt) -> bool:
    """Whether nobody waits for the attempt's result any more, or its owner has asked to cancel."""
    over = job.finished_at is not None or job.attempt != attempt.number
    return over or job.cancel_requested_at is not None
