"""The money proof: walk the machine together with `none -hold-> held -settle-> settled`.

Guards count as "may be either", so no path is missed; at worst the proof is too strict. What the
proof says of an edge the store carries out in the same transaction as the edge.
"""

from collections import deque

from makegood.machine.problem import Problem
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
    (Holding.HELD, Money.HOLD): ("MG202", "credits are held twice"),
    (Holding.NONE, Money.CAPTURE): ("MG203", "credits are captured that were never held"),
    (Holding.NONE, Money.RELEASE): ("MG204", "credits are released that were never held"),
    (Holding.NONE, Money.POLICY): ("MG205", "credits are settled by policy that were never held"),
    (Holding.SETTLED, Money.CAPTURE): ("MG206", "credits are captured that were settled already"),
    (Holding.SETTLED, Money.RELEASE): ("MG207", "credits are released that were settled already"),
    (Holding.SETTLED, Money.POLICY): ("MG208", "credits are settled by policy that were settled already"),
    (Holding.SETTLED, Money.HOLD): ("MG209", "credits are held again that were settled already"),
}


def prove(spec: Spec) -> list[Problem]:
    """Return every way in which *spec* could lose money, each with the shortest event path."""
    return _Walk(spec).problems


def holdings(spec: Spec) -> dict[str, Holding]:
    """Return for each state of a proved *spec* where the money is while a job stays in it."""
    walk = _Walk(spec)
    return {
        s.name: Holding.OVER if s.terminal else min(walk.seen[s.name], default=Holding.NONE)
        for s in spec.states
    }


class _Walk:
    """Breadth first, so the first path to a problem is a shortest one.

    Beside where the credits are it carries whether some may have been kept, by a capture or a policy.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.problems: list[Problem] = []
        self.seen: dict[str, set[Holding]] = {s.name: set() for s in spec.states}
        self._kept: set[tuple[str, bool]] = {(spec.initial, False)}
        self._queue: deque[tuple[str, Holding, bool, tuple[str, ...]]] = deque()
        self._queue.append((spec.initial, Holding.NONE, False, ()))
        self.seen[spec.initial].add(Holding.NONE)
        while self._queue:
            self._visit(*self._queue.popleft())

    def _visit(self, state: str, held: Holding, kept: bool, path: tuple[str, ...]) -> None:
        if state in self.spec.terminal:
            return
        for edge in self.spec.leaving(state):
            self._take(edge, held, kept, (*path, edge.event))

    def _take(self, edge: Edge, held: Holding, kept: bool, path: tuple[str, ...]) -> None:
        after = _AFTER.get((held, edge.money))
        if after is None:
            code, message = _WRONG[held, edge.money]
            self._report(code, message, edge, path)
            return
        kept = kept or edge.money in (Money.CAPTURE, Money.POLICY)
        seen = self.seen[edge.dest]
        if after in seen and (edge.dest, kept) in self._kept:
            return
        if edge.dest in self.spec.terminal:
            self._end(edge, after, kept, path)
        elif seen and after not in seen:
            # Not walked on from here: what follows would be told of a state that has to be two.
            before = f"state {edge.dest!r}, elsewhere reached with credits {min(seen).value}"
            self._report("MG210", f"{before}, is reached with credits {after.value}", edge, path)
            return
        seen.add(after)
        self._kept.add((edge.dest, kept))
        self._queue.append((edge.dest, after, kept, path))

    def _end(self, edge: Edge, after: Holding, kept: bool, path: tuple[str, ...]) -> None:
        if after is Holding.HELD:
            self._report("MG201", f"credits still held in {edge.dest!r}", edge, path)
        elif kept and self.spec.state[edge.dest].public == "failed":
            self._report(
                "MG211", f"credits may be kept in {edge.dest!r}, which promises them back", edge, path
            )

    def _report(self, code: str, message: str, edge: Edge, path: tuple[str, ...]) -> None:
        self.problems.append(Problem(code, message, path, edge.where or None))
