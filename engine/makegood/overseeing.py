"""The part of the engine for people who look: how everything is, and the machines of all job types."""

from collections.abc import Sequence

from makegood.audit import Violation
from makegood.buckets import check_texts
from makegood.catalog import Catalog
from makegood.concerns import Concern, concerns_of
from makegood.errors import UnknownJobType
from makegood.machine import Spec
from makegood.ports import Line, Overview, Store, Waiter
from makegood.waiting import wait_of


class Overseeing:
    """What a page of operators shows; `Engine` is one. Nothing here changes anything."""

    _store: Store
    catalog: Catalog

    async def overview(self) -> Overview:
        """Return how everything is at one moment: jobs by state, queues, processes, accounts."""
        return await self._store.oversight.overview()

    async def line(self, pool: str | None = None, limit: int = 50) -> Line:
        """Return the first *limit* who wait in *pool*, or in all of them; how long is `expected_wait`."""
        check_texts(pool=pool)
        return await self._store.oversight.line(pool, limit)

    async def concerns(
        self, found: Overview | None = None, violations: Sequence[Violation] = ()
    ) -> list[Concern]:
        """Return what needs a person, alarms first; *found* is a look that was just taken, *violations* are
        those of the last audit, which is not made here since it reads every job."""
        oversight = self._store.oversight
        found = found or await self.overview()
        troubles, heard = await oversight.troubles(), await oversight.heard()
        return concerns_of(found, troubles, heard, self.catalog.refused, violations)

    async def machine(self, name: str) -> Spec:
        """Return the machine of a job type in its newest version, also of one that only the store knows.
        Raises UnknownJobType."""
        here = [spec for spec in self.catalog.specs if spec.name == name]
        if here:
            return max(here, key=lambda spec: spec.version)
        declared = await self._store.declared()
        versions = [version for known, version in declared if known == name]
        spec = await self._store.spec(name, max(versions)) if versions else None
        if spec is None:
            raise UnknownJobType(name, {known for known, _ in declared} | set(self.catalog.names))
        return spec


def expected_wait(line: Line, waiter: Waiter) -> float | None:
    """Return how long a waiter of *line* may still wait, in seconds, None when nothing is known of it."""
    start = (waiter.not_before - line.at).total_seconds() if waiter.not_before else 0.0
    held_back = waiter.full or waiter.paused
    return None if held_back else wait_of(waiter.rivals, line.paces[waiter.pool], start)
