"""Processes in the store: who works on it, and how each says it is doing; no decision rests on it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from makegood.outcome import JSON


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
