"""Wallets in the store: where credits come in and are read; jobs move them by their transitions alone."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol
from uuid import UUID

from makegood.job import JournalLine, Wallet


class Ledger(Protocol):
    """Wallets; jobs move their credits through `Jobs.apply` alone."""

    async def grant(
        self,
        owner: str,
        amount: int,
        *,
        kind: str,
        source_ref: str,
        priority: int = 100,
        expires_at: datetime | None = None,
    ) -> bool:
        """Issue a bucket of *amount* credits, once per (owner, source_ref), and pay the wallet's debt out of
        it first; False: it was there. Raises InvalidRequest."""

    async def grant_unlimited(
        self, owner: str, *, kind: str, source_ref: str, priority: int, expires_at: datetime | None = None
    ) -> bool:
        """Open a bucket that covers whatever those before it in spending order do not, once per
        (owner, source_ref); False: it was there. Raises InvalidRequest."""

    async def start_cycle(
        self,
        owner: str,
        amount: int,
        *,
        plan: str,
        cycle: str,
        kind: str,
        priority: int,
        ends_at: datetime | None = None,
        rolls_over: bool = False,
    ) -> bool:
        """Issue the bucket of a plan's next cycle, once per (owner, plan, cycle), and end the plan's former
        ones, but never what is held of them; with *rolls_over* they live as long as the new one instead.
        False: it was there. Raises InvalidRequest, also for a cycle that ends before one already begun."""

    async def charge_back(self, owner: str, source_ref: str) -> bool:
        """Take back what the source issued, once; False: that was done before. What remains is withdrawn,
        what was spent or is held becomes the wallet's debt; what is held and comes back later pays that debt
        first. Raises InvalidRequest for an unknown source."""

    async def wallet(self, owner: str) -> Wallet:
        """Return the wallet; an unknown owner has an empty one."""

    async def lines(self, owner: str, limit: int, upto: int | None = None) -> list[JournalLine]:
        """Return at most *limit* lines of the owner's journal, newest first, from line *upto* downwards."""

    async def lines_of(self, job_id: UUID) -> list[JournalLine]:
        """Return the lines of the journal that the job wrote, in order."""

    async def feed(self, limit: int, below: int | None = None) -> list[JournalLine]:
        """Return at most *limit* lines of the journal of all owners, newest first, from below the place
        *below*; each has its `place`, and those of one owner come in their order."""

    async def lines_at(self, wanted: Collection[tuple[str, int]]) -> list[JournalLine]:
        """Return those of the lines with these (owner, seq) that there are, with their `place`."""

    async def expire(self, limit: int) -> int:
        """Take what remains out of buckets past their expiry; return how many buckets."""
