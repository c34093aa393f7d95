"""What all operations of `/v1` share."""

from dataclasses import dataclass, field
from uuid import UUID

from makegood.engine import Engine
from makegood.errors import UnknownJob
from makegood.job import Job
from makegood_adapters.http.v1.links import FileRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The engine, and what a deployment decides."""

    engine: Engine
    files: FileRules = field(default_factory=FileRules)

    async def job_of(self, owner: str, job_id: UUID) -> Job:
        """Return the owner's job. Raises UnknownJob, also for a job of somebody else."""
        job = await self.engine.get(job_id)
        if job.owner != owner:
            raise UnknownJob(job_id)
        return job
