"""Who brought which file, in Postgres."""

from collections.abc import Collection
from uuid import UUID

import asyncpg

from makegood.errors import FileNameTaken
from makegood.ports import DAY_SECONDS, Upload
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.transaction import Database


class PostgresUploads:
    """Implements `makegood.ports.Uploads`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, upload_id: UUID, owner: str, size: int, day_bytes_max: int) -> float | None:
        """See `Uploads.begin`."""
        [row] = await self._run("begin", upload_id, owner, size, day_bytes_max, DAY_SECONDS)
        again_seconds: float | None = row["again_seconds"]
        return again_seconds

    async def drop(self, upload_id: UUID) -> None:
        """See `Uploads.drop`."""
        await self._run("drop", upload_id)

    async def keep(
        self,
        owner: str,
        key: str,
        kind: str,
        size: int,
        *,
        upload_id: UUID | None = None,
        name: str | None = None,
        replace: bool = False,
    ) -> Upload:
        """See `Uploads.keep`."""

        async def work(connection: asyncpg.Connection) -> Upload:
            [row] = await connection.fetch(statement("uploads/keep"), owner, key, kind, size, upload_id)
            if name is not None and not await connection.fetchval(
                statement("uploads/name"), owner, name, key, replace
            ):
                raise FileNameTaken(name)
            return _to_upload(row)

        return await self._database.transact(work)

    async def known(self, owner: str, keys: Collection[str]) -> list[Upload]:
        """See `Uploads.known`."""
        rows = await self._database.fetch(statement("uploads/known"), owner, list(keys))
        return [_to_upload(row) for row in rows]

    async def named(self, owner: str, name: str) -> Upload | None:
        """See `Uploads.named`."""
        rows = await self._database.fetch(statement("uploads/named"), owner, name)
        return _to_upload(rows[0]) if rows else None

    async def forget(self, older_seconds: float, limit: int) -> int:
        """See `Uploads.forget`."""
        [row] = await self._run("forget", older_seconds, DAY_SECONDS, limit)
        forgotten: int = row["forgotten"]
        return forgotten

    async def _run(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        async def work(connection: asyncpg.Connection) -> list[asyncpg.Record]:
            return await connection.fetch(statement(f"uploads/{name}"), *arguments)

        return await self._database.transact(work)


def _to_upload(row: asyncpg.Record) -> Upload:
    return Upload(
        owner=row["owner_id"],
        key=row["key"],
        kind=row["kind"],
        size=row["size"],
        brought_at=row["brought_at"],
    )
