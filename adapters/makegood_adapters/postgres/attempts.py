"""Attempts, and so slots, in Postgres."""

import random
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from makegood.job import FINAL_VERDICTS, Attempt, Evidence
from makegood_adapters.postgres.accounts import PostgresAccounts, read_attempts
from makegood_adapters.postgres.commit import GroupCommit, Kind, transposed
from makegood_adapters.postgres.rows import as_json, to_attempt, to_evidence
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.transaction import Database

#: How many jobs that may not go now one transaction parks, and how many such transactions one call makes.
LOOKS_MAX = 500
_ROUNDS_MAX = 20

_Intent = tuple[Attempt, bytes, float]


def fact_text(fact: Evidence) -> str:
    """Return a fact as one element of what `makegood.keep_evidence` takes."""
    return as_json(
        {
            "job_id": str(fact.job_id),
            "attempt": fact.attempt,
            "verdict": fact.verdict.value,
            "final": fact.verdict in FINAL_VERDICTS,
            "source": fact.source,
            "task_id": fact.task_id,
            "detail": fact.detail,
            "outputs": fact.outputs,
        }
    )


def facts_text(facts: Sequence[str | None]) -> str | None:
    """Return the facts that are there as one JSON array, None if there are none."""
    told = [fact for fact in facts if fact is not None]
    return f"[{','.join(told)}]" if told else None


def _recorded(facts: Sequence[Evidence], rows: Sequence[asyncpg.Record]) -> list[Attempt | None]:
    found = {(row["job_id"], row["number"]): to_attempt(row) for row in rows}
    return [found.get((fact.job_id, fact.attempt)) for fact in facts]


def _intent_row(intent: _Intent) -> Sequence[object]:
    attempt, token_hash, lease_seconds = intent
    return (attempt.job_id, attempt.number, attempt.epoch, token_hash, lease_seconds)


def _intent_parameters(rows: Sequence[Sequence[object]], *, wait: bool = False) -> list[object]:
    return [*transposed(rows), wait]


def _intended(intents: Sequence[_Intent], rows: Sequence[asyncpg.Record]) -> list[bool | None]:
    found = {row["job_id"] for row in rows}
    return [True if attempt.job_id in found else None for attempt, _, _ in intents]


def _facts_parameters(rows: Sequence[Sequence[Any]]) -> list[object]:
    return [facts_text([fact for (fact,) in rows])]


_RECORD: Kind[Evidence, Attempt] = Kind(
    "record",
    "attempts/keep_evidence",
    lambda fact: (fact.job_id, fact.attempt),
    lambda fact: (fact_text(fact),),
    _recorded,
    _facts_parameters,
)
_INTEND: Kind[_Intent, bool] = Kind(
    "intend",
    "attempts/intend",
    lambda intent: intent[0].job_id,
    _intent_row,
    _intended,
    _intent_parameters,
)


