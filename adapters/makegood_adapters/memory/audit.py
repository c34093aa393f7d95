"""The audit: every invariant that could be broken, as sentences; none of them ever is."""

from collections.abc import Iterator
from itertools import pairwise
from uuid import UUID

from makegood.machine import Holding
from makegood.machine.money import holdings
from makegood_adapters.memory.ledger import money_of
from makegood_adapters.memory.tables import JobRow, Line, Tables, Wallet


def violations(tables: Tables) -> list[str]:
    """Return every broken invariant."""
    found: list[str] = []
    for owner, wallet in tables.wallets.items():
        found += _wallet(owner, wallet)
    found += _journal(tables)
    for row in tables.jobs.values():
        found += _credits(tables, row)
        found += _history(tables, row)
        found += _attempts(tables, row)
        found += _times(row)
    for name, account in tables.accounts.items():
        if (n := len(tables.open_at(name))) > account.capacity:
            found.append(f"account {name} has {n} open attempts and {account.capacity} slots")
    announced = [(r.transition.job_id, r.transition.version) for r in tables.outbox]
    if sorted(announced) != sorted((t.job_id, t.version) for ts in tables.history.values() for t in ts):
        found.append("transitions and announcements differ")
    return found


def _wallet(owner: str, wallet: Wallet) -> Iterator[str]:
    if [line.seq for line in wallet.journal] != list(range(1, len(wallet.journal) + 1)):
        yield f"the journal of {owner} has a gap"
    if wallet.balance != sum(bucket.remaining for bucket in wallet.buckets.values()):
        yield f"the balance of {owner} is not what remains in the buckets"
    owed = {kind: sum(n.amount for n in wallet.journal if n.kind == kind) for kind in ("debt", "repay")}
    if wallet.debt != owed["debt"] - owed["repay"]:
        yield f"the debt of {owner} is not what the journal says"
    for bucket in wallet.buckets.values():
        parts = (bucket.remaining, bucket.held, bucket.captured, bucket.expired)
        if bucket.issued != sum(parts) or min(parts) < 0:
            yield f"bucket {bucket.id} of {owner} is not conserved"
        lines = [line for line in wallet.journal if line.bucket_id == bucket.id]
        if (bucket.issued, *parts) != _replayed(lines):
            yield f"bucket {bucket.id} of {owner} is not what its journal says"
    if strange := {line.bucket_id for line in wallet.journal} - set(wallet.buckets):
        yield f"the journal of {owner} knows buckets that are not there: {sorted(strange)}"


def _replayed(lines: list[Line]) -> tuple[int, int, int, int, int]:
    """Compute issued, remaining, held, captured and expired from nothing."""

    def total(kind: str) -> int:
        return sum(line.amount for line in lines if line.kind == kind)

    held = total("hold") - total("capture") - total("release")
    gone = total("expire") + total("withdraw") + total("repay")
    remaining = total("issue") - total("hold") + total("release") - gone
    return total("issue"), remaining, held, total("capture"), gone


def _journal(tables: Tables) -> Iterator[str]:
    """Compare the holds of all jobs with the lines that made and settled them."""
    lines: dict[tuple[UUID | None, int], dict[str, int]] = {}
    for wallet in tables.wallets.values():
        for line in wallet.journal:
            if line.kind in ("hold", "capture", "release"):
                kinds = lines.setdefault((line.job_id, line.bucket_id), {})
                kinds[line.kind] = kinds.get(line.kind, 0) + line.amount
    for job_id, holds in tables.holds.items():
        for hold in holds:
            captured = hold.captured or 0
            released = 0 if hold.captured is None else hold.amount - captured
            shown = {"hold": hold.amount, "capture": captured, "release": released}
            if {k: v for k, v in shown.items() if v} != lines.pop((job_id, hold.bucket_id), {}):
                yield f"the hold of job {job_id} on bucket {hold.bucket_id} is not what its journal says"
    for orphan, bucket_id in lines:
        yield f"the journal moved credits of job {orphan} in bucket {bucket_id} without a hold"


def _credits(tables: Tables, row: JobRow) -> Iterator[str]:
    job, money = row.job, money_of(tables, row.job.id)
    expected = holdings(row.spec)[job.state]
    drawn = money.held + money.captured + money.released
    fits = {
        Holding.NONE: drawn == 0,
        Holding.HELD: money.held == drawn == job.price,
        Holding.SETTLED: money.held == 0 and drawn == job.price,
        Holding.OVER: money.held == 0 and drawn in (0, job.price),
    }
    if not fits[expected]:
        yield f"job {job.id} is {job.state!r} with credits {expected.value} and the ledger shows {money}"
    if (job.settled or 0) != money.captured:
        yield f"job {job.id} says {job.settled} were captured and the ledger says {money.captured}"
    if (job.settled is None) is (expected in (Holding.SETTLED, Holding.OVER)):
        yield f"job {job.id} is {job.state!r} with settled = {job.settled}"


def _history(tables: Tables, row: JobRow) -> Iterator[str]:
    job, lines = row.job, tables.history[row.job.id]
    if [line.version for line in lines] != list(range(job.version + 1)):
        yield f"the history of job {job.id} does not count to its version {job.version}"
    if lines[-1].to_state != job.state:
        yield f"the history of job {job.id} ends in {lines[-1].to_state!r}, the job is {job.state!r}"
    if lines[0].from_state is not None or lines[0].to_state != row.spec.initial:
        yield f"the history of job {job.id} does not begin in {row.spec.initial!r}"
    edges = {(e.event, e.source, e.dest) for e in row.spec.edges}
    for before, line in pairwise(lines):
        if line.from_state != before.to_state or (line.event, line.from_state, line.to_state) not in edges:
            yield f"step {line.version} of job {job.id} is no edge of its machine"


def _attempts(tables: Tables, row: JobRow) -> Iterator[str]:
    job = row.job
    own = [a for (job_id, _), a in tables.attempts.items() if job_id == job.id]
    if sorted(a.attempt.number for a in own) != list(range(1, job.attempt + 1)):
        yield f"job {job.id} is at attempt {job.attempt} and has {len(own)}"
    for a in own:
        if a.open and a.attempt.number != job.attempt:
            yield f"attempt {a.attempt.number} of job {job.id} is open beside another"
        elif a.open and not row.in_slot and job.finished_at is None:
            yield f"job {job.id} is {job.state!r} and an attempt holds a slot"
        elif a.open and job.finished_at is not None and a.attempt.draining_until is None:
            yield f"attempt {a.attempt.number} of job {job.id} would hold its slot for ever"
        if a.attempt.intent_at and a.attempt.number == job.attempt and not job.submitted:
            yield f"attempt {a.attempt.number} was submitted without an intent of job {job.id}"
        if a.open is (a.attempt.closed_at is not None):
            yield f"attempt {a.attempt.number} of job {job.id} is {a.attempt.phase} with closed_at"
    if row.in_slot and not own:
        yield f"job {job.id} is {job.state!r} without an attempt"


def _times(row: JobRow) -> Iterator[str]:
    job, over = row.job, row.spec.state[row.job.state].terminal
    if over is (job.finished_at is None) or over is (job.deadline_at is not None):
        yield f"job {job.id} is {job.state!r} with a wrong end or deadline"
