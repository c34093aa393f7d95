"""What people see of the whole store at one moment: counts, queues, processes, accounts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from makegood.job import Occupancy
from makegood.ports.workers import Worker

#: Over how long a rate is taken, and over how many transitions at most: a page must cost little.
RATE_SECONDS, RATE_MOVES_MAX = 60.0, 10_000
#: How far jobs are counted that are over, of each type and state, and how long ago they may have ended.
ENDED_MAX, ENDED_SECONDS = 10_000, 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """The waiting jobs of one pool and priority; `parked` of them may not start yet."""

    pool: str
    priority: int
    waiting: int
    parked: int
    oldest: datetime | None


#: Jobs by type and state.
Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """One look at everything.

    `live` counts the jobs that are not over, `ended` those that ended in the last ENDED_SECONDS, of each type
    and state at most ENDED_MAX. Both are as the stream tells it up to its place `last_seq`: whoever adds the
    steps that stand behind it has counted every job once. `versions` has the newest version of each type that
    was ever declared; `rates` are jobs a minute that were accepted, completed, failed and cancelled.
    """

    at: datetime
    last_seq: int
    versions: Mapping[str, int]
    live: Counts
    ended: Counts
    lanes: Sequence[Lane]
    workers: Sequence[Worker]
    accounts: Sequence[Occupancy]
    rates: Mapping[str, float]


class Oversight(Protocol):
    """Looks at the whole store, each in a time that does not grow with the jobs that are over."""

    async def overview(self) -> Overview:
        """Return how everything is now."""
