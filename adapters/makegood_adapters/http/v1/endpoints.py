"""Endpoints that are told of transitions by signed webhooks: made, rotated, their log, sent again.

They are a service's alone, also those that hear of one owner's jobs: whoever makes an endpoint makes us send
requests to anybody, so users ask their app for one.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field

from makegood.notifying import RESENT_MAX, ROTATION_SECONDS, ROTATION_SECONDS_MAX
from makegood.ports import Delivery, DeliveryState, Endpoint, Posted, Try, message_id
from makegood_adapters.http.callers import Scope
from makegood_adapters.http.operation import Call, Op
from makegood_adapters.http.v1.api import Api
from makegood_adapters.http.v1.asked import Asked
from makegood_adapters.http.v1.views import TransitionView, View

_PAGE, _PAGE_MAX = 50, 200
_WISHES_MAX = 50
_EVENT = re.compile(r"job\.([a-z0-9_]{1,100})")
#: Beyond every place of the stream.
_SEQ_MAX = 2**63 - 1


def _is_event(text: str) -> str:
    if not _EVENT.fullmatch(text):
        raise ValueError("it is no event like job.completed")
    return text


_Url = Annotated[str, Field(min_length=1, max_length=2_000)]
_Events = Annotated[list[Annotated[str, AfterValidator(_is_event)]], Field(max_length=_WISHES_MAX)]
_Types = Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=_WISHES_MAX)]
_Seq = Annotated[int, Field(ge=1, le=_SEQ_MAX)]


class NewEndpoint(Asked):
    """An endpoint as it is made. `events` are like `job.completed`, the state that a job enters; none: all.
    `types` are job types; none: all. `owner` is whose jobs it hears of; null: everybody's."""

    url: _Url
    owner: str | None = Field(default=None, min_length=1, max_length=500)
    events: _Events = Field(default_factory=list)
    types: _Types = Field(default_factory=list)
    description: str = Field(default="", max_length=500)


class ChangedEndpoint(Asked):
    """What is to change of an endpoint; what is left out stays."""

    url: _Url | None = None
    events: _Events | None = None
    types: _Types | None = None
    description: str | None = Field(default=None, max_length=500)
    enabled: bool | None = None


class Rotation(Asked):
    """For how long the secret before also signs; 0 lets go of one that has leaked."""

    keep_seconds: float = Field(default=ROTATION_SECONDS, ge=0, le=ROTATION_SECONDS_MAX)


class Resending(Asked):
    """What to send again: messages by their `seq`, or what was given up `since` a time."""

    seqs: list[_Seq] = Field(default=[], max_length=RESENT_MAX)
    since: AwareDatetime | None = None


class EndpointsQuery(Asked):
    """Which page of endpoints; `after` is the id of the last one that is known."""

    owner: str | None = Field(default=None, min_length=1, max_length=500)
    after: UUID | None = None
    limit: int = Field(default=_PAGE, ge=1, le=_PAGE_MAX)


class DeliveriesQuery(Asked):
    """Which page of messages, the last one first; `before` is the `seq` of the last one that is known."""

    before: _Seq | None = None
    limit: int = Field(default=_PAGE, ge=1, le=_PAGE_MAX)
    failed: bool = False


class EndpointView(View):
    """An endpoint. Its secret is told when it is made and when it is rotated, and at no other time."""

    id: UUID
    url: str
    owner: str | None
    events: list[str]
    types: list[str]
    description: str
    created_at: datetime
    disabled_at: datetime | None
    disabled_why: str | None
    failing_since: datetime | None

    @classmethod
    def of(cls, endpoint: Endpoint) -> "EndpointView":
        """Return the view."""
        return cls(
            id=endpoint.id,
            url=endpoint.url,
            owner=endpoint.owner,
            events=[f"job.{state}" for state in endpoint.states],
            types=list(endpoint.types),
            description=endpoint.description,
            created_at=endpoint.created_at,
            disabled_at=endpoint.disabled_at,
            disabled_why=endpoint.disabled_why,
            failing_since=endpoint.failing_since,
        )


