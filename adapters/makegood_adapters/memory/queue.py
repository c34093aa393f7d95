"""Places in the queues, in memory, where they are counted; and what is learned from attempts that ended."""

from collections import defaultdict
from datetime import datetime, timedelta
from statistics import fmean, median
from uuid import UUID

from makegood.fairness import Scope
from makegood.job import Attempt, Job, Verdict
from makegood.ports import Pace, Standing
from makegood_adapters.memory.accounts import is_fit
from makegood_adapters.memory.admission import is_paused
from makegood_adapters.memory.tables import Learned, Tables

#: From so many attempts that ended last is learned, whatever their types and pools.
_SAMPLES = 2_000
#: So many are enough to replace what was learned of more.
_ENOUGH = 20


def pace_of(tables: Tables, pool: str) -> Pace:
    """Return the slots of a pool that can be used, and how long a task holds one."""
    usable = [
        (account.capacity, len(tables.open_at(name)))
        for name, account in tables.accounts.items()
        if account.account.pool == pool and is_fit(tables, account)
    ]
    known = tables.slot_times.get(pool)
    return Pace(
        slots=sum(capacity for capacity, _ in usable),
        free=sum(max(0, capacity - used) for capacity, used in usable),
        slot_seconds=known.seconds if known else None,
    )


class MemoryQueue:
    """The port `Queue`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._next_at: datetime | None = None

    async def standing(self, job_id: UUID) -> Standing | None:
        """Count: no queue in memory is so long that it would matter."""
        row, now = self._tables.jobs.get(job_id), self._tables.now()
        if row is None or not row.waits:
            return None
        queue, pace = self._tables.queue(row.job.pool), pace_of(self._tables, row.job.pool)
        position = queue.index(row) + 1
        return Standing(
            position=position,
            rivals=sum(other.parked == "no" for other in queue[:position]) + (row.parked != "no"),
            length=len(queue),
            exact=True,
            at=now,
            now=now,
            not_before=row.job.not_before,
            held_back=row.parked in ("owner", "type") or self._paused(row.job),
            slots=pace.slots,
            free=pace.free,
            slot_seconds=pace.slot_seconds,
            version=row.job.version,
        )

    async def reckon(self, again_seconds: float, first_ask_max_seconds: float) -> bool:
        """Learn from the attempts that ended last; there are no places to mark."""
        if not (self._next_at is None or self._tables.passed(self._next_at)):
            return False
        self._next_at = self._tables.later(again_seconds)
        ended = [(a.closed_at, a) for row in self._tables.attempts.values() if (a := row.attempt).closed_at]
        ended.sort(key=lambda pair: pair[0])
        runs, slots = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
        for closed_at, attempt in ended[-_SAMPLES:]:
            if attempt.accepted_at is None:
                continue
            pool = self._tables.accounts[attempt.account].account.pool
            slots[pool].append((closed_at - attempt.opened_at).total_seconds())
            if attempt.verdict is Verdict.SUCCEEDED:
                runs[self._type_of(attempt)].append((closed_at - attempt.accepted_at).total_seconds())
        for name, seconds in runs.items():
            usual = median(seconds)
            first = 0.0 if usual < 2 else min(usual / 2, first_ask_max_seconds)
            self._learn(self._tables.run_times, name, usual, len(seconds), first)
        for name, seconds in slots.items():
            self._learn(self._tables.slot_times, name, fmean(seconds), len(seconds))
        return True

    def _paused(self, job: Job) -> bool:
        names = ((Scope.POOL, job.pool), (Scope.TYPE, job.type), (Scope.OWNER, job.owner))
        return any(is_paused(self._tables, self._tables.rules.get(name)) for name in names)

    def _type_of(self, attempt: Attempt) -> str:
        return self._tables.jobs[attempt.job_id].job.type

    def _learn(
        self,
        known: dict[str, Learned],
        name: str,
        seconds: float,
        samples: int,
        first_ask_seconds: float = 0.0,
    ) -> None:
        """Replace what is known unless that rests on more, and is not a day old."""
        now, old = self._tables.now(), known.get(name)
        if old is None or samples >= min(old.samples, _ENOUGH) or now - old.at > timedelta(days=1):
            known[name] = Learned(seconds, samples, now, first_ask_seconds)
