"""The arithmetic of placing: items pulled together, never closer than they may be."""

from collections.abc import Mapping, Sequence

_SWEEPS_MAX = 600
_CLOSE_ENOUGH = 0.02
#: A weak pull to the middle makes the answer unique.
_TO_THE_MIDDLE = 0.002
#: Weight of a position that can be had exactly, against one that cannot.
_WITHIN = 1000.0


def settle(
    count: int,
    pulls: Sequence[tuple[int, int, float]],
    apart: Mapping[tuple[int, int], float],
    items: Sequence[int],
) -> list[float]:
    """Return positions that minimise the sum of weight times squared distance over *pulls*.

    `apart[left, right]` is the least distance from left to right; *items* is an order that agrees
    with all of them. The dual problem is solved by Hildreth's method: each constraint in turn gets
    the force that it needs, and never pulls.
    """
    compliance = _inverse(_stiffness(count, pulls))
    x = [0.0] * count
    limits = []
    for (left, right), distance in apart.items():
        response = [a - b for a, b in zip(compliance[right], compliance[left], strict=True)]
        limits.append((left, right, distance, response, response[right] - response[left]))
    force = [0.0] * len(limits)
    for _ in range(_SWEEPS_MAX):
        worst = 0.0
        for n, (left, right, distance, response, give) in enumerate(limits):
            lacking = distance - (x[right] - x[left])
            more = max(-force[n], lacking / give)
            if more:
                force[n] += more
                x = [at + more * by for at, by in zip(x, response, strict=True)]
                worst = max(worst, abs(more) * give)
        if worst < _CLOSE_ENOUGH:
            break
    # What is left of the error is taken out from left to right.
    for item in items:
        bounds = [x[left] + distance for (left, right), distance in apart.items() if right == item]
        x[item] = max([x[item], *bounds])
    return x


def spread(wanted: Sequence[float], room: float, low: float, high: float) -> list[float]:
    """Return positions near to *wanted* (ascending) that are *room* apart, and from *low* to *high*.

    Those that would come too close are pooled (isotonic regression); what is wanted within the bounds
    yields to nothing else that is not. Where the bounds are too narrow for all, they move closer.
    """
    count = len(wanted)
    if count > 1:
        room = min(room, (high - low) / (count - 1))
    pools: list[tuple[float, float, int]] = []
    for i, at in enumerate(wanted):
        weight = _WITHIN if low <= at <= high else 1.0
        # Each leaves the others their share of the room on either side.
        mean, size = min(max(at, low + i * room), high - (count - 1 - i) * room) - i * room, 1
        while pools and pools[-1][0] > mean:
            other, others_weight, others = pools.pop()
            mean = (other * others_weight + mean * weight) / (others_weight + weight)
            weight, size = others_weight + weight, others + size
        pools.append((mean, weight, size))
    flat = [mean for mean, _, size in pools for _ in range(size)]
    return [at + i * room for i, at in enumerate(flat)]


def _stiffness(count: int, pulls: Sequence[tuple[int, int, float]]) -> list[list[float]]:
    matrix = [[0.0] * count for _ in range(count)]
    for i in range(count):
        matrix[i][i] = _TO_THE_MIDDLE
    for a, b, weight in pulls:
        matrix[a][a] += weight
        matrix[b][b] += weight
        matrix[a][b] -= weight
        matrix[b][a] -= weight
    return matrix


def _inverse(matrix: list[list[float]]) -> list[list[float]]:
    """Invert a symmetric positive definite matrix (Gauss and Jordan; no pivoting is needed)."""
    count = len(matrix)
    rows = [[*row, *(float(i == j) for j in range(count))] for i, row in enumerate(matrix)]
    for i in range(count):
        pivot = rows[i][i]
        rows[i] = pivoted = [value / pivot for value in rows[i]]
        for j in range(count):
            factor = rows[j][i]
            if j != i and factor:
                rows[j] = [a - factor * b for a, b in zip(rows[j], pivoted, strict=True)]
    return [row[count:] for row in rows]
