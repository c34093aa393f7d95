"""The part of the engine that tells people about their jobs under way: which one it is, and its place."""

from uuid import UUID

from makegood.job import Job
from makegood.ports import Store


class Waiting:
    """What a service tells its users while they wait; `Engine` is one."""

    _store: Store

    async def active_job(self, owner: str, scope: str) -> Job | None:
        """Return the job of *owner* that keeps others of an exclusive *scope* out, None if there is none."""
        return await self._store.jobs.active(owner, scope)

    async def position(self, job_id: UUID) -> int:
        """Return the job's place in its queue, from 1; 0 when it does not wait."""
        return await self._store.jobs.position(job_id)
