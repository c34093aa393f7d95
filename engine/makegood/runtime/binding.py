"""Find the task of an attempt whose create reply was lost, by the webhook that came with its token."""

import logging

from makegood.job import Attempt, Job, Verdict
from makegood.outcome import Answer, CancelReply, NotFound, Signature, Unfinished
from makegood.ports import StoredHint
from makegood.runtime.context import Context

log = logging.getLogger("makegood.binding")


class Binding:
    """A webhook only names a task; that it is the attempt's own, and there, the provider has to say."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def find(self, job: Job, attempt: Attempt) -> tuple[str, Answer] | None:
        """Return the task of *attempt* with what the provider says of it, once it is the attempt's for good;
        None where no webhook names one, or the provider does not know it.

        Raises ProviderUnavailable; then nothing has changed.
        """
        context = self._context
        for hint in await context.store.hints.unread(attempt):
            task_id = await self._own_task(attempt, hint)
            if task_id is None:
                continue
            answer = await context.provider(attempt.account).query(task_id)
            if isinstance(answer, NotFound):  # perhaps not yet: the hint stays
                continue
            evidence = attempt.evidence(Verdict.ACCEPTED, "webhook", task_id=task_id)
            await context.mover.follow(job.id, "begin", actor="inquiry", evidence=evidence)
            return task_id, answer
        return None

    async def late(self, attempt: Attempt) -> None:
        """Deal with webhooks that name a task of an attempt which is closed: nobody waits for it any more, so
        it is recorded, told as an alarm, and cancelled if it still runs. No slot is taken for it.

        Raises ProviderUnavailable; then it is to be done again.
        """
        store, provider = self._context.store, self._context.provider(attempt.account)
        for hint in await store.hints.unread(attempt):
            task_id = await self._own_task(attempt, hint)
            if task_id is None:
                continue
            answer = await provider.query(task_id)
            if not isinstance(answer, NotFound):
                if attempt.task_id is None:
                    evidence = attempt.evidence(Verdict.ACCEPTED, "late webhook", task_id=task_id)
                    attempt = await store.attempts.record(evidence)
                log.error(
                    "late result: attempt %s of job %s at %s was closed (%s), and yet has task %s there: %s",
                    attempt.number,
                    attempt.job_id,
                    attempt.account,
                    attempt.verdict,
                    task_id,
                    type(answer).__name__,
                )
                if isinstance(answer, Unfinished) and provider.features.cancels:
                    await store.attempts.sent_cancel(attempt)
                    if await provider.cancel(task_id) is CancelReply.NOT_FOUND:
                        continue  # though the query knows it: it is asked again
                    await store.attempts.cancel_answered(attempt)
            await store.hints.read([hint])

    async def _own_task(self, attempt: Attempt, hint: StoredHint) -> str | None:
        """Return the task that a webhook names if the attempt's token made it; else drop the hint."""
        if hint.source != "webhook" or not hint.task_id:
            return None
        if hint.task_id == attempt.task_id or await self._is_confirmed(attempt, hint.task_id):
            return hint.task_id
        log.warning("a webhook for job %s names a task that is not its own", attempt.job_id)
        await self._context.store.hints.read([hint])
        return None

    async def _is_confirmed(self, attempt: Attempt, task_id: str) -> bool:
        provider = self._context.provider(attempt.account)
        if provider.features.signature is not Signature.NONE:
            return True  # what is not signed is never kept
        if attempt.token_hash is None or not provider.features.tells_webhook:
            return False
        return await provider.confirm_binding(task_id, attempt.token_hash)
