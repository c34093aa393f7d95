"""The audit of the store in memory: the invariants of `makegood.audit`, computed from its rows."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from uuid import UUID

from makegood.audit import INVARIANTS, OVERDUE, Audit, Totals, Violation
from makegood.job import Attempt, Transition, Verdict
from makegood.machine import Edge, Holding, Money
from makegood.machine.money import holdings
from makegood_adapters.memory.ledger import money_of
from makegood_adapters.memory.tables import AttemptRow, Hold, JobRow, Line, Tables, Wallet


def audit(tables: Tables, owner: str | None, owners_max: int, rows_max: int) -> Audit:
    """See `Store.audit`."""
    found = sorted(_violations(tables), key=lambda v: (list(INVARIANTS).index(v.code), v.subject))
    place: Counter[str] = Counter()
    first = []
    for violation in found:
        place[violation.code] += 1
        if place[violation.code] <= max(rows_max, 1):
            first.append(violation)
    sums = [_totals(name, [wallet]) for name, wallet in sorted(tables.wallets.items()) if wallet.buckets]
    listed = [totals for totals in sums if owner is None or totals.owner == owner]
    return Audit(
        at=tables.now(),
        counts={code: place[code] for code in INVARIANTS},
        violations=tuple(first),
        total=_totals(None, list(tables.wallets.values())),
        owners=len(sums),
        totals=tuple(sorted(listed, key=lambda totals: not totals.difference)[:owners_max]),
    )


def _totals(owner: str | None, wallets: list[Wallet]) -> Totals:
    buckets = [bucket for wallet in wallets for bucket in wallet.buckets.values()]
    return Totals(
        owner=owner,
        issued=sum(b.issued for b in buckets),
        remaining=sum(b.remaining for b in buckets),
        held=sum(b.held for b in buckets),
        captured=sum(b.captured for b in buckets),
        expired=sum(b.expired for b in buckets),
    )


def _violations(tables: Tables) -> Iterator[Violation]:
    for owner, wallet in tables.wallets.items():
        yield from _wallet(owner, wallet)
    yield from _holds(tables)
    for row in tables.jobs.values():
        yield from _credits(tables, row)
        yield from _history(tables, row)
        yield from _evidence(tables, row)
        yield from _attempts(tables, row)
        yield from _times(tables, row)
    for job_id in set(tables.history) - set(tables.jobs):
        owner = tables.history[job_id][0].owner
        yield Violation(code="history_end", subject=str(job_id), owner=owner, job_id=job_id)
    yield from _outbox(tables)
    yield from _stream(tables)
    yield from _slots(tables)
    yield from _twice(tables)


def _wallet(owner: str, wallet: Wallet) -> Iterator[Violation]:
    if [line.seq for line in wallet.journal] != list(range(1, len(wallet.journal) + 1)):
        yield Violation(code="wallet_sequence", subject=owner, owner=owner)
    yield from _balances(owner, wallet)
    lines: dict[int, list[Line]] = defaultdict(list)
    for line in wallet.journal:
        lines[line.bucket_id].append(line)
    for bucket_id in sorted({*wallet.buckets, *lines}):
        bucket = wallet.buckets.get(bucket_id)
        columns = bucket and (bucket.issued, bucket.remaining, bucket.held, bucket.captured, bucket.expired)
        if columns is None or columns != _replayed(lines[bucket_id]) or min(columns) < 0:
            yield Violation(code="bucket_sums", subject=str(bucket_id), owner=owner)
        if bucket and bucket.owner != owner:
            yield Violation(code="owner_crossed", subject=f"{owner} bucket {bucket_id}", owner=owner)
    if _totals(owner, [wallet]).difference:
        yield Violation(code="owner_totals", subject=owner, owner=owner)


def _replayed(lines: list[Line]) -> tuple[int, int, int, int, int]:
    """Compute issued, remaining, held, captured and expired from nothing."""

    def total(kind: str) -> int:
        return sum(line.amount for line in lines if line.kind == kind)

    held = total("hold") - total("capture") - total("release")
    gone = total("expire") + total("withdraw") + total("repay")
    remaining = total("issue") - total("hold") + total("release") - gone
    return total("issue"), remaining, held, total("capture"), gone


def _balances(owner: str, wallet: Wallet) -> Iterator[Violation]:
    """Replay what the wallet has left, and owes, after each line."""
    balance = debt = 0
    for line in wallet.journal:
        match line.kind:
            case "issue" | "release":
                balance += line.amount
            case "debt":
                debt += line.amount
            case "capture":
                pass
            case _:
                balance -= line.amount
                debt -= line.amount if line.kind == "repay" else 0
        if line.balance != balance:
            yield Violation(
                code="journal_balance", subject=f"{owner} line {line.seq}", owner=owner, job_id=line.job_id
            )
    if (wallet.balance, wallet.debt) != (balance, debt):
        yield Violation(code="wallet_sums", subject=owner, owner=owner)


_Held = tuple[UUID | None, int]


def _holds(tables: Tables) -> Iterator[Violation]:
    """Compare the holds of all jobs with the lines that made and settled them."""
    moved: dict[_Held, Counter[str]] = defaultdict(Counter)
    payers: dict[_Held, str] = {}
    for owner, wallet in tables.wallets.items():
        for line in wallet.journal:
            if line.kind in ("hold", "capture", "release"):
                moved[line.job_id, line.bucket_id][line.kind] += line.amount
                payers[line.job_id, line.bucket_id] = owner
    for job_id, holds in tables.holds.items():
        row = tables.jobs.get(job_id)
        payer = row.job.owner if row else None
        for bucket_id in dict.fromkeys(hold.bucket_id for hold in holds):
            subject = f"{job_id} / {bucket_id}"
            shown = _shown([hold for hold in holds if hold.bucket_id == bucket_id])
            if shown != moved.pop((job_id, bucket_id), Counter()):
                yield Violation(code="hold_sums", subject=subject, owner=payer, job_id=job_id)
            if payer and bucket_id not in tables.wallets.get(payer, Wallet()).buckets:
                yield Violation(code="owner_crossed", subject=subject, owner=payer, job_id=job_id)
    for stray in moved:
        subject = f"{stray[0]} / {stray[1]}"
        yield Violation(code="journal_hold", subject=subject, owner=payers[stray], job_id=stray[0])


def _shown(holds: list[Hold]) -> Counter[str]:
    """Return by kind what the journal must say about these holds."""
    settled = [hold for hold in holds if hold.captured is not None]
    captured = sum(hold.captured or 0 for hold in settled)
    released = sum(hold.amount for hold in settled) - captured
    return Counter(hold=sum(hold.amount for hold in holds), capture=captured, release=released)


def _of(row: JobRow, code: str, more: object = "") -> Violation:
    """Return a violation that a job is the subject of."""
    subject = f"{row.job.id} {more}".rstrip()
    return Violation(code=code, subject=subject, owner=row.job.owner, job_id=row.job.id)


def _credits(tables: Tables, row: JobRow) -> Iterator[Violation]:
    job, money = row.job, money_of(tables, row.job.id)
    expected = holdings(row.spec)[job.state]
    drawn = money.held + money.captured + money.released + money.unused
    fits = {
        Holding.NONE: drawn == 0,
        Holding.HELD: money.held == drawn == job.price,
        Holding.SETTLED: money.held == 0 and drawn in (0, job.price),
        Holding.OVER: money.held == 0 and drawn in (0, job.price),
    }
    settled = expected in (Holding.SETTLED, Holding.OVER)
    if not fits[expected] or (job.settled or 0) != money.captured or settled is (job.settled is None):
        yield _of(row, "job_credits", job.state)
    if job.state == "failed" and money.held + money.captured:
        yield _of(row, "failed_refund")


def _history(tables: Tables, row: JobRow) -> Iterator[Violation]:
    job, lines = row.job, tables.history.get(row.job.id, [])
    counted = [line.version for line in lines] == list(range(job.version + 1))
    if not counted or lines[-1].to_state != job.state:
        yield _of(row, "history_end")
    if lines and lines[0].from_state is not None:
        yield _of(row, "history_chain", lines[0].version)
    for before, line in pairwise(lines):
        if line.from_state != before.to_state:
            yield _of(row, "history_chain", line.version)
    for line in lines:
        first = line.version == 0
        if line.to_state != row.spec.initial if first else _edge(row, line) is None:
            yield _of(row, "history_edge", line.version)


def _edge(row: JobRow, line: Transition) -> Edge | None:
    taken = (line.event, line.from_state, line.to_state)
    return next((e for e in row.spec.edges if (e.event, e.source, e.dest) == taken), None)


def _evidence(tables: Tables, row: JobRow) -> Iterator[Violation]:
    """Ask again of what is kept what was asked before each step."""
    for line in tables.history.get(row.job.id, []):
        edge = _edge(row, line)
        rule = row.spec.evidence(edge) if edge else None
        if edge is None or rule is None or row.spec.opens_attempt(edge):
            continue
        attempt = tables.attempts.get((row.job.id, line.attempt))
        sent = attempt.attempt.intent_at if attempt else None
        if not rule.always and (sent is None or sent > line.at):
            continue
        known = set(attempt.evidence) if attempt else set()
        if edge.money is Money.POLICY and row.job.cancel_requested_at is None:
            known.discard(Verdict.CANCELLED)
        if not known & rule.verdicts:
            yield _of(row, "history_evidence", line.version)


def _attempts(tables: Tables, row: JobRow) -> Iterator[Violation]:
    job = row.job
    own = [a for (job_id, _), a in tables.attempts.items() if job_id == job.id]
    if sorted(a.attempt.number for a in own) != list(range(1, job.attempt + 1)):
        yield _of(row, "attempt_numbers")
    for a in own:
        yield from (_of(row, code, a.attempt.number) for code in _attempt(row, a, a.attempt))


def _attempt(row: JobRow, a: AttemptRow, attempt: Attempt) -> Iterator[str]:
    """Yield the code of each invariant that one attempt breaks."""
    job, current = row.job, attempt.number == row.job.attempt
    if a.open is (attempt.closed_at is not None):
        yield "attempt_phase"
    elif a.open and (not current or (not row.in_slot and job.finished_at is None)):
        yield "attempt_open"
    if a.open and job.finished_at is not None and attempt.draining_until is None:
        yield "attempt_draining"
    if current and (attempt.intent_at is not None) is not job.submitted:
        yield "attempt_intent"


def _times(tables: Tables, row: JobRow) -> Iterator[Violation]:
    job, over = row.job, row.spec.state[row.job.state].terminal
    if over is (job.finished_at is None) or over is (job.deadline_at is not None):
        yield _of(row, "job_times", job.state)
    if job.finished_at is None and tables.passed(job.deadline_at, OVERDUE.total_seconds()):
        yield _of(row, "job_overdue", job.state)


def _outbox(tables: Tables) -> Iterator[Violation]:
    announced = Counter((r.transition.job_id, r.transition.version) for r in tables.outbox)
    made = {(line.job_id, line.version): line for lines in tables.history.values() for line in lines}
    for job_id, version in {*announced, *made}:
        if announced[job_id, version] != 1 or (job_id, version) not in made:
            line, subject = made.get((job_id, version)), f"{job_id} {version}"
            owner = line.owner if line else None
            yield Violation(code="outbox_rows", subject=subject, owner=owner, job_id=job_id)


def _stream(tables: Tables) -> Iterator[Violation]:
    announced = {(r.transition.job_id, r.transition.version): r.id for r in tables.outbox}
    first = dict.fromkeys(announced, 0)
    reached: dict[UUID, int] = {}
    for step in tables.placed:
        key, subject = (step.job_id, step.version), f"{step.job_id} {step.version}"
        if key not in first or step.version != reached.get(step.job_id, -1) + 1:
            yield Violation(code="stream_places", subject=subject, owner=step.owner, job_id=step.job_id)
        reached[step.job_id] = step.version
        first.pop(key, None)
    for job_id, version in first:
        if announced[job_id, version] <= len(tables.placed):
            yield Violation(code="stream_places", subject=f"{job_id} {version}", job_id=job_id)


def _slots(tables: Tables) -> Iterator[Violation]:
    for name, row in tables.accounts.items():
        used = tables.open_at(name)
        opened_since = any((a.attempt.job_id, a.attempt.number) not in row.kept for a in used)
        if len(used) > row.capacity and opened_since:
            yield Violation(code="account_slots", subject=name)


def _twice(tables: Tables) -> Iterator[Violation]:
    tasks = Counter(
        (a.attempt.account, a.attempt.task_id) for a in tables.attempts.values() if a.attempt.task_id
    )
    for (account, task_id), n in tasks.items():
        if n > 1:
            yield Violation(code="task_once", subject=f"{account} {task_id}")
    keys = Counter((row.job.owner, row.job.key) for row in tables.jobs.values() if row.job.key is not None)
    for (owner, key), n in keys.items():
        if n > 1:
            yield Violation(code="job_key", subject=f"{owner} {key}", owner=owner)
