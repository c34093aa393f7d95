"""Rows of endpoints and deliveries as the engine's snapshots, by column name."""

from asyncpg import Record

from makegood.ports import Delivery, Endpoint, Parcel, Try
from makegood_adapters.postgres.rows import to_transition


def to_endpoint(row: Record) -> Endpoint:
    """Build an Endpoint from a row of `endpoints/get`."""
    return Endpoint(
        id=row["endpoint_id"],
        url=row["url"],
        created_at=row["created_at"],
        owner=row["owner_id"],
        states=tuple(row["states"]),
        types=tuple(row["types"]),
        description=row["description"],
        disabled_at=row["disabled_at"],
        disabled_why=row["disabled_why"],
        failing_since=row["failing_since"],
    )


def to_delivery(row: Record) -> Delivery:
    """Build a Delivery from a row of `deliveries/page`."""
    return Delivery(
        endpoint_id=row["endpoint_id"],
        transition=to_transition(row, row["seq"]),
        tries=row["tries"],
        due_at=row["due_at"],
        delivered_at=row["delivered_at"],
        failed_at=row["failed_at"],
    )


def to_parcel(row: Record) -> Parcel:
    """Build a Parcel from a row of `deliveries/take`."""
    return Parcel(
        endpoint_id=row["endpoint_id"],
        url=row["url"],
        secrets=secrets_of(row),
        transition=to_transition(row, row["seq"]),
        tries=row["tries"],
        epoch=row["epoch"],
        taken_at=row["taken_at"],
    )


def secrets_of(row: Record) -> tuple[str, ...]:
    """Return what signs, the newest first."""
    return (row["secret"],) if row["old_secret"] is None else (row["secret"], row["old_secret"])


def to_try(row: Record) -> Try:
    """Build a Try from a row of `deliveries/tries`."""
    return Try(
        at=row["at"],
        status=row["status"],
        problem=row["problem"],
        body=row["body"],
        seconds=row["seconds"],
    )