class EndpointMade(View):
    """An endpoint with its secret, which signs from now on; it is not told again."""

    endpoint: EndpointView
    secret: str


class EndpointPage(View):
    """Endpoints in the order in which they were made; `next` goes on as `after`, null: there are no more."""

    endpoints: list[EndpointView]
    next: UUID | None


class DeliveryView(View):
    """A message. `id` is its `webhook-id`, the same at every try; `due_at` is when it is tried next."""

    id: str
    seq: int
    state: DeliveryState
    transition: TransitionView
    tries: int
    due_at: datetime | None
    delivered_at: datetime | None
    failed_at: datetime | None

    @classmethod
    def of(cls, delivery: Delivery) -> "DeliveryView":
        """Return the view."""
        step = delivery.transition
        return cls(
            id=message_id(step),
            seq=step.seq or 0,
            state=delivery.state,
            transition=TransitionView.of(step),
            tries=delivery.tries,
            due_at=delivery.due_at,
            delivered_at=delivery.delivered_at,
            failed_at=delivery.failed_at,
        )


class DeliveryPage(View):
    """Messages, the last one first; `next` goes on as `before`, null: there are no more."""

    deliveries: list[DeliveryView]
    next: int | None


class TryView(View):
    """One try: the HTTP status, or why there is none, and the beginning of the answer."""

    at: datetime
    status: int | None
    problem: str | None
    body: str
    seconds: float

    @classmethod
    def of(cls, tried: Try) -> "TryView":
        """Return the view."""
        return cls(
            at=tried.at, status=tried.status, problem=tried.problem, body=tried.body, seconds=tried.seconds
        )


class Tries(View):
    """The last tries of one message, the first one first."""

    tries: list[TryView]


class Resent(View):
    """How many messages are sent again."""

    resent: int


class Tested(View):
    """What came of a test message."""

    delivered: bool
    status: int | None
    problem: str | None
    body: str
    seconds: float

    @classmethod
    def of(cls, posted: Posted) -> "Tested":
        """Return the view."""
        return cls(
            delivered=posted.delivered,
            status=posted.status,
            problem=posted.problem,
            body=posted.body,
            seconds=posted.seconds,
        )


async def make_endpoint(api: Api, call: Call, body: NewEndpoint) -> EndpointMade:
    """Make an endpoint, which hears of what is committed from now on."""
    endpoint, secret = await api.engine.add_endpoint(
        body.url,
        owner=body.owner,
        states=map(_state, body.events),
        types=body.types,
        description=body.description,
    )
    return EndpointMade(endpoint=EndpointView.of(endpoint), secret=secret)


async def list_endpoints(api: Api, call: Call, query: EndpointsQuery) -> EndpointPage:
    """Return one page of endpoints."""
    found = await api.engine.endpoints(query.after, query.limit + 1, owner=query.owner)
    shown = found[: query.limit]
    return EndpointPage(
        endpoints=[EndpointView.of(endpoint) for endpoint in shown],
        next=shown[-1].id if len(found) > query.limit else None,
    )


async def get_endpoint(api: Api, call: Call, endpoint_id: UUID) -> EndpointView:
    """Return the endpoint."""
    return EndpointView.of(await api.engine.endpoint(endpoint_id))


async def change_endpoint(api: Api, call: Call, endpoint_id: UUID, body: ChangedEndpoint) -> EndpointView:
    """Change what is given."""
    changed = await api.engine.change_endpoint(
        endpoint_id,
        url=body.url,
        states=None if body.events is None else map(_state, body.events),
        types=body.types,
        description=body.description,
        enabled=body.enabled,
    )
    return EndpointView.of(changed)


async def rotate_endpoint(api: Api, call: Call, endpoint_id: UUID, body: Rotation) -> EndpointMade:
    """Give the endpoint a new secret."""
    secret = await api.engine.rotate_secret(endpoint_id, body.keep_seconds)
    return EndpointMade(endpoint=EndpointView.of(await api.engine.endpoint(endpoint_id)), secret=secret)


