"""The stream: the history of all jobs in one order, from which nobody who reads on misses anything."""

from collections.abc import Collection, Mapping
from typing import Protocol
from uuid import UUID

from makegood.job import Ending, Transition


class Stream(Protocol):
    """Committed transitions, each with a place of its own, counted from 1 without gaps.

    A place is given after the commit and never changes. Those of one job stand in the order of its versions.
    Whoever has seen a place will never see a new one below it.
    """

    async def place(self, limit: int) -> Mapping[str, int]:
        """Give at most *limit* committed transitions the next places, and return how many each owner got;
        nothing while somebody else is at it. One call may give places beyond those that it was made for."""

    async def read(self, after: int, limit: int, owner: str | None = None) -> list[Transition]:
        """Return at most *limit* transitions with a place above *after*, with it as `seq`, in order; with
        *owner* only that owner's."""

    async def endings(self, job_ids: Collection[UUID]) -> Mapping[UUID, Ending]:
        """Return how those of the jobs ended that are over."""

    async def last(self) -> int:
        """Return the place that was given last, 0 before the first."""
