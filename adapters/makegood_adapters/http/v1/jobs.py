"""Jobs of an owner: what is on offer and what it costs, order, list, read, cancel, report."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from makegood.engine import TOO_FEW
from makegood.errors import Conflict, IllegalTransition, InsufficientCredits, InvalidRequest, KeyReused
from makegood.job import Job, JobMoney, Transition
from makegood.listing import PAGE_MAX
from makegood_adapters.http.operation import Access, Call, Op, Reply
from makegood_adapters.http.problems import ApiProblem
from makegood_adapters.http.v1.api import Api
from makegood_adapters.http.v1.asked import Asked, Flag, JsonObject, Moment, Name, Whole
from makegood_adapters.http.v1.views import (
    JobPageView,
    JobSummary,
    JobTypes,
    JobTypeView,
    JobView,
    MoneyView,
    PlaceView,
    QuoteView,
    TransitionView,
)

_KEY_LENGTH_MAX = 200
#: More often than any job moves.
_LOOKS_MAX = 20
_ORDER = {"type": "upscaler", "input": {"image": "3f2a.png", "category": "comida", "resolution": 1024}}


class NewJob(Asked):
    """An order. The price is ours, whatever is sent."""

    type: Name = Field(description="One of the names that `GET /job-types` lists.")
    input: JsonObject = Field(description="What the job type's `input` says; a file is named by its key.")
    accept: bool = Field(True, description="False leaves the job pending, with nothing held, until accepted.")
    retry_of: UUID | None = Field(None, description="Your job in whose place this one is.")
    not_before: Moment | None = Field(None, description="The job waits at least until then.")
    draft: bool = Field(False, description="Its `input` is a part, to be completed by `PUT`.")
    session: Name | None = Field(None, description="The page: whoever knows it may take the job back.")
    metadata: JsonObject = Field({}, description="Kept beside the job, and shown; it decides nothing.")


class Complete(Asked):
    """The whole input of a draft."""

    input: JsonObject = Field(description="What the job type's `input` says; a file is named by its key.")
    accept: bool = Field(True, description="False leaves the job pending, with nothing held, until accepted.")


class Wish(Asked):
    """What is to be priced."""

    type: Name
    input: JsonObject


class Reason(Asked):
    """Why; kept in the history of the job."""

    reason: str | None = Field(None, min_length=1, max_length=1_000)


class Report(Asked):
    """What somebody believes about a job."""

    message: str = Field(min_length=1, max_length=2_000)


class Listed(Asked):
    """Which jobs are listed, and how many."""

    state: list[Name] = Field([], max_length=50, description="Jobs in any of these states.")
    type: Name | None = None
    active: Flag | None = Field(None, description="True: jobs that are not over; false: jobs that are.")
    until: Moment | None = Field(None, description="Ordered before then.")
    after: Name | None = Field(None, description="The `next` of the page before.")
    limit: Whole = Field(50, ge=1, le=PAGE_MAX)


class Wanted(Listed):
    """Which jobs of an owner are listed, and how many."""

    since: Moment | None = Field(None, description="Ordered then or later.")


async def list_job_types(api: Api, call: Call) -> JobTypes:
    """Every type that takes new jobs, or will again; `open` tells. Types that cannot be used are left out."""
    catalog = api.engine.catalog
    return JobTypes(
        types=[JobTypeView.of(catalog.get(name), open=catalog.is_open(name)) for name in catalog.names]
    )


async def get_job_type(api: Api, call: Call, name: str) -> JobTypeView:
    """What one job type takes, and what it costs."""
    catalog = api.engine.catalog
    return JobTypeView.of(catalog.get(name), open=catalog.is_open(name))


async def quote_job(api: Api, call: Call, body: Wish) -> QuoteView:
    """What a job would cost now. Nothing is kept. Of a known owner the files are looked at, and what the
    wallet can pay is told."""
    engine = api.engine
    if call.owner is not None:
        await engine.check_files(call.owner, body.type, body.input)
    price = await engine.quote(body.type, body.input, files=call.owner is not None)
    if call.owner is None:
        return QuoteView(type=body.type, price=price)
    wallet = await engine.wallet(call.owner)
    covered = wallet.unlimited or price <= wallet.available
    return QuoteView(type=body.type, price=price, available=wallet.available, covered=covered)


async def submit_job(api: Api, call: Call, body: NewJob) -> Reply:
    """The price is held and the job waits for its turn, or it is refused and nothing is charged. The same
    `Idempotency-Key` gives the same answer, however often and whenever it is sent."""
    owner = call.for_owner
    key = call.request.headers.get("idempotency-key")
    if key is not None and not (0 < len(key) <= _KEY_LENGTH_MAX and key.isascii() and key.isprintable()):
        raise InvalidRequest(
            f"The Idempotency-Key must be 1 to {_KEY_LENGTH_MAX} printable characters of ASCII."
        )
    if body.retry_of is not None:
        await api.job_of(owner, body.retry_of)
    job = await _ordered(api, owner, body, key)
    if key is not None and job.retry_of != body.retry_of:
        raise KeyReused(key)
    if body.accept and not body.draft:
        job = await _accepted(api, job, call.caller.actor)
    shown = await view(api, job)
    return Reply(201, body=shown.model_dump_json().encode(), headers={"Location": f"jobs/{job.id}"})


async def prepare_job(api: Api, call: Call, job_id: UUID, body: Complete) -> JobView:
    """The price is fixed and held, and the job waits for its turn. The first input that is complete stays:
    another one changes nothing, and the job is shown as it is."""
    engine, owner = api.engine, call.for_owner
    job = await api.job_of(owner, job_id)
    if job.draft and job.finished_at is None:
        await engine.check_files(owner, job.type, body.input)
        job = await engine.prepare(job_id, body.input, owner=owner)
    if body.accept:
        job = await _accepted(api, job, call.caller.actor)
    return await view(api, job)


async def accept_job(api: Api, call: Call, job_id: UUID) -> JobView:
    """The price of a pending job is held, and it waits for its turn. A job that was accepted before is shown
    as it is."""
    job = await api.job_of(call.for_owner, job_id)
    if job.finished_at is not None and not _is_unpaid(job):
        raise IllegalTransition("accept", job.state, [])
    return await view(api, await _accepted(api, job, call.caller.actor))


async def list_jobs(api: Api, call: Call, query: Wanted) -> JobPageView:
    """Newest first. Pages stay as they are while new jobs arrive: go on with `next` as `after`."""
    return await page(api, call.for_owner, query, query.since)


async def get_job(api: Api, call: Call, job_id: UUID) -> JobView:
    """The job with what has happened to it, what the ledger shows for it, and its place while it waits."""
    return await view(api, await api.job_of(call.for_owner, job_id))


async def cancel_job(api: Api, call: Call, job_id: UUID, body: Reason) -> JobView:
    """A job that is not at the provider ends at once, and what is held of its owner's credits (nothing while
    it is pending) comes back, unless its type sets a price; else the provider is asked to stop, and the job
    ends as it answers."""
    await api.job_of(call.for_owner, job_id)
    return await view(api, await api.engine.cancel(job_id, actor=call.caller.actor, reason=body.reason))


async def report_job(api: Api, call: Call, job_id: UUID, body: Report) -> JobView:
    """Say that the job seems to have failed. Of a job that was never submitted that is the end, and what is
    held of its owner's credits (nothing while it is pending) comes back; any other stays as it is, and the
    provider is asked soon."""
    await api.job_of(call.for_owner, job_id)
    return await view(api, await api.engine.report(job_id, body.message))


async def page(
    api: Api, owner: str | None, query: Listed, since: datetime | None, search: str | None = None
) -> JobPageView:
    """Return the jobs that are wanted, of the owner or of all, of those that are searched for."""
    found = await api.engine.list_jobs(
        owner,
        states=query.state,
        type=query.type,
        active=query.active,
        since=since,
        until=query.until,
        search=search,
        after=query.after,
        limit=query.limit,
    )
    jobs = [JobSummary(**JobSummary.fields_of(job, api.status_of(job))) for job in found.jobs]
    return JobPageView(jobs=jobs, next=found.next)


async def view(api: Api, job: Job) -> JobView:
    """Return all that its owner may see of a job, as it was at one moment."""
    job, money, steps = await at_one_moment(api, job)
    place = await api.engine.place(job.id) if job.finished_at is None else None
    return JobView(
        **JobView.fields_of(job, api.status_of(job)),
        input=dict(job.input),
        money=MoneyView.of(money),
        timeline=[TransitionView.of(step) for step in steps],
        place=PlaceView.of_place(place) if place else None,
    )


async def _ordered(api: Api, owner: str, body: NewJob, key: str | None) -> Job:
    """Return the job that is submitted, or was before with this key, though its file may be gone since."""
    engine = api.engine
    try:
        if not body.draft:
            await engine.check_files(owner, body.type, body.input)
    except InvalidRequest:
        first = key and await engine.submitted_before(body.type, owner, body.input, key=key)
        if not first:
            raise
        return first
    return await engine.submit(
        body.type,
        owner,
        body.input,
        key=key,
        retry_of=body.retry_of,
        not_before=body.not_before,
        draft=body.draft,
        session=body.session,
        metadata=body.metadata,
    )


async def at_one_moment(api: Api, job: Job) -> tuple[Job, JobMoney, list[Transition]]:
    """Return the job with its money and its history, which fit together: a job may move while it is read."""
    engine, owner = api.engine, job.owner
    for _ in range(_LOOKS_MAX):
        money = await engine.money(job.id, owner=owner)
        steps = await engine.history(job.id, owner=owner)
        if steps[-1].version == job.version:
            return job, money, steps
        job = await engine.get(job.id, owner=owner)
    raise Conflict(job.id, "read", _LOOKS_MAX)


async def _accepted(api: Api, job: Job, actor: str) -> Job:
    """Return the job accepted, or as it has gone on since. Raises ApiProblem where its price could not be
    held, now or when it was first asked for: the answer is the same."""
    if job.finished_at is None:
        try:
            return await api.engine.accept(job.id, actor=actor)
        except (InsufficientCredits, IllegalTransition):  # the job says which
            job = await api.engine.get(job.id)
    if _is_unpaid(job):
        error: Any = job.error or {}
        raise ApiProblem(TOO_FEW, error["message"], job_id=str(job.id), **error.get("detail", {}))
    return job


def _is_unpaid(job: Job) -> bool:
    error: object = job.error  # of a job that another program has ended it may be any JSON
    return isinstance(error, Mapping) and error.get("category") == TOO_FEW and "message" in error


_UNPRICED = ("invalid_input", "invalid_request", "job_type_closed", "not_found")
_UNMOVED = ("illegal_transition", "held_back", "conflict")

OPERATIONS = (
    Op(
        method="GET",
        path="/job-types",
        name="list_job_types",
        summary="What is on offer",
        run=list_job_types,
        who=Access.ANONYMOUS,
        out=JobTypes,
    ),
    Op(
        method="GET",
        path="/job-types/{name}",
        name="get_job_type",
        summary="One job type: what it takes, what it costs",
        run=get_job_type,
        who=Access.ANONYMOUS,
        out=JobTypeView,
        codes=("job_type_closed",),
    ),
    Op(
        method="POST",
        path="/quotes",
        name="quote_job",
        summary="What a job would cost",
        run=quote_job,
        who=Access.ANONYMOUS,
        body=Wish,
        out=QuoteView,
        codes=_UNPRICED,
        example=_ORDER,
    ),
    Op(
        method="POST",
        path="/jobs",
        name="submit_job",
        summary="Order a job: its price is held, or nothing is charged",
        run=submit_job,
        body=NewJob,
        out=JobView,
        status=201,
        headers={"Location": "Where the job is, relative to this address."},
        takes_key=True,
        cost="submits",
        codes=("insufficient_credits", "active_job", "key_reused", "conflict", *_UNPRICED),
        example=_ORDER,
    ),
    Op(
        method="GET",
        path="/jobs",
        name="list_jobs",
        summary="Jobs, newest first",
        run=list_jobs,
        query=Wanted,
        out=JobPageView,
        codes=("invalid_request",),
    ),
    Op(
        method="GET",
        path="/jobs/{job_id}",
        name="get_job",
        summary="A job with its timeline and its money",
        run=get_job,
        out=JobView,
        codes=("conflict",),
    ),
    Op(
        method="PUT",
        path="/jobs/{job_id}/input",
        name="prepare_job",
        summary="Complete a draft: its price is held, or nothing is charged",
        run=prepare_job,
        body=Complete,
        out=JobView,
        cost="submits",
        codes=("insufficient_credits", "held_back", "conflict", *_UNPRICED),
        example={"input": _ORDER["input"]},
    ),
    Op(
        method="POST",
        path="/jobs/{job_id}/accept",
        name="accept_job",
        summary="Hold the price of a pending job",
        run=accept_job,
        out=JobView,
        codes=("insufficient_credits", *_UNMOVED),
    ),
    Op(
        method="POST",
        path="/jobs/{job_id}/cancel",
        name="cancel_job",
        summary="Cancel a job",
        run=cancel_job,
        body=Reason,
        body_required=False,
        out=JobView,
        codes=_UNMOVED,
        example={"reason": "no longer needed"},
    ),
    Op(
        method="POST",
        path="/jobs/{job_id}/report",
        name="report_job",
        summary="Say that a job seems to have failed",
        run=report_job,
        body=Report,
        out=JobView,
        codes=("conflict",),
        example={"message": "nothing has arrived for ten minutes"},
    ),
)
