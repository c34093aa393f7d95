"""The order of states and tracks from left to right in which lines cross, and bend, least.

It starts from barycenters and is then sifted: each item tries every place and takes the best one.
Every arrangement of the terminal states is tried, there are few of them.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, permutations

from makegood.machine.projections.svg.graph import Graph

#: Pixels of detour that are better than one more crossing.
_CROSSING = 400.0
_SPINE = 6.0
_STARTS_MAX = 24
_ROUNDS_MAX = 12

#: States are numbered in the order of declaration, tracks after them.
Item = int


@dataclass(frozen=True)
class Bend:
    """Where a track leaves its vertical line for one of its states, in one gap between rows."""

    state: Item
    track: Item
    gap: int
    weight: float


def order(graph: Graph, widths: Sequence[Mapping[Item, float]]) -> list[Item]:
    """Return all items from left to right; `widths[row]` holds what each item needs in a row."""
    sifter = _Sifter(graph, widths)
    states = [s.name for s in graph.spec.states]
    ends = [i for i, name in enumerate(states) if name in graph.spec.terminal]
    best: tuple[float, list[Item]] | None = None
    for chosen in islice(permutations(ends), _STARTS_MAX):
        found = sifter.sift(_barycenters(graph, chosen))
        cost = sifter.cost(found)
        if best is None or cost < best[0]:
            best = cost, found
    return best[1] if best else []


def bends_of(graph: Graph) -> list[Bend]:
    """Return both bends of every track; gap n lies below row n."""
    number = {s.name: i for i, s in enumerate(graph.spec.states)}
    bends = []
    for i, track in enumerate(graph.tracks, len(number)):
        weight = _SPINE if (track.source, track.dest) in graph.spine else 1.0
        bends.append(Bend(number[track.upper], i, track.top, weight))
        bends.append(Bend(number[track.lower], i, track.bottom - 1, weight))
    return bends


def _barycenters(graph: Graph, ends: Sequence[Item]) -> list[Item]:
    """Put the last states in this order, and all else in the middle of what it is joined to."""
    count = len(graph.spec.states)
    fixed = {item: float(i) - (len(ends) - 1) / 2 for i, item in enumerate(ends)}
    at = {item: fixed.get(item, 0.0) for item in range(count + len(graph.tracks))}
    joined: dict[Item, list[Item]] = defaultdict(list)
    for bend in bends_of(graph):
        joined[bend.state].append(bend.track)
        joined[bend.track].append(bend.state)
    for _ in range(8):
        for item in [*range(count, len(at)), *(i for i in range(count) if i not in fixed)]:
            if joined[item]:
                at[item] = sum(at[other] for other in joined[item]) / len(joined[item])
    return sorted(at, key=lambda item: (round(at[item], 6), item))


class _Sifter:
    """Costs of an order, and how they change when two neighbours change places."""

    def __init__(self, graph: Graph, widths: Sequence[Mapping[Item, float]]) -> None:
        self.bends = bends_of(graph)
        #: What it costs a bend when an item stands between its two ends.
        self.between = [_obstacles(bend, self.bends, widths) for bend in self.bends]
        self.of: dict[Item, list[int]] = defaultdict(list)
        for n, bend in enumerate(self.bends):
            self.of[bend.state].append(n)
            self.of[bend.track].append(n)

    def cost(self, items: Sequence[Item]) -> float:
        """Return what all crossings and detours of an order cost."""
        at = {item: i for i, item in enumerate(items)}
        total = 0.0
        for bend, obstacles in zip(self.bends, self.between, strict=True):
            low, high = sorted((at[bend.state], at[bend.track]))
            total += sum(cost for item, cost in obstacles.items() if low < at[item] < high)
        for n, one in enumerate(self.bends):
            for other in self.bends[:n]:
                if one.gap == other.gap and one.state != other.state:
                    states, tracks = at[one.state] < at[other.state], at[one.track] < at[other.track]
                    total += _CROSSING * (states != tracks)
        return total

    def sift(self, items: list[Item]) -> list[Item]:
        """Move one item after the other to its best place until none has a better one."""
        for _ in range(_ROUNDS_MAX):
            before = list(items)
            for item in before:
                self._settle(items, item)
            if items == before:
                break
        return items

    def _settle(self, items: list[Item], item: Item) -> None:
        """Carry *item* to the left end, then to the right end, and leave it where it costs least."""
        start = best = items.index(item)
        at = {other: i for i, other in enumerate(items)}
        least = 0.0
        for step in (-1, 1):
            change, place = 0.0, at[item]
            while 0 <= place + step < len(items):
                other = items[place + step]
                left, right = (other, item) if step < 0 else (item, other)
                change += self._swap(left, right, at)
                items[place], items[place + step] = other, item
                at[other], at[item] = place, place + step
                place += step
                if change < least - 1e-6:
                    least, best = change, place
            # Back to where it stood; only then do changes of the other direction add up from zero.
            items.insert(start, items.pop(place))
            at = {other: i for i, other in enumerate(items)}
        items.insert(best, items.pop(start))

    def _swap(self, left: Item, right: Item, at: Mapping[Item, int]) -> float:
        """Return by how much the cost grows when *right* comes to stand before its neighbour *left*."""
        change = 0.0
        for n in self.of[left]:
            if cost := self.between[n].get(right):
                change += cost if at[_far_end(self.bends[n], left)] < at[left] else -cost
        for n in self.of[right]:
            if cost := self.between[n].get(left):
                change += cost if at[_far_end(self.bends[n], right)] > at[right] else -cost
        return change + _CROSSING * self._uncrossed(left, right, at)

    def _uncrossed(self, left: Item, right: Item, at: Mapping[Item, int]) -> int:
        """Count lines of both that do not cross yet but would, less those that do and would not."""
        count = 0
        for n in self.of[left]:
            for m in self.of[right]:
                one, other = self.bends[n], self.bends[m]
                if one.gap != other.gap:
                    continue
                if (one.state, other.state) == (left, right):
                    apart = at[one.track] < at[other.track]
                elif (one.track, other.track) == (left, right) and one.state != other.state:
                    apart = at[one.state] < at[other.state]
                else:
                    continue
                count += 1 if apart else -1
        return count


def _far_end(bend: Bend, item: Item) -> Item:
    return bend.track if item == bend.state else bend.state


def _obstacles(
    bend: Bend, bends: Sequence[Bend], widths: Sequence[Mapping[Item, float]]
) -> dict[Item, float]:
    """Say what each item costs that stands between a track and its state: a crossing, or its width."""
    above, below = widths[bend.gap], widths[bend.gap + 1]
    # Whether these cross depends on the order of their states too: `_uncrossed` counts them.
    bent = {b.track for b in bends if b.gap == bend.gap and b.state != bend.state}
    costs = {}
    for item in sorted({*above, *below} - {bend.state, bend.track} - bent):
        passes = item in above and item in below
        costs[item] = _CROSSING if passes else bend.weight * max(above.get(item, 0.0), below.get(item, 0.0))
    return costs
