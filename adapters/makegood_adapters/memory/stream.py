"""The stream of all history in memory, where transitions are committed in the order they are made in."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from makegood.job import Transition
from makegood_adapters.memory.tables import Tables


class MemoryStream:
    """The port `Stream`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def place(self, limit: int) -> Mapping[str, int]:
        """Give the next transitions their places."""
        placed = self._tables.placed
        new = [row.transition for row in self._tables.outbox[len(placed) :][: max(limit, 0)]]
        placed.extend(replace(step, seq=seq) for seq, step in enumerate(new, len(placed) + 1))
        return Counter(step.owner for step in new)

    async def read(self, after: int, limit: int, owner: str | None = None) -> list[Transition]:
        """Return transitions with a place above *after*, in order."""
        found = self._tables.placed[max(after, 0) :]
        return [step for step in found if owner in (None, step.owner)][: max(limit, 0)]

    async def last(self) -> int:
        """Return the place that was given last."""
        return len(self._tables.placed)
