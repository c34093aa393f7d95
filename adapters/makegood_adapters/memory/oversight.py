"""What people see of the store in memory at one moment."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from uuid import UUID

from makegood.fairness import Rule, Scope
from makegood.job import Transition
from makegood.ports import (
    ENDED_MAX,
    ENDED_SECONDS,
    HEARD_BEFORE,
    HEARD_LAST,
    RATE_MOVES_MAX,
    RATE_SECONDS,
    Attempts,
    Counts,
    Heard,
    Lane,
    Line,
    Overview,
    Rules,
    Trouble,
    Waiter,
)
from makegood_adapters.memory.admission import is_paused
from makegood_adapters.memory.queue import pace_of
from makegood_adapters.memory.tables import JobRow, Tables
from makegood_adapters.memory.troubles import heard, troubles


class MemoryOversight:
    """The port `Oversight`."""

    def __init__(self, tables: Tables, attempts: Attempts, rules: Rules) -> None:
        self._tables, self._attempts, self._rules = tables, attempts, rules

    async def overview(self) -> Overview:
        """Count everything."""
        tables = self._tables
        live, ended = self._counts()
        versions: dict[str, int] = {}
        for name, version in sorted(tables.specs):
            versions[name] = version
        return Overview(
            at=tables.now(),
            last_seq=len(tables.placed),
            versions=versions,
            live=live,
            ended=ended,
            lanes=self._lanes(),
            workers=list(tables.workers.values()),
            accounts=await self._attempts.occupancy(),
            rates=self._rates(),
            rules=await self._rules.all(),
        )

    async def line(self, pool: str | None, limit: int) -> Line:
        """Return who waits first."""
        tables = self._tables
        known = {row.account.pool for row in tables.accounts.values()}
        pools = sorted(known | {row.job.pool for row in tables.jobs.values()})
        looked_at = [name for name in pools if pool in (None, name)]
        waiters = [waiter for name in looked_at for waiter in self._waiters(name)]
        return Line(
            at=tables.now(),
            pools=pools,
            waiters=sorted(waiters, key=lambda w: (w.position, w.pool))[: max(limit, 0)],
            paces={name: pace_of(tables, name) for name in looked_at},
        )

    async def troubles(self) -> list[Trouble]:
        """Return what may need a person."""
        return troubles(self._tables)

    async def heard(self, last: int = HEARD_LAST, before: int = HEARD_BEFORE) -> Heard:
        """Return how one first heard of the ends of tasks."""
        return heard(self._tables, last, before)

    def _waiters(self, pool: str) -> Iterator[Waiter]:
        rivals = 0
        for position, row in enumerate(self._tables.queue(pool), 1):
            job, rule = row.job, self._pause(row)
            rivals += row.parked == "no"
            yield Waiter(
                job_id=job.id,
                owner=job.owner,
                type=job.type,
                pool=pool,
                priority=job.priority,
                position=position,
                rivals=rivals + (row.parked != "no"),
                queued_at=row.queued_at or job.created_at,
                not_before=job.not_before,
                full=Scope(row.parked) if row.parked in ("owner", "type") and rule is None else None,
                paused=rule.scope if rule else None,
                reason=rule.reason if rule else None,
            )

    def _pause(self, row: JobRow) -> Rule | None:
        """Return whose pause holds the job back, that of the most first."""
        job = row.job
        names = ((Scope.POOL, job.pool), (Scope.TYPE, job.type), (Scope.OWNER, job.owner))
        rules = (self._tables.rules.get(name) for name in names)
        return next((rule for rule in rules if is_paused(self._tables, rule)), None)

    def _counts(self) -> tuple[Counts, Counts]:
        """Count as the stream has told it: where steps of a job are untold, it is where the first began."""
        tables = self._tables
        untold: dict[UUID, Transition] = {}
        for row in tables.outbox[len(tables.placed) :]:
            untold.setdefault(row.transition.job_id, row.transition)
        live, ended = [], []
        for job in (row.job for row in tables.jobs.values()):
            if job.id in untold:
                before = untold[job.id].from_state
                if before is not None:
                    live.append((job.type, before))
            elif job.finished_at is None:
                live.append((job.type, job.state))
            elif not tables.passed(job.finished_at, ENDED_SECONDS):
                ended.append((job.type, job.state))
        return _nested(live), _nested(ended, ENDED_MAX)

    def _lanes(self) -> list[Lane]:
        lanes: dict[tuple[str, int], list[JobRow]] = defaultdict(list)
        for row in self._tables.jobs.values():
            if row.waits:
                lanes[row.job.pool, -row.job.priority].append(row)
        return [
            Lane(
                pool=pool,
                priority=-priority,
                waiting=len(rows),
                parked=sum(row.parked != "no" for row in rows),
                oldest=min((row.queued_at for row in rows if row.queued_at), default=None),
            )
            for (pool, priority), rows in sorted(lanes.items())
        ]

    def _rates(self) -> dict[str, float]:
        found = {"accepted": 0, "completed": 0, "failed": 0, "cancelled": 0}
        for row in self._tables.outbox[-RATE_MOVES_MAX:]:
            step = row.transition
            name = "accepted" if step.event == "accept" else step.to_state
            if name in found and not self._tables.passed(step.at, RATE_SECONDS):
                found[name] += 1
        return {name: round(number * 60 / RATE_SECONDS, 1) for name, number in found.items()}


def _nested(found: Iterable[tuple[str, str]], most: int | None = None) -> Counts:
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for (name, state), number in sorted(Counter(found).items()):
        counts[name][state] = number if most is None else min(number, most)
    return dict(counts)
