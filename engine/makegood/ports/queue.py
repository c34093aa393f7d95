"""What people are told who wait, as the store knows it: where a job stands, and what its wait depends on."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

#: A job's place is counted up to here; beyond, it is reckoned from places that were marked before.
COUNTED_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a job waits in its pool, and what is known of the slots it waits for.

    `position` counts all who wait in the order of the queue up to the job, `rivals` those of them that may
    be dispatched now, itself included; `length` is the whole queue. Where `exact` is false, `position` is
    wrong by no more jobs than entered or left the queue since `at`, not counting who left at its head or came
    behind. `held_back`: for reasons whose end nobody knows. `slots` and `free` are those of the pool's
    accounts that can be used, `slot_seconds` is the mean time for which a task held one, None: not known.
    `version` is the job's.
    """

    position: int
    rivals: int
    length: int
    exact: bool
    at: datetime
    now: datetime
    not_before: datetime | None
    held_back: bool
    slots: int
    free: int
    slot_seconds: float | None
    version: int


class Queue(Protocol):
    """The queues of all pools, read in time that does not grow with them."""

    async def standing(self, job_id: UUID) -> Standing | None:
        """Return where the job waits, None if it does not."""

    async def reckon(self, again_seconds: float, first_ask_max_seconds: float) -> bool:
        """Learn from the attempts that ended last how long tasks of each type run and hold their slots, and
        mark the places of queues longer than COUNTED_MAX; False: it was done in the last *again_seconds*.

        A task of a type of which something is learned is first asked about after half of its usual time, or
        *first_ask_max_seconds*, unless a hint comes; at once if it usually takes less than two seconds.
        """
