"""Acts of operators in memory."""

from dataclasses import asdict

from makegood.ports import Act, NewAct
from makegood_adapters.memory.tables import Tables


class MemoryActs:
    """The port `Acts`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def keep(self, act: NewAct) -> None:
        """Keep an act."""
        acts = self._tables.acts
        acts.append(Act(**asdict(act), id=len(acts) + 1, at=self._tables.now()))

    async def page(self, limit: int, below: int | None = None) -> list[Act]:
        """Return acts, newest first."""
        return [act for act in reversed(self._tables.acts) if below is None or act.id < below][:limit]
