"""Two ways of one thing, measured turn by turn, and what they are owed."""

import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

#: Rounds that warm both ways up and do not count.
WARM_UP_ROUNDS = 5

#: Does the thing once and returns what it took, in seconds or as a rate.
Way = Callable[[], Awaitable[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What was measured of two ways: milliseconds where less is better, or rates where more is.

    `owed` bounds the ratio of the medians, ours to the other's: from above for milliseconds, from below for
    rates; None: nothing is owed.
    """

    name: str
    unit: str
    ours: tuple[float, ...]
    other: str
    others: tuple[float, ...]
    owed: float | None

    @property
    def ratio(self) -> float:
        """Our median as a multiple of the other's."""
        return statistics.median(self.ours) / statistics.median(self.others)

    @property
    def kept(self) -> bool | None:
        """Whether the ratio keeps to what is owed, None where nothing is."""
        if self.owed is None:
            return None
        return self.ratio <= self.owed if self.unit == "ms" else self.ratio >= self.owed


def percentile(values: Sequence[float], share: float) -> float:
    """Return what *share* of the values did not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def in_turn(ours: Way, others: Way, rounds: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Do both ways *rounds* times; which of them begins changes from round to round."""
    told: tuple[list[float], list[float]] = ([], [])
    for number in range(-WARM_UP_ROUNDS, rounds):
        for way in (0, 1) if number % 2 else (1, 0):
            took = await (ours, others)[way]()
            if number >= 0:
                told[way].append(took)
    return tuple(told[0]), tuple(told[1])


def in_milliseconds(seconds: Sequence[float]) -> tuple[float, ...]:
    """Return *seconds* in milliseconds."""
    return tuple(1000 * value for value in seconds)
