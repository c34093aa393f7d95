"""Hints in memory: each kept once, those about a task that nobody knows parked until somebody has it."""

from hashlib import sha256
from uuid import UUID

from makegood.job import Attempt
from makegood.ports import (
    HINTS_MAX,
    PARKED_MAX,
    PARKED_OF_SOURCE_MAX,
    PARKED_SECONDS,
    REPORTS_MAX,
    Receipt,
    StoredHint,
    Swept,
)
from makegood_adapters.memory.tables import HintRow, ParkedHint, Tables


def keep(tables: Tables, about: tuple[UUID, int], source: str, body: str, task_id: str | None) -> bool:
    """Keep a hint about an attempt; return whether it is new."""
    digest = sha256(body.encode("utf-8", "surrogatepass")).digest()
    same = (*about, source, digest)
    if any((r.hint.job_id, r.hint.attempt, r.hint.source, r.digest) == same for r in tables.hints):
        return False
    hint = StoredHint(
        id=len(tables.hints) + 1,
        job_id=about[0],
        attempt=about[1],
        source=source,
        task_id=task_id,
        received_at=tables.now(),
    )
    tables.hints.append(HintRow(hint, digest, body))
    return True


def room(tables: Tables, about: tuple[UUID, int], source: str) -> bool:
    """Return whether another hint of *source* about the attempt may be kept."""
    kept = [r.hint.source for r in tables.hints if (r.hint.job_id, r.hint.attempt) == about]
    return kept.count(source) < REPORTS_MAX and len(kept) - kept.count("webhook") < HINTS_MAX


def report(tables: Tables, about: tuple[UUID, int], source: str, body: str) -> None:
    """Keep what is reported about an attempt, of many the first REPORTS_MAX, and make it due."""
    kept = [r for r in tables.hints if (r.hint.job_id, r.hint.attempt, r.hint.source) == (*about, source)]
    if len(kept) < REPORTS_MAX and keep(tables, about, source, body, None):
        tables.hasten(about[0])


def hear(tables: Tables, task_id: str, source: str, body: str) -> Receipt:
    """See `Hints.hear`."""
    known = [row for row in tables.attempts.values() if row.attempt.task_id == task_id]
    for row in known:
        about = (row.attempt.job_id, row.attempt.number)
        if room(tables, about, source) and keep(tables, about, source, body, task_id):
            row.next_ask_at = tables.hinted_at()
    if known:
        return Receipt.KNOWN
    for parked in tables.parked:
        if (parked.task_id, parked.source, parked.body) == (task_id, source, body):
            parked.copies += 1
            return Receipt.PARKED
    theirs = sum(parked.source == source for parked in tables.parked)
    if theirs >= PARKED_OF_SOURCE_MAX or len(tables.parked) >= PARKED_MAX:
        return Receipt.FULL
    tables.parked.append(ParkedHint(task_id, source, body, tables.now()))
    return Receipt.PARKED


def adopt(tables: Tables, attempt: Attempt) -> None:
    """Make what was parked about the attempt's task hints on it."""
    mine = [parked for parked in tables.parked if parked.task_id == attempt.task_id]
    for parked in mine:
        about = (attempt.job_id, attempt.number)
        if room(tables, about, parked.source) and keep(
            tables, about, parked.source, parked.body, parked.task_id
        ):
            tables.attempts[about].next_ask_at = tables.hinted_at()
    if mine:
        tables.parked[:] = [parked for parked in tables.parked if parked not in mine]


def sweep(tables: Tables, limit: int) -> Swept:
    """See `Hints.sweep`; here a task never becomes known in the middle of anything."""
    old = [parked for parked in tables.parked if tables.passed(parked.received_at, PARKED_SECONDS)][:limit]
    tables.parked[:] = [parked for parked in tables.parked if parked not in old]
    return Swept(expired=len(old))
