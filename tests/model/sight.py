"""What the database shows after a step: rows as they are, read past the product's own code."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from tests.model.lives import Fact, Step

_STEPS = """
select o.outbox_id, h.job_id, h.version, h.event, h.from_state, h.to_state, h.actor, h.attempt
from makegood.history h join makegood.outbox o using (job_id, version)
where o.outbox_id > $1 order by o.outbox_id
"""
_LINES = """
select journal_id, owner_id, seq, kind, bucket_id, job_id, amount, actor
from makegood.journal where journal_id > $1 order by journal_id
"""
_FACTS = """
select evidence_id, job_id, attempt, verdict, source, task_id
from makegood.evidence where evidence_id > $1 order by evidence_id
"""
_JOBS = """
select job_id, state, version, attempt, settled, cancel_requested_at from makegood.job
"""
_ATTEMPTS = "select job_id, number, phase, intent_at, token_hash, task_id, closed_at from makegood.attempt"
_BUCKETS = """
select bucket_id, owner_id, kind, priority, expires_at, source_ref,
       issued, remaining, held, captured, expired, plan, unlimited, charged_back_at
from makegood.bucket
"""
_WALLETS = "select owner_id, balance, debt from makegood.wallet"
_HOLDS = "select job_id, bucket_id, amount, captured, released from makegood.hold"
_BROKEN = "select invariant, subject from makegood.violation"


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the journal."""

    owner: str
    number: int
    kind: str
    bucket: int
    job_id: UUID | None
    amount: int
    actor: str


@dataclass(slots=True)
class Sight:
    """What has come since the last look (steps, lines, facts), and everything else as it is now."""

    steps: list[Step]
    lines: list[Line]
    facts: list[Fact]
    jobs: list[asyncpg.Record]
    attempts: list[asyncpg.Record]
    wallets: list[asyncpg.Record]
    buckets: list[asyncpg.Record]
    holds: list[asyncpg.Record]
    broken: list[str]


class Looker:
    """Looks at the database after each step."""

    def __init__(self, sql: asyncpg.Connection) -> None:
        self._sql = sql
        self._seen: dict[str, int] = {}

    async def look(self) -> Sight:
        """Return what is there."""
        steps = await self._new(_STEPS)
        lines = await self._new(_LINES)
        facts = await self._new(_FACTS)
        return Sight(
            [Step(*row) for row in steps if row[3] is not None],
            [Line(*row) for row in lines],
            [Fact(*row) for row in facts],
            await self._sql.fetch(_JOBS),
            await self._sql.fetch(_ATTEMPTS),
            await self._sql.fetch(_WALLETS),
            await self._sql.fetch(_BUCKETS),
            await self._sql.fetch(_HOLDS),
            [f"{row['invariant']}: {row['subject']}" for row in await self._sql.fetch(_BROKEN)],
        )

    async def _new(self, query: str) -> list[tuple[Any, ...]]:
        rows = await self._sql.fetch(query, self._seen.get(query, 0))
        if rows:
            self._seen[query] = rows[-1][0]
        return [tuple(row)[1:] for row in rows]
