"""The store in memory, put together."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from makegood.audit import Audit
from makegood.errors import DeclarationError
from makegood.machine import Spec
from makegood_adapters.memory import audit
from makegood_adapters.memory.acts import MemoryActs
from makegood_adapters.memory.attempts import MemoryAttempts
from makegood_adapters.memory.drafts import MemoryDrafts
from makegood_adapters.memory.endpoints import MemoryDeliveries, MemoryEndpoints
from makegood_adapters.memory.jobs import MemoryJobs
from makegood_adapters.memory.keys import MemoryKeys
from makegood_adapters.memory.ledger import MemoryLedger
from makegood_adapters.memory.messages import MemoryHints, MemoryOutbox
from makegood_adapters.memory.oversight import MemoryOversight
from makegood_adapters.memory.queue import MemoryQueue
from makegood_adapters.memory.rules import MemoryRules
from makegood_adapters.memory.stream import MemoryStream
from makegood_adapters.memory.tables import Tables
from makegood_adapters.memory.uploads import MemoryUploads
from makegood_adapters.memory.workers import MemoryWorkers


def wall_clock() -> datetime:
    """Return the time of this machine, with zone."""
    return datetime.now(UTC)


class MemoryStore:
    """The port `Store` in dicts, for one event loop; *now* gives its time, with zone.

    No method awaits anything, so each is one transaction.
    """

    def __init__(self, now: Callable[[], datetime] = wall_clock) -> None:
        self.tables = Tables(now)
        self.jobs = MemoryJobs(self.tables)
        self.ledger = MemoryLedger(self.tables)
        self.attempts = MemoryAttempts(self.tables)
        self.queue = MemoryQueue(self.tables)
        self.rules = MemoryRules(self.tables)
        self.hints = MemoryHints(self.tables)
        self.outbox = MemoryOutbox(self.tables)
        self.stream = MemoryStream(self.tables)
        self.endpoints = MemoryEndpoints(self.tables)
        self.deliveries = MemoryDeliveries(self.tables)
        self.workers = MemoryWorkers(self.tables)
        self.drafts = MemoryDrafts(self.tables)
        self.uploads = MemoryUploads(self.tables)
        self.keys = MemoryKeys(self.tables)
        self.acts = MemoryActs(self.tables)
        self.oversight = MemoryOversight(self.tables, self.attempts, self.rules)

    async def declare(self, specs: Sequence[Spec], *, grace_seconds: float | None = None) -> None:
        """Make the machines known, all or none; of a version deadlines and public statuses may change,
        never rules."""
        known = dict(self.tables.specs)
        for spec in specs:
            first = known.get((spec.name, spec.version), spec)
            known[spec.name, spec.version] = spec
            if first.digest != spec.digest:
                raise DeclarationError(
                    f"{spec.name}@{spec.version}",
                    [f"it is stored with other rules ({first.digest}, now {spec.digest}); raise its version"],
                )
        self.tables.specs.update(known)
        if grace_seconds is not None:
            self.tables.grace_seconds = grace_seconds

    async def spec(self, type: str, version: int) -> Spec | None:
        """Return the machine of a type, None if it was never declared."""
        return self.tables.specs.get((type, version))

    async def live(self, type: str, version: int) -> dict[str, int]:
        """Return how many jobs of a type stand in each state that is not final."""
        jobs = [row.job for row in self.tables.jobs.values() if row.job.finished_at is None]
        states = sorted(job.state for job in jobs if (job.type, job.type_version) == (type, version))
        return {state: states.count(state) for state in states}

    async def declared(self) -> list[tuple[str, int]]:
        """Return every type that was ever declared, with its versions."""
        return sorted(self.tables.specs)

    async def now(self) -> datetime:
        """Return the store's time."""
        return self.tables.now()

    async def audit(self, *, owner: str | None = None, owners_max: int = 20, rows_max: int = 100) -> Audit:
        """Check every invariant and add up all credits."""
        return audit.audit(self.tables, owner, owners_max, rows_max)
