"""Bring results home: a job is complete when its files are ours, not when the provider is done."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing

from pydantic import BaseModel

from makegood.errors import ProviderUnavailable
from makegood.job import Attempt, Job, Verdict
from makegood.lifecycle import BaseJob, Completion, Failure
from makegood.mover import FETCH
from makegood.outcome import JSON, Output
from makegood.runtime.context import Context
from makegood.runtime.loop import Crew, survivable

log = logging.getLogger("makegood.collector")


class Collector:
    """Fetches without a slot, again and again until the job type's fetch deadline."""

    name = "collector"
    topic = FETCH

    def __init__(self, context: Context) -> None:
        self._context = context
        self.crew = Crew(context.settings.batch_max, lambda: context.wakeups.wake(FETCH))

    async def turn(self) -> bool:
        """Start a download for each finished attempt whose job still waits for its result."""
        context = self._context
        if not (context.accounts and self.crew.room):
            return False
        # due again when this worker must have given up, should it die on the way
        again_seconds = context.settings.fetch_timeout_seconds + 1
        waiting = await context.store.attempts.to_fetch(context.accounts, self.crew.room, again_seconds)
        for attempt in waiting:
            self.crew.start(self._bring(attempt), f"fetch {attempt.job_id}/{attempt.number}")
        return False

    async def _bring(self, attempt: Attempt) -> None:
        context = self._context
        job = await context.store.jobs.get(attempt.job_id)
        if job is None:
            return
        context.mover.remember(job)
        job_type = await context.mover.type_of(job)
        if not issubclass(job_type, BaseJob):  # only the type itself knows what its files are worth
            await self._give_up_when_late(attempt)
            return
        try:
            files = [await self._fetch(attempt, Output(**o)) for o in attempt.outputs]
            event, payload = _delivery(job_type, job, files)
        except BaseException as error:  # whatever it was, the fetch deadline bounds it
            if not survivable(error):
                raise
            expected = isinstance(error, (ProviderUnavailable, TimeoutError))
            log.warning(
                "result of job %s could not be fetched: %r", attempt.job_id, error, exc_info=not expected
            )
            await self._give_up_when_late(attempt)
            return
        await context.mover.follow(
            attempt.job_id,
            event,
            payload,
            actor=self.name,
            evidence=attempt.evidence(Verdict.SUCCEEDED, "query"),
        )

    async def _fetch(self, attempt: Attempt, output: Output) -> dict[str, str]:
        context = self._context
        provider = context.provider(attempt.account)
        async with asyncio.timeout(context.settings.fetch_timeout_seconds):
            async with aclosing(provider.fetch(output, context.settings.output_bytes_max)) as content:
                key = await context.blobs.put(content, f"result.{output.kind}")
        return {"key": key, "kind": output.kind, "node": output.node}

    async def _give_up_when_late(self, attempt: Attempt) -> None:
        context = self._context
        job = await context.store.jobs.get(attempt.job_id)
        if job is None or attempt.closed_at is None:
            return
        waited = await context.store.now() - attempt.closed_at
        if waited < (await context.mover.type_of(job)).fetch_deadline:
            return
        failure = Failure(category="result", message="The result could not be fetched in time.")
        await context.mover.follow(
            job.id,
            "fail",
            failure,
            actor=self.name,
            reason=failure.message,
            evidence=attempt.evidence(Verdict.DEADLINE, "fetch deadline"),
        )


def _delivery(job_type: type[BaseJob], job: Job, files: Sequence[JSON]) -> tuple[str, BaseModel]:
    given = job_type.delivered(job, files)
    if given is None:
        return BaseJob.complete.name, Completion(output={"files": files})
    event, payload = given
    if not isinstance(payload, event.payload):
        raise TypeError(f"{event.name!r} takes a {event.payload.__name__}, not a {type(payload).__name__}")
    return event.name, payload
