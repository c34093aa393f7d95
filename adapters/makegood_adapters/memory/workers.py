"""The processes that work on the store in memory, usually one."""

from dataclasses import replace
from uuid import UUID

from makegood.ports import Worker
from makegood_adapters.memory.tables import Tables


class MemoryWorkers:
    """The port `Workers`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def beat(self, worker: Worker) -> None:
        """Write the process's row anew."""
        now, known = self._tables.now(), self._tables.workers.get(worker.id)
        started = known.started_at if known else now
        self._tables.workers[worker.id] = replace(worker, started_at=started, seen_at=now)

    async def leave(self, worker_id: UUID) -> None:
        """Remove the row."""
        self._tables.workers.pop(worker_id, None)

    async def forget(self, unseen_seconds: float, limit: int) -> int:
        """Remove rows that were not seen for so long."""
        rows = self._tables.workers.values()
        lost = [row.id for row in rows if self._tables.passed(row.seen_at, unseen_seconds)][: max(limit, 0)]
        for worker_id in lost:
            del self._tables.workers[worker_id]
        return len(lost)

    async def present(self) -> list[Worker]:
        """Return all rows, in the order in which they came."""
        return list(self._tables.workers.values())
