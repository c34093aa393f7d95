"""Killed backends, absent servers, lost races in the database: the work runs again, and only then."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from makegood.errors import StoreUnavailable
from makegood.job import Job
from makegood.testing.drive import PRICE, Drive, change, new_job
from makegood_adapters.postgres.refusal import DatabaseRefusal
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.postgres.transaction import Database
from tests.adapters.postgres.far import (
    ACCEPT,
    MOVE,
    all_is_well,
    database_at,
    jobs_at,
    serves_and_is_idle,
)
from tests.adapters.postgres.proxy import AtCommit, AtConnect, Proxy


@pytest.mark.parametrize("when", ["before the first statement", "between two statements", "before COMMIT"])
async def test_a_backend_killed_in_the_block(
    drive: Drive, plain: asyncpg.Connection, far: Database, pending: Job, when: str
) -> None:
    runs = 0

    async def kill(connection: asyncpg.Connection, here: str) -> None:
        if runs == 1 and here == when:
            await plain.execute("SELECT pg_terminate_backend($1, 100000)", connection.get_server_pid())

    async def work(connection: asyncpg.Connection) -> None:
        nonlocal runs
        runs += 1
        await kill(connection, "before the first statement")
        await connection.execute(MOVE, pending.id)
        await kill(connection, "between two statements")
        await connection.execute("SELECT 1")
        await kill(connection, "before COMMIT")

    await far.transact(work)
    assert runs == 2
    await all_is_well(drive, plain, pending, far)


async def test_backends_killed_while_their_pool_is_idle(
    drive: Drive, plain: asyncpg.Connection, far: Database, pending: Job
) -> None:
    await serves_and_is_idle(plain, far)
    killed = await plain.fetchval(
        "SELECT count(pg_terminate_backend(pid, 100000)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert killed >= 2
    assert await jobs_at(far).apply(change(pending, ACCEPT)) is not None
    await all_is_well(drive, plain, pending, far)


async def test_a_client_that_slept_too_long_in_the_block_begins_again(
    drive: Drive, plain: asyncpg.Connection, far: Database, pending: Job
) -> None:
    runs = 0

    async def work(connection: asyncpg.Connection) -> None:
        nonlocal runs
        runs += 1
        await connection.execute(MOVE, pending.id)
        if runs == 1:
            pid = connection.get_server_pid()
            await connection.execute("SET LOCAL idle_in_transaction_session_timeout = '1ms'")
            gone = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)"
            while not await plain.fetchval(gone, pid):  # noqa: ASYNC110  # the database has no event to wait for
                await asyncio.sleep(0.005)

    await far.transact(work)
    assert runs == 2
    await all_is_well(drive, plain, pending, far)


async def test_a_client_that_is_gone_in_a_statement_has_its_locks_for_a_minute(database: str) -> None:
    """What the server does then cannot be had without a network that loses packets; what it is told, can."""

    async def told(connection: asyncpg.Connection) -> dict[str, int]:
        rows = await connection.fetch(
            "SELECT name, reset_val::int AS value FROM pg_settings WHERE source = 'client'"
            " AND name LIKE 'tcp_keepalives_%'"
        )
        return {row["name"].removeprefix("tcp_keepalives_"): row["value"] for row in rows}

    async with PostgresStore.open(database) as store:
        waits = await store._database.transact(told)
    assert waits["idle"] + waits["interval"] * waits["count"] == 60


@pytest.mark.parametrize("fate", [AtConnect.RESET, AtConnect.STARTING_UP])
async def test_a_server_that_is_away_for_a_while(
    drive: Drive, plain: asyncpg.Connection, proxy: Proxy, far: Database, pending: Job, fate: AtConnect
) -> None:
    proxy.at_connects([fate] * 3)
    proxy.at_commits([AtCommit.CUT_BEFORE])
    moved = await jobs_at(far).apply(change(pending, ACCEPT))
    assert moved == await drive.job(pending)
    assert proxy.connections_seen >= 4
    await all_is_well(drive, plain, pending, far)


class Heard(logging.Handler):
    """Sets an event as soon as the log says that something is run again."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.event, self.told = asyncio.Event(), ""

    def emit(self, record: logging.LogRecord) -> None:
        self.told = record.getMessage()
        self.event.set()


