"""Endpoints and what is on its way to them, in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

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
from makegood_adapters.memory.tables import DeliveryRow, EndpointRow, Tables


class MemoryEndpoints:
    """The port `Endpoints`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def add(self, endpoint: Endpoint, secret: str) -> Endpoint | None:
        """Keep a new endpoint."""
        rows = self._tables.endpoints
        owned = [r for r in rows.values() if endpoint.owner and r.endpoint.owner == endpoint.owner]
        full = len(rows) >= ENDPOINTS_MAX or len(owned) >= ENDPOINTS_OF_OWNER_MAX
        if endpoint.id not in rows and not full:
            new = replace(endpoint, created_at=self._tables.now())
            rows[new.id] = EndpointRow(new, secret, len(self._tables.placed))
        return await self.get(endpoint.id)

    async def get(self, endpoint_id: UUID) -> Endpoint | None:
        """Return one endpoint."""
        row = self._tables.endpoints.get(endpoint_id)
        return row.endpoint if row else None

    async def page(self, after: UUID | None, limit: int, owner: str | None = None) -> list[Endpoint]:
        """Return endpoints in the order of their ids."""
        known = (self._tables.endpoints[key].endpoint for key in sorted(self._tables.endpoints))
        found = [e for e in known if (after is None or e.id > after) and owner in (None, e.owner)]
        return found[: max(limit, 0)]

    async def change(self, endpoint: Endpoint) -> Endpoint | None:
        """Give the endpoint another address and other wishes."""
        if row := self._tables.endpoints.get(endpoint.id):
            same = row.endpoint.url == endpoint.url
            row.endpoint = replace(
                row.endpoint,
                url=endpoint.url,
                states=endpoint.states,
                types=endpoint.types,
                description=endpoint.description,
                failing_since=row.endpoint.failing_since if same else None,
            )
        return await self.get(endpoint.id)

    async def enable(self, endpoint_id: UUID) -> Endpoint | None:
        """Let it hear again."""
        row = self._tables.endpoints.get(endpoint_id)
        if row and row.endpoint.disabled_at:
            row.endpoint = replace(row.endpoint, disabled_at=None, disabled_why=None, failing_since=None)
            row.after = len(self._tables.placed)
        return await self.get(endpoint_id)

    async def disable(
        self, endpoint_id: UUID, why: str, *, failing_since: datetime | None = None
    ) -> Endpoint | None:
        """Let it hear nothing more."""
        row = self._tables.endpoints.get(endpoint_id)
        if row is None or row.endpoint.disabled_at:
            return None
        if failing_since is not None and row.endpoint.failing_since != failing_since:
            return None
        now = self._tables.now()
        row.endpoint = replace(row.endpoint, disabled_at=now, disabled_why=why)
        for (to, _), delivery in self._tables.deliveries.items():
            if to == endpoint_id and delivery.due_at is not None:
                delivery.due_at, delivery.leased, delivery.failed_at = None, False, now
        return row.endpoint

    async def secrets(self, endpoint_id: UUID) -> tuple[str, ...]:
        """Return what signs messages to it now."""
        row = self._tables.endpoints.get(endpoint_id)
        return _secrets(self._tables, row) if row else ()

    async def rotate(self, endpoint_id: UUID, secret: str, keep_seconds: float) -> bool:
        """Sign with another secret, and with the one before for a while."""
        row = self._tables.endpoints.get(endpoint_id)
        if row and row.secret != secret:
            row.secret, row.old_secret = secret, row.secret
            row.old_until = self._tables.later(keep_seconds)
        return row is not None

    async def remove(self, endpoint_id: UUID) -> bool:
        """Forget the endpoint with its log."""
        for key in [key for key in self._tables.deliveries if key[0] == endpoint_id]:
            del self._tables.deliveries[key]
        return self._tables.endpoints.pop(endpoint_id, None) is not None


