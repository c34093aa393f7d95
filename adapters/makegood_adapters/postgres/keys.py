"""Service keys in Postgres, each a row with the hash of its secret."""

from datetime import datetime

import asyncpg

from makegood.keyring import expired
from makegood.ports import ServiceKey
from makegood_adapters.postgres.rows import to_service_key
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.transaction import Database


class PostgresKeys:
    """Implements `makegood.ports.Keys`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self,
        key_id: str,
        secret_hash: bytes,
        *,
        name: str,
        scopes: tuple[str, ...],
        actor: str,
        expires_at: datetime | None,
    ) -> ServiceKey | None:
        """See `Keys.add`."""

        async def work(connection: asyncpg.Connection) -> ServiceKey | None:
            row = await connection.fetchrow(statement("keys/made"), key_id, secret_hash)
            if (
                row is None
                and expires_at is not None
                and expires_at <= await connection.fetchval(statement("now"))
            ):
                raise expired(expires_at)
            row = row or await connection.fetchrow(
                statement("keys/add"), key_id, secret_hash, name, list(scopes), actor, expires_at
            )
            return to_service_key(row) if row else None

        return await self._database.transact(work)

    async def find(self, secret_hash: bytes) -> ServiceKey | None:
        """See `Keys.find`."""
        return await self._one("find", secret_hash)

    async def all(self) -> list[ServiceKey]:
        """See `Keys.all`."""
        return [to_service_key(row) for row in await self._database.fetch(statement("keys/all"))]

    async def rotate(self, key_id: str, secret_hash: bytes, *, grace_seconds: float) -> ServiceKey | None:
        """See `Keys.rotate`."""
        return await self._one("rotate", key_id, secret_hash, grace_seconds)

    async def revoke(self, key_id: str, *, actor: str) -> ServiceKey | None:
        """See `Keys.revoke`."""
        return await self._one("revoke", key_id, actor)

    async def _one(self, name: str, *arguments: object) -> ServiceKey | None:
        async def work(connection: asyncpg.Connection) -> ServiceKey | None:
            row = await connection.fetchrow(statement(f"keys/{name}"), *arguments)
            return to_service_key(row) if row else None

        return await self._database.transact(work)
