"""Attempts, and so slots, in Postgres."""

from collections.abc import Sequence
from uuid import UUID, uuid4

import asyncpg

from makegood.job import FINAL_VERDICTS, Attempt, Evidence, Occupancy, ProviderAccount, Verdict
from makegood_adapters.postgres.rows import storable, to_attempt, to_occupancy
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.transaction import Database


class PostgresAttempts:
    """Implements `makegood.ports.Attempts`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def register(self, account: ProviderAccount) -> None:
        """See `Attempts.register`."""
        await self._run("register", account.name, account.pool, account.capacity, account.draining_seconds)

    async def rest(self, account: str, first_seconds: float, seconds_max: float) -> None:
        """See `Attempts.rest`."""
        await self._run("rest", account, first_seconds, seconds_max)

    async def occupancy(self) -> list[Occupancy]:
        """See `Attempts.occupancy`."""
        return [to_occupancy(r) for r in await self._database.fetch(statement("attempts/occupancy"))]

    async def dispatch(self, pool: str, accounts: Sequence[str], limit: int) -> list[Attempt]:
        """See `Attempts.dispatch`."""

        async def work(connection: asyncpg.Connection) -> list[Attempt]:
            await connection.execute(statement("attempts/lock_accounts"), pool, accounts)
            # a later statement than the lock: it sees what the former holder committed
            free = await connection.fetch(statement("attempts/free_slots"), pool, accounts)
            slots = _spread({row["name"]: row["free"] for row in free}, limit)
            if not slots:
                return []
            jobs = await connection.fetch(statement("attempts/take_waiting"), pool, len(slots))
            if not jobs:
                return []
            ids = [row["job_id"] for row in jobs]
            numbers = [row["attempt"] + 1 for row in jobs]
            opened = await connection.fetch(statement("attempts/open"), ids, numbers, slots[: len(ids)])
            taken = {row["job_id"] for row in opened}
            numbers = [number for job_id, number in zip(ids, numbers, strict=True) if job_id in taken]
            ids = [job_id for job_id in ids if job_id in taken]
            operations = [uuid4() for _ in ids]
            await connection.execute(statement("attempts/dispatch"), ids, operations)
            return await _read(connection, list(zip(ids, numbers, strict=True)))

        return await self._database.transact(work)

    async def claim(self, accounts: Sequence[str], limit: int, lease_seconds: float) -> list[Attempt]:
        """See `Attempts.claim`."""
        return await self._take("claim", accounts, limit, lease_seconds)

    async def give_back(self, attempt: Attempt) -> None:
        """See `Attempts.give_back`."""
        await self._run("give_back", attempt.job_id, attempt.number, attempt.epoch)

    async def intend(self, attempt: Attempt, token_hash: bytes, lease_seconds: float) -> bool:
        """See `Attempts.intend`."""
        key = (attempt.job_id, attempt.number)

        async def work(connection: asyncpg.Connection) -> bool:
            await connection.fetchval(statement("jobs/lock"), attempt.job_id)
            if await connection.fetchval(statement("attempts/intended"), *key, attempt.epoch, token_hash):
                return True
            ours = await connection.fetchval(
                statement("attempts/intend"), *key, attempt.epoch, token_hash, lease_seconds
            )
            if ours is None:
                return False
            noted = await connection.fetchval(statement("attempts/intend_job"), *key)
            if noted is None:
                raise _JobMoved
            return True

        try:
            return await self._database.transact(work)
        except _JobMoved:
            return False

    async def doubt(self, attempt: Attempt, reason: str) -> None:
        """See `Attempts.doubt`; the reason goes to the log of the caller."""
        await self._run("doubt", attempt.job_id, attempt.number)

    async def record(self, evidence: Evidence) -> Attempt:
        """See `Attempts.record`."""

        async def work(connection: asyncpg.Connection) -> Attempt:
            await keep_evidence(connection, evidence)
            return (await _read(connection, [(evidence.job_id, evidence.attempt)]))[0]

        return await self._database.transact(work)

    async def get(self, job_id: UUID, number: int) -> Attempt | None:
        """See `Attempts.get`."""
        rows = await self._database.fetch(statement("attempts/get"), [job_id], [number])
        return to_attempt(rows[0]) if rows else None

    async def due(self, accounts: Sequence[str], limit: int, again_seconds: float) -> list[Attempt]:
        """See `Attempts.due`."""
        await self._run("end_leases")
        return await self._take("due", accounts, limit, again_seconds)

    async def saw_running(self, attempt: Attempt) -> None:
        """See `Attempts.saw_running`."""
        await self._run("saw_running", attempt.job_id, attempt.number)

    async def sent_cancel(self, attempt: Attempt) -> None:
        """See `Attempts.sent_cancel`."""
        await self._run("sent_cancel", attempt.job_id, attempt.number)

    async def cancel_answered(self, attempt: Attempt, *, late: bool = False) -> None:
        """See `Attempts.cancel_answered`."""
        await self._run("cancel_answered", attempt.job_id, attempt.number, late)

    async def to_fetch(self, accounts: Sequence[str], limit: int, again_seconds: float) -> list[Attempt]:
        """See `Attempts.to_fetch`."""
        return await self._take("to_fetch", accounts, limit, again_seconds)

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
            return await _read(connection, [(row["job_id"], row["number"]) for row in rows])

        return await self._database.transact(work)


class _JobMoved(Exception):
    """The job left the state in which it may be submitted; the intent is rolled back."""


async def keep_evidence(connection: asyncpg.Connection, evidence: Evidence) -> None:
    """Keep a fact and bring its attempt up to it, inside the caller's transaction."""
    await connection.fetchval(statement("attempts/lock"), evidence.job_id, evidence.attempt)
    await connection.execute(
        statement("attempts/keep_evidence"),
        evidence.job_id,
        evidence.attempt,
        evidence.verdict.value,
        evidence.source,
        storable(evidence.task_id),
        dict(evidence.detail),
        evidence.verdict in FINAL_VERDICTS,
    )
    await connection.execute(
        statement("attempts/follow_evidence"),
        evidence.job_id,
        evidence.attempt,
        evidence.verdict.value,
        storable(evidence.task_id),
        evidence.verdict in FINAL_VERDICTS,
        [dict(output) for output in evidence.outputs],
    )
    if evidence.verdict is Verdict.ACCEPTED:
        await connection.execute(statement("attempts/rested"), evidence.job_id, evidence.attempt)


async def _read(connection: asyncpg.Connection, keys: Sequence[tuple[UUID, int]]) -> list[Attempt]:
    if not keys:
        return []
    ids, numbers = [key[0] for key in keys], [key[1] for key in keys]
    rows = await connection.fetch(statement("attempts/get"), ids, numbers)
    return [to_attempt(row) for row in rows]


def _spread(free: dict[str, int], limit: int) -> list[str]:
    """Return an account for each of at most *limit* new attempts, the emptiest first."""
    slots: list[str] = []
    while len(slots) < limit:
        name = max(free, key=lambda account: free[account], default=None)
        if name is None or free[name] <= 0:
            break
        free[name] -= 1
        slots.append(name)
    return slots