async def test_a_server_whose_port_is_closed_for_a_while(
    drive: Drive,
    plain: asyncpg.Connection,
    proxy: Proxy,
    far: Database,
    pending: Job,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await proxy.refuse()
    log, heard = logging.getLogger("makegood.postgres"), Heard()
    caplog.set_level(logging.INFO, log.name)
    log.addHandler(heard)
    try:
        call = asyncio.create_task(jobs_at(far).apply(change(pending, ACCEPT)))
        await heard.event.wait()
        assert "ConnectionRefusedError" in heard.told
        await proxy.listen()
        assert await call == await drive.job(pending)
    finally:
        log.removeHandler(heard)
    await all_is_well(drive, plain, pending, far)


async def test_p26_a_server_that_stays_away_charges_nothing_and_lets_nothing_go_on(
    drive: Drive, proxy: Proxy, pending: Job
) -> None:
    async with database_at(proxy.dsn, tries_max=2) as far:
        await proxy.refuse()
        with pytest.raises(StoreUnavailable):
            await jobs_at(far).get(pending.id)
        with pytest.raises(StoreUnavailable):
            await jobs_at(far).apply(change(pending, ACCEPT))
        assert await drive.job(pending) == pending


@pytest.mark.parametrize("code", ["40001", "40P01", "55P03"])
async def test_what_lost_to_others_is_run_again(
    drive: Drive, plain: asyncpg.Connection, far: Database, pending: Job, code: str
) -> None:
    runs = 0

    async def work(connection: asyncpg.Connection) -> None:
        nonlocal runs
        runs += 1
        await connection.execute(MOVE, pending.id)
        if runs == 1:
            await connection.execute(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$")

    await far.transact(work)
    assert runs == 2
    await all_is_well(drive, plain, pending, far)


async def test_of_two_transactions_in_a_deadlock_both_succeed(
    drive: Drive, plain: asyncpg.Connection, far: Database
) -> None:
    for owner in ("ada", "bo"):
        await drive.grant(PRICE, owner=owner)
    jobs = [await drive.insert(owner="ada"), await drive.insert(owner="bo")]
    holds = [asyncio.Event(), asyncio.Event()]
    runs = [0, 0]

    async def accept_both(me: int) -> None:
        async def work(connection: asyncpg.Connection) -> None:
            runs[me] += 1
            await connection.execute("SET LOCAL deadlock_timeout = '10ms'")
            await connection.execute(MOVE, jobs[me].id)
            holds[me].set()
            await holds[1 - me].wait()
            await connection.execute(MOVE, jobs[1 - me].id)

        await far.transact(work)

    await asyncio.gather(accept_both(0), accept_both(1))
    assert sorted(runs) == [1, 2]
    assert [(await drive.job(job)).version for job in jobs] == [1, 1]
    assert [(await drive.store.ledger.wallet(owner)).held for owner in ("ada", "bo")] == [PRICE, PRICE]
    await serves_and_is_idle(plain, far)


@pytest.mark.parametrize(
    "given",
    [
        {"priority": 2**40},
        {"price": 2**70},
        {"input": {"scale": float("nan")}},
        {"owner": "\ud800"},
        {"owner": "\0"},
    ],
    ids=["integer", "bigint", "not a number", "surrogate", "zero byte"],
)
async def test_what_cannot_be_stored_is_refused_and_not_called_an_outage(
    drive: Drive, plain: asyncpg.Connection, far: Database, proxy: Proxy, given: dict[str, Any]
) -> None:
    new = new_job(**given)
    await serves_and_is_idle(plain, far)  # on all its connections
    proxy.at_connects([])
    with pytest.raises(DatabaseRefusal):
        await jobs_at(far).insert(new)
    assert await drive.store.jobs.get(new.id) is None
    assert proxy.connections_seen == 0  # the connection is as good as before


async def _inner_transaction(connection: asyncpg.Connection) -> None:
    async with connection.transaction():
        pass


async def _argument_too_many(connection: asyncpg.Connection) -> None:
    await connection.execute(MOVE, None, None)


@pytest.mark.parametrize("mistake", [_inner_transaction, _argument_too_many])
async def test_a_mistake_in_the_work_is_not_called_an_outage(
    drive: Drive,
    plain: asyncpg.Connection,
    far: Database,
    pending: Job,
    mistake: Callable[[asyncpg.Connection], Awaitable[None]],
) -> None:
    runs = 0

    async def work(connection: asyncpg.Connection) -> None:
        nonlocal runs
        runs += 1
        await connection.execute(MOVE, pending.id)
        await mistake(connection)

    with pytest.raises(asyncpg.InterfaceError):
        await far.transact(work)
    assert runs == 1
    await serves_and_is_idle(plain, far)
    assert await drive.job(pending) == pending


async def test_a_no_to_commit_is_an_answer(drive: Drive, plain: asyncpg.Connection, database: str) -> None:
    """A deferred check that loses at every COMMIT: nothing is unknown, and nothing was done."""
    await plain.execute(
        "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'serialization_failure'; END $$;"
        "CREATE TABLE checked (n integer);"
        "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON checked DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION lose()"
    )

    async def work(connection: asyncpg.Connection) -> None:
        await connection.execute("INSERT INTO checked VALUES (1)")

    async with database_at(database, tries_max=2) as near:
        with pytest.raises(StoreUnavailable):
            await near.transact(work)
        await serves_and_is_idle(plain, near)
    assert await plain.fetchval("SELECT count(*) FROM checked") == 0
