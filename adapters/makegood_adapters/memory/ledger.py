"""Wallets in memory: every change of a bucket is a line of its owner's journal."""

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from typing import assert_never
from uuid import UUID

from makegood.buckets import GRACE, PLAN, check_amount, check_bucket, check_cycle, check_texts, passed
from makegood.errors import InsufficientCredits, InvalidRequest
from makegood.job import Bucket, Job, JobMoney, JournalLine, Wallet
from makegood.machine import Edge, Money
from makegood_adapters.memory import journal
from makegood_adapters.memory.tables import Hold, Line, Tables

# What a line of each kind does to its bucket: the amount is added to one column, taken from another.
_EFFECTS = {
    "issue": ("remaining", "issued"),
    "hold": ("held", "remaining"),
    "capture": ("captured", "held"),
    "release": ("remaining", "held"),
    "expire": ("expired", "remaining"),
    "withdraw": ("expired", "remaining"),
    "repay": ("expired", "remaining"),
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
        """Issue a bucket, once per (owner, source_ref), and pay debt out of it first."""
        check_amount(amount)
        check_bucket(owner, kind, source_ref, priority, expires_at)
        bucket = self._open(owner, kind, source_ref, priority, expires_at)
        if bucket:
            _issue(self._tables, bucket, amount)
        return bucket is not None

    async def grant_unlimited(
        self, owner: str, *, kind: str, source_ref: str, priority: int, expires_at: datetime | None = None
    ) -> bool:
        """Open a bucket without limit, once per (owner, source_ref)."""
        check_bucket(owner, kind, source_ref, priority, expires_at)
        bucket = self._open(owner, kind, source_ref, priority, expires_at)
        if bucket:
            self._tables.wallets[owner].buckets[bucket.id] = replace(bucket, unlimited=True)
        return bucket is not None

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
        """Issue a cycle's bucket, once, and end those of the plan's former cycles."""
        check_amount(amount)
        check_cycle(owner, plan, cycle, kind, priority, ends_at)
        wallet = self._tables.wallets.get(owner)
        former = [b for b in wallet.buckets.values() if b.plan == plan] if wallet else []
        source_ref = f"{PLAN}{plan}:{cycle}"
        known = any(bucket.source_ref == source_ref for bucket in former)
        if ends_at and not known and any(b.expires_at and b.expires_at > ends_at for b in former):
            raise InvalidRequest(
                f"Cycle {cycle} of plan {plan} ends before one that has begun already: "
                "start cycles in order. Nothing was changed."
            )
        bucket = self._open(owner, kind, source_ref, priority, ends_at)
        if bucket is None:
            return False
        _issue(self._tables, replace(bucket, plan=plan), amount)
        for old in former:
            self._end_cycle(old, ends_at, rolls_over)
        return True

    async def charge_back(self, owner: str, source_ref: str) -> bool:
        """Withdraw what remains of the source's credits, and owe what was spent or is held of them."""
        check_texts(owner=owner, source_ref=source_ref)
        wallet = self._tables.wallets.get(owner)
        buckets = wallet.buckets.values() if wallet else ()
        source = next((b for b in buckets if b.source_ref == source_ref), None)
        if wallet is None or source is None or source.id in wallet.origins:
            raise InvalidRequest(
                f"{owner} has no grant with the source {source_ref}: give the source_ref under which it was "
                "granted. Nothing was changed."
            )
        if source.charged_back_at is not None:
            return False
        for bucket in [b for b in buckets if source.id in (b.id, wallet.origins.get(b.id))]:
            _take_back(self._tables, bucket)
        return True

    async def wallet(self, owner: str) -> Wallet:
        """Return the wallet with its buckets in spending order."""
        wallet = self._tables.wallets.get(owner)
        buckets = sorted(wallet.buckets.values(), key=spending) if wallet else []
        available = sum(b.remaining for b in buckets if not self._tables.passed(b.expires_at))
        return Wallet(
            owner=owner,
            available=available,
            held=sum(b.held for b in buckets),
            buckets=tuple(buckets),
            debt=wallet.debt if wallet else 0,
            unlimited=any(b.unlimited and not self._tables.passed(b.expires_at) for b in buckets),
        )

    async def lines(self, owner: str, limit: int, upto: int | None = None) -> list[JournalLine]:
        """Return lines of the owner's journal, newest first."""
        return journal.lines(self._tables, owner, limit, upto)

    async def lines_of(self, job_id: UUID) -> list[JournalLine]:
        """Return the lines that the job wrote, in order."""
        return journal.lines_of(self._tables, job_id)

    async def feed(self, limit: int, below: int | None = None) -> list[JournalLine]:
        """Return lines of all owners, newest first."""
        return journal.feed(self._tables, limit, below)

    async def lines_at(self, wanted: Collection[tuple[str, int]]) -> list[JournalLine]:
        """Return the lines with these (owner, seq)."""
        return journal.lines_at(self._tables, wanted)

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

    def _open(
        self, owner: str, kind: str, source_ref: str, priority: int, expires_at: datetime | None
    ) -> Bucket | None:
        """Return a new empty bucket, None if the source has one."""
        known = self._tables.wallets.get(owner)
        if known and any(b.source_ref == source_ref for b in known.buckets.values()):
            return None
        if expires_at and self._tables.passed(expires_at):
            raise passed(expires_at)
        return _empty(self._tables, owner, kind, source_ref, priority, expires_at)

    def _end_cycle(self, bucket: Bucket, ends_at: datetime | None, rolls_over: bool) -> None:
        """End a former cycle now, or let it live as long as the new one."""
        ended = self._tables.passed(bucket.expires_at)
        if rolls_over:
            if not ended:
                _keep(self._tables, replace(bucket, expires_at=ends_at))
            return
        if bucket.remaining:
            bucket = _post(self._tables, "expire", bucket, bucket.remaining, None)
        if not ended:
            _keep(self._tables, replace(bucket, expires_at=self._tables.now()))


def spending(bucket: Bucket) -> tuple[int, bool, datetime, int]:
    """Sort key of the order in which buckets are drawn."""
    last = bucket.expires_at is None
    return bucket.priority, last, bucket.expires_at or datetime.max.replace(tzinfo=UTC), bucket.id


def money_of(tables: Tables, job_id: UUID) -> JobMoney:
    """Return what the holds of the job show."""
    shown: Counter[str] = Counter()
    for hold in tables.holds.get(job_id, []):
        if hold.captured is None:
            shown["held"] += hold.amount
            continue
        shown["captured"] += hold.captured
        shown["unused" if hold.unlimited else "released"] += hold.amount - hold.captured
    return JobMoney(**shown)


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
    spendable = _spendable(tables, job.owner)
    available = sum(bucket.remaining for bucket in spendable)
    if job.price > available and not any(bucket.unlimited for bucket in spendable):
        raise InsufficientCredits(job.owner, job.price, available)


def hold(tables: Tables, job: Job) -> None:
    """Reserve the price in spending order; `check_funds` has passed."""
    missing = job.price
    for bucket in _spendable(tables, job.owner):
        if amount := missing if bucket.unlimited else min(missing, bucket.remaining):
            if bucket.unlimited:
                bucket = _post(tables, "issue", bucket, amount, job.id)
            _post(tables, "hold", bucket, amount, job.id)
            tables.holds[job.id].append(Hold(bucket.id, amount, unlimited=bucket.unlimited))
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
    """Return credits to their bucket.

    Those of a payment that was taken back pay the wallet's debt first; what is left goes to a grace bucket
    where the bucket has expired meanwhile. Those of a bucket without limit are gone at once.
    """
    wallet = tables.wallets[job.owner]
    bucket = _post(tables, "release", bucket, amount, job.id)
    if bucket.unlimited:
        _post(tables, "expire", bucket, amount, job.id)
        return
    if bucket.charged_back_at and (paid := min(amount, wallet.debt)):
        bucket = _post(tables, "repay", bucket, paid, job.id)
        amount -= paid
    if amount and tables.passed(bucket.expires_at):
        _post(tables, "expire", bucket, amount, job.id)
        until, source_ref = tables.later(tables.grace_seconds), f"{GRACE}{job.id}:{bucket.id}"
        grace = _empty(tables, job.owner, "grace", source_ref, bucket.priority, until)
        wallet.origins[grace.id] = wallet.origins.get(bucket.id, bucket.id)
        _post(tables, "issue", grace, amount, job.id)


def _take_back(tables: Tables, bucket: Bucket) -> None:
    """Withdraw what remains of one bucket, and owe what it has paid for."""
    wallet = tables.wallets[bucket.owner]
    repaid = sum(
        line.amount for line in wallet.journal if (line.bucket_id, line.kind) == (bucket.id, "repay")
    )
    owed = 0 if bucket.unlimited else bucket.held + bucket.captured + repaid
    bucket = replace(bucket, charged_back_at=tables.now())
    if bucket.unlimited and not tables.passed(bucket.expires_at):
        bucket = replace(bucket, expires_at=tables.now())
    if bucket.remaining:
        bucket = _post(tables, "withdraw", bucket, bucket.remaining, None)
    if owed:
        bucket = _post(tables, "debt", bucket, owed, None)
    _keep(tables, bucket)


def _spendable(tables: Tables, owner: str) -> list[Bucket]:
    wallet = tables.wallets.get(owner)
    live = (b for b in wallet.buckets.values() if not tables.passed(b.expires_at)) if wallet else ()
    return sorted((b for b in live if b.remaining or b.unlimited), key=spending)


def _issue(tables: Tables, bucket: Bucket, amount: int) -> None:
    """Put credits into a new bucket and pay the wallet's debt out of it."""
    bucket = _post(tables, "issue", bucket, amount, None)
    if paid := min(amount, tables.wallets[bucket.owner].debt):
        _post(tables, "repay", bucket, paid, None)


def _empty(
    tables: Tables, owner: str, kind: str, source_ref: str, priority: int, expires_at: datetime | None
) -> Bucket:
    tables.bucket_ids += 1
    return Bucket(
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


def _keep(tables: Tables, bucket: Bucket) -> None:
    tables.wallets[bucket.owner].buckets[bucket.id] = bucket


def _post(tables: Tables, kind: str, bucket: Bucket, amount: int, job_id: UUID | None) -> Bucket:
    """Write one journal line and bring its bucket and its wallet up to it."""
    wallet, before = tables.wallets[bucket.owner], bucket.remaining
    if kind in _EFFECTS:
        more, less = _EFFECTS[kind]
        sign = 1 if kind == "issue" else -1  # an issue comes from outside: it is added to both columns
        changed = {more: getattr(bucket, more) + amount, less: getattr(bucket, less) + sign * amount}
        bucket = replace(bucket, **changed)
    wallet.debt += {"debt": amount, "repay": -amount}.get(kind, 0)
    balance = wallet.balance + bucket.remaining - before
    seq = len(wallet.journal) + 1
    tables.journal_lines += 1
    place = tables.journal_lines
    wallet.journal.append(Line(seq, kind, bucket.id, job_id, amount, balance, tables.now(), place))
    _keep(tables, bucket)
    return bucket
