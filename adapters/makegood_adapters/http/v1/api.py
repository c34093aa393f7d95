"""What all operations of `/v1` share."""

from dataclasses import dataclass, field
from uuid import UUID

from makegood.engine import Engine
from makegood.job import Job
from makegood_adapters.http.hub import Hub, StreamLimits
from makegood_adapters.http.v1.links import FileRules
from makegood_adapters.redaction import Redaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The engine, and what a deployment decides; `redaction` knows its secrets."""

    engine: Engine
    files: FileRules = field(default_factory=FileRules)
    stream_limits: StreamLimits = field(default_factory=StreamLimits)
    redaction: Redaction = field(default_factory=Redaction)
    hub: Hub = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hub", Hub(self.engine, self.stream_limits))

    def end_streams(self) -> None:
        """Let all streams end, for the server stops; clients come back to another one, and lose nothing."""
        self.hub.end()

    async def job_of(self, owner: str, job_id: UUID) -> Job:
        """Return the owner's job. Raises UnknownJob, also for a job of somebody else."""
        return await self.engine.get(job_id, owner=owner)

    def status_of(self, job: Job) -> str:
        """Return what the outside sees of the job's state; of a type that is not here, the state."""
        job_type = self.engine.catalog.of(job)
        state = job_type.spec.state.get(job.state) if job_type else None
        return (state and state.public) or job.state