async def remove_endpoint(api: Api, call: Call, endpoint_id: UUID) -> None:
    """Forget the endpoint with its log."""
    await api.engine.remove_endpoint(endpoint_id)


async def list_deliveries(api: Api, call: Call, endpoint_id: UUID, query: DeliveriesQuery) -> DeliveryPage:
    """Return one page of messages to the endpoint."""
    found = await api.engine.deliveries(endpoint_id, query.before, query.limit + 1, failed=query.failed)
    shown = [DeliveryView.of(delivery) for delivery in found[: query.limit]]
    return DeliveryPage(deliveries=shown, next=shown[-1].seq if len(found) > query.limit else None)


async def list_tries(api: Api, call: Call, endpoint_id: UUID, seq: int) -> Tries:
    """Return what came of the tries of one message."""
    return Tries(tries=[TryView.of(tried) for tried in await api.engine.tries(endpoint_id, seq)])


async def resend(api: Api, call: Call, endpoint_id: UUID, body: Resending) -> Resent:
    """Send messages again: those named, and those that were given up since a time."""
    count = await api.engine.resend(endpoint_id, body.seqs)
    if body.since is not None:
        count += await api.engine.resend_failed(endpoint_id, body.since)
    return Resent(resent=count)


async def test_endpoint(api: Api, call: Call, endpoint_id: UUID) -> Tested:
    """Post a test message now and return what came of it."""
    return Tested.of(await api.engine.test_endpoint(endpoint_id))


def _state(event: str) -> str:
    return event.removeprefix("job.")


_ENDPOINT = {"endpoint_id": UUID}
_REFUSALS = ("endpoint_refused", "invalid_request")


def _op(method: str, path: str, summary: str, run: Callable[..., Any], **given: Any) -> Op:
    """Return an operation of this room, named as its function."""
    given = {"who": Scope.WEBHOOKS, "tag": "endpoints", "path_types": {**_ENDPOINT, "seq": int}, **given}
    return Op(method=method, path=f"/endpoints{path}", name=run.__name__, summary=summary, run=run, **given)


OPERATIONS: tuple[Op, ...] = (
    _op(
        "POST",
        "",
        "Make an endpoint: its secret is told once",
        make_endpoint,
        body=NewEndpoint,
        out=EndpointMade,
        status=201,
        codes=(*_REFUSALS, "webhooks_off"),
    ),
    _op(
        "GET",
        "",
        "List endpoints",
        list_endpoints,
        query=EndpointsQuery,
        out=EndpointPage,
        codes=("invalid_request",),
    ),
    _op("GET", "/{endpoint_id}", "An endpoint", get_endpoint, out=EndpointView),
    _op(
        "PATCH",
        "/{endpoint_id}",
        "Change, disable or enable an endpoint",
        change_endpoint,
        body=ChangedEndpoint,
        out=EndpointView,
        codes=(*_REFUSALS, "webhooks_off"),
    ),
    _op(
        "POST",
        "/{endpoint_id}/rotate",
        "Give an endpoint a new secret; the one before also signs for a while",
        rotate_endpoint,
        body=Rotation,
        out=EndpointMade,
        codes=("invalid_request",),
    ),
    _op("DELETE", "/{endpoint_id}", "Remove an endpoint with its log", remove_endpoint, status=204),
    _op(
        "GET",
        "/{endpoint_id}/deliveries",
        "List the messages to an endpoint, the last one first",
        list_deliveries,
        query=DeliveriesQuery,
        out=DeliveryPage,
    ),
    _op(
        "GET",
        "/{endpoint_id}/deliveries/{seq}/tries",
        "What came of the tries of a message",
        list_tries,
        out=Tries,
    ),
    _op(
        "POST",
        "/{endpoint_id}/resend",
        "Send messages again: some, or all that were given up since a time",
        resend,
        body=Resending,
        out=Resent,
        codes=_REFUSALS,
    ),
    _op(
        "POST",
        "/{endpoint_id}/test",
        "Post a test message now, and tell what came of it",
        test_endpoint,
        out=Tested,
        cost="submits",
        codes=("webhooks_off",),
    ),
)
