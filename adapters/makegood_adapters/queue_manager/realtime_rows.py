"""What a page that listens hears of a job: the row as it was after each change, made once for all sockets."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from makegood.engine import Engine
from makegood.errors import UnknownJob
from makegood.job import Job, Transition
from makegood_adapters.http.hub import Told
from makegood_adapters.queue_manager.addresses import Addresses
from makegood_adapters.queue_manager.projection import to_row
from makegood_adapters.queue_manager.tables import Table

#: The columns that a page reads of a change, and the one by which it was asked for. Nothing else is told.
COLUMNS = (
    "id",
    "status",
    "output_url",
    "thumbnail_url",
    "error_message",
    "position",
    "current_step",
)


@dataclass(frozen=True, slots=True)
class Change:
    """A row as it is after the change that made *version* of its job."""

    version: int
    at: datetime
    record: Mapping[str, Any]

    def payload(self, table: Table, ids: list[int]) -> Mapping[str, Any]:
        """Return the payload that tells it to the entries *ids* of a join."""
        data: dict[str, Any] = {
            "schema": "public",
            "table": table.name,
            "commit_timestamp": self.at.isoformat(),
            "type": "UPDATE",
            "columns": [],
            "record": self.record,
            "old_record": None,
            "errors": None,
        }
        return {"ids": ids, "data": data}


class Changes:
    """Makes rows out of steps; of a step that many hear it is made once."""

    def __init__(self, engine: Engine, addresses: Addresses) -> None:
        self._engine, self._addresses = engine, addresses
        self._made: WeakKeyDictionary[Told, asyncio.Task[Change | None]] = WeakKeyDictionary()

    async def after(self, told: Told, table: Table) -> Change | None:
        """Return the row after a step; None where the job is gone. Raises StoreError."""
        making = self._made.get(told)
        if making is None:
            making = asyncio.create_task(self._make(told.step, table), name="makegood row of a change")
            self._made[told] = making
        return await asyncio.shield(making)  # others wait for it too

    async def present(self, job: Job, table: Table) -> Change:
        """Return the row as it is now."""
        record = await to_row(self._engine, table, job, COLUMNS, self._addresses)
        return Change(job.version, job.entered_at, record)

    async def _make(self, step: Transition, table: Table) -> Change | None:
        try:
            job = await self._engine.get(step.job_id)
        except UnknownJob:
            return None
        record = await to_row(self._engine, table, _as_it_was(job, step), COLUMNS, self._addresses)
        return Change(step.version, step.at, record)


def _as_it_was(job: Job, step: Transition) -> Job:
    """Return the job as *step* left it: it may have gone on since, and then that step was not its last."""
    if job.version == step.version:
        return job
    return replace(job, state=step.to_state, version=step.version, finished_at=None, output=None, error=None)
