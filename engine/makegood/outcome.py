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


@dataclass(frozen=True, slots=True)
class Rejected:
    """Certainly no task was created. `after_seconds` is the provider's wish, or None.

    `account_wide` tells that not the request but the whole account was refused, for lack of room: then
    the account rests, and its jobs keep their order.
    """

    code: str
    message: str
    retry: Retry
    after_seconds: float | None = None
    account_wide: bool = False


@dataclass(frozen=True, slots=True)
class Uncertain:
    """A task may or may not exist; never a reason to call again."""

    reason: str


Submission = Accepted | Rejected | Uncertain


@dataclass(frozen=True, slots=True)
class Output:
    """One result file at the provider. `kind` is its lower-case extension, for instance `png`."""

    url: str
    kind: str
    node: str = ""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The provider still has the task; `running` is False while it only waits there."""

    running: bool


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The task is over and has outputs (perhaps none); `usage` is the provider's own bill."""

    outputs: tuple[Output, ...]
    usage: JSON = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """The task is over without a result. `transient` means that another run may succeed."""

    reason: str
    transient: bool = False
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
class Hint:
    """What an unverified message claims; it only tells which task to ask about."""

    task_id: str | None
    event: str | None = None
