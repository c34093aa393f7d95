"""Processes in the store: who works on it, and how each says it is doing; no decision rests on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from makegood.outcome import JSON

#: A process that was not seen for so long is taken for dead: several beats were left out.
LOST_SECONDS = 20.0


class WorkerState(StrEnum):
    """What a process is about."""

    RUNNING = "running"
    DRAINING = "draining"  # it takes nothing new and ends when what it has begun is over


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerName:
    """What tells a process from others: where it runs, as what, and its number among its siblings, from 1;
    0: it has none."""

    host: str = "unknown"
    pid: int = 0
    number: int = 0
    version: str = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopHealth:
    """How a loop of a process was doing at its last beat: turns since it began, errors in a row, by how many
    seconds its turn was late or went on. `last_error` is the kind of its last error alone."""

    name: str
    healthy: bool
    turns: int
    failures: int
    lag_seconds: float
    hanging: bool
    over: bool
    working: int
    last_error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A process as it described itself last; `accounts` are the provider accounts that it has, `health` is
    that of its loops. The store sets `started_at` and `seen_at`, which is always there when it is read."""

    id: UUID
    name: WorkerName
    state: WorkerState
    accounts: tuple[str, ...]
    health: JSON
    started_at: datetime | None = None
    seen_at: datetime | None = None

    def is_lost(self, now: datetime) -> bool:
        """Whether the process was not seen for so long that it is taken for dead."""
        return self.seen_at is None or (now - self.seen_at).total_seconds() > LOST_SECONDS

    @property
    def loops(self) -> list[LoopHealth]:
        """How its loops are doing. A process of another release may have told more, or less."""
        told = self.health.items()
        return [self._loop(name, state) for name, state in told if isinstance(state, Mapping)]

    def _loop(self, name: str, state: Mapping[str, object]) -> LoopHealth:
        failures, hanging, over = (
            _number(state, "failures"),
            bool(state.get("hanging")),
            bool(state.get("over")),
        )
        error = state.get("last_error")
        return LoopHealth(
            name=name,
            # The loops of a process that ends are over when they have done what they began.
            healthy=not (failures or hanging or (over and self.state is WorkerState.RUNNING)),
            turns=int(_number(state, "turns")),
            failures=int(failures),
            lag_seconds=_number(state, "lag_seconds"),
            hanging=hanging,
            over=over,
            working=int(_number(state, "working")),
            last_error=error if isinstance(error, str) else None,
        )


def _number(state: Mapping[str, object], name: str) -> float:
    value = state.get(name)
    return float(value) if isinstance(value, (int, float)) else 0.0


class Workers(Protocol):
    """One row for each process, which only that process writes."""

    async def beat(self, worker: Worker) -> None:
        """Write the process's row anew; it is seen now. Its first beat is when it started."""

    async def leave(self, worker_id: UUID) -> None:
        """Remove the row: the process has ended in order."""

    async def forget(self, unseen_seconds: float, limit: int) -> int:
        """Remove at most *limit* rows that were not seen for *unseen_seconds*; return how many."""

    async def present(self) -> list[Worker]:
        """Return all rows, the process that started first coming first."""
