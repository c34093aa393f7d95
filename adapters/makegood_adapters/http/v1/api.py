"""What all operations of `/v1` share."""

from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from makegood.audit import Audit
from makegood.concerns import Concern
from makegood.engine import Engine
from makegood.job import Job
from makegood.ports import Overview
from makegood_adapters.http.hub import Hub, StreamLimits
from makegood_adapters.http.v1.links import FileRules
from makegood_adapters.http.v1.shared import Shared
from makegood_adapters.redaction import Redaction

#: For how long a look at the whole store is shown again, in seconds and in times of what it cost.
_FRESH_SECONDS, _RESTS = 0.5, 10.0
#: And for how long an audit, which reads every row.
_BOOKS_SECONDS, _BOOKS_RESTS = 5.0, 20.0
#: So many violations of the last audit are told as concerns.
_VIOLATIONS_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRules:
    """What a deployment decides of the page of operators. `open`: whoever is on this machine may look without
    a key, which is for services alone that listen on loopback; `demo`: it shows the demo."""

    open: bool = False
    demo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The engine, and what a deployment decides; `redaction` knows its secrets."""

    engine: Engine
    files: FileRules = field(default_factory=FileRules)
    stream_limits: StreamLimits = field(default_factory=StreamLimits)
    redaction: Redaction = field(default_factory=Redaction)
    page: PageRules = field(default_factory=PageRules)
    hub: Hub = field(init=False)
    overview: Shared[Overview] = field(init=False)
    books: Shared[Audit] = field(init=False)
    concerns: Shared[tuple[Overview, list[Concern]]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hub", Hub(self.engine, self.stream_limits))
        for name, read in (("overview", self.engine.overview), ("concerns", self._concerns)):
            object.__setattr__(self, name, Shared(read, seconds=_FRESH_SECONDS, times=_RESTS))
        audit = partial(self.engine.audit, owners_max=0)
        object.__setattr__(self, "books", Shared(audit, seconds=_BOOKS_SECONDS, times=_BOOKS_RESTS))

    async def _concerns(self) -> tuple[Overview, list[Concern]]:
        found, books = await self.overview.get(), self.books.last
        violations = books.result.violations[:_VIOLATIONS_MAX] if books else ()
        return found, await self.engine.concerns(found, violations)

    def acted(self) -> None:
        """Let what all share be read anew: whoever has changed something sees it at once."""
        self.overview.outdate()
        self.concerns.outdate()

    def end_streams(self) -> None:
        """Let all streams end, for the server stops; clients come back to another one, and lose nothing."""
        self.hub.end()
        self.overview.end()
        self.concerns.end()
        self.books.end()

    async def job_of(self, owner: str, job_id: UUID) -> Job:
        """Return the owner's job. Raises UnknownJob, also for a job of somebody else."""
        return await self.engine.get(job_id, owner=owner)

    def status_of(self, job: Job) -> str:
        """Return what the outside sees of the job's state; of a type that is not here, the state."""
        job_type = self.engine.catalog.of(job)
        state = job_type.spec.state.get(job.state) if job_type else None
        return (state and state.public) or job.state
