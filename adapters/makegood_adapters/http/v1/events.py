"""Transitions as they happen, as server-sent events: of one job, or of all jobs of an owner."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Literal
from uuid import UUID

from pydantic import Field, RootModel

from makegood.engine import Engine
from makegood.job import Transition
from makegood.watching import STEPS_MAX
from makegood_adapters.access import LOOKS
from makegood_adapters.http.callers import CallerKind, Scope
from makegood_adapters.http.hub import Message, Stands, Told
from makegood_adapters.http.operation import Call, Op, Reply, Sends
from makegood_adapters.http.problems import ApiProblem
from makegood_adapters.http.sse import HEADERS, MEDIA_TYPE, EventStream, Feed, event
from makegood_adapters.http.v1.api import Api
from makegood_adapters.http.v1.asked import Asked
from makegood_adapters.http.v1.oversight import told_of
from makegood_adapters.http.v1.views import FailureView, MoneyView, PlaceView, TransitionView
from makegood_adapters.redaction import Redaction

#: What a `seq` can be at most.
_NUMBER_MAX = 2**63 - 1
_CODES = ("invalid_event_id", "too_many_streams")


class Since(Asked):
    """Where to go on, for clients that cannot send the header `Last-Event-ID`, which counts before it."""

    last_event_id: int | None = Field(default=None, ge=0, le=_NUMBER_MAX)


class StepEvent(TransitionView):
    """A step of a job. `money` is there with the last step alone: what the ledger shows for the job, so that
    `released` are credits that are back. `error` says why it failed."""

    kind: Literal["transition"] = "transition"
    money: MoneyView | None = None
    error: FailureView | None = None


class OperatedStepEvent(StepEvent):
    """A step as operators see it: of whose job, by whom, and why."""

    owner: str
    actor: str
    reason: str | None


class PlaceEvent(PlaceView):
    """Where the job waits, when that has changed. It has no id, since it is no part of the history."""

    kind: Literal["place"] = "place"
    job_id: UUID


class JobEvent(RootModel[StepEvent | PlaceEvent]):
    """What the stream of a job tells; `kind` says which, and so does the name of the event."""


async def watch_job(api: Api, call: Call, job_id: UUID, query: Since) -> Reply:
    """Tell the steps of a job from its first one, or from the last known one, until it is over."""
    job = await api.job_of(call.for_owner, job_id)
    last = _last_known(call, query)
    after = -1 if last is None else last
    if after > job.version:
        raise _ahead(f"the job has come to {job.version}", after)
    if job.finished_at is not None and after == job.version:
        return Reply(204)

    async def past(after: int) -> tuple[list[Told], bool]:
        return await _told(api.engine, await api.engine.history(job_id, after)), False

    feed = Feed(topic=job_id, past=past, number=_version, frame=_job_frame, ends=True)
    reply = await _stream(api, call, feed, after)
    api.hub.look_at(job_id, job.type, job.state)
    return reply


async def watch_jobs(api: Api, call: Call, query: Since) -> Reply:
    """Tell the steps of all jobs of an owner from now on, or from the last known one."""
    return await _watch(api, call, query, call.for_owner, _owner_frame)


async def watch_all_jobs(api: Api, call: Call, query: Since) -> Reply:
    """Tell the steps of all jobs of all owners from now on, or from the last known one."""
    return await _watch(api, call, query, None, _operator_frames(api.redaction))


async def _watch(
    api: Api, call: Call, query: Since, owner: str | None, frame: Callable[[Message], bytes]
) -> Reply:
    after, last = _last_known(call, query), await api.engine.last_seq()
    if after is not None and after > last:
        raise _ahead(f"the stream has come to {last}", after)

    async def past(after: int) -> tuple[list[Told], bool]:
        steps = await api.engine.steps(after, owner=owner)
        return await _told(api.engine, steps), len(steps) == STEPS_MAX

    feed = Feed(topic=owner, past=past, number=_seq, frame=frame)
    return await _stream(api, call, feed, last if after is None else after)


async def _stream(api: Api, call: Call, feed: Feed, after: int) -> Reply:
    caller = call.caller
    account = (
        caller.actor if call.owner is None else f"owner {call.owner}"
    )  # an owner may be called as a key is
    # A key may be taken back at any time; of a user's token nothing but its end is known.
    identify = call.identify if caller.kind is CallerKind.SERVICE else None
    pieces = await EventStream.open(
        api.hub, feed, account, after=after, expires_at=caller.expires_at, identify=identify
    )
    return Reply(200, MEDIA_TYPE, pieces, HEADERS)


async def _told(engine: Engine, steps: list[Transition]) -> list[Told]:
    endings = await engine.endings({step.job_id for step in steps})
    return [Told(step, endings.get(step.job_id)) for step in steps]


def _last_known(call: Call, query: Since) -> int | None:
    """Return the number after which the client wants to go on. A browser that comes back by itself sends
    the header, and the query with which it began."""
    text = call.request.headers.get("last-event-id", "")
    if not text:
        return query.last_event_id
    if not (text.isascii() and text.isdecimal() and int(text[:20]) <= _NUMBER_MAX and len(text) < 20):
        raise ApiProblem(
            "invalid_event_id", "Last-Event-ID must be the id of an event of this stream. Or leave it out."
        )
    return int(text)


def _ahead(come_to: str, after: int) -> ApiProblem:
    return ApiProblem(
        "invalid_event_id",
        f"Nobody can have seen the event {after}: {come_to}. The id is of another stream, or the database "
        "was restored from a backup. Leave it out, and read the jobs that matter.",
    )


def _version(step: Transition) -> int:
    return step.version


def _seq(step: Transition) -> int:
    assert step.seq is not None, "it was read from the stream"
    return step.seq


def _fields(message: Message) -> dict[str, object]:
    assert isinstance(message, Told)
    ending = message.ending
    return {
        **dict(TransitionView.of(message.step)),
        "money": MoneyView.of(ending.money) if ending else None,
        "error": FailureView.of(ending.error) if ending else None,
    }


def _data(message: Message) -> bytes:
    return StepEvent.model_validate(_fields(message)).model_dump_json().encode()


def _job_frame(message: Message) -> bytes:
    if isinstance(message, Stands):
        view = PlaceEvent(job_id=message.job_id, **dict(PlaceView.of_place(message.place)))
        return event("place", view.model_dump_json().encode())
    assert isinstance(message, Told)
    return event("transition", message.once(_data), message.step.version)


def _owner_frame(message: Message) -> bytes:
    assert isinstance(message, Told)
    return event("transition", message.once(_data), message.step.seq)


@lru_cache(maxsize=8)
def _operator_frames(redaction: Redaction) -> Callable[[Message], bytes]:
    """Return what makes a frame for operators: the same for all of a service, so that it is made once."""
    return partial(_operator_frame, redaction)


def _operator_frame(redaction: Redaction, message: Message) -> bytes:
    assert isinstance(message, Told)
    step, fields = message.step, _fields(message)
    reason = step.reason and redaction.clean(step.reason)
    more = {"owner": step.owner, "actor": step.actor, "reason": reason}
    error = told_of(FailureView.of(message.ending.error), redaction) if message.ending else None
    view = OperatedStepEvent.model_validate({**fields, **more, "error": error})
    return event("transition", view.model_dump_json().encode(), step.seq)


OPERATIONS: tuple[Op, ...] = (
    Op(
        method="GET",
        path="/jobs/{job_id}/events",
        name="watch_job",
        summary="The steps of a job as they happen, until it is over",
        run=watch_job,
        query=Since,
        out=JobEvent,
        sends=Sends.EVENTS,
        nothing="The job is over and its last step is known",
        codes=_CODES,
        tag="events",
    ),
    Op(
        method="GET",
        path="/events",
        name="watch_jobs",
        summary="The steps of all jobs of an owner as they happen",
        run=watch_jobs,
        query=Since,
        out=StepEvent,
        sends=Sends.EVENTS,
        codes=_CODES,
        tag="events",
    ),
    Op(
        method="GET",
        path="/operations/events",
        name="watch_all_jobs",
        summary="The steps of all jobs as they happen",
        run=watch_all_jobs,
        who=Scope.OBSERVE,
        cost=LOOKS,
        query=Since,
        out=OperatedStepEvent,
        sends=Sends.EVENTS,
        codes=_CODES,
        tag="events",
    ),
)
