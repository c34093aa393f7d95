"""What people see of the whole store at one moment: counts, queues, processes, accounts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from makegood.fairness import Rule, Scope
from makegood.job import Occupancy
from makegood.ports.workers import Worker

#: Over how long a rate is taken, and over how many transitions at most: a page must cost little.
RATE_SECONDS, RATE_MOVES_MAX = 60.0, 10_000
#: How long a task may hold its slot after its job is over, and a job overstay, before it is told.
DRAINING_SECONDS, OVERDUE_SECONDS = 900.0, 120.0
TROUBLES_MAX = 50
HEARD_LAST, HEARD_BEFORE = 50, 200
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
    was ever declared; `rates` are jobs a minute that were accepted, completed, failed and cancelled; `rules`
    are all that say something.
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
    rules: Sequence[Rule]

    def pause_of(self, scope: Scope, name: str) -> Rule | None:
        """Return the rule by which nothing of it is started now, None where there is none."""
        found = (rule for rule in self.rules if (rule.scope, rule.name) == (scope, name) and rule.paused_at)
        return next(found, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiter:
    """A job that waits: its place in the queue of its pool, from 1, and how many up to it, itself included,
    may be dispatched now (`rivals`). `full`: its owner or its type has as many jobs in slots as it may.
    `paused` is whose pause holds it back, for `reason`."""

    job_id: UUID
    owner: str
    type: str
    pool: str
    priority: int
    position: int
    rivals: int
    queued_at: datetime
    not_before: datetime | None
    full: Scope | None
    paused: Scope | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The slots of a pool's accounts that can be used now, how many of them are free, and the mean time in
    seconds for which a task held one, None: not known."""

    slots: int
    free: int
    slot_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Who waits first in each of the `pools` that there are, and the pace of each that was looked at."""

    at: datetime
    pools: Sequence[str]
    waiters: Sequence[Waiter]
    paces: Mapping[str, Pace]


class TroubleKind(StrEnum):
    """What the store finds that may need a person."""

    UNCERTAIN = "uncertain_submit"  # a create call was not answered: nobody knows whether there is a task
    DRAINING = "draining_long"  # a job has been over for DRAINING_SECONDS, and its task still holds the slot
    LATE = "late_result"  # there was a task after all, when its attempt was closed
    ABANDONED = "abandoned_task"  # a task held its slot to the last moment; nobody knows how it ended
    CLOSED = "type_refused"  # a job type takes no new jobs
    ENDPOINT = "endpoint_failing"  # an endpoint takes no messages, or gets none any more
    OVERDUE = "overdue"  # a job has been in its state for OVERDUE_SECONDS longer than it may


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One thing that may need a person, about `subject`: an account, a job type, an endpoint, a state.

    `job_id` and `attempt` say where it is about one, `until` when it ends by itself, `detail` what more is
    known: the task, the reason.
    """

    kind: TroubleKind
    subject: str
    job_id: UUID | None = None
    attempt: int | None = None
    owner: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Of the tasks that ended last, and of those before them: how many, and of how many a webhook told first.
    `since` is when the first of the last ones ended."""

    since: datetime | None
    last: int
    last_by_webhook: int
    before: int
    before_by_webhook: int


class Oversight(Protocol):
    """Looks at the whole store, each in a time that does not grow with the jobs that are over."""

    async def overview(self) -> Overview:
        """Return how everything is now."""

    async def line(self, pool: str | None, limit: int) -> Line:
        """Return the first *limit* who wait in *pool*, in the order of its queue; None: in all pools, the
        first of each before the second of any."""

    async def troubles(self) -> list[Trouble]:
        """Return what may need a person, of each kind the TROUBLES_MAX that began first."""

    async def heard(self, last: int = HEARD_LAST, before: int = HEARD_BEFORE) -> Heard:
        """Return how one first heard of the ends of the last tasks, so many, and of so many before them."""
