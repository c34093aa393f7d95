"""The journal in memory as it is read: each line with its bucket and the transition behind it."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import islice
from uuid import UUID

from makegood.job import JournalLine, Transition
from makegood.machine import Edge, Money
from makegood_adapters.memory.tables import JobRow, Line, Tables


def lines(tables: Tables, owner: str, limit: int, upto: int | None) -> list[JournalLine]:
    """Return at most *limit* lines of the owner's journal, newest first, from line *upto* downwards."""
    wallet = tables.wallets.get(owner)
    written = reversed(wallet.journal) if wallet else iter(())
    wanted = (line for line in written if upto is None or line.seq <= upto)
    return [_told(tables, owner, line) for line in islice(wanted, limit)]


def lines_of(tables: Tables, job_id: UUID) -> list[JournalLine]:
    """Return the lines that the job wrote, in order."""
    row = tables.jobs.get(job_id)
    wallet = tables.wallets.get(row.job.owner) if row else None
    if row is None or wallet is None:
        return []
    return [_told(tables, row.job.owner, line) for line in wallet.journal if line.job_id == job_id]


def feed(tables: Tables, limit: int, below: int | None) -> list[JournalLine]:
    """Return at most *limit* lines of all owners, newest first, from below a place."""
    written = [(line, owner) for owner, wallet in tables.wallets.items() for line in wallet.journal]
    wanted = [(line, owner) for line, owner in written if below is None or line.place < below]
    wanted.sort(key=lambda each: each[0].place, reverse=True)
    return [_placed(tables, owner, line) for line, owner in wanted[:limit]]


def lines_at(tables: Tables, wanted: Collection[tuple[str, int]]) -> list[JournalLine]:
    """Return the lines with these (owner, seq)."""
    known = ((owner, seq, tables.wallets.get(owner)) for owner, seq in wanted)
    return [
        _placed(tables, owner, wallet.journal[seq - 1])
        for owner, seq, wallet in known
        if wallet and 0 < seq <= len(wallet.journal)
    ]


def _placed(tables: Tables, owner: str, line: Line) -> JournalLine:
    return replace(_told(tables, owner, line), place=line.place)


def _told(tables: Tables, owner: str, line: Line) -> JournalLine:
    bucket = tables.wallets[owner].buckets[line.bucket_id]
    holds = line.kind == "hold" or (line.kind == "issue" and bucket.unlimited)
    row = tables.jobs[line.job_id] if line.job_id else None
    cause, edge = next(_causes(tables, row, holds), (None, None)) if row else (None, None)
    ended = row is not None and cause is not None and cause.version == row.job.version
    return JournalLine(
        owner=owner,
        seq=line.seq,
        kind=line.kind,
        amount=line.amount,
        balance=line.balance,
        at=line.at,
        bucket_id=bucket.id,
        bucket_kind=bucket.kind,
        expires_at=bucket.expires_at,
        source_ref=bucket.source_ref,
        unlimited=bucket.unlimited,
        origin_id=tables.wallets[owner].origins.get(bucket.id, bucket.id),
        job_id=line.job_id,
        job_type=row.job.type if row else None,
        cause=cause,
        money=edge.money.value if edge else None,
        category=row.job.error.get("category") if row and row.job.error and ended else None,
    )


def _causes(tables: Tables, row: JobRow, holds: bool) -> Iterator[tuple[Transition, Edge]]:
    """Yield the transitions of the job that hold its credits, or else settle them: each happens once."""
    for step in tables.history[row.job.id]:
        for edge in row.spec.edges:
            took = (edge.event, edge.source, edge.dest) == (step.event, step.from_state, step.to_state)
            if took and edge.money is not Money.NONE and (edge.money is Money.HOLD) is holds:
                yield step, edge
