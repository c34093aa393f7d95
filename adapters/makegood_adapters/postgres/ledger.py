"""Wallets in Postgres; jobs move their credits through transitions alone."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import asyncpg

from makegood.buckets import check_amount, check_bucket, check_cycle, check_texts
from makegood.errors import InvalidRequest
from makegood.job import JournalLine, Wallet
from makegood_adapters.postgres.refusal import DatabaseRefusal
from makegood_adapters.postgres.rows import to_bucket, to_line
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.transaction import Database


class PostgresLedger:
    """Implements `makegood.ports.Ledger`."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
        """See `Ledger.grant`."""
        check_amount(amount)
        check_bucket(owner, kind, source_ref, priority, expires_at)
        return await self._do("ledger/grant", owner, kind, amount, source_ref, priority, expires_at, "grant")

    async def grant_unlimited(
        self, owner: str, *, kind: str, source_ref: str, priority: int, expires_at: datetime | None = None
    ) -> bool:
        """See `Ledger.grant_unlimited`."""
        check_bucket(owner, kind, source_ref, priority, expires_at)
        return await self._do(
            "ledger/grant_unlimited", owner, kind, source_ref, priority, expires_at, "grant"
        )

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
        """See `Ledger.start_cycle`."""
        check_amount(amount)
        check_cycle(owner, plan, cycle, kind, priority, ends_at)
        return await self._do(
            "ledger/start_cycle",
            owner,
            plan,
            cycle,
            kind,
            amount,
            priority,
            ends_at,
            rolls_over,
            "cycle",
        )

    async def charge_back(self, owner: str, source_ref: str) -> bool:
        """See `Ledger.charge_back`."""
        check_texts(owner=owner, source_ref=source_ref)
        return await self._do("ledger/charge_back", owner, source_ref, "charge_back")

    async def wallet(self, owner: str) -> Wallet:
        """See `Ledger.wallet`."""
        rows = await self._database.fetch(statement("ledger/buckets"), owner)
        return Wallet(
            owner=owner,
            available=sum(row["remaining"] for row in rows if row["spendable"]),
            held=sum(row["held"] for row in rows),
            buckets=tuple(to_bucket(row) for row in rows),
            debt=rows[0]["debt"] if rows else 0,
            unlimited=any(row["unlimited"] and row["spendable"] for row in rows),
        )

    async def lines(self, owner: str, limit: int, upto: int | None = None) -> list[JournalLine]:
        """See `Ledger.lines`."""
        rows = await self._database.fetch(statement("ledger/lines"), owner, limit, upto)
        return [to_line(row) for row in rows]

    async def lines_of(self, job_id: UUID) -> list[JournalLine]:
        """See `Ledger.lines_of`."""
        return [to_line(row) for row in await self._database.fetch(statement("ledger/lines_of"), job_id)]

    async def feed(self, limit: int, below: int | None = None) -> list[JournalLine]:
        """See `Ledger.feed`."""
        return [to_line(row) for row in await self._database.fetch(statement("ledger/feed"), limit, below)]

    async def lines_at(self, wanted: Collection[tuple[str, int]]) -> list[JournalLine]:
        """See `Ledger.lines_at`."""
        owners, seqs = [owner for owner, _ in wanted], [seq for _, seq in wanted]
        return [
            to_line(row) for row in await self._database.fetch(statement("ledger/lines_at"), owners, seqs)
        ]

    async def expire(self, limit: int) -> int:
        """See `Ledger.expire`."""

        async def work(connection: asyncpg.Connection) -> int:
            return int(await connection.fetchval(statement("ledger/expire"), limit))

        return await self._database.transact(work)

    async def _do(self, name: str, *arguments: object) -> bool:
        """Call a function of the ledger and return whether it did something."""

        async def work(connection: asyncpg.Connection) -> bool:
            return bool(await connection.fetchval(statement(name), *arguments))

        try:
            return await self._database.transact(work)
        except DatabaseRefusal as refused:
            if refused.sqlstate != "MG006":
                raise
            told = str(refused)
            raise InvalidRequest(f"{told[:1].upper()}{told[1:]}. Nothing was changed.") from refused
