"""Jobs of an owner: what is on offer, submit, read, cancel."""

from typing import Any
from uuid import UUID

from pydantic import Field

from makegood.errors import InvalidRequest
from makegood.job import Job
from makegood_adapters.http.operation import Access, Call, Op
from makegood_adapters.http.v1.api import Api
from makegood_adapters.http.v1.asked import Asked
from makegood_adapters.http.v1.views import (
    JobTypes,
    JobTypeView,
    JobView,
    MoneyView,
    PlaceView,
    TransitionView,
)

_KEY_LENGTH_MAX = 200


class NewJob(Asked):
    """An order. The price is ours, whatever is sent."""

    type: str = Field(max_length=200)
    input: dict[str, Any]


async def list_job_types(api: Api, call: Call) -> JobTypes:
    """Return what is on offer to everybody."""
    return JobTypes(types=[JobTypeView.of(api.engine.catalog.get(name)) for name in api.engine.catalog.names])


async def submit_job(api: Api, call: Call, body: NewJob) -> JobView:
    """Submit a job and accept it: its price is held, or it is refused and nothing is charged."""
    key = call.request.headers.get("idempotency-key")
    if key is not None and not (0 < len(key) <= _KEY_LENGTH_MAX and key.isprintable()):
        raise InvalidRequest(f"The Idempotency-Key must be 1 to {_KEY_LENGTH_MAX} printable characters.")
    await api.engine.check_files(call.for_owner, body.type, body.input)
    job = await api.engine.submit(body.type, call.for_owner, body.input, key=key)
    return await view(api, await api.engine.accept(job.id, actor=call.caller.actor))


async def get_job(api: Api, call: Call, job_id: UUID) -> JobView:
    """Return the job with its timeline and what the ledger shows for it."""
    return await view(api, await api.job_of(call.for_owner, job_id))


async def cancel_job(api: Api, call: Call, job_id: UUID) -> JobView:
    """Cancel the job: at once if it is not at the provider, else the provider is asked to stop."""
    await api.job_of(call.for_owner, job_id)
    return await view(api, await api.engine.cancel(job_id, actor=call.caller.actor))


async def view(api: Api, job: Job) -> JobView:
    """Return all that its owner may see of a job."""
    engine = api.engine
    job_type = engine.catalog.of(job)
    state = job_type.spec.state.get(job.state) if job_type else None
    place = await engine.place(job.id) if job.finished_at is None else None
    return JobView(
        **JobView.fields_of(job, (state and state.public) or job.state),
        input=dict(job.input),
        money=MoneyView.of(await engine.money(job.id)),
        timeline=[TransitionView.of(step) for step in await engine.history(job.id)],
        place=PlaceView.of_place(place) if place else None,
    )


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
        method="POST",
        path="/jobs",
        name="submit_job",
        summary="Order a job: its price is held, or nothing is charged",
        run=submit_job,
        body=NewJob,
        out=JobView,
        status=201,
        takes_key=True,
        cost="submits",
        codes=(
            "insufficient_credits",
            "active_job",
            "invalid_input",
            "invalid_request",
            "key_reused",
            "job_type_closed",
            "not_found",
        ),
    ),
    Op(
        method="GET",
        path="/jobs/{job_id}",
        name="get_job",
        summary="A job with its timeline and its money",
        run=get_job,
        out=JobView,
    ),
    Op(
        method="POST",
        path="/jobs/{job_id}/cancel",
        name="cancel_job",
        summary="Cancel a job",
        run=cancel_job,
        out=JobView,
        codes=("illegal_transition", "held_back", "conflict"),
    ),
)
