"""Who looks on: what an engine has done is told to observers once it is done, and nothing waits for them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from makegood.job import Attempt, Job
from makegood.subject import Subject


class Operation(StrEnum):
    """What a provider is asked for; see `Provider`."""

    UPLOAD = "upload"
    SUBMIT = "submit"
    QUERY = "query"
    CANCEL = "cancel"
    CAPACITY = "capacity"
    FETCH = "fetch"
    CONFIRM = "confirm_binding"


class Word(StrEnum):
    """From whom it was first heard that a task is over; what decided is the provider's answer in any case."""

    WEBHOOK = "webhook"
    HINT = "hint"  # a client, an older webhook, a person: a message without the attempt's token
    POLL = "poll"  # nobody had said anything


class Reception(StrEnum):
    """What became of a message to the address of an attempt's webhooks."""

    KEPT = "kept"
    UNKNOWN = "unknown"  # nobody was ever given this token
    REFUSED = "refused"  # not signed as its provider signs
    ELSEWHERE = "elsewhere"  # another process works with the account


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A transition that this process has committed; `money` is what its edge does, `actor` who made it."""

    job: Job
    event: str
    from_state: str | None
    actor: str
    money: str = "none"
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call to a provider that is over: `outcome` is a word of few, `bytes` what was brought home or sent.

    `subject` is whom it was for, None: the account itself; `problem` what went wrong, by its kind alone.
    """

    account: str
    operation: Operation
    outcome: str
    seconds: float
    subject: Subject | None
    bytes: int = 0
    problem: str | None = None


class Observer(Protocol):
    """Hears what happened, in the task that did it: it returns at once, and what it raises is only logged.

    Nothing is told of a transition that is part of a host's own transaction: it may still be rolled back.
    """

    def moved(self, move: Move) -> None:
        """Hear of a transition."""

    def dispatched(self, attempt: Attempt) -> None:
        """Hear that a waiting job was given a slot: `dispatch` is no move of a single job."""

    def called(self, call: Call) -> None:
        """Hear of a call to a provider."""

    def received(self, account: str | None, reception: Reception) -> None:
        """Hear of a provider's webhook; *account* is None where it is not known."""

    def learned(self, attempt: Attempt, word: Word, heard_at: datetime | None) -> None:
        """Hear that the provider was asked and said that the attempt's task is over; *heard_at* is when the
        first message about it came."""
