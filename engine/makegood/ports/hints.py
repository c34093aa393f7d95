"""The inbox: messages from outside about attempts, kept before they are looked into, and believed never."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from makegood.job import Attempt

#: Reports of one source about one attempt that are kept.
REPORTS_MAX = 20
#: The source of a message that says who wishes that a job at the provider ends, and why.
WISH = "cancel"
#: Hints about one attempt that came without its token, of all sources together.
HINTS_MAX = 100
#: Messages about tasks that nobody knows yet: in all, of one source, and how long they are kept.
PARKED_MAX, PARKED_OF_SOURCE_MAX, PARKED_SECONDS = 10_000, 100, 86_400.0
#: Longer than any transaction, so that a task which became known while a message was being parked is seen.
PARKING_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredHint:
    """A message from outside as it was kept: a claim about one attempt, not yet looked into."""

    id: int
    job_id: UUID
    attempt: int
    source: str
    task_id: str | None
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptMessage:
    """A message from outside as a person reads it: `body` is its beginning, `length` counts all characters of
    it, and `read` tells whether it was dealt with."""

    attempt: int
    source: str
    task_id: str | None
    at: datetime
    read: bool
    body: str
    length: int


class Receipt(StrEnum):
    """What has become of a message that names nothing but a task."""

    KNOWN = "known"  # an attempt has the task, and the provider is asked about it
    PARKED = "parked"  # kept until an attempt gets the task, for a day at most
    FULL = "full"  # not kept: too many are parked, of this source or of all


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """How many parked messages have found their attempt, and how many were too old."""

    adopted: int = 0
    expired: int = 0


class Hints(Protocol):
    """The inbox: messages from outside, kept before they are looked into."""

    async def addressee(self, token_hash: bytes) -> Attempt | None:
        """Return the attempt that was submitted with the webhook token of this hash; None: it is nobody's."""

    async def receive(self, token_hash: bytes, body: str, task_id: str | None) -> tuple[UUID, int] | None:
        """Keep a provider's message by its token, make the attempt due, and return (job, attempt);
        the same message twice is kept once; None: no attempt has this token."""

    async def take_in(
        self, token_hash: bytes, body: str, task_id: str | None, accounts: Sequence[str]
    ) -> str | None:
        """Keep a provider's message, as `receive` does, if its attempt is at one of *accounts*, and return at
        which the attempt is; None: no attempt has this token. One step where `addressee` makes two."""

    async def report(self, job_id: UUID, source: str, body: str) -> None:
        """Keep what a client reports about a job and make its attempt due: the same words once, and of
        many only the first REPORTS_MAX of a source for each attempt: nobody can make us ask at will."""

    async def hear(self, task_id: str, source: str, body: str) -> Receipt:
        """Keep a message that names only a task, once.

        The attempts that have the task become due, at whatever accounts; of many messages about one attempt
        only the first REPORTS_MAX of a source and HINTS_MAX in all are kept and make it due. A task that no
        attempt has is waited for: the message is parked, and evidence that names the task makes it a hint. At
        most PARKED_MAX are parked, PARKED_OF_SOURCE_MAX of one source; nobody's are pushed out by others.
        """

    async def sweep(self, limit: int) -> Swept:
        """Delete what was parked more than PARKED_SECONDS ago, and look once more after PARKING_SECONDS
        whether the task of a parked message has become known while it was being parked; at most *limit* of
        each."""

    async def of(self, job_id: UUID, limit: int, chars_max: int) -> list[KeptMessage]:
        """Return the last *limit* messages about the job, in the order in which they came, of each at most
        *chars_max* characters."""

    async def unread(self, attempt: Attempt) -> list[StoredHint]:
        """Return the hints about the attempt that nobody has dealt with, oldest first."""

    async def read(self, hints: Iterable[StoredHint]) -> None:
        """Mark hints as dealt with."""
