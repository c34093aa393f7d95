"""The stream of all history in Postgres: places are given after the commit, by one process at a time."""

from collections.abc import Collection, Mapping
from uuid import UUID

import asyncpg

from makegood.job import Ending, Transition
from makegood_adapters.postgres.rows import to_ending, to_transition
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.transaction import Database


class PostgresStream:
    """Implements `makegood.ports.Stream`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def place(self, limit: int) -> Mapping[str, int]:
        """See `Stream.place`."""

        async def work(connection: asyncpg.Connection) -> dict[str, int]:
            rows = await connection.fetch(statement("stream/place"), limit)
            return {row["owner"]: row["steps"] for row in rows}

        return await self._database.transact(work)

    async def read(self, after: int, limit: int, owner: str | None = None) -> list[Transition]:
        """See `Stream.read`."""
        if owner is None:
            rows = await self._database.fetch(statement("stream/read"), after, limit)
        else:
            rows = await self._database.fetch(statement("stream/read_owner"), after, limit, owner)
        return [to_transition(row, row["place"]) for row in rows]

    async def endings(self, job_ids: Collection[UUID]) -> Mapping[UUID, Ending]:
        """See `Stream.endings`."""
        if not job_ids:
            return {}
        rows = await self._database.fetch(statement("stream/endings"), list(job_ids))
        return {row["job_id"]: to_ending(row) for row in rows}

    async def last(self) -> int:
        """See `Stream.last`."""
        rows = await self._database.fetch(statement("stream/last"))
        return int(rows[0]["place"])
