"""Bring an opened attempt to the provider: upload, commit the intent, create once, record."""

import asyncio
import hashlib
import logging
import secrets
from dataclasses import replace
from functools import partial
from typing import assert_never

from makegood.errors import AccountRefused, ProviderRefused, ProviderUnavailable
from makegood.job import Attempt, Evidence, Job, Verdict
from makegood.lifecycle import Failure
from makegood.mover import POLL, SUBMIT
from makegood.observing import subject_of, type_is_known
from makegood.outcome import JSON, Accepted, Cause, Rejected, Retry, Submission, Uncertain
from makegood.ports import Provider
from makegood.reruns import request_of
from makegood.runtime.context import Context
from makegood.runtime.crew import Crew
from makegood.runtime.loop import survivable
from makegood.runtime.refusals import Refusals
from makegood.runtime.uploading import InputGone, LeaseLost, Uploading

log = logging.getLogger("makegood.submitter")


def token_hash(token: str) -> bytes:
    """Return what is stored of a webhook token: its SHA-256, never the token."""
    return hashlib.sha256(token.encode()).digest()


class Submitter:
    """One create call for each attempt, whatever happens."""

    name = "submitter"
    topic = SUBMIT

    def __init__(self, context: Context) -> None:
        self._context, self._refusals = context, Refusals(context)
        self.crew = Crew(context.settings.batch_max, lambda: context.wakeups.wake(SUBMIT))

    async def turn(self) -> bool:
        """Take over attempts that nobody works on and start their submissions."""
        context = self._context
        if not (context.accounts and self.crew.room):
            return False
        attempts = await context.store.attempts.claim(
            context.accounts, self.crew.room, context.settings.lease_seconds
        )
        for attempt in attempts:
            name, again = f"submit {attempt.job_id}/{attempt.number}", partial(self._hand_back, attempt)
            self.crew.start(self._submit(attempt), name, again, subject_of(attempt))
        return False

    async def _submit(self, attempt: Attempt) -> None:
        prepared = await self._prepare(attempt)
        if prepared is None:
            return
        job, files = prepared
        # Before the intent: what cannot be read now is tried again, and nothing was sent.
        request = await self._request(job)
        if self._context.stopping.is_set():
            await self._hand_back(attempt)
            return
        with self.crew.kept():  # what is sent has an outcome, which must be recorded
            await self._send(attempt, job, request, files)

    async def _send(self, attempt: Attempt, job: Job, request: JSON, files: dict[str, str]) -> None:
        context = self._context
        token = secrets.token_urlsafe(32)
        ours = await context.store.attempts.intend(attempt, token_hash(token), context.settings.lease_seconds)
        if not ours:
            log.info("job %s moved on before its submission; nothing was sent", job.id)
            return
        context.mover.remember(replace(job, intent_attempt=attempt.number))
        base = context.settings.webhook_base_url
        webhook = f"{base}/hooks/{token}" if base else None
        outcome = await self._call(context.provider(attempt.account), request, files, webhook)
        await self._record_for_sure(job, attempt, outcome)

    async def _hand_back(self, attempt: Attempt) -> None:
        """Let another begin at once if nothing was sent, else ask at once what has become of it."""
        await self._context.store.attempts.give_back(attempt)
        await self._context.store.attempts.doubt(attempt, "this process ended before it was answered")

    async def _prepare(self, attempt: Attempt) -> tuple[Job, dict[str, str]] | None:
        """Return the job and its uploaded inputs; None when there is nothing to submit any more."""
        job = await self._context.store.jobs.get(attempt.job_id)
        if job is None or job.attempt != attempt.number:
            return None
        type_is_known(job)
        if job.cancel_requested_at:  # the wish came while the job was on its way back to the queue
            await self._follow(job, "cancel")
            return None
        files: dict[str, str] | None = {}
        if not self._refusals.is_unfit_since(attempt):
            files = await self._upload(job, attempt, self._context.provider(attempt.account))
        if files is not None and self._refusals.is_unfit_since(attempt):  # perhaps since the upload began
            await self._follow(job, "defer")
            return None
        return None if files is None else (job, files)

    async def _upload(self, job: Job, attempt: Attempt, provider: Provider) -> dict[str, str] | None:
        """Return the provider's names of the inputs; None when the job was moved instead."""
        try:
            return await Uploading(self._context, job, attempt).bring(provider)
        except LeaseLost:
            log.info("job %s is no longer ours to upload; nothing was sent", job.id)
            return None
        except InputGone as error:
            await self._follow(job, "fail", Failure(category="input", message=str(error)))
            return None
        except ProviderRefused as error:
            await self._follow(job, "fail", Failure(category="input", message=str(error)))
            return None
        except AccountRefused as error:
            retry = Retry.NEVER if error.lasting else Retry.LATER
            refusal = Rejected(error.code, str(error), retry, cause=Cause.ACCOUNT)
            await self._refusals.take(job, attempt, refusal, sent=False)
            return None
        except (ProviderUnavailable, TimeoutError) as error:
            why = str(error) or "nothing moved any more"
            log.warning("inputs of job %s could not be uploaded: %s", job.id, why)
            await self._refusals.rest(attempt.account)
            await self._follow(job, "defer")
            return None
        except BaseException as error:  # whatever it was, the slot must not be held by it
            if not survivable(error):
                raise
            log.exception("inputs of job %s could not be read", job.id)
            await self._follow(job, "defer", defer_seconds=self._refusals.pause(job))
            return None

    async def _request(self, job: Job) -> JSON:
        """Return what this attempt asks for: after a run that failed, perhaps other than the one before."""
        if not job.reruns:
            return job.request
        return request_of(job, job.attempt, await self._context.store.attempts.evidence(job.id))

    async def _call(
        self, provider: Provider, request: JSON, files: dict[str, str], webhook: str | None
    ) -> Submission:
        try:
            async with asyncio.timeout(self._context.settings.submit_timeout_seconds):
                return await provider.submit(request, files, webhook)
        except TimeoutError:
            return Uncertain("the create call was not answered in time")

    async def _record_for_sure(self, job: Job, attempt: Attempt, outcome: Submission) -> None:
        """Record, again while anything goes wrong: an accepted task's id is known only here. It is kept by
        itself first where a guard or an effect on `begin` could lose it, else when anything went wrong.
        After the lease others take the attempt for uncertain."""
        clock = asyncio.get_running_loop().time
        end, pause = clock() + self._context.settings.lease_seconds, 0.5
        by_itself = await self._is_begun_by_others(job)
        while True:
            try:
                if by_itself and isinstance(outcome, Accepted):
                    await self._context.store.attempts.record(_accepted(attempt, outcome))
                return await self._record(job, attempt, outcome)
            except BaseException as error:
                if not survivable(error) or clock() + pause > end:
                    raise
                log.exception("the outcome of job %s cannot be stored yet: %s", job.id, outcome)
            if by_itself:
                await asyncio.sleep(pause)
                pause = min(2 * pause, 10.0)
            by_itself = True

    async def _is_begun_by_others(self, job: Job) -> bool:
        """Return whether code of the job type's has a say in `begin`."""
        job_type = await self._context.mover.type_of(job)
        begin = job_type.events().get("begin")  # a stand-in has the edges, and no code of its own
        effects = any(job_type.effects(edge) for edge in job_type.spec.edges if edge.event == "begin")
        return effects or bool(begin and begin.guards)

    async def _record(self, job: Job, attempt: Attempt, outcome: Submission) -> None:
        match outcome:
            case Accepted():
                await self._follow(job, "begin", evidence=_accepted(attempt, outcome))
                self._context.wakeups.wake(POLL)
            case Rejected():
                await self._refusals.take(job, attempt, outcome)
            case Uncertain(reason=reason):
                log.warning("submission of job %s is uncertain: %s", job.id, reason)
                await self._context.store.attempts.doubt(attempt, reason)
            case _:
                assert_never(outcome)

    async def _follow(
        self,
        job: Job,
        event: str,
        failure: Failure | None = None,
        *,
        evidence: Evidence | None = None,
        defer_seconds: float | None = None,
    ) -> None:
        await self._context.mover.follow(
            job.id,
            event,
            failure,
            actor=self.name,
            reason=failure.message if failure else None,
            evidence=evidence,
            defer_seconds=defer_seconds,
        )


def _accepted(attempt: Attempt, outcome: Accepted) -> Evidence:
    return attempt.evidence(Verdict.ACCEPTED, "submission", task_id=outcome.task_id)
