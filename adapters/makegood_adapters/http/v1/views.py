"""What `/v1` shows: models of answers. Credits are whole, times have a zone."""

import logging
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, WithJsonSchema
from pydantic.errors import PydanticInvalidForJsonSchema

from makegood.job import Job, JobMoney, Place, Transition
from makegood.jobtype import JobType

log = logging.getLogger("makegood.http")

T = TypeVar("T")

#: A state, and what the outside sees of it; the document lists those that the job types declare.
StateName = Annotated[str, WithJsonSchema({"x-declared": "JobState"})]
StatusName = Annotated[str, WithJsonSchema({"x-declared": "JobStatus"})]


class View(BaseModel):
    """Base of answers: fields may be added, never taken away."""

    # What has a default is always there, too: a client need not ask whether it is.
    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class MoneyView(View):
    """What the ledger shows for a job: credits held now, captured, and given back. What an unlimited plan had
    covered is held and captured with them, and never given back."""

    held: int
    captured: int
    released: int

    @classmethod
    def of(cls, money: JobMoney) -> "MoneyView":
        """Return the view."""
        return cls(held=money.held, captured=money.captured, released=money.released)


class FailureView(View):
    """Why a job failed: a stable category for programs, a sentence for people."""

    category: str
    message: str

    @classmethod
    def of(cls, error: object) -> "FailureView | None":
        """Return the view of a job's error, None without one. Another program may have written any JSON."""
        if error is None:
            return None
        told = error if isinstance(error, Mapping) else {}
        category, message = told.get("category"), told.get("message")
        return cls(
            category=category if isinstance(category, str) else "external",
            message=message if isinstance(message, str) else "Another program ended the job.",
        )


class FileView(View):
    """One result file; `number` counts from 0 and is its place in `/jobs/{job_id}/files/{number}`."""

    number: int
    kind: str
    size: int | None = None
    sha256: str | None = None

    @classmethod
    def all_of(cls, output: object) -> "list[FileView]":
        """Return the files of a job's output, which another program may have written: what is none is left
        out."""
        files = output.get("files") if isinstance(output, Mapping) else None
        return [
            cls(
                number=i,
                kind=file["kind"],
                size=_of(int, file.get("size")),
                sha256=_of(str, file.get("sha256")),
            )
            for i, file in enumerate(files if isinstance(files, (list, tuple)) else ())
            if isinstance(file, Mapping) and isinstance(file.get("kind"), str)
        ]


def _of(wanted: type[T], value: object) -> T | None:
    return value if isinstance(value, wanted) else None


class TransitionView(View):
    """One step of a job. `version` is its place in the life of the job, `seq` in the stream of all jobs,
    null where it was not read from there."""

    job_id: UUID
    version: int
    seq: int | None = None
    type: str
    event: str
    from_state: StateName | None
    to_state: StateName
    attempt: int
    at: datetime

    @classmethod
    def of(cls, step: Transition) -> "TransitionView":
        """Return the view; actor and reason are the operator's."""
        return cls(
            job_id=step.job_id,
            version=step.version,
            seq=step.seq,
            type=step.type,
            event=step.event,
            from_state=step.from_state,
            to_state=step.to_state,
            attempt=step.attempt,
            at=step.at,
        )


class PlaceView(View):
    """Where a waiting job stands in its queue of `of` jobs, from 1, and how long it may still wait."""

    position: int
    of: int
    exact: bool
    wait_seconds: float | None

    @classmethod
    def of_place(cls, place: Place) -> "PlaceView":
        """Return the view."""
        return cls(position=place.position, of=place.of, exact=place.exact, wait_seconds=place.wait_seconds)


