"""All that is known of one job, for operators: its way, its money, its messages and its files, no secrets."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from pydantic import ConfigDict, Field

from makegood.errors import UnknownFile
from makegood.job import Attempt, Job, JournalLine, Transition
from makegood.ports import KeptMessage
from makegood.telling import Told, Tone, of_kept_back, of_refunds
from makegood_adapters.access import LOOKS
from makegood_adapters.http.callers import Caller, Scope
from makegood_adapters.http.operation import Call, Op, Reply, Sends
from makegood_adapters.http.v1.api import Api
from makegood_adapters.http.v1.delivery import deliver
from makegood_adapters.http.v1.files import result_file
from makegood_adapters.http.v1.jobs import at_one_moment
from makegood_adapters.http.v1.offers import Offer, Offers
from makegood_adapters.http.v1.oversight import AttemptView, StepView, without_secrets
from makegood_adapters.http.v1.told import ToldView
from makegood_adapters.http.v1.views import FailureView, JobSummary, MoneyView, StateName, StatusName, View
from makegood_adapters.redaction import REDACTED, Redaction, cut

#: So much of one message is shown.
_MESSAGE_CHARS_MAX = 20_000


class BarView(View):
    """How long a job was in a state, `status` to the outside, who brought it there and why. `to` is null, and
    `seconds` count up to now, while it is there; what is over stays in its last state for 0 seconds."""

    model_config = ConfigDict(
        frozen=True, json_schema_serialization_defaults_required=True, serialize_by_alias=True
    )

    state: StateName
    status: StatusName
    since: datetime = Field(serialization_alias="from")
    until: datetime | None = Field(serialization_alias="to")
    seconds: float
    event: str
    actor: str
    reason: str | None
    attempt: int

    @classmethod
    def all_of(cls, api: Api, job: Job, steps: Sequence[Transition], now: datetime) -> "list[BarView]":
        """Return the bars of a history, in order, without secrets."""
        over = job.finished_at is not None
        ends = [*(step.at for step in steps[1:]), steps[-1].at if over else None]
        return [
            cls(
                state=step.to_state,
                status=api.status_of(replace(job, state=step.to_state)),
                since=step.at,
                until=end,
                seconds=max(0.0, ((end or now) - step.at).total_seconds()),
                event=step.event,
                actor=step.actor,
                reason=api.redaction.clean(step.reason) if step.reason else step.reason,
                attempt=step.attempt,
            )
            for step, end in zip(steps, ends, strict=True)
        ]


class MoneyLineView(View):
    """One line of the journal that the job wrote: `amount` moved in a bucket, `balance` is what remained in
    the wallet. `text` says the whole movement, of which there may be several lines."""

    kind: str
    amount: int
    bucket: str
    balance: int
    at: datetime
    text: str

    @classmethod
    def of(cls, line: JournalLine, text: str) -> "MoneyLineView":
        """Return the view."""
        return cls(
            kind=line.kind,
            amount=line.amount,
            bucket=line.bucket_kind,
            balance=line.balance,
            at=line.at,
            text=text,
        )


class MessageView(View):
    """What a webhook or a report told about an attempt; `read`: it was dealt with. `body` is its JSON, or its
    text; with `redacted` something secret is left out. `text` says all but when."""

    source: str
    task_id: str | None
    at: datetime
    attempt: int
    read: bool
    body: Any
    redacted: bool
    text: str

    @classmethod
    def of(cls, message: KeptMessage, redaction: Redaction) -> "MessageView":
        """Return the view."""
        whole = message.length == len(message.body)
        body = redaction.shown(_read(message.body) if whole else message.body, _MESSAGE_CHARS_MAX)
        if not whole:  # the word that says so counts what came, not what was read of it
            clean = redaction.beginning(message.body, 2 * _MESSAGE_CHARS_MAX)
            body = cut(clean[:_MESSAGE_CHARS_MAX], message.length)
        redacted = REDACTED in json.dumps(body, ensure_ascii=False)
        text = f"{message.source}, task {message.task_id}" if message.task_id else message.source
        masked, unread = " (secrets masked)" * redacted, " (not read yet)" * (not message.read)
        return cls(
            source=message.source,
            task_id=message.task_id and redaction.clean(message.task_id),  # whoever has the token names it
            at=message.at,
            attempt=message.attempt,
            read=message.read,
            body=body,
            redacted=redacted,
            text=redaction.clean(text) + masked + unread,
        )


class InputFileView(View):
    """A file that was given for the job, below `/operations/jobs/{job_id}/inputs/{name}`; its size in bytes
    is null where the file is gone."""

    name: str
    kind: str
    size: int | None


class JobDossier(JobSummary):
    """A job with its input and request, its money line by line, its history and how long each step took, its
    attempts, what was said about it from outside, the files that were given, and what the caller may do to
    it (`acts`). `told` says why it has failed, what was given back, whether results are kept back since they
    are not paid for (then `files` is empty), and whether its job type is not here any more (`type_gone`).
    Secrets are left out."""

    type_gone: bool
    told: list[ToldView]
    acts: list[Offer]
    input: dict[str, Any]
    request: dict[str, Any]
    money: MoneyView
    history: list[StepView]
    bars: list[BarView]
    journal: list[MoneyLineView]
    attempts: list[AttemptView]
    messages: list[MessageView]
    inputs: list[InputFileView]


async def get_dossier(api: Api, call: Call, job_id: UUID) -> JobDossier:
    """The job with what was asked of the provider, who moved it and why, how long that took, every line of
    its money, every attempt with its evidence, and what was said from outside. Secrets are left out."""
    return await dossier_of(api, job_id, call.caller)


async def dossier_of(api: Api, job_id: UUID, caller: Caller, *, types_known: bool = True) -> JobDossier:
    """Return what is told of a job to an operator, who may what *caller* may. No type is missed
    unless *types_known*. Raises UnknownJob, Conflict where it moves too fast."""
    engine, redaction, offers = api.engine, api.redaction, Offers(caller)
    job, money, steps = await at_one_moment(api, await engine.get(job_id))
    fields = JobDossier.fields_of(job, api.status_of(job))
    attempts, now = await engine.attempts(job_id), await engine.now()
    journal = await engine.money_lines(job_id)
    gone = types_known and job.type not in engine.catalog.names
    told = [*_failure(fields["error"]), *of_refunds([line for line, _ in journal], now)]
    if gone:
        told.append(Told(Tone.WARN, "Its job type is not here any more."))
    if not await engine.paid(job):
        told += of_kept_back(len(fields["files"]))
        fields["files"] = []
    return JobDossier(
        type_gone=gone,
        told=ToldView.all_of(told, redaction),
        acts=offers.of_job(job, attempts, await engine.hindrances(job), await engine.unasked(job)),
        **without_secrets(fields, redaction),
        input=redaction.shown(job.input),
        request=redaction.shown(job.request),
        money=MoneyView.of(money),
        history=[StepView.of(step, redaction) for step in steps],
        bars=BarView.all_of(api, job, steps, now),
        journal=[MoneyLineView.of(line, text) for line, text in journal],
        attempts=[await attempt_of(api, attempt, offers) for attempt in attempts],
        # Thirty long ones take a while, in which others are served.
        messages=await asyncio.to_thread(_messages, await engine.messages(job_id), redaction),
        inputs=[
            InputFileView(name=name, kind=_kind(key), size=size)
            for name, (key, size) in (await engine.given(job)).items()
        ],
    )


async def attempt_of(api: Api, attempt: Attempt, offers: Offers) -> AttemptView:
    """Return what an operator is told of an attempt, and offered."""
    why = await api.engine.unresolvable(attempt)  # it may quote what a webhook has named
    acts = offers.of_attempt(attempt, why and api.redaction.clean(why))
    return AttemptView.of(attempt, api.redaction, acts)


def _failure(error: FailureView | None) -> list[Told]:
    return [Told(Tone.BAD, f"{error.message} ({error.category})")] if error else []


def _messages(kept: Sequence[KeptMessage], redaction: Redaction) -> list[MessageView]:
    return [MessageView.of(message, redaction) for message in kept]


async def get_any_result(api: Api, call: Call, job_id: UUID, number: int) -> Reply:
    """A result file of the job of any owner."""
    return await result_file(api, call, await api.engine.get(job_id), number)


async def get_any_input(api: Api, call: Call, job_id: UUID, name: str) -> Reply:
    """A file that was given for the job of any owner."""
    key = (await api.engine.get(job_id)).files.get(name)
    if key is None:
        raise UnknownFile(name)
    return await deliver(
        api.engine.blobs, call.request, key=key, kind=_kind(key), name=f"{job_id}-input", tag=key
    )


def _read(text: str) -> Any:
    """Return the JSON that a text is, or the text."""
    try:
        return json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text


def _kind(key: str) -> str:
    return PurePosixPath(key).suffix[1:].lower() or "bin"


OPERATIONS = (
    Op(
        method="GET",
        path="/operations/jobs/{job_id}",
        name="get_dossier",
        summary="All that is known of a job",
        run=get_dossier,
        who=Scope.OBSERVE,
        cost=LOOKS,
        out=JobDossier,
        codes=("conflict",),
        tag="operations",
    ),
    Op(
        method="GET",
        path="/operations/jobs/{job_id}/files/{number}",
        name="get_any_result",
        summary="A result file of any job",
        run=get_any_result,
        who=Scope.OBSERVE,
        cost=LOOKS,
        sends=Sends.FILE,
        codes=("range_not_satisfiable",),
        path_types={"job_id": UUID, "number": int},
        tag="operations",
    ),
    Op(
        method="GET",
        path="/operations/jobs/{job_id}/inputs/{name}",
        name="get_any_input",
        summary="A file that was given for any job",
        run=get_any_input,
        who=Scope.OBSERVE,
        cost=LOOKS,
        sends=Sends.FILE,
        codes=("range_not_satisfiable",),
        path_types={"job_id": UUID, "name": str},
        tag="operations",
    ),
)