class PostgresAttempts(PostgresAccounts):
    """Implements `makegood.ports.Attempts`."""

    def __init__(self, database: Database, commits: GroupCommit) -> None:
        super().__init__(database)
        self._commits = commits

    async def dispatch(self, pool: str, accounts: Sequence[str], limit: int) -> list[Attempt]:
        """See `Attempts.dispatch`."""
        opened: list[Attempt] = []

        async def work(connection: asyncpg.Connection) -> tuple[list[Attempt], bool]:
            return await _dispatch(connection, pool, accounts, limit - len(opened))

        for _ in range(_ROUNDS_MAX):
            new, more = await self._database.transact(work)
            opened += new
            if not more:
                break
        return opened

    async def claim(self, accounts: Sequence[str], limit: int, lease_seconds: float) -> list[Attempt]:
        """See `Attempts.claim`."""

        async def work(connection: asyncpg.Connection) -> list[Attempt]:
            await connection.execute(statement("attempts/lock_exclusive"), accounts)
            rows = await connection.fetch(statement("attempts/claim"), accounts, limit, lease_seconds)
            return await read_attempts(connection, [(row["job_id"], row["number"]) for row in rows])

        return await self._database.transact(work)

    async def give_back(self, attempt: Attempt) -> None:
        """See `Attempts.give_back`."""
        await self._run("give_back", attempt.job_id, attempt.number, attempt.epoch)

    async def renew(self, attempt: Attempt, lease_seconds: float) -> bool:
        """See `Attempts.renew`."""
        key = (attempt.job_id, attempt.number, attempt.epoch)

        async def work(connection: asyncpg.Connection) -> bool:
            return await connection.fetchval(statement("attempts/renew"), *key, lease_seconds) is not None

        return await self._database.transact(work)

    async def intend(self, attempt: Attempt, token_hash: bytes, lease_seconds: float) -> bool:
        """See `Attempts.intend`."""
        intent = (attempt, token_hash, lease_seconds)
        key = (attempt.job_id, attempt.number, attempt.epoch, token_hash)

        async def work(connection: asyncpg.Connection) -> bool:
            if await connection.fetchval(
                statement("attempts/intend"), *_intent_parameters([_intent_row(intent)], wait=True)
            ):
                return True
            return await connection.fetchval(statement("attempts/intended"), *key) is not None

        async def alone(unknown: bool) -> bool:
            return await self._database.transact(work, unknown=unknown)

        return await self._commits.run(_INTEND, attempt.job_id, intent, alone)

    async def doubt(self, attempt: Attempt, reason: str) -> None:
        """See `Attempts.doubt`; the reason goes to the log of the caller."""
        await self._run("doubt", attempt.job_id, attempt.number, attempt.epoch)

    async def record(self, evidence: Evidence) -> Attempt:
        """See `Attempts.record`."""

        async def work(connection: asyncpg.Connection) -> Attempt:
            rows = await connection.fetch(
                statement("attempts/keep_evidence"), facts_text([fact_text(evidence)])
            )
            return to_attempt(rows[0])

        async def alone(unknown: bool) -> Attempt:
            return await self._database.transact(work, unknown=unknown)

        return await self._commits.run(_RECORD, evidence.job_id, evidence, alone)

    async def get(self, job_id: UUID, number: int) -> Attempt | None:
        """See `Attempts.get`."""
        rows = await self._database.fetch(statement("attempts/get"), [job_id], [number])
        return to_attempt(rows[0]) if rows else None

    async def of(self, job_id: UUID) -> list[Attempt]:
        """See `Attempts.of`."""
        return [to_attempt(row) for row in await self._database.fetch(statement("attempts/of"), job_id)]

    async def evidence(self, job_id: UUID) -> list[Evidence]:
        """See `Attempts.evidence`."""
        return [to_evidence(r) for r in await self._database.fetch(statement("attempts/evidence"), job_id)]

    async def due(
        self,
        accounts: Sequence[str],
        limit: int,
        again_seconds: float,
        again_max_seconds: float = 0.0,
        per_second: float | None = None,
    ) -> list[Attempt]:
        """See `Attempts.due`."""
        await self._run("end_leases")
        return await self._take("due", accounts, limit, again_seconds, again_max_seconds, per_second)

    async def ask_after(self, attempt: Attempt, seconds: float) -> None:
        """See `Attempts.ask_after`."""
        await self._run("ask_after", attempt.job_id, attempt.number, seconds)

    async def saw_running(self, attempt: Attempt) -> None:
        """See `Attempts.saw_running`."""
        await self._run("saw_running", attempt.job_id, attempt.number)

    async def sent_cancel(self, attempt: Attempt) -> bool:
        """See `Attempts.sent_cancel`."""
        return bool(await self._take("sent_cancel", attempt.job_id, attempt.number))

    async def cancel_answered(self, attempt: Attempt, *, late: bool = False) -> None:
        """See `Attempts.cancel_answered`."""
        await self._run("cancel_answered", attempt.job_id, attempt.number, late)

    async def to_fetch(self, accounts: Sequence[str], limit: int, again_seconds: float) -> list[Attempt]:
        """See `Attempts.to_fetch`."""
        return await self._take("to_fetch", accounts, limit, again_seconds)

    async def fetch_after(self, attempt: Attempt, seconds: float) -> None:
        """See `Attempts.fetch_after`."""
        await self._run("fetch_after", attempt.job_id, attempt.number, seconds)

    async def late(self, accounts: Sequence[str], limit: int, again_seconds: float) -> list[Attempt]:
        """See `Attempts.late`."""
        return await self._take("late", accounts, limit, again_seconds)

    async def spent(self, limit: int) -> list[Attempt]:
        """See `Attempts.spent`."""
        return await self._take("spent", limit)

    async def _run(self, name: str, *arguments: object) -> None:
        async def work(connection: asyncpg.Connection) -> None:
            await connection.execute(statement(f"attempts/{name}"), *arguments)

        await self._database.transact(work)

    async def _take(self, name: str, *arguments: object) -> list[Attempt]:
        async def work(connection: asyncpg.Connection) -> list[Attempt]:
            rows = await connection.fetch(statement(f"attempts/{name}"), *arguments)
            return await read_attempts(connection, [(row["job_id"], row["number"]) for row in rows])

        return await self._database.transact(work)


async def _dispatch(
    connection: asyncpg.Connection, pool: str, accounts: Sequence[str], limit: int
) -> tuple[list[Attempt], bool]:
    """Return what was opened, and whether slots are left and there is more of the queue to look at."""
    if not await connection.fetchval(statement("attempts/lock_pool"), pool):
        return [], False
    await connection.execute(statement("attempts/lock_accounts"), pool, accounts)
    # a later statement than the locks: it sees what the former holder committed
    free = await connection.fetch(statement("attempts/free_slots"), pool, accounts)
    slots = _spread({row["name"]: row["free"] for row in free}, limit)
    if not slots:
        return [], bool(await connection.fetch(statement("attempts/outgrow"), pool, accounts))
    [taken] = await connection.fetch(statement("attempts/take_waiting"), pool, len(slots), LOOKS_MAX)
    ids, numbers = taken["jobs"] or [], [number + 1 for number in taken["attempts"] or []]
    more: bool = taken["more"]
    if not ids:
        return [], more
    rows = await connection.fetch(statement("attempts/open"), ids, numbers, slots[: len(ids)])
    new = {row["job_id"] for row in rows}
    opened = [(job_id, number) for job_id, number in zip(ids, numbers, strict=True) if job_id in new]
    await connection.execute(
        statement("attempts/dispatch"), [job_id for job_id, _ in opened], [uuid4() for _ in opened]
    )
    return await read_attempts(connection, opened), more


def _spread(free: dict[str, int], limit: int) -> list[str]:
    """Return an account for each of at most *limit* new attempts, the emptiest first, any of those that are
    equally empty."""
    slots: list[str] = []
    while len(slots) < limit and (most := max(free.values(), default=0)) > 0:
        name = random.choice([account for account, left in free.items() if left == most])
        free[name] -= 1
        slots.append(name)
    return slots
