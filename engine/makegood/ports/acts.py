"""What people and their programs did as operators, kept for good, also what was refused."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAct:
    """An act as it is kept: with which `key`, `by` whom as far as that was said, what (`act`) to what
    (`subject`), and for which reason. `outcome` is "ok", or the code of the problem with which it was
    refused; then it changed nothing."""

    key: str
    act: str
    subject: str
    outcome: str
    by: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Act(NewAct):
    """An act that was kept; `id` grows."""

    id: int
    at: datetime


class Acts(Protocol):
    """Acts in the order in which they were kept; none is ever changed."""

    async def keep(self, act: NewAct) -> None:
        """Keep an act, in a transaction of its own."""

    async def page(self, limit: int, below: int | None = None) -> list[Act]:
        """Return at most *limit* acts, newest first, of those whose id is below *below*."""
