"""What every wallet must hold, worked out by plain arithmetic that uses nothing of the product."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

GRACE_TIME = timedelta(days=30)


@dataclass(slots=True)
class Bucket:
    """Credits of one origin; `number` is the database's id, learned when it is first seen."""

    owner: str
    kind: str
    priority: int
    expires_at: datetime | None
    issued: int
    remaining: int
    held: int = 0
    captured: int = 0
    expired: int = 0
    number: int = 0
    plan: str | None = None
    unlimited: bool = False
    charged_back: bool = False
    repaid: int = 0  # what of it paid a debt
    origin: str = ""  # of a grace bucket: the source that was granted

    def over(self, now: datetime) -> bool:
        """Whether the bucket has expired."""
        return self.expires_at is not None and self.expires_at <= now

    @property
    def turn(self) -> tuple[int, bool, datetime | None, int]:
        """Sort key of spending: priority, what expires first (never comes last), age."""
        return self.priority, self.expires_at is None, self.expires_at, self.number

    @property
    def columns(self) -> tuple[int, int, int, int, int]:
        """What the database must show for it."""
        return self.issued, self.remaining, self.held, self.captured, self.expired


@dataclass(slots=True)
class Hold:
    """What one job has reserved of one bucket, and what became of it."""

    amount: int
    captured: int | None = None
    released: int | None = None


