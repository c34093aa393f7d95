"""Wallets in memory: every change of a bucket is a line of its owner's journal."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import assert_never
from uuid import UUID

from makegood.errors import InsufficientCredits
from makegood.intake import check_grant
from makegood.job import Bucket, Job, JobMoney, Wallet
from makegood.machine import Edge, Money
from makegood.ports import GRACE
from makegood_adapters.memory.tables import Hold, Line, Tables

GRACE_TIME = timedelta(days=30)

# What a line of each kind does to its bucket: the amount is added to one column, taken from another.
_EFFECTS = {
    "issue": ("remaining", "issued"),
    "hold": ("held", "remaining"),
    "capture": ("captured", "held"),
    "release": ("remaining", "held"),
    "expire": ("expired", "remaining"),
}


class MemoryLedger:
    """The port `Ledger`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

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
        """Issue a bucket, once per (owner, source_ref)."""
        check_grant(amount, source_ref)
        known = self._tables.wallets.get(owner)
        if known and any(b.source_ref == source_ref for b in known.buckets.values()):
            return False
        _issue(self._tables, owner, amount, kind, source_ref, priority, expires_at, None)
        return True

    async def wallet(self, owner: str) -> Wallet:
        """Return the wallet with its buckets in spending order."""
        wallet = self._tables.wallets.get(owner)
        buckets = sorted(wallet.buckets.values(), key=spending) if wallet else []
        available = sum(b.remaining for b in buckets if not self._tables.passed(b.expires_at))
        return Wallet(
            owner=owner, available=available, held=sum(b.held for b in buckets), buckets=tuple(buckets)
        )

    async def expire(self, limit: int) -> int:
        """Take what remains out of at most *limit* buckets past their expiry."""
        due = [
            bucket
            for wallet in self._tables.wallets.values()
            for bucket in wallet.buckets.values()
            if bucket.remaining and self._tables.passed(bucket.expires_at)
        ][:limit]
        for bucket in due:
            _post(self._tables, "expire", bucket, bucket.remaining, None)
        return len(due)


def spending(bucket: Bucket) -> tuple[int, bool, datetime, int]:
    """Sort key of the order in which buckets are drawn."""
    last = bucket.expires_at is None
    return bucket.priority, last, bucket.expires_at or datetime.max.replace(tzinfo=UTC), bucket.id


def money_of(tables: Tables, job_id: UUID) -> JobMoney:
    """Return what the holds of the job show."""
    holds = tables.holds.get(job_id, [])
    settled = [h for h in holds if h.captured is not None]
    captured = sum(h.captured or 0 for h in settled)
    return JobMoney(
        held=sum(h.amount for h in holds if h.captured is None),
        captured=captured,
        released=sum(h.amount for h in settled) - captured,
    )


def settles(job: Job, edge: Edge, wished: int | None) -> int | None:
    """Return how much the edge captures, None when it settles nothing; ValueError out of bounds."""
    match edge.money:
        case Money.NONE | Money.HOLD:
            return None
        case Money.RELEASE:
            return 0
        case Money.CAPTURE:
            amount = job.price if wished is None else wished
        case Money.POLICY:
            # What was never submitted cost nobody anything, whatever the caller says.
            amount = (wished or 0) if job.submitted else 0
        case _:
            assert_never(edge.money)
    if not 0 <= amount <= job.price:
        raise ValueError(f"job {job.id} can settle 0 to {job.price} credits, not {amount}")
    return amount


def check_funds(tables: Tables, job: Job) -> None:
    """Raise InsufficientCredits unless the owner can carry the price now."""
    available = sum(bucket.remaining for bucket in _spendable(tables, job.owner))
    if job.price > available:
        raise InsufficientCredits(job.owner, job.price, available)


def hold(tables: Tables, job: Job) -> None:
    """Reserve the price in spending order; `check_funds` has passed."""
    missing = job.price
    for bucket in _spendable(tables, job.owner):
        if amount := min(missing, bucket.remaining):
            _post(tables, "hold", bucket, amount, job.id)
            tables.holds[job.id].append(Hold(bucket.id, amount))
            missing -= amount


def settle(tables: Tables, job: Job, captured: int) -> None:
    """Capture *captured* in spending order, so that what was drawn last comes back first."""
    left, holds = captured, tables.holds.get(job.id, [])
    buckets = tables.wallets[job.owner].buckets if holds else {}
    for place, held in sorted(enumerate(holds), key=lambda h: spending(buckets[h[1].bucket_id])):
        part = min(left, held.amount)
        left -= part
        if part:
            _post(tables, "capture", buckets[held.bucket_id], part, job.id)
        if back := held.amount - part:
            _give_back(tables, job, buckets[held.bucket_id], back)
        holds[place] = replace(held, captured=part)


def _give_back(tables: Tables, job: Job, bucket: Bucket, amount: int) -> None:
    """Return credits to their bucket, or to a grace bucket when theirs has expired meanwhile."""
    bucket = _post(tables, "release", bucket, amount, job.id)
    if tables.passed(bucket.expires_at):
        _post(tables, "expire", bucket, amount, job.id)
        until, source_ref = tables.now() + GRACE_TIME, f"{GRACE}{job.id}:{bucket.id}"
        _issue(tables, job.owner, amount, "grace", source_ref, bucket.priority, until, job.id)


def _spendable(tables: Tables, owner: str) -> list[Bucket]:
    wallet = tables.wallets.get(owner)
    buckets = wallet.buckets.values() if wallet else ()
    return sorted((b for b in buckets if b.remaining and not tables.passed(b.expires_at)), key=spending)


def _issue(
    tables: Tables,
    owner: str,
    amount: int,
    kind: str,
    source_ref: str,
    priority: int,
    expires_at: datetime | None,
    job_id: UUID | None,
) -> None:
    tables.bucket_ids += 1
    empty = Bucket(
        id=tables.bucket_ids,
        owner=owner,
        kind=kind,
        priority=priority,
        expires_at=expires_at,
        source_ref=source_ref,
        issued=0,
        remaining=0,
        held=0,
        captured=0,
        expired=0,
    )
    _post(tables, "issue", empty, amount, job_id)


def _post(tables: Tables, kind: str, bucket: Bucket, amount: int, job_id: UUID | None) -> Bucket:
    """Write one journal line and bring its bucket up to it."""
    wallet = tables.wallets[bucket.owner]
    more, less = _EFFECTS[kind]
    sign = 1 if kind == "issue" else -1  # an issue comes from outside: it is added to both columns
    changed = {more: getattr(bucket, more) + amount, less: getattr(bucket, less) + sign * amount}
    line = Line(len(wallet.journal) + 1, kind, bucket.id, job_id, amount, tables.now())
    wallet.journal.append(line)
    wallet.buckets[bucket.id] = replace(bucket, **changed)
    return wallet.buckets[bucket.id]
