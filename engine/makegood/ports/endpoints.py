"""Webhooks out: who is told of transitions, what is on its way to whom, and who carries it there."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Protocol
from uuid import UUID

from makegood.job import Job, JobMoney, Transition

#: Endpoints in all, and for the jobs of one owner.
ENDPOINTS_MAX, ENDPOINTS_OF_OWNER_MAX = 1_000, 20
#: So many tries of one message are kept in its log, the last ones.
TRIES_KEPT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An address that is told of transitions into *states* of jobs of *types*; none given: of all.

    `owner` is whose jobs it hears of, None: everybody's. A disabled one hears nothing; `disabled_why` says
    why. `failing_since` is when the first try failed since one succeeded, None while they do.
    """

    id: UUID
    url: str
    created_at: datetime
    owner: str | None = None
    states: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    description: str = ""
    disabled_at: datetime | None = None
    disabled_why: str | None = None
    failing_since: datetime | None = None


#: Why an endpoint is disabled that a person has switched off.
SWITCHED_OFF = "it was switched off"


class DeliveryState(StrEnum):
    """How far a message has come."""

    WAITING = "waiting"  # for its next try, or for the answer to one
    DELIVERED = "delivered"
    FAILED = "failed"  # every try has failed, or the endpoint was disabled


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One transition on its way to one endpoint; `tries` counts since it was made or sent again, `due_at` is
    when it is tried next, None when that is over."""

    endpoint_id: UUID
    transition: Transition
    tries: int
    due_at: datetime | None
    delivered_at: datetime | None
    failed_at: datetime | None

    @property
    def state(self) -> DeliveryState:
        """How far it has come."""
        if self.due_at is not None:
            return DeliveryState.WAITING
        return DeliveryState.FAILED if self.delivered_at is None else DeliveryState.DELIVERED


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A delivery that this process has taken to make its next try: the one that `tries` counts last. `epoch`
    tells whether it is still ours; `secrets` sign, the newest first."""

    endpoint_id: UUID
    url: str
    secrets: tuple[str, ...] = field(repr=False)
    transition: Transition
    tries: int
    epoch: int
    taken_at: datetime

    @property
    def seq(self) -> int:
        """The place of its transition in the stream."""
        assert self.transition.seq is not None, "what is delivered was read from the stream"
        return self.transition.seq


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What is posted: a *transition*, with its job and its money as they stand now; without one, a test.

    `id` is the same at every try. `status` is what the outside sees of the job's state.
    """

    id: str
    url: str
    secrets: tuple[str, ...] = field(repr=False)
    transition: Transition | None = None
    job: Job | None = None
    money: JobMoney | None = None
    status: str = ""


def message_id(transition: Transition) -> str:
    """Return the `webhook-id` of the message about *transition*: the same at every try and endpoint, and that
    of no other transition, also after the database was restored and has gone another way."""
    return f"msg_{transition.operation_id.hex}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What came of one try: the HTTP status, or the problem for which there is none.

    `body` is the beginning of the answer, for people. The receiver asks for a pause by *retry_after_seconds*.
    """

    status: int | None = None
    problem: str | None = None
    body: str = ""
    seconds: float = 0.0
    retry_after_seconds: float | None = None

    @property
    def delivered(self) -> bool:
        """Whether the receiver has it."""
        return self.problem is None and self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """Whether the receiver wants no more of them."""
        return self.status == HTTPStatus.GONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One line of the log of a delivery."""

    at: datetime
    status: int | None
    problem: str | None
    body: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FannedOut:
    """How far one step has come: how many places of the stream it has read, and how many deliveries it made.
    `listeners` tells whether there is an endpoint at all."""

    places: int = 0
    deliveries: int = 0
    listeners: bool = False


class Messenger(Protocol):
    """Carries letters to endpoints."""

    async def problem_of(self, url: str) -> str | None:
        """Return why nothing may be posted to *url*, None if nothing is seen to be wrong."""

    async def post(self, letter: Letter) -> Posted:
        """Post the letter once, signed, and return what came of it, whatever that is."""


class Endpoints(Protocol):
    """Who is told of transitions. Secrets are kept as they are, since they sign: only workers read them."""

    async def add(self, endpoint: Endpoint, secret: str) -> Endpoint | None:
        """Keep a new endpoint, which hears of what gets a place in the stream from now on; None: there are
        ENDPOINTS_MAX, or ENDPOINTS_OF_OWNER_MAX of its owner. The same id again changes nothing."""

    async def get(self, endpoint_id: UUID) -> Endpoint | None:
        """Return one endpoint."""

    async def page(self, after: UUID | None, limit: int, owner: str | None = None) -> list[Endpoint]:
        """Return endpoints in the order of their ids; with *owner* only that owner's."""

    async def change(self, endpoint: Endpoint) -> Endpoint | None:
        """Give the endpoint another url, description, states and types; None: there is none. At another url
        it has not failed yet."""

    async def enable(self, endpoint_id: UUID) -> Endpoint | None:
        """Let it hear again, of what gets a place in the stream from now on."""

    async def disable(
        self, endpoint_id: UUID, why: str, *, failing_since: datetime | None = None
    ) -> Endpoint | None:
        """Let it hear nothing more; what is on its way to it has failed. None: there is none, it is disabled,
        or it does not fail since *failing_since*, where that is given."""

    async def secrets(self, endpoint_id: UUID) -> tuple[str, ...]:
        """Return what signs messages to it now, the newest first."""

    async def rotate(self, endpoint_id: UUID, secret: str, keep_seconds: float) -> bool:
        """Sign with *secret* from now on, and with the one before for *keep_seconds* more; False: there is no
        such endpoint. An older one ends at once."""

    async def remove(self, endpoint_id: UUID) -> bool:
        """Forget the endpoint with its log; False: there is none."""


class Deliveries(Protocol):
    """Messages to endpoints: one for each transition that one wants, made once and tried at least once."""

    async def fan_out(self, limit: int) -> FannedOut:
        """Read on in the stream, at most *limit* places and fewer where many listen, and make the deliveries
        that endpoints want of them; nothing while somebody else does it."""

    async def take(self, limit: int, of_endpoint_max: int, lease_seconds: float) -> list[Parcel]:
        """Take deliveries that are due, those of the endpoints first to which the fewest are under way, and
        lease them; to one endpoint at most *of_endpoint_max* are under way, to one that fails only one."""

    async def give_back(self, parcel: Parcel) -> None:
        """Let the delivery be due again at once, if it is still ours; the try does not count."""

    async def ended(self, parcel: Parcel, posted: Posted, again_seconds: float | None) -> Endpoint | None:
        """Keep what came of a try: it is delivered, or due in *again_seconds*, or has failed; and return the
        endpoint as it is now. None: the delivery is no longer ours, and nothing is kept."""

    async def page(
        self, endpoint_id: UUID, before: int | None, limit: int, *, failed: bool = False
    ) -> list[Delivery]:
        """Return deliveries with a `seq` below *before*, the last one first; with *failed* only those."""

    async def tries(self, endpoint_id: UUID, seq: int) -> list[Try]:
        """Return what came of the tries of one delivery, the first one first."""

    async def resend(self, endpoint_id: UUID, seqs: Sequence[int]) -> int:
        """Make these deliveries due now, whatever became of them, and return how many there are."""

    async def resend_failed(self, endpoint_id: UUID, since: datetime, limit: int) -> int:
        """Make due now what has failed since then, at most *limit*; return how many those were."""

    async def forget(self, seconds: float, limit: int) -> int:
        """Delete deliveries that were made so long ago and are over, with their log; return how many."""