class MemoryDeliveries:
    """The port `Deliveries`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def fan_out(self, limit: int) -> FannedOut:
        """Read on in the stream and make what endpoints want of it."""
        tables = self._tables
        live = [row for row in tables.endpoints.values() if row.endpoint.disabled_at is None]
        if not live:
            tables.fanned_out = len(tables.placed)
            return FannedOut()
        part = tables.placed[tables.fanned_out :][: max(limit, 0)]
        before = len(tables.deliveries)
        for seq, step in enumerate(part, tables.fanned_out + 1):
            for row in live:
                wanted = row.endpoint
                if (
                    seq > row.after
                    and wanted.owner in (None, step.owner)
                    and (not wanted.states or step.to_state in wanted.states)
                    and (not wanted.types or step.type in wanted.types)
                ):
                    tables.deliveries[wanted.id, seq] = DeliveryRow(step, tables.now(), tables.now())
        tables.fanned_out += len(part)
        return FannedOut(places=len(part), deliveries=len(tables.deliveries) - before, listeners=True)

    async def take(self, limit: int, of_endpoint_max: int, lease_seconds: float) -> list[Parcel]:
        """Lease what is due."""
        free: list[tuple[int, datetime, UUID, int]] = []
        for endpoint_id, row in self._tables.endpoints.items():
            if row.endpoint.disabled_at is None:
                most = of_endpoint_max if row.endpoint.failing_since is None else 1
                free += self._free(endpoint_id, most)
        taken = []
        for _, _, endpoint_id, seq in sorted(free)[: max(limit, 0)]:
            row, delivery = self._tables.endpoints[endpoint_id], self._tables.deliveries[endpoint_id, seq]
            delivery.leased, delivery.due_at = True, self._tables.later(lease_seconds)
            delivery.tries, delivery.epoch = delivery.tries + 1, delivery.epoch + 1
            taken.append(
                Parcel(
                    endpoint_id=endpoint_id,
                    url=row.endpoint.url,
                    secrets=_secrets(self._tables, row),
                    transition=delivery.transition,
                    tries=delivery.tries,
                    epoch=delivery.epoch,
                    taken_at=self._tables.now(),
                )
            )
        return sorted(taken, key=lambda parcel: parcel.seq)

    def _free(self, endpoint_id: UUID, most: int) -> list[tuple[int, datetime, UUID, int]]:
        own = [(seq, row) for (to, seq), row in self._tables.deliveries.items() if to == endpoint_id]
        under_way = sum(row.leased and not self._tables.passed(row.due_at) for _, row in own)
        due = sorted((row.due_at, seq) for seq, row in own if row.due_at and self._tables.passed(row.due_at))
        turns = range(under_way + 1, most + 1)
        return [(turn, at, endpoint_id, seq) for turn, (at, seq) in zip(turns, due, strict=False)]

    async def give_back(self, parcel: Parcel) -> None:
        """Let the delivery be due again."""
        if row := self._ours(parcel):
            row.leased, row.due_at, row.tries = False, self._tables.now(), row.tries - 1

    async def ended(self, parcel: Parcel, posted: Posted, again_seconds: float | None) -> Endpoint | None:
        """Keep what came of a try."""
        row = self._ours(parcel)
        if row is None:
            return None
        now, to = self._tables.now(), self._tables.endpoints[parcel.endpoint_id]
        row.leased, row.due_at = False, None
        if posted.delivered:
            row.delivered_at, row.failed_at = now, None
            to.endpoint = replace(to.endpoint, failing_since=None)
        else:
            to.endpoint = replace(to.endpoint, failing_since=to.endpoint.failing_since or now)
            if again_seconds is None:
                row.failed_at = now
            else:
                row.due_at = self._tables.later(again_seconds)
        line = Try(
            at=now, status=posted.status, problem=posted.problem, body=posted.body, seconds=posted.seconds
        )
        row.log = [*row.log, line][-TRIES_KEPT:]
        return to.endpoint

    def _ours(self, parcel: Parcel) -> DeliveryRow | None:
        row = self._tables.deliveries.get((parcel.endpoint_id, parcel.seq))
        return row if row and row.leased and row.epoch == parcel.epoch else None

    async def page(
        self, endpoint_id: UUID, before: int | None, limit: int, *, failed: bool = False
    ) -> list[Delivery]:
        """Return deliveries, the last one first."""
        found = [
            Delivery(
                endpoint_id=to,
                transition=row.transition,
                tries=row.tries,
                due_at=row.due_at,
                delivered_at=row.delivered_at,
                failed_at=row.failed_at,
            )
            for (to, seq), row in sorted(self._tables.deliveries.items(), reverse=True)
            if to == endpoint_id and (before is None or seq < before) and not (failed and not _failed(row))
        ]
        return found[: max(limit, 0)]

    async def tries(self, endpoint_id: UUID, seq: int) -> list[Try]:
        """Return the log of a delivery."""
        row = self._tables.deliveries.get((endpoint_id, seq))
        return list(row.log) if row else []

    async def resend(self, endpoint_id: UUID, seqs: Sequence[int]) -> int:
        """Make deliveries due again."""
        rows = [self._tables.deliveries.get((endpoint_id, seq)) for seq in set(seqs)]
        known = [row for row in rows if row]
        for row in known:
            row.due_at, row.leased, row.tries, row.epoch = self._tables.now(), False, 0, row.epoch + 1
            row.delivered_at = row.failed_at = None
        return len(known)

    async def resend_failed(self, endpoint_id: UUID, since: datetime, limit: int) -> int:
        """Make due again what has failed since then."""
        rows = self._tables.deliveries
        seqs = [
            seq
            for (to, seq), row in sorted(rows.items())
            if to == endpoint_id and _failed(row) and row.failed_at is not None and row.failed_at >= since
        ]
        return await self.resend(endpoint_id, seqs[: max(limit, 0)])

    async def forget(self, seconds: float, limit: int) -> int:
        """Delete old deliveries that are over."""
        rows = self._tables.deliveries.items()
        old = [key for key, r in rows if r.due_at is None and self._tables.passed(r.created_at, seconds)]
        for key in old[: max(limit, 0)]:
            del self._tables.deliveries[key]
        return len(old[: max(limit, 0)])


def _failed(row: DeliveryRow) -> bool:
    return row.due_at is None and row.delivered_at is None


def _secrets(tables: Tables, row: EndpointRow) -> tuple[str, ...]:
    if row.old_secret is None or tables.passed(row.old_until):
        return (row.secret,)
    return (row.secret, row.old_secret)
