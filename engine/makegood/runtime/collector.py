"""Bring results home: a job is complete when its files are ours, not when the provider is done."""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from makegood.errors import MakegoodError, ResultTooLarge
from makegood.job import Attempt, Job, Verdict
from makegood.lifecycle import BaseJob, Completion, Failure
from makegood.media import TEXTS, Incoming
from makegood.mover import FETCH
from makegood.observing import subject_of, type_is_known
from makegood.outcome import JSON, Output
from makegood.runtime.context import Context
from makegood.runtime.crew import Crew
from makegood.runtime.loop import survivable

log = logging.getLogger("makegood.collector")

#: Of how many attempts it is remembered which files are home already. What is forgotten is fetched again.
_REMEMBERED_MAX = 1_000

Files = dict[int, dict[str, Any]]


class Collector:
    """Fetches without a slot, again and again until the job type's fetch deadline."""

    name = "collector"
    topic = FETCH

    def __init__(self, context: Context) -> None:
        self._context = context
        self._home: dict[tuple[UUID, int], Files] = {}
        self.crew = Crew(context.settings.batch_max, lambda: context.wakeups.wake(FETCH))

    async def turn(self) -> bool:
        """Start a download for each finished attempt whose job still waits for its result."""
        context = self._context
        if not (context.accounts and self.crew.room):
            return False
        waiting = await context.store.attempts.to_fetch(context.accounts, self.crew.room, self._given_up)
        for attempt in waiting:
            due = partial(context.store.attempts.fetch_after, attempt, 0)
            name = f"fetch {attempt.job_id}/{attempt.number}"
            self.crew.start(self._bring(attempt), name, due, subject_of(attempt))
        return False

    @property
    def _given_up(self) -> float:
        """After how many seconds this worker must have given a file up, should it die on the way."""
        return self._context.settings.fetch_timeout_seconds + 1

    async def _bring(self, attempt: Attempt) -> None:
        context = self._context
        job = await context.store.jobs.get(attempt.job_id)
        if job is None:
            return
        context.mover.remember(job)
        type_is_known(job)
        job_type = await context.mover.type_of(job)
        if not issubclass(job_type, BaseJob):  # only the type itself knows what its files are worth
            await self._try_later(attempt, None)
            return
        try:
            files = await self._files(attempt)
            if not files:
                await self._give_up(attempt, "no_output", "The provider delivered no result.", "no result")
                return
            event, payload = _delivery(job_type, job, files)
        except ResultTooLarge as error:
            log.warning("result of job %s is given up: %s", attempt.job_id, error)
            await self._give_up(attempt, "too_large", str(error), "size limit")
            return
        except BaseException as error:  # whatever it was, the fetch deadline bounds it
            if not survivable(error):
                raise
            expected = isinstance(error, (MakegoodError, TimeoutError))
            problem = self._told(error)
            log.warning(
                "result of job %s could not be fetched: %s", attempt.job_id, problem, exc_info=not expected
            )
            await self._try_later(attempt, problem)
            return
        await context.mover.follow(
            attempt.job_id,
            event,
            payload,
            actor=self.name,
            evidence=attempt.evidence(Verdict.SUCCEEDED, "query"),
        )
        self._forget(attempt)

    async def _files(self, attempt: Attempt) -> list[dict[str, Any]]:
        """Return the result's files, all of them ours; those that are home already are not fetched again."""
        home = self._home.setdefault((attempt.job_id, attempt.number), {})
        while len(self._home) > _REMEMBERED_MAX:
            del self._home[next(iter(self._home))]
        outputs = [Output(**output) for output in attempt.outputs]
        for place, output in enumerate(outputs):
            if place in home or output.text == "":
                continue
            if place:  # the time that `to_fetch` gave was for one file
                await self._context.store.attempts.fetch_after(attempt, self._given_up)
            home[place] = await self._fetch(attempt, output)
        return [home[place] for place in sorted(home)]

    async def _fetch(self, attempt: Attempt, output: Output) -> dict[str, Any]:
        context, size_max = self._context, self._context.settings.output_bytes_max
        kind = output.kind
        if output.text is None:
            pieces = context.provider(attempt.account).fetch(output, size_max)
        else:
            pieces, kind = _inline(output.text), kind if kind in TEXTS else "txt"
        async with asyncio.timeout(context.settings.fetch_timeout_seconds), aclosing(pieces):
            incoming = await Incoming.begin(pieces, kind, size_max)
            key = await context.blobs.put(incoming, f"result.{incoming.kind}")
        return {
            "key": key,
            "kind": incoming.kind,
            "node": output.node,
            "size": incoming.size,
            "sha256": incoming.sha256,
        }

    async def _try_later(self, attempt: Attempt, problem: str | None) -> None:
        """Let the result be fetched again after a pause that grows, or give it up at its deadline, which
        the last try meets. *problem*: why it is not here; None if this process has not tried."""
        context, settings = self._context, self._context.settings
        job = await context.store.jobs.get(attempt.job_id)
        if job is None or attempt.closed_at is None:
            return
        waited = (await context.store.now() - attempt.closed_at).total_seconds()
        left = (await context.mover.type_of(job)).fetch_deadline.total_seconds() - waited
        if left <= 0:
            message = "The result could not be fetched in time."
            await self._give_up(attempt, "result", message, "fetch deadline", problem)
            return
        pause = settings.fetch_again_seconds
        if problem is not None:  # else those who know the type shall have their turn soon
            grown = min(waited * random.uniform(0.25, 0.5), settings.fetch_again_max_seconds)
            pause = max(pause, grown)
        await context.store.attempts.fetch_after(attempt, min(pause, left))

    async def _give_up(
        self, attempt: Attempt, category: str, message: str, source: str, problem: str | None = None
    ) -> None:
        detail = {"reason": problem} if problem else {}
        failure = Failure(category=category, message=message, detail=detail)
        await self._context.mover.follow(
            attempt.job_id,
            "fail",
            failure,
            actor=self.name,
            reason=failure.message,
            evidence=attempt.evidence(
                Verdict.DEADLINE, source, detail=detail if problem else {"reason": message}
            ),
        )
        self._forget(attempt)

    def _forget(self, attempt: Attempt) -> None:
        self._home.pop((attempt.job_id, attempt.number), None)

    def _told(self, error: BaseException) -> str:
        """Return what may be stored about *error*: texts of others may hold an address or a password."""
        match error:
            case MakegoodError():
                return str(error)
            case TimeoutError():
                return f"It was not here within {self._context.settings.fetch_timeout_seconds:g} seconds."
            case _:
                return f"It could not be kept ({type(error).__name__})."


async def _inline(text: str) -> AsyncGenerator[bytes, None]:
    yield text.encode("utf-8", "replace")


def _delivery(job_type: type[BaseJob], job: Job, files: Sequence[JSON]) -> tuple[str, BaseModel]:
    given = job_type.delivered(job, files)
    if given is None:
        return BaseJob.complete.name, Completion(output={"files": files})
    event, payload = given
    if not isinstance(payload, event.payload):
        raise TypeError(f"{event.name!r} takes a {event.payload.__name__}, not a {type(payload).__name__}")
    return event.name, payload