class JobSummary(View):
    """A job as lists show it. `status` is what the outside sees of `state`; `price` is fixed from the first.
    Its deadline is that of the present state. A `draft` has neither a whole input nor a price yet."""

    id: UUID
    owner: str
    type: str
    type_version: int
    state: StateName
    status: StatusName
    version: int
    price: int
    attempt: int
    created_at: datetime
    entered_at: datetime
    deadline_at: datetime | None
    not_before: datetime | None
    cancel_requested_at: datetime | None
    finished_at: datetime | None
    retry_of: UUID | None
    error: FailureView | None
    files: list[FileView]
    draft: bool
    metadata: dict[str, Any]

    @classmethod
    def fields_of(cls, job: Job, status: str) -> dict[str, Any]:
        """Return the fields that every view of a job has."""
        return {
            "id": job.id,
            "owner": job.owner,
            "type": job.type,
            "type_version": job.type_version,
            "state": job.state,
            "status": status,
            "version": job.version,
            "price": job.price,
            "attempt": job.attempt,
            "created_at": job.created_at,
            "entered_at": job.entered_at,
            "deadline_at": job.deadline_at,
            "not_before": job.not_before,
            "cancel_requested_at": job.cancel_requested_at,
            "finished_at": job.finished_at,
            "retry_of": job.retry_of,
            "error": FailureView.of(job.error),
            "files": FileView.all_of(job.output),
            "draft": job.draft,
            "metadata": dict(job.metadata),
        }


class JobView(JobSummary):
    """A job with its input, its money, its way so far, and its place while it waits."""

    input: dict[str, Any]
    money: MoneyView
    timeline: list[TransitionView]
    place: PlaceView | None


class JobPageView(View):
    """Some jobs, newest first; `next` leads to the page that follows, null behind the last."""

    jobs: list[JobSummary]
    next: str | None


class QuoteView(View):
    """What a job would cost, in whole credits; and of a known owner, what the wallet has `available`, and
    whether the price is `covered`."""

    type: str
    price: int
    available: int | None = None
    covered: bool | None = None


class WireView(View):
    """What pages call a job type and its inputs. Of several types with one `table` a row is of the one whose
    `when` holds of its columns, else of the one without. `columns` of rows, fields of the call `endpoint` in
    `run`, and those that bring a file itself in base64 in `content`: each with the input that it fills."""

    table: str
    endpoint: str
    when: dict[str, list[str]]
    columns: dict[str, str]
    run: dict[str, str]
    content: dict[str, str]

    @classmethod
    def of(cls, job_type: type[JobType]) -> "WireView | None":
        """Return the view, None of a type that pages know no other names for."""
        # Job types of any making may be offered; those read from tool files have such names.
        wire = getattr(job_type, "wire", None)
        return wire and cls(
            table=wire.table,
            endpoint=wire.endpoint,
            when={column: list(values) for column, values in wire.when.items()},
            columns=dict(wire.columns),
            run=dict(wire.run),
            content=dict(wire.content),
        )


class JobTypeView(View):
    """A job type on offer; `open`: it takes new jobs now. `input` is the JSON Schema of what it takes; a
    field that is a file has the key of one in it. `price` is in whole credits, null where it depends on the
    input: ask for a quote. `wire` is null where pages have no other names for it."""

    name: str
    label: str
    version: int
    price: int | None
    input: dict[str, Any]
    states: list[StateName]
    open: bool
    wire: WireView | None

    @classmethod
    def of(cls, job_type: type[JobType], *, open: bool) -> "JobTypeView":
        """Return the view."""
        fixed = next(base for base in job_type.__mro__ if "price_of" in vars(base)) is JobType
        return cls(
            name=job_type.name,
            label=job_type.label or job_type.name,
            version=job_type.version,
            price=job_type.price if fixed else None,
            input=_schema(job_type.Input),
            states=[state.name for state in job_type.spec.states],
            open=open,
            wire=WireView.of(job_type),
        )


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return what *model* takes; where JSON Schema cannot say it, that of anything."""
    try:
        return model.model_json_schema()
    except PydanticInvalidForJsonSchema:
        log.exception("the input %s has no JSON Schema: it is shown as anything", model.__qualname__)
        return {}


class JobTypes(View):
    """The job types on offer."""

    types: list[JobTypeView]
