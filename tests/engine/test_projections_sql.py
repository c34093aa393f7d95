"""The rows as SQL text are the rows that the store writes, and the constraints are true of its jobs."""

from dataclasses import replace

import asyncpg
import pytest

from makegood.machine import Spec
from makegood.machine.projections import sql
from makegood.testing.drive import SPECS, Advance, Drive
from makegood_adapters.postgres.store import PostgresStore

TABLES = {"machine": "type, version", "machine_state": "name", "machine_edge": "place"}


async def rows(connection: "asyncpg.Connection[asyncpg.Record]", spec: Spec) -> list[dict[str, object]]:
    """Return what the database holds of a machine, but its name and the moment."""
    found = []
    for table, order in TABLES.items():
        for row in await connection.fetch(
            f"select * from makegood.{table} where type = $1 order by {order}", spec.name
        ):
            values = {k: sorted(v) if isinstance(v, list) else v for k, v in row.items()}
            found.append({k: v for k, v in values.items() if k not in ("type", "created_at")})
    return found


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
async def test_the_text_puts_the_same_rows_as_the_store(spec: Spec, database: str) -> None:
    twin = replace(spec, name='it\'s a "twin"')
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(sql(twin))
        async with PostgresStore.open(database) as store:
            await store.declare([spec])
        own = await rows(connection, spec)
        assert own == await rows(connection, twin)
        assert len(own) == 1 + len(spec.states) + len(spec.edges)
    finally:
        await connection.close()


async def test_jobs_live_by_the_rows_and_the_constraints_of_the_text(database: str, advance: Advance) -> None:
    connection = await asyncpg.connect(database)
    try:
        for spec in SPECS:
            await connection.execute(sql(spec))
        async with PostgresStore.open(database) as store:
            await store.declare(SPECS)
            drive = Drive(store, advance)
            await drive.grant(10_000)
            for spec in SPECS:
                for state in spec.states:
                    assert (await drive.to(state.name, spec)).state == state.name
        named = await connection.fetch(
            "select conname from pg_constraint"
            " where conrelid = 'makegood.job'::regclass and conname like '%_1_%'"
        )
        assert len(named) == 3 * len(SPECS)
    finally:
        await connection.close()
