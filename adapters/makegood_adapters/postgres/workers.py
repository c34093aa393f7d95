"""The processes that work on the database, each a row that it writes itself."""

from uuid import UUID

import asyncpg

from makegood.ports import Worker
from makegood_adapters.postgres.rows import as_json, to_worker
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.transaction import Database


class PostgresWorkers:
    """Implements `makegood.ports.Workers`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def beat(self, worker: Worker) -> None:
        """See `Workers.beat`."""
        name = worker.name
        await self._run(
            "beat",
            worker.id,
            name.host,
            name.pid,
            name.number,
            name.version,
            worker.state.value,
            list(worker.accounts),
            as_json(worker.health),
        )

    async def leave(self, worker_id: UUID) -> None:
        """See `Workers.leave`."""
        await self._run("leave", worker_id)

    async def forget(self, unseen_seconds: float, limit: int) -> int:
        """See `Workers.forget`."""
        [row] = await self._run("forget", unseen_seconds, limit)
        forgotten: int = row["forgotten"]
        return forgotten

    async def present(self) -> list[Worker]:
        """See `Workers.present`."""
        return [to_worker(row) for row in await self._database.fetch(statement("workers/present"))]

    async def _run(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        async def work(connection: asyncpg.Connection) -> list[asyncpg.Record]:
            return await connection.fetch(statement(f"workers/{name}"), *arguments)

        return await self._database.transact(work)
