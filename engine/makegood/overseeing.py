"""The part of the engine for people who look: how everything is, and the machines of all job types."""

from makegood.catalog import Catalog
from makegood.errors import UnknownJobType
from makegood.machine import Spec
from makegood.ports import Overview, Store


class Overseeing:
    """What a page of operators shows; `Engine` is one. Nothing here changes anything."""

    _store: Store
    catalog: Catalog

    async def overview(self) -> Overview:
        """Return how everything is at one moment: jobs by state, queues, processes, accounts."""
        return await self._store.oversight.overview()

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
