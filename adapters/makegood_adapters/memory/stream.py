"""The stream of all history in memory, where transitions are committed in the order they are made in."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from uuid import UUID

from makegood.job import Ending, Transition
from makegood_adapters.memory.ledger import money_of
from makegood_adapters.memory.tables import Tables


class MemoryStream:
    """The port `Stream`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def place(self, limit: int) -> Mapping[str, int]:
        """Give the next transitions their places."""
        placed = self._tables.placed
        new = [row.transition for row in self._tables.outbox[len(placed) :][: max(limit, 0)]]
        placed.extend(replace(step, seq=seq) for seq, step in enumerate(new, len(placed) + 1))
        return Counter(step.owner for step in new)

    async def read(self, after: int, limit: int, owner: str | None = None) -> list[Transition]:
        """Return transitions with a place above *after*, in order."""
        found = self._tables.placed[max(after, 0) :]
        return [step for step in found if owner in (None, step.owner)][: max(limit, 0)]

    async def endings(self, job_ids: Collection[UUID]) -> Mapping[UUID, Ending]:
        """Tell how jobs ended, and what their holds show."""
        jobs = [self._tables.jobs[job_id].job for job_id in job_ids if job_id in self._tables.jobs]
        return {
            job.id: Ending(version=job.version, money=money_of(self._tables, job.id), error=job.error)
            for job in jobs
            if job.finished_at is not None
        }

    async def last(self) -> int:
        """Return the place that was given last."""
        return len(self._tables.placed)
