"""What a provider may answer, as values: the engine matches on these and on nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

JSON = Mapping[str, Any]


class Retry(StrEnum):
    """Whether a rejected request may be made again later."""

    LATER = "later"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has the task; `task_id` is the provider's name of it, always a string."""

    task_id: str


class Cause(StrEnum):
    """What a rejection is about, and so who waits: the job alone, its account, or its type."""

    REQUEST = "request"
    """This request: the job waits alone, or fails if it may not be repeated."""
    ROOM = "room"
    """The account is full: it rests and counts as smaller; its jobs keep their order."""
    PACE = "pace"
    """Too many calls, or a site in trouble: the account rests; its jobs keep their order."""
    ACCOUNT = "account"
    """The account itself, its key, money or membership: the job is not at fault and goes elsewhere."""
    TYPE = "type"
    """What the job type asks for, whoever orders it, a node or an app that is not there for instance: as
    REQUEST, and a few in a row close the type."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Certainly no task was created. `after_seconds` is the provider's wish, or None; a day is the most
    that it is granted."""

    code: str
    message: str
    retry: Retry
    after_seconds: float | None = None
    cause: Cause = Cause.REQUEST


@dataclass(frozen=True, slots=True)
class Uncertain:
    """A task may or may not exist; never a reason to call again."""

    reason: str


Submission = Accepted | Rejected | Uncertain


@dataclass(frozen=True, slots=True)
class Output:
    """One result at the provider. `kind` is its lower-case extension, for instance `png`.

    A text may come with the answer itself: then `text` is all of it and `url` is empty.
    """

    url: str
    kind: str
    node: str = ""
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The provider still has the task; `running` is False while it only waits there."""

    running: bool


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The task is over and has outputs (perhaps none); `usage` is the provider's own bill."""

    outputs: tuple[Output, ...]
    usage: JSON = field(default_factory=dict)


class Trouble(StrEnum):
    """What a run failed of, and so whether another run of the same job may succeed."""

    REQUEST = "request"
    """What was asked for, or nobody knows what: another run would fail alike."""
    PASSING = "passing"
    """The provider's machine: a stale file handle, a broken connection, a time-out inside."""
    MEMORY = "memory"
    """The machine had too little memory; a larger one may have enough."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The task is over without a result; `trouble` tells what kind of failure it was."""

    reason: str
    trouble: Trouble = Trouble.REQUEST
    usage: JSON = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The task is over because somebody cancelled it; `ran` tells whether it had begun."""

    ran: bool | None = None


@dataclass(frozen=True, slots=True)
class NotFound:
    """The provider does not know the task (any more, or not yet)."""


Answer = Unfinished | Succeeded | Failed | Cancelled | NotFound


class CancelReply(StrEnum):
    """What the provider says to a request to cancel; the task's end is learned by a query."""

    REQUESTED = "requested"
    ALREADY_OVER = "already over"
    NOT_FOUND = "not found"


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a provider says of an account: `limit` tasks at one time, and `in_use` now, whoever made them.

    None where it does not say.
    """

    limit: int | None = None
    in_use: int | None = None


class Signature(StrEnum):
    """How a provider signs its webhooks."""

    NONE = "none"
    STANDARD = "standard"
    """Standard Webhooks: HMAC-SHA256 over id, time and body."""
    ED25519 = "ed25519"
    """A key pair of the provider's, as fal.ai has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What an account's provider can do; what it cannot do, the engine does not ask."""

    cancels: bool = True
    """`cancel` ends a task; without it a task that nobody wants runs to its end."""
    signature: Signature = Signature.NONE
    """A signed webhook proves by itself which task was created with its token."""
    tells_webhook: bool = False
    """`confirm_binding` can answer: the provider tells with which webhook a task was created."""
    tells_limit: bool = False
    """`capacity` tells how many tasks the account may have."""
    counts_tasks: bool = False
    """`capacity` tells how many tasks the account has now, at once after each creation and end."""
    results_seconds: float | None = None
    """How long results stay there; None: nobody says."""
    upload_bytes_max: int | None = None
    """Largest input file; None: nobody says."""


@dataclass(frozen=True, slots=True)
class Hint:
    """What an unverified message claims; it only tells which task to ask about."""

    task_id: str | None
    event: str | None = None
