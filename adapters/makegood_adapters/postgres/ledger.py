"""Wallets in Postgres; jobs move their credits through transitions alone."""

from datetime import datetime

import asyncpg

from makegood.intake import check_grant
from makegood.job import Wallet
from makegood_adapters.postgres.rows import to_bucket
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
        check_grant(amount, source_ref)

        async def work(connection: asyncpg.Connection) -> bool:
            return bool(
                await connection.fetchval(
                    statement("ledger/grant"),
                    owner,
                    kind,
                    amount,
                    source_ref,
                    priority,
                    expires_at,
                    "grant",
                )
            )

        return await self._database.transact(work)

    async def wallet(self, owner: str) -> Wallet:
        """See `Ledger.wallet`."""
        rows = await self._database.fetch(statement("ledger/buckets"), owner)
        return Wallet(
            owner=owner,
            available=sum(row["remaining"] for row in rows if row["spendable"]),
            held=sum(row["held"] for row in rows),
            buckets=tuple(to_bucket(row) for row in rows),
        )

    async def expire(self, limit: int) -> int:
        """See `Ledger.expire`."""

        async def work(connection: asyncpg.Connection) -> int:
            return int(await connection.fetchval(statement("ledger/expire"), limit))

        return await self._database.transact(work)
