"""Acts of operators in Postgres, each a row that is never changed."""

import asyncpg

from makegood.ports import Act, NewAct
from makegood_adapters.postgres.rows import storable
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.transaction import Database


class PostgresActs:
    """Implements `makegood.ports.Acts`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, act: NewAct) -> None:
        """See `Acts.keep`."""
        values = (act.key, act.by, act.act, act.subject, act.reason, act.outcome)

        async def work(connection: asyncpg.Connection) -> None:
            await connection.execute(statement("acts/keep"), *map(storable, values))

        await self._database.transact(work)

    async def page(self, limit: int, below: int | None = None) -> list[Act]:
        """See `Acts.page`."""
        rows = await self._database.fetch(statement("acts/page"), limit, below)
        return [
            Act(
                id=row["act_id"],
                at=row["at"],
                key=row["key"],
                by=row["signed_by"],
                act=row["act"],
                subject=row["subject"],
                reason=row["reason"],
                outcome=row["outcome"],
            )
            for row in rows
        ]
