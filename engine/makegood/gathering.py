"""The newest movements of all owners, each of them whole, out of a journal in which their lines are mixed."""

from collections import defaultdict

from makegood.job import JournalLine
from makegood.ports import Ledger
from makegood.statement import Movement, movements

#: So many lines of an owner below those that are known are read at first, to see whether a movement goes on.
_BELOW = 3
#: No more are read at one time.
_BELOW_MAX = 1_000


async def newest(ledger: Ledger, below: int | None, wanted: int) -> list[tuple[int, Movement]]:
    """Return at most *wanted* movements whose last line stands below the place *below*, newest first, each
    with the place of that line. What is written meanwhile is left out."""
    chunk, upto, gathered = 2 * wanted + 20, below, _Gathered()
    while True:
        lines = await ledger.feed(chunk, upto)
        if lines and below is None:
            below = _place(lines[0]) + 1
        gathered.add(lines)
        upto = _place(lines[-1]) if len(lines) == chunk else 0
        await gathered.complete(ledger, upto)
        found = gathered.between(upto, below or 0)[:wanted]
        if len(found) == wanted or upto == 0:
            return found


class _Gathered:
    """Lines of several owners, of each owner without gaps."""

    def __init__(self) -> None:
        self._lines: dict[str, dict[int, JournalLine]] = defaultdict(dict)
        self._looked_above: set[str] = set()

    def add(self, lines: list[JournalLine]) -> None:
        """Take in lines."""
        for line in lines:
            self._lines[line.owner][line.seq] = line

    async def complete(self, ledger: Ledger, lowest: int) -> None:
        """Read what is missing of the movements that come down to the place *lowest*: the line above those of
        each owner, of which one may be the rest of a movement, and lines below."""
        step = _BELOW
        while True:
            wanted = {
                (owner, max(lines) + 1)
                for owner, lines in self._lines.items()
                if owner not in self._looked_above
            }
            self._looked_above.update(self._lines)
            for owner, lines in self._lines.items():
                if self._goes_on(owner, lowest):
                    wanted |= {(owner, seq) for seq in range(max(1, min(lines) - step), min(lines))}
            if not wanted:
                return
            found = await ledger.lines_at(wanted)
            if not found:  # nothing above, and in a journal that is whole there always is something below
                return
            self.add(found)
            step = min(4 * step, _BELOW_MAX)

    def between(self, lowest: int, below: int) -> list[tuple[int, Movement]]:
        """Return the movements whose last line stands there, newest first."""
        found = [
            (place, movement)
            for owner in self._lines
            for movement in self._movements(owner)
            if lowest <= (place := max(map(_place, movement))) < below
        ]
        return sorted(found, key=lambda each: each[0], reverse=True)

    def _movements(self, owner: str) -> list[Movement]:
        lines = self._lines[owner]
        return movements(lines[seq] for seq in sorted(lines, reverse=True))

    def _goes_on(self, owner: str, lowest: int) -> bool:
        """Whether the owner's lowest movement is one of those that are wanted, and may not be whole yet."""
        last = self._movements(owner)[-1]
        return last[-1].seq > 1 and max(map(_place, last)) >= lowest


def _place(line: JournalLine) -> int:
    assert line.place is not None, "it was read with its place"
    return line.place
