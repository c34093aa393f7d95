"""What is drawn where: states on ranks from top to bottom, and the tracks between them.

Row 2k holds the states of rank k, row 2k + 1 the labels below them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from makegood.machine.spec import Edge, Money, Spec


@dataclass(frozen=True)
class Track:
    """One line for all events between the same two states, from the row of the upper to the lower.

    Between its two ends a track keeps to one vertical line: it crosses others only where it bends.
    """

    source: str
    dest: str
    edges: tuple[Edge, ...]
    upper: str
    lower: str
    top: int
    bottom: int

    @property
    def climbs(self) -> bool:
        """Whether it leads back up."""
        return self.upper != self.source

    @cached_property
    def rows(self) -> range:
        """The rows between its two states."""
        return range(self.top + 1, self.bottom)

    @property
    def label_row(self) -> int:
        """Where its events are written: beside the state that they leave."""
        return self.bottom - 1 if self.climbs else self.top + 1


@dataclass(frozen=True)
class Graph:
    """The states' ranks, the tracks, and the way that the eye should follow first."""

    spec: Spec
    rank: dict[str, int]
    tracks: tuple[Track, ...]
    spine: frozenset[tuple[str, str]]

    def row(self, state: str) -> int:
        """Return the row of a state."""
        return 2 * self.rank[state]

    @cached_property
    def rows(self) -> int:
        """How many rows there are; the last one holds the terminal states."""
        return 2 * max(self.rank.values()) + 1


def graph_of(spec: Spec) -> Graph:
    """Rank the states of *spec*, a machine that lint accepts, and lay tracks between them."""
    ends = list(dict.fromkeys((e.source, e.dest) for e in spec.edges if e.source != e.dest))
    forward = _without_circles(spec, ends)
    rank = _ranks(spec, forward)
    tracks = []
    for source, dest in ends:
        upper, lower = (source, dest) if (source, dest) in forward else (dest, source)
        edges = tuple(e for e in spec.edges if (e.source, e.dest) == (source, dest))
        tracks.append(Track(source, dest, edges, upper, lower, 2 * rank[upper], 2 * rank[lower]))
    return Graph(spec, rank, tuple(tracks), frozenset(_spine(spec, forward, rank)))


def _without_circles(spec: Spec, ends: list[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Return *ends* without those that lead back to a state on the way to them (depth first)."""
    after: dict[str, list[str]] = {s.name: [] for s in spec.states}
    for source, dest in ends:
        after[source].append(dest)
    back: set[tuple[str, str]] = set()
    done: set[str] = set()
    for start in (spec.initial, *after):
        if start in done:
            continue
        way: dict[str, Iterator[str]] = {start: iter(after[start])}
        while way:
            state = next(reversed(way))
            for dest in way[state]:
                if dest in way:
                    back.add((state, dest))
                elif dest not in done:
                    way[dest] = iter(after[dest])
                    break
            else:
                del way[state]
                done.add(state)
    return frozenset(ends) - back


def _ranks(spec: Spec, forward: frozenset[tuple[str, str]]) -> dict[str, int]:
    """Rank by the longest way from above, so that every forward track leads down; terminals last."""
    rank = {s.name: 0 for s in spec.states}
    for _ in spec.states:
        for source, dest in forward:
            rank[dest] = max(rank[dest], rank[source] + 1)
    last = 1 + max((at for name, at in rank.items() if name not in spec.terminal), default=-1)
    return {name: last if name in spec.terminal else at for name, at in rank.items()}


def _spine(
    spec: Spec, forward: frozenset[tuple[str, str]], rank: dict[str, int]
) -> Iterator[tuple[str, str]]:
    """Walk back from the delivered end (entered by a capture, if any is) through the ranks above."""
    captured = [e.dest for e in spec.edges if e.money is Money.CAPTURE and e.dest in spec.terminal]
    entered = [e.dest for e in spec.edges if e.dest in spec.terminal]
    place = {s.name: -i for i, s in enumerate(spec.states)}
    state = next(iter([*captured, *entered]), spec.initial)
    while above := [source for source, dest in forward if dest == state]:
        source = max(above, key=lambda name: (rank[name], place[name]))
        yield source, state
        state = source
