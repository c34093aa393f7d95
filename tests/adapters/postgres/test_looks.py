"""What people look at needs no right but to read, and reads little."""

import json

import asyncpg
import pytest

from makegood import Catalog, Engine
from makegood.ports import RATE_MOVES_MAX, RATE_SECONDS
from makegood.testing.drive import SPECS, Advance, Drive
from makegood_adapters.cli.bench.jobs import BENCHMARK, Preparer, grant_all
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.store import PostgresStore
from tests.roles import login


async def _no_time_passes(seconds: float) -> None:
    raise AssertionError(f"this test lets no {seconds} seconds pass")


@pytest.mark.parametrize("kind", ["readonly", "api"])
async def test_who_may_only_read_sees_everything(database: str, kind: str) -> None:
    async with PostgresStore.open(database) as store, login(database, kind) as reader:
        await store.declare(SPECS)
        drive = Drive(store, _no_time_passes)
        await drive.grant()
        job = await drive.to("queued", pool=await drive.pool())
        while await store.stream.place(100):
            pass
        async with PostgresStore.open(reader) as reading:
            look = reading.oversight
            assert (await look.overview()).live == {job.type: {"queued": 1}}
            assert [each.job_id for each in (await look.line(None, 9)).waiters] == [job.id]
            assert (await look.troubles(), (await look.heard()).last) == ([], 0)


async def test_how_fast_it_goes_is_read_from_what_is_new(database: str, advance: Advance) -> None:
    """Behind it lies as much as ever; whatever is new is counted, wherever among the places it begins."""
    connection = await asyncpg.connect(database)
    try:
        async with PostgresStore.open(database) as store:
            async with Engine(store, Catalog([BENCHMARK]), blobs=MemoryBlobs(), run_loops=False) as engine:
                await grant_all(engine, 1)
            preparer = Preparer(connection, 1)
            await preparer.queued(2_000)
            assert (await store.oversight.overview()).rates["accepted"] == 2_000
            await advance(RATE_SECONDS + 1)
            await connection.execute("analyze")
            told = 0
            for more in (0, 1, 31, 1, 95, 400):  # each is two steps
                await preparer.queued(more)
                told += more
                assert (await store.oversight.overview()).rates["accepted"] == told
                sql = statement("overview/rates").replace("$1", str(RATE_SECONDS))
                explained = await connection.fetchval(
                    f"explain (analyze, format json) {sql.replace('$2', str(RATE_MOVES_MAX))}"
                )
                assert _rows_read(json.loads(explained)[0]["Plan"]) <= max(64, 4 * 2 * told) + 20
    finally:
        await connection.close()


def _rows_read(plan: dict[str, object]) -> float:
    """Return how many rows of the history a plan has read."""
    inner = plan.get("Plans", [])
    assert isinstance(inner, list)
    found = sum(map(_rows_read, inner))
    if plan.get("Relation Name") == "history":
        rows, loops = (plan[name] for name in ("Actual Rows", "Actual Loops"))
        passed_over = plan.get("Rows Removed by Filter", 0)
        assert isinstance(rows, int | float)
        assert isinstance(passed_over, int | float)
        assert isinstance(loops, int | float)
        found += (rows + passed_over) * loops
    return found
