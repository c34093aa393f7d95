"""How the loops of a process are doing, for people and load balancers; nothing acts on it."""

import logging
from dataclasses import dataclass

from makegood.outcome import JSON
from makegood.runtime.crew import Crew

log = logging.getLogger("makegood.runtime")


@dataclass(slots=True)
class Health:
    """How a loop is doing: turns since it began, errors in a row, the last error as text and its time, and
    who of its crew is at work. Times are those of the event loop's clock, in seconds."""

    name: str
    turns: int = 0
    failures: int = 0
    last_error: str | None = None
    failed_at: float | None = None
    began_at: float | None = None
    ended_at: float | None = None
    rest_seconds: float = 0.0
    hanging: bool = False
    over: bool = False
    crew: Crew | None = None

    @property
    def healthy(self) -> bool:
        """Whether the loop still goes, its last turn went well, and its present one does not hang."""
        return not (self.failures or self.hanging or self.over)

    @property
    def working(self) -> int:
        """How many of the loop's crew are at work."""
        return self.crew.working if self.crew else 0

    def lag(self, now: float) -> float:
        """Return for how many seconds the present turn goes on, or by how many the next one is late."""
        if self.began_at is not None:
            return now - self.began_at
        return max(0.0, now - self.ended_at - self.rest_seconds) if self.ended_at is not None else 0.0

    def begins(self, now: float) -> None:
        """Note that a turn begins."""
        self.began_at = now

    def ends(self, now: float) -> None:
        """Note that the turn is over, however it went."""
        if self.hanging:
            log.warning("the turn of %s that hung is over", self.name)
        self.began_at, self.ended_at, self.hanging, self.rest_seconds = None, now, False, 0.0

    def fails(self, error: BaseException, now: float) -> None:
        """Note that the turn raised."""
        self.failures += 1
        self.last_error, self.failed_at = f"{type(error).__name__}: {error}", now

    def hangs(self, seconds: float) -> None:
        """Note that the present turn goes on for so long; it is let alone: what it waits for may come."""
        self.hanging = True
        log.error("%s has been in one turn for %g seconds; it is let alone", self.name, seconds)

    def told(self, now: float) -> JSON:
        """Return what anybody may read of it: of the last error only the kind, since its text may hold
        addresses and names."""
        return {
            "healthy": self.healthy,
            "turns": self.turns,
            "failures": self.failures,
            "lag_seconds": round(self.lag(now), 3),
            "hanging": self.hanging,
            "over": self.over,
            "working": self.working,
            "last_error": self.last_error.partition(":")[0] if self.last_error else None,
            "last_error_seconds_ago": None if self.failed_at is None else round(now - self.failed_at, 3),
        }
