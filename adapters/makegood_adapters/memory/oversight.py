"""What people see of the store in memory at one moment."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from uuid import UUID

from makegood.job import Transition
from makegood.ports import (
    ENDED_MAX,
    ENDED_SECONDS,
    RATE_MOVES_MAX,
    RATE_SECONDS,
    Attempts,
    Counts,
    Lane,
    Overview,
)
from makegood_adapters.memory.tables import JobRow, Tables


class MemoryOversight:
    """The port `Oversight`."""

    def __init__(self, tables: Tables, attempts: Attempts) -> None:
        self._tables, self._attempts = tables, attempts

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
        )

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
