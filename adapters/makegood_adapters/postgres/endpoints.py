"""Endpoints and what is on its way to them, in Postgres."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from makegood.ports import (
    ENDPOINTS_MAX,
    ENDPOINTS_OF_OWNER_MAX,
    TRIES_KEPT,
    Delivery,
    Endpoint,
    FannedOut,
    Parcel,
    Posted,
    Try,
)
from makegood_adapters.postgres.endpoint_rows import secrets_of, to_delivery, to_endpoint, to_parcel, to_try
from makegood_adapters.postgres.rows import storable
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.transaction import Database

#: Beyond every place of the stream.
_LAST = 2**63 - 1


class _Table:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def _run(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        async def work(connection: asyncpg.Connection) -> list[asyncpg.Record]:
            return await connection.fetch(statement(name), *arguments)

        return await self._database.transact(work)

    async def _endpoint(self, endpoint_id: UUID) -> Endpoint | None:
        rows = await self._database.fetch(statement("endpoints/get"), endpoint_id)
        return to_endpoint(rows[0]) if rows else None


class PostgresEndpoints(_Table):
    """Implements `makegood.ports.Endpoints`."""

    async def add(self, endpoint: Endpoint, secret: str) -> Endpoint | None:
        """See `Endpoints.add`."""
        await self._run(
            "endpoints/add",
            endpoint.id,
            endpoint.owner,
            endpoint.url,
            list(endpoint.states),
            list(endpoint.types),
            endpoint.description,
            secret,
            ENDPOINTS_MAX,
            ENDPOINTS_OF_OWNER_MAX,
        )
        return await self.get(endpoint.id)

    async def get(self, endpoint_id: UUID) -> Endpoint | None:
        """See `Endpoints.get`."""
        return await self._endpoint(endpoint_id)

    async def page(self, after: UUID | None, limit: int, owner: str | None = None) -> list[Endpoint]:
        """See `Endpoints.page`."""
        rows = await self._database.fetch(statement("endpoints/page"), after, owner, limit)
        return [to_endpoint(row) for row in rows]

    async def change(self, endpoint: Endpoint) -> Endpoint | None:
        """See `Endpoints.change`."""
        await self._run(
            "endpoints/change",
            endpoint.id,
            endpoint.url,
            list(endpoint.states),
            list(endpoint.types),
            endpoint.description,
        )
        return await self.get(endpoint.id)

    async def enable(self, endpoint_id: UUID) -> Endpoint | None:
        """See `Endpoints.enable`."""
        await self._run("endpoints/enable", endpoint_id)
        return await self.get(endpoint_id)

    async def disable(
        self, endpoint_id: UUID, why: str, *, failing_since: datetime | None = None
    ) -> Endpoint | None:
        """See `Endpoints.disable`."""
        [row] = await self._run("endpoints/disable", endpoint_id, why, failing_since)
        return await self.get(endpoint_id) if row["done"] else None

    async def secrets(self, endpoint_id: UUID) -> tuple[str, ...]:
        """See `Endpoints.secrets`."""
        rows = await self._database.fetch(statement("endpoints/secrets"), endpoint_id)
        return secrets_of(rows[0]) if rows else ()

    async def rotate(self, endpoint_id: UUID, secret: str, keep_seconds: float) -> bool:
        """See `Endpoints.rotate`."""
        return bool(await self._run("endpoints/rotate", endpoint_id, secret, keep_seconds))

    async def remove(self, endpoint_id: UUID) -> bool:
        """See `Endpoints.remove`."""
        [row] = await self._run("endpoints/remove", endpoint_id)
        return bool(row["done"])


class PostgresDeliveries(_Table):
    """Implements `makegood.ports.Deliveries`."""

    async def fan_out(self, limit: int) -> FannedOut:
        """See `Deliveries.fan_out`."""
        [row] = await self._run("deliveries/fan_out", limit)
        return FannedOut(places=row["places"], deliveries=row["deliveries"], listeners=row["listeners"])

    async def take(self, limit: int, of_endpoint_max: int, lease_seconds: float) -> list[Parcel]:
        """See `Deliveries.take`."""
        rows = await self._run("deliveries/take", limit, of_endpoint_max, lease_seconds)
        return [to_parcel(row) for row in rows]

    async def give_back(self, parcel: Parcel) -> None:
        """See `Deliveries.give_back`."""
        await self._run("deliveries/give_back", parcel.endpoint_id, parcel.seq, parcel.epoch)

    async def ended(self, parcel: Parcel, posted: Posted, again_seconds: float | None) -> Endpoint | None:
        """See `Deliveries.ended`."""
        [row] = await self._run(
            "deliveries/ended",
            parcel.endpoint_id,
            parcel.seq,
            parcel.epoch,
            posted.status,
            storable(posted.problem),
            storable(posted.body),
            posted.seconds,
            posted.delivered,
            again_seconds,
            TRIES_KEPT,
        )
        return await self._endpoint(parcel.endpoint_id) if row["ours"] else None

    async def page(
        self, endpoint_id: UUID, before: int | None, limit: int, *, failed: bool = False
    ) -> list[Delivery]:
        """See `Deliveries.page`."""
        below = _LAST if before is None else before
        rows = await self._database.fetch(statement("deliveries/page"), endpoint_id, below, limit, failed)
        return [to_delivery(row) for row in rows]

    async def tries(self, endpoint_id: UUID, seq: int) -> list[Try]:
        """See `Deliveries.tries`."""
        rows = await self._database.fetch(statement("deliveries/tries"), endpoint_id, seq)
        return [to_try(row) for row in rows]

    async def resend(self, endpoint_id: UUID, seqs: Sequence[int]) -> int:
        """See `Deliveries.resend`."""
        return len(await self._run("deliveries/resend", endpoint_id, list(seqs)))

    async def resend_failed(self, endpoint_id: UUID, since: datetime, limit: int) -> int:
        """See `Deliveries.resend_failed`."""
        return len(await self._run("deliveries/resend_failed", endpoint_id, since, limit))

    async def forget(self, seconds: float, limit: int) -> int:
        """See `Deliveries.forget`."""
        [row] = await self._run("deliveries/forget", seconds, limit)
        return int(row["forgotten"])
