"""The money proof: walk the machine together with `none -hold-> held -settle-> settled`.

Guards count as "may be either", so no path is missed; at worst the proof is too strict. What the
proof says of an edge the store carries out in the same transaction as the edge.
"""

from collections import deque

from makegood.machine.spec import Edge, Holding, Money, Spec

_AFTER = {
    (Holding.NONE, Money.NONE): Holding.NONE,
    (Holding.HELD, Money.NONE): Holding.HELD,
    (Holding.SETTLED, Money.NONE): Holding.SETTLED,
    (Holding.NONE, Money.HOLD): Holding.HELD,
    (Holding.HELD, Money.CAPTURE): Holding.SETTLED,
    (Holding.HELD, Money.RELEASE): Holding.SETTLED,
    (Holding.HELD, Money.POLICY): Holding.SETTLED,
}

_WRONG = {
    (Holding.NONE, Money.CAPTURE): "credits are captured that were never held",
    (Holding.NONE, Money.RELEASE): "credits are released that were never held",
    (Holding.NONE, Money.POLICY): "credits are settled that were never held",
    (Holding.HELD, Money.HOLD): "credits are held twice",
    (Holding.SETTLED, Money.HOLD): "credits are held again after they were settled",
    (Holding.SETTLED, Money.CAPTURE): "credits are captured after they were settled",
    (Holding.SETTLED, Money.RELEASE): "credits are released after they were settled",
    (Holding.SETTLED, Money.POLICY): "credits are settled twice",
}


def prove(spec: Spec) -> list[str]:
    """Return every way in which *spec* could lose money, each with the shortest event path."""
    walk = _Walk(spec)
    return walk.problems


def holdings(spec: Spec) -> dict[str, Holding]:
    """Return for each state of a proved *spec* where the money is while a job stays in it."""
    walk = _Walk(spec)
    return {
        s.name: Holding.OVER if s.terminal else min(walk.seen[s.name], default=Holding.NONE)
        for s in spec.states
    }


class _Walk:
    """Breadth first, so the first path to a problem is a shortest one."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.problems: list[str] = []
        self.seen: dict[str, set[Holding]] = {s.name: set() for s in spec.states}
        self._queue: deque[tuple[str, Holding, tuple[str, ...]]] = deque()
        self._queue.append((spec.initial, Holding.NONE, ()))
        self.seen[spec.initial].add(Holding.NONE)
        while self._queue:
            self._visit(*self._queue.popleft())

    def _visit(self, state: str, held: Holding, path: tuple[str, ...]) -> None:
        if state in self.spec.terminal:
            if held is Holding.HELD:
                self.problems.append(f"credits still held in {state!r} after {' > '.join(path)}")
            return
        for edge in self.spec.leaving(state):
            self._take(edge, held, (*path, edge.event))

    def _take(self, edge: Edge, held: Holding, path: tuple[str, ...]) -> None:
        after = _AFTER.get((held, edge.money))
        if after is None:
            self.problems.append(f"{_WRONG[held, edge.money]}, by {' > '.join(path)}")
            return
        seen = self.seen[edge.dest]
        if after in seen:
            return
        if seen and edge.dest not in self.spec.terminal:
            self.problems.append(
                f"state {edge.dest!r} is reached with credits {after.value} "
                f"after {' > '.join(path)}, and otherwise with credits {min(seen).value}"
            )
        seen.add(after)
        self._queue.append((edge.dest, after, path))
