"""Places in the stream when commits come in any order, late, never, or with a server that stops."""

import asyncio
import os
import random
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from makegood.errors import StoreError
from makegood.job import Job, Transition
from makegood.ports import Store
from makegood.testing.contract.stream import all_placed, life
from makegood.testing.drive import PLAIN, SPECS, Drive, change, edge_of, new_job
from makegood_adapters.postgres.embedded import EmbeddedPostgres
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.store import PostgresStore

STOPS, OWNERS = 3, 4


async def refuse(store: Store, job: Job, conn: asyncpg.Connection | None = None) -> Job:
    moved = await store.jobs.apply(change(job, edge_of(PLAIN, "pending", "refuse")), conn=conn)
    assert moved is not None
    return moved


async def places_of(store: Store, *jobs: Job) -> list[list[int | None]]:
    steps = await store.stream.read(0, 1_000)
    return [[step.seq for step in steps if step.job_id == job.id] for job in jobs]


async def test_what_is_committed_late_comes_later_and_is_missed_by_nobody(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    """By numbers drawn before the commit it would stand where everybody has been already."""
    store = drive.store
    held = plain.transaction()
    await held.start()
    early = await store.jobs.insert(new_job(price=0), conn=plain)
    late = await life(store, "ada")
    await all_placed(store)
    assert await places_of(store, early, late) == [[], [1, 2]]
    early = await refuse(store, early, plain)  # again between two of others
    later = await life(store, "bob")
    await all_placed(store)
    assert await store.stream.last() == 4
    await held.commit()
    assert await store.stream.place(100) == {"ada": 2}
    assert await places_of(store, early, late, later) == [[5, 6], [1, 2], [3, 4]]
    assert await store.stream.read(4, 100) == (await store.stream.read(0, 100))[4:]


async def test_of_one_job_the_order_is_that_of_its_versions_though_the_later_writer_began_first(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    """By the numbers of transactions the second step would come before the first."""
    store = drive.store
    await plain.execute("CREATE TABLE host_order (number integer)")
    held = plain.transaction()
    await held.start()
    await plain.execute("INSERT INTO host_order VALUES (1)")  # now this transaction has its number
    job = await store.jobs.insert(new_job(price=0))
    await refuse(store, job, plain)
    await held.commit()
    await all_placed(store)
    assert [step.version for step in await store.stream.read(0, 10)] == [0, 1]


async def test_numbers_of_what_was_rolled_back_are_looked_for_until_all_who_may_have_them_are_over(
    drive: Drive, plain: asyncpg.Connection, other_store: PostgresStore
) -> None:
    store, gaps = drive.store, "SELECT gaps::text FROM makegood.stream"
    async with other_store._database._pool.acquire() as held:
        transaction = held.transaction()
        await transaction.start()
        early = await store.jobs.insert(new_job(price=0), conn=held)
        undone = plain.transaction()
        await undone.start()
        await store.jobs.insert(new_job(price=0), conn=plain)
        await life(store, "ada")
        await undone.rollback()
        for _ in range(5):
            await store.stream.place(100)
        assert await plain.fetchval(gaps) == "{[1,3)}"  # the first may still come, so nothing is given up
        await transaction.commit()
    assert await store.stream.place(100) == {early.owner: 1}
    async with asyncio.timeout(60):  # other transactions of this server may be under way
        while await plain.fetchval(gaps) != "{}":
            await store.stream.place(100)
    before = await plain.fetchval("SELECT xmin::text FROM makegood.stream")
    assert await store.stream.place(100) == {}
    assert await plain.fetchval("SELECT xmin::text FROM makegood.stream") == before, (
        "an idle turn writes nothing"
    )


@pytest.mark.tampers
async def test_a_database_that_was_restored_on_a_younger_server_goes_on(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    undone = plain.transaction()
    await undone.start()
    await drive.store.jobs.insert(new_job(price=0), conn=plain)
    await life(drive.store, "ada")
    await undone.rollback()
    await drive.store.stream.place(100)
    await plain.execute("UPDATE makegood.stream SET horizon = '99999999999', old_gaps = gaps")
    async with asyncio.timeout(60):
        while await plain.fetchval("SELECT gaps::text FROM makegood.stream") != "{}":
            await drive.store.stream.place(100)
    await life(drive.store, "bob")
    assert await drive.store.stream.place(100) == {"bob": 2}


async def test_one_gives_places_at_a_time_and_the_others_do_not_wait(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    await life(drive.store, "ada")
    async with plain.transaction():
        assert await plain.fetchval("SELECT sum(steps) FROM makegood.place_history(1)") == 1
        assert await drive.store.stream.place(100) == {}
        assert await drive.store.stream.read(0, 10) == []
    assert await drive.store.stream.place(100) == {"ada": 1}
    assert len(await drive.store.stream.read(0, 10)) == 2


@pytest.mark.parametrize(("name", "given", "index"), [
    ("stream/read", (5_000, 200), "placed_pkey"),
    ("stream/read_owner", (5_000, 200, "owner-7"), "placed_owner"),
])  # fmt: skip
async def test_reading_on_costs_what_it_reads(
    drive: Drive, plain: asyncpg.Connection, name: str, given: tuple[object, ...], index: str
) -> None:
    await plain.execute(
        "INSERT INTO makegood.placed SELECT 100000 + n, gen_random_uuid(), 0, 'owner-' || n % 1000"
        " FROM generate_series(1, 20000) n"
    )
    await plain.execute("ANALYZE makegood.placed")
    try:
        await plain.execute("SET plan_cache_mode = force_generic_plan")
        rows = await plain.fetch(
            f"EXPLAIN EXECUTE {await _prepared(plain, name)}({', '.join(map(repr, given))})"
        )
    finally:
        await plain.execute(
            "ALTER TABLE makegood.placed DISABLE TRIGGER ALL; DELETE FROM makegood.placed;"
            " ALTER TABLE makegood.placed ENABLE TRIGGER ALL"
        )
    plan = "\n".join(row[0] for row in rows)
    assert f"using {index} on placed" in plan
    assert "Seq Scan on placed" not in plan


async def _prepared(plain: asyncpg.Connection, name: str) -> str:
    await plain.execute(f"PREPARE reading AS {statement(name)}")
    return "reading"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """Yield a server of the test's own, with the product's settings: what it says is committed is on disk."""
    own = EmbeddedPostgres(tmp_path / "postgres")
    own.start()
    try:
        yield own
    finally:
        own.remove()


async def test_p17_a_reader_goes_on_after_the_server_stopped_in_the_middle(server: EmbeddedPostgres) -> None:
    """`pg_ctl stop -m immediate` while many write, two give places and readers are anywhere."""
    dice = random.Random(11)
    heard: dict[str | None, list[Transition]] = {None: [], "owner 1": []}
    for number in range(STOPS + 1):
        async with PostgresStore.open(server.start(), update_schema=True, connections_max=20) as store:
            await store.declare(SPECS)
            await _work_until_it_stops(store, server, dice, heard, last=number == STOPS)
    async with PostgresStore.open(server.start()) as store:
        whole = await store.stream.read(0, 1_000_000)
        rows = {(step.job_id, step.version) for step in whole}
        assert await store.stream.place(10) == {}
        connection = await asyncpg.connect(server.dsn)
        made = await connection.fetch("SELECT job_id, version FROM makegood.history")
        connection.terminate()
        assert (await store.audit()).violations == ()
    assert rows == {(row["job_id"], row["version"]) for row in made}
    assert [step.seq for step in whole] == list(range(1, len(made) + 1))
    assert heard[None] == whole
    assert heard["owner 1"] == [step for step in whole if step.owner == "owner 1"]


async def _work_until_it_stops(
    store: PostgresStore,
    server: EmbeddedPostgres,
    dice: random.Random,
    heard: dict[str | None, list[Transition]],
    *,
    last: bool,
) -> None:
    lives = 40 + dice.randint(0, 60)
    struck = asyncio.Event()

    async def writes() -> None:
        nonlocal lives
        while lives > 0 or (not last and not struck.is_set()):
            lives -= 1
            if lives == 0 and not last:
                assert server.pid is not None
                os.kill(server.pid, signal.SIGQUIT)
                struck.set()
            await life(store, f"owner {dice.randint(1, OWNERS)}")

    async def places() -> None:
        while True:
            await store.stream.place(dice.randint(1, 30))
            await asyncio.sleep(0)

    async def reads(owner: str | None) -> None:
        known = heard[owner]
        while True:
            known += await store.stream.read((known[-1].seq or 0) if known else 0, dice.randint(1, 9), owner)

    background = [asyncio.create_task(work) for work in (places(), places(), reads(None), reads("owner 1"))]
    writers = [asyncio.create_task(writes()) for _ in range(8)]
    if last:
        await asyncio.gather(*writers)
        for placer in background[:2]:  # while one of them is at it, nobody else gives places
            placer.cancel()
        await asyncio.gather(*background[:2], return_exceptions=True)
        await all_placed(store)
        end = await store.stream.last()
        async with asyncio.timeout(60):
            while heard[None][-1].seq != end:  # noqa: ASYNC110  # two readers in their own time
                await asyncio.sleep(0.005)
            owned = [step for step in heard[None] if step.owner == "owner 1"]
            while heard["owner 1"][-1:] != owned[-1:]:  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.005)
    else:
        await struck.wait()
        await asyncio.to_thread(server.stop)
    for task in (*writers, *background):
        task.cancel()
    for task in (*writers, *background):
        with suppress(asyncio.CancelledError, StoreError):
            await task
