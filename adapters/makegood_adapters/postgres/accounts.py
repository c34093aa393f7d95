"""Provider accounts in Postgres: one row each, which all workers see."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from makegood.job import Attempt, Occupancy, ProviderAccount
from makegood.outcome import Capacity
from makegood.ports import FOREIGN_SECONDS, GROW_SECONDS, Reading
from makegood_adapters.postgres.rows import to_attempt, to_occupancy
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.transaction import Database


class PostgresAccounts:
    """Implements `makegood.ports.Accounts`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def register(self, account: ProviderAccount, grow_seconds: float = GROW_SECONDS) -> None:
        """See `Accounts.register`."""
        configured = (account.capacity, account.draining_seconds, account.exclusive)
        await self._fetch("register", account.name, account.pool, *configured, grow_seconds)

    async def rest(
        self, account: str, first_seconds: float, seconds_max: float, *, refused: bool = False
    ) -> int:
        """See `Accounts.rest`."""
        [row] = await self._fetch("rest", account, first_seconds, seconds_max, refused)
        refusals: int = row["refusals"]
        return refusals

    async def shrink(self, attempt: Attempt) -> None:
        """See `Accounts.shrink`."""
        await self._fetch("shrink", attempt.account, attempt.job_id, attempt.number)

    async def unfit(self, account: str, problem: str, first_seconds: float, seconds_max: float) -> bool:
        """See `Accounts.unfit`."""
        [row] = await self._fetch("unfit", account, problem, first_seconds, seconds_max)
        return row["another"] is True

    async def to_survey(self, accounts: Sequence[str], again_seconds: float) -> list[str]:
        """See `Accounts.to_survey`."""
        return [row["name"] for row in await self._fetch("to_survey", accounts, again_seconds)]

    async def served_pools(self) -> set[str]:
        """See `Accounts.served_pools`."""
        return {row["pool"] for row in await self._database.fetch(statement("accounts/served_pools"))}

    async def mark(self, account: str) -> str | None:
        """See `Accounts.mark`."""
        [row] = await self._fetch("mark", account)
        mark: str | None = row["mark"]
        return mark

    async def surveyed(
        self,
        account: str,
        told: Capacity,
        *,
        mark: str | None = None,
        valid_seconds: float = FOREIGN_SECONDS,
    ) -> None:
        """See `Accounts.surveyed`."""
        await self._fetch("surveyed", account, told.limit, told.in_use, mark, valid_seconds)

    async def ask_all(self, account: str, after_seconds: float) -> int:
        """See `Accounts.ask_all`."""
        return len(await self._fetch("ask_all", account, after_seconds))

    async def unanswered(self, account: str, error: str) -> None:
        """See `Accounts.unanswered`."""
        await self._fetch("unanswered", account, error)

    async def begin_reading(self, account: str) -> Reading | None:
        """See `Accounts.begin_reading`."""

        async def work(connection: asyncpg.Connection) -> Reading | None:
            row = await connection.fetchrow(statement("accounts/begin_reading"), account)
            if row is None:
                return None
            tasks = await read_attempts(connection, list(zip(row["jobs"], row["numbers"], strict=True)))
            return Reading(account=account, began_at=row["began_at"], tasks=tuple(tasks))

        return await self._database.transact(work)

    async def end_reading(
        self, reading: Reading, in_use: int, *, gap_seconds: float, settle_seconds: float
    ) -> list[Attempt]:
        """See `Accounts.end_reading`."""
        jobs, numbers = [task.job_id for task in reading.tasks], [task.number for task in reading.tasks]
        clean = in_use == len(reading.tasks)
        count = (reading.account, reading.began_at, jobs, numbers, clean, gap_seconds, settle_seconds)

        async def work(connection: asyncpg.Connection) -> list[Attempt]:
            await connection.execute(statement("accounts/end_reading"), *count)
            rows = await connection.fetch(statement("accounts/proved"), reading.account)
            return await read_attempts(connection, [(row["job_id"], row["number"]) for row in rows])

        return await self._database.transact(work)

    async def occupancy(self) -> list[Occupancy]:
        """See `Accounts.occupancy`."""
        return [to_occupancy(row) for row in await self._database.fetch(statement("accounts/occupancy"))]

    async def _fetch(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        async def work(connection: asyncpg.Connection) -> list[asyncpg.Record]:
            return list(await connection.fetch(statement(f"accounts/{name}"), *arguments))

        return await self._database.transact(work)


async def read_attempts(connection: asyncpg.Connection, keys: Sequence[tuple[UUID, int]]) -> list[Attempt]:
    """Return the attempts of these keys, oldest first."""
    if not keys:
        return []
    ids, numbers = [key[0] for key in keys], [key[1] for key in keys]
    rows = await connection.fetch(statement("attempts/get"), ids, numbers)
    return [to_attempt(row) for row in rows]
