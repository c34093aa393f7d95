"""What a page claims about a job: it ends a job that was never submitted, else it is only kept."""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from makegood.engine import Engine
from makegood.errors import Refusal
from makegood.job import Job, Verdict
from makegood.lifecycle import BaseJob, Failure

FinishQueued = Literal["settle", "record"]

SOURCE = "client"
_MESSAGE_LENGTH_MAX = 500
_STATUS_LENGTH_MAX = 40


@dataclass(frozen=True, slots=True)
class Claim:
    """What the page says; `with_output` tells that it also claims a result, which is dropped."""

    status: str
    message: str
    with_output: bool

    @classmethod
    def read(cls, body: Mapping[str, Any], message: str, output: str) -> "Claim":
        """Read a claim out of *body*; *message* and *output* are the names of its fields."""
        return cls(
            status=_text(body.get("status"), _STATUS_LENGTH_MAX),
            message=_text(body.get(message), _MESSAGE_LENGTH_MAX),
            with_output=bool(body.get(output)),
        )

    @property
    def failed(self) -> bool:
        """Whether it claims a failure and nothing else."""
        return self.status == BaseJob.failed.name and not self.with_output

    def as_text(self) -> str:
        """Return what is kept of the claim."""
        return json.dumps({"status": self.status, "message": self.message})


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a claim; `refunded` is what the ledger shows, in whole credits."""

    over_already: bool = False
    refunded: int = 0


class Reports:
    """Takes claims of pages, whose word moves nothing that was submitted, and of services of ours."""

    def __init__(self, engine: Engine, finish_queued: FinishQueued) -> None:
        self._engine, self._finish_queued = engine, finish_queued

    async def take(self, job: Job, claim: Claim) -> Taken:
        """Settle, record or skip, by the state in which the job was read.

        A job that moves on between that reading and the settling is judged again by the engine: once
        there is a submission intent, the report is only kept.
        """
        if job.finished_at is not None:
            return Taken(over_already=True)
        if claim.failed:
            await self._engine.report(
                job.id,
                claim.message or "The page gave no reason.",
                source=SOURCE,
                settle_queued=self._finish_queued == "settle",
            )
        else:
            await self._engine.hint(job.id, claim.as_text(), source=SOURCE)
        return Taken(refunded=(await self._engine.money(job.id)).released)

    async def settle(self, job: Job, claim: Claim, actor: str, task_id: object = None) -> Taken:
        """Take the word of a service of ours, *actor*, that a job has failed: it ends, all credits back.

        It is about the attempt that the job had when it was read: if that is another meanwhile, or its task
        is not the *task_id* that was named, the claim is only kept. So is every other claim, without its
        fields: a result comes from the provider alone.
        """
        if job.finished_at is not None or not claim.failed:
            return await self.take(job, claim)
        message = claim.message or "No reason was given."
        if job.intent_attempt is None and job.attempt == 0:
            await self._engine.report(job.id, message, source=actor)
        else:
            await self._fail(job, message, actor, task_id)
        return Taken(refunded=(await self._engine.money(job.id)).released)

    async def _fail(self, job: Job, message: str, actor: str, task_id: object) -> None:
        found = [each for each in await self._engine.attempts(job.id) if each.number == job.attempt]
        attempt = found[0] if found and found[0].closed_at is None else None
        ours = (None, "", str(job.id), attempt.task_id if attempt else None)
        if task_id in ours:
            failure = Failure(category="provider", message=message)
            detail = {"actor": actor, "reason": message}
            evidence = None
            if attempt:
                evidence = attempt.evidence(Verdict.ADMINISTRATOR, "administrator", detail=detail)
            with contextlib.suppress(Refusal):  # it has moved on meanwhile
                await self._engine.fire(
                    job.id, BaseJob.fail, failure, actor=actor, reason=message, evidence=evidence
                )
        # Whatever came of it, the provider is asked soon; a task of a job that is over is told to stop.
        await self._engine.hint(job.id, message, source=actor)


def _text(value: object, length_max: int) -> str:
    """Return *value* as one short line; the database holds neither NUL nor half characters."""
    if not isinstance(value, str):
        return ""
    return "".join(c if c.isprintable() else " " for c in value[:length_max]).strip()
