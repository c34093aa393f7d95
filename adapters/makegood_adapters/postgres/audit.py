"""The audit of the Postgres store: one read-only look at all tables."""

import asyncpg

from makegood.audit import Audit
from makegood_adapters.postgres.rows import to_totals, to_violation
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.transaction import Database

#: An audit reads everything, so it may take longer than any other statement of ours.
AUDIT_SECONDS = 600.0


async def audit(database: Database, owner: str | None, owners_max: int, rows_max: int) -> Audit:
    """See `Store.audit`. The role of *database* needs nothing but the right to read."""
    return await database.look(lambda connection: examine(connection, owner, owners_max, rows_max))


async def examine(
    connection: asyncpg.Connection, owner: str | None = None, owners_max: int = 0, rows_max: int = 1
) -> Audit:
    """Audit what the present transaction of *connection* sees."""
    room = await connection.fetchrow(statement("audit/room"), f"{AUDIT_SECONDS:.0f}s")
    assert room is not None
    found = await connection.fetch(statement("audit/violations"), rows_max)
    total, *listed = await connection.fetch(statement("audit/totals"), owner, owners_max)
    return Audit(
        at=room["now"],
        counts={row["code"]: row["found"] for row in found},
        violations=tuple(to_violation(row) for row in found if row["found"]),
        total=to_totals(total),
        owners=total["owners"],
        totals=tuple(to_totals(row) for row in listed),
    )
