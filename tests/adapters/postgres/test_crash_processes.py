"""Real ends: a worker's process is killed, the server is stopped at once, a connection falls silent."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from makegood.errors import StoreError
from makegood.job import Job
from makegood.testing.drive import LEASE_SECONDS, PLAIN, PRICE, SPECS, Drive, change, edge_of, fact, new_job
from makegood_adapters.postgres.embedded import EmbeddedPostgres
from makegood_adapters.postgres.store import PostgresStore
from tests.adapters.postgres.far import database_at, jobs_at, serves_and_is_idle
from tests.adapters.postgres.flights import Fate, FlightProxy, flights_to
from tests.adapters.postgres.lives import SAID, WHOLE_LIFE, Plan, live, summary
from tests.adapters.postgres.strikes import HANGING, Rows, Strike, rows_of
from tests.conftest import Tally
from tests.loop_time import hasten

HOUSE = Path(__file__).resolve().parents[3]
SAMPLE = 10  # of so many points `make test` takes one
# Hundreds of points take their time where other programs work too; the bound is for what hangs.
pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]


@pytest.mark.soak(short=1, long=3)
async def test_a_job_goes_on_after_its_workers_process_was_killed(
    drive: Drive, plain: asyncpg.Connection, database: str, part: int, soak: bool, tally: Tally
) -> None:
    """SIGKILL at requests spread over the whole life of a job."""
    await drive.grant(100 * PRICE)
    pool = await drive.pool(capacity=1)
    first = await live(drive.store, await drive.store.jobs.insert(new_job(pool=pool)), WHOLE_LIFE)
    wanted, points = await summary(drive.store, plain, first), 0
    async with flights_to(database) as flights:
        for at in range(10, 1_000, 5 if soak else 40):
            job = await drive.store.jobs.insert(new_job(pool=pool))
            flights.arm(at, (Fate.LOST, Fate.UNSENT, Fate.UNHEARD)[part])
            arguments = (flights.dsn, str(job.id), json.dumps(WHOLE_LIFE), "")
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.adapters.postgres.worker", *arguments, cwd=HOUSE
            )
            ended, struck = asyncio.ensure_future(child.wait()), asyncio.ensure_future(flights.struck.wait())
            await asyncio.wait({ended, struck}, return_when=asyncio.FIRST_COMPLETED)
            struck.cancel()
            if flights.struck.is_set():
                child.kill()
                assert await ended == -signal.SIGKILL
            else:
                assert await ended == 0
            await drive.advance(LEASE_SECONDS + 1)
            assert (
                await summary(
                    drive.store, plain, await live(drive.store, await drive.job(job), WHOLE_LIFE, alone=False)
                )
                == wanted
            )
            if not flights.struck.is_set():
                break
            points += 1
    assert points > 0
    tally("crash points", points)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """Yield a server of the test's own, with the product's settings: what it says is committed is on disk."""
    own = EmbeddedPostgres(tmp_path / "postgres")
    own.start()
    try:
        yield own
    finally:
        own.remove()


@pytest.mark.parametrize("act", ["accept", "complete", "fail"])
async def test_a_server_that_stops_in_the_middle_of_a_step_has_made_all_of_it_or_nothing(
    server: EmbeddedPostgres, act: str, soak: bool, tally: Tally
) -> None:
    """`pg_ctl stop -m immediate` is SIGQUIT: nobody is waited for, nothing is rolled back by hand."""
    plan: Plan = {"running 1": "fail"} if act == "fail" else WHOLE_LIFE
    place, points, lived = "pending 0" if act == "accept" else "running 1", 0, set()
    for at in range(1, 1_000, 3 if soak else 24):
        async with PostgresStore.open(server.start(), update_schema=True) as store:
            await store.declare(SPECS)
            drive = Drive(store, _no_time_passes, pools=f"pool-{at}")
            await drive.grant(PRICE)
            job = await store.jobs.insert(new_job(pool=await drive.pool()))
            await live(store, job, plan, to=place)
            async with rows_of(server.dsn) as rows:
                met = await _stopped_at(server, rows, at, store, job, plan, place)
        async with PostgresStore.open(server.start()) as store:
            found = await store.jobs.get(job.id)
            assert found is not None
            assert not met or found.state == place.split()[0]
            plain = await asyncpg.connect(server.dsn)
            lived.add(await summary(store, plain, await live(store, found, plan, alone=False)))
            plain.terminate()
            assert (await store.audit()).violations == ()
        points += met
        if not met:
            break
    assert (len(lived), points > 0) == (1, True)
    tally("crash points", points)


async def _stopped_at(
    server: EmbeddedPostgres, rows: Rows, at: int, store: PostgresStore, job: Job, plan: Plan, place: str
) -> bool:
    """Stop the server at once while the worker's row *at* is being written; False if there is none."""
    watcher = await asyncpg.connect(server.dsn)
    try:
        await watcher.execute("SELECT pg_advisory_lock(4711)")
        await rows.arm(at, Strike.HANGS)
        found = await store.jobs.get(job.id)
        assert found is not None
        working = asyncio.create_task(live(store, found, plan, through=place))
        while not working.done():
            if await watcher.fetchval(HANGING):
                assert server.pid is not None
                os.kill(server.pid, signal.SIGQUIT)
                await asyncio.to_thread(server.stop)
                for _ in range(3):
                    working.cancel()
                    await asyncio.sleep(0)
                with contextlib.suppress(asyncio.CancelledError, StoreError):
                    await working
                return True
            await asyncio.sleep(0.005)  # the database has no event for a lock that is waited for
        await working
        return False
    finally:
        watcher.terminate()


async def _no_time_passes(_: float) -> None:
    raise AssertionError("the place at which these jobs are left needs no lease to end")


async def _comes_to_its_end(flights: FlightProxy) -> None:
    """Let the patience of whoever hears nothing come to its end."""
    await flights.struck.wait()
    hasten(61)


@pytest.mark.parametrize("act", ["accept", "complete", "fail"])
async def test_a_silent_connection_is_given_up_and_the_step_made_once(
    drive: Drive, plain: asyncpg.Connection, database: str, act: str, soak: bool, tally: Tally
) -> None:
    """Half open: the server has the request and has answered, and the client hears nothing for ever."""
    plan: Plan = {"running 1": "fail"} if act == "fail" else WHOLE_LIFE
    place, points = "pending 0" if act == "accept" else "running 1", 0
    edge = edge_of(PLAIN, place.split()[0], act)
    await drive.grant(100 * PRICE)
    pool = await drive.pool(capacity=100)
    async with flights_to(database) as flights:
        for at in range(1 if soak else 3, 1_000, 1 if soak else SAMPLE):
            job = await live(drive.store, await drive.store.jobs.insert(new_job(pool=pool)), plan, to=place)
            said = fact(job, SAID[act]) if act in SAID else None
            flights.arm()
            async with database_at(flights.dsn, timeout_seconds=60.0) as far:
                flights.arm(at, Fate.HALF_OPEN)
                patience = asyncio.create_task(_comes_to_its_end(flights))
                moved = await jobs_at(far).apply(change(job, edge, evidence=said))
                assert moved == await drive.job(job)
                await serves_and_is_idle(plain, far)
                patience.cancel()
            assert [t.event for t in await drive.store.jobs.history(job.id)].count(act) == 1
            if not flights.struck.is_set():
                break
            points += 1
    assert points > 0
    tally("crash points", points)