@dataclass(slots=True)
class Books:
    """All wallets, and what each job holds; a bucket is named by its owner and its source.

    The source of a grace bucket is the job and the source of the bucket that it stands in for. `debt` is what
    was spent of payments that were taken back.
    """

    buckets: dict[tuple[str, str], Bucket] = field(default_factory=dict)
    holds: dict[str, dict[tuple[str, str], Hold]] = field(default_factory=dict)
    granted: Counter[str] = field(default_factory=Counter)
    debt: Counter[str] = field(default_factory=Counter)

    def grant(self, owner: str, source: str, amount: int, **given: Any) -> bool:
        """Issue a bucket, which pays the wallet's debt first; the same source again changes nothing."""
        if (owner, source) in self.buckets:
            return False
        bucket = self.buckets[owner, source] = Bucket(owner, issued=amount, remaining=amount, **given)
        self.granted[owner] += amount
        self._repay(bucket, amount)
        bucket.remaining -= bucket.repaid
        return True

    def _repay(self, bucket: Bucket, most: int) -> int:
        """Let the bucket pay the wallet's debt with *most* credits at most, and return what is left."""
        paid = min(most, self.debt[bucket.owner])
        self.debt[bucket.owner] -= paid
        bucket.repaid += paid
        bucket.expired += paid
        return most - paid

    def start_cycle(
        self, owner: str, plan: str, cycle: str, now: datetime, rolls_over: bool, **given: Any
    ) -> bool:
        """Issue a plan's next credits; what remains of its former ones ends, or lives as long as the new."""
        source = f"plan:{plan}:{cycle}"
        former = [b for _, b in self.of(owner) if b.plan == plan]
        if not self.grant(owner, source, plan=plan, **given):
            return False
        for bucket in former:
            if not rolls_over:
                bucket.expired += bucket.remaining
                bucket.remaining = 0
                bucket.expires_at = min(bucket.expires_at or now, now)
            elif not bucket.over(now):
                bucket.expires_at = given["expires_at"]
        return True

    def charge_back(self, owner: str, source: str, now: datetime) -> bool:
        """Take a payment back: what remains of it, and of its grace, goes; what was used of it is owed."""
        if self.buckets[owner, source].charged_back:
            return False
        for _, bucket in self.of_origin(owner, source):
            bucket.charged_back = True
            if bucket.unlimited:
                bucket.expires_at = min(bucket.expires_at or now, now)
                continue
            self.debt[owner] += bucket.held + bucket.captured + bucket.repaid
            bucket.expired += bucket.remaining
            bucket.remaining = 0
        return True

    def of_origin(self, owner: str, source: str) -> list[tuple[tuple[str, str], Bucket]]:
        """Return the bucket of a source and the grace buckets that came of it."""
        return [(n, b) for n, b in self.of(owner) if n[1] == source or b.origin == source]

    def of(self, owner: str) -> list[tuple[tuple[str, str], Bucket]]:
        """Return the owner's buckets in the order in which they are spent."""
        mine = [(name, bucket) for name, bucket in self.buckets.items() if bucket.owner == owner]
        return sorted(mine, key=lambda item: item[1].turn)

    def available(self, owner: str, now: datetime) -> int:
        """Return what a new job may spend."""
        return sum(bucket.remaining for _, bucket in self.of(owner) if not bucket.over(now))

    def held(self, owner: str) -> int:
        """Return what the owner's jobs hold."""
        return sum(bucket.held for _, bucket in self.of(owner))

    def unlimited(self, owner: str, now: datetime) -> bool:
        """Whether any price is covered."""
        return any(bucket.unlimited and not bucket.over(now) for _, bucket in self.of(owner))

    def can_pay(self, owner: str, price: int, now: datetime) -> bool:
        """Whether a job of this price may be accepted."""
        return self.unlimited(owner, now) or self.available(owner, now) >= price

    def hold(self, job: str, owner: str, price: int, now: datetime) -> None:
        """Reserve the price of a job, which the owner must be able to pay."""
        assert self.can_pay(owner, price, now), f"{job} was accepted without the credits for it"
        assert job not in self.holds, f"{job} was accepted twice"
        self.holds[job] = {}
        for name, bucket in self.of(owner):
            if bucket.over(now) or not price:
                continue
            if bucket.unlimited:
                amount = price
                bucket.issued += amount
            else:
                amount = min(price, bucket.remaining)
                bucket.remaining -= amount
            if amount:
                bucket.held += amount
                self.holds[job][name] = Hold(amount)
                price -= amount

    def settle(self, job: str, captured: int, now: datetime) -> None:
        """Take *captured* of what the job holds, what was drawn first before the rest; give the rest back."""
        drawn = self.holds.get(job, {})
        for name in sorted(drawn, key=lambda name: self.buckets[name].turn):
            hold = drawn[name]
            assert hold.captured is None, f"{job} was settled twice"
            hold.captured = min(captured, hold.amount)
            hold.released = hold.amount - hold.captured
            captured -= hold.captured
        assert captured == 0, f"{job} had to pay {captured} credits more than it held"
        for name in sorted(drawn, key=lambda name: self.buckets[name].number):  # the oldest pays a debt first
            self._give_back(job, name, drawn[name], now)

    def _give_back(self, job: str, name: tuple[str, str], hold: Hold, now: datetime) -> None:
        """Let credits return to where they came from.

        Those of a payment that was taken back pay the debt first. Where the bucket has expired meanwhile, a
        grace bucket stands in for it. Those without limit were nobody's.
        """
        bucket, back = self.buckets[name], hold.released or 0
        bucket.held -= hold.amount
        bucket.captured += hold.captured or 0
        if bucket.unlimited:
            bucket.expired += back
            return
        if bucket.charged_back:
            back = self._repay(bucket, back)
        if not bucket.over(now):
            bucket.remaining += back
        elif back:
            bucket.expired += back
            self.buckets[bucket.owner, f"grace for {job} and {name[1]}"] = Bucket(
                bucket.owner,
                "grace",
                bucket.priority,
                now + GRACE_TIME,
                back,
                back,
                origin=bucket.origin or name[1],
            )

    def expire(self, name: tuple[str, str], now: datetime) -> None:
        """Take what remains out of a bucket whose time is over; what is held stays held."""
        bucket = self.buckets[name]
        assert bucket.over(now), f"{name} was expired before its time"
        bucket.expired += bucket.remaining
        bucket.remaining = 0

    def check_conservation(self) -> None:
        """Every credit that was granted remains, is held, was captured or has expired, once."""
        for owner in {bucket.owner for bucket in self.buckets.values()}:
            mine = [bucket for _, bucket in self.of(owner)]
            for bucket in mine:
                assert bucket.issued == bucket.remaining + bucket.held + bucket.captured + bucket.expired
                assert min(bucket.columns) >= 0
            assert self.debt[owner] >= 0
            made = sum(b.issued for b in mine if b.kind == "grace" or b.unlimited)
            assert sum(bucket.issued for bucket in mine) == self.granted[owner] + made
            there = sum(b.remaining + b.held + b.captured + b.expired for b in mine)
            assert there - made == self.granted[owner], f"credits of {owner} were lost or made"
