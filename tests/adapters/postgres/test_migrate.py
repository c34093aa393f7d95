"""Migrations run once, in order, by one at a time; what cannot work is told in one sentence."""

import asyncio
import getpass
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from makegood import BaseJob, Catalog, Engine, JobMoney
from makegood.errors import StoreError, StoreUnavailable
from makegood_adapters.folder import FolderBlobs
from makegood_adapters.postgres import migrate as module
from makegood_adapters.postgres.migrate import Migration, MigrationError, load, migrate
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.store import PostgresStore

PRICE = 60
NAMES = [migration.name for migration in load()]


class Portrait(BaseJob):
    """Something to buy."""

    price = PRICE


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        connection.terminate()


async def run(dsn: str) -> list[str]:
    async with connected(dsn) as connection:
        return await migrate(connection)


async def recorded(dsn: str) -> list[str]:
    async with connected(dsn) as connection:
        return [
            r["name"] for r in await connection.fetch("SELECT name FROM makegood.migration ORDER BY version")
        ]


def released(monkeypatch: pytest.MonkeyPatch, migrations: list[Migration]) -> None:
    """Make it seem that this release has other files."""
    monkeypatch.setattr(module, "load", lambda: migrations)


async def test_of_four_runners_at_once_one_does_the_work(empty_database: str) -> None:
    applied = await asyncio.gather(*(run(empty_database) for _ in range(4)))
    assert sorted(applied) == [[], [], [], NAMES]
    assert await recorded(empty_database) == NAMES


async def test_a_second_run_applies_nothing(database: str) -> None:
    assert await run(database) == []
    async with PostgresStore.open(database, update_schema=True) as store:
        assert (await store.audit()).violations == ()
    assert await recorded(database) == NAMES


async def test_what_is_missing_is_applied_in_order(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_of_them = load()
    released(monkeypatch, all_of_them[:2])
    assert await run(empty_database) == NAMES[:2]
    released(monkeypatch, all_of_them)
    assert await run(empty_database) == NAMES[2:]


async def test_d39_money_works_after_an_update_over_data(
    empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credits of before the update are held, captured and given back by what came with it."""
    all_of_them = load()
    released(monkeypatch, [m for m in all_of_them if m.name <= "0007_commit.sql"])
    await run(empty_database)
    async with connected(empty_database) as connection:
        for kind, amount in (("monthly", PRICE), ("purchased", 2 * PRICE)):
            await connection.execute(statement("ledger/grant"), "ada", kind, amount, kind, 10, None, "test")
    released(monkeypatch, all_of_them)
    async with PostgresStore.open(empty_database, update_schema=True) as store:
        engine = Engine(store, Catalog([Portrait]), blobs=FolderBlobs(tmp_path), run_loops=False)
        async with engine:
            jobs = [await engine.accept((await engine.submit(Portrait, "ada", {})).id) for _ in range(2)]
            await engine.cancel(jobs[0].id)
            assert await engine.money(jobs[0].id) == JobMoney(released=PRICE)
            assert await engine.money(jobs[1].id) == JobMoney(held=PRICE)
            wallet = await engine.wallet("ada")
            assert (wallet.available, wallet.held) == (2 * PRICE, PRICE)
            assert await engine.violations() == []


async def test_an_edited_file_is_refused(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *rest = load()
    edited = Migration(first.version, first.name, first.sql + " ")
    new = Migration(len(rest) + 2, "9999_new.sql", "create table makegood.new ()")
    with monkeypatch.context() as patch:
        released(patch, [edited, *rest, new])
        with pytest.raises(MigrationError, match=rf"^{first.name} was edited after it had been applied\.$"):
            await run(database)
    assert await recorded(database) == NAMES
    assert await run(database) == []


async def test_a_newer_database_is_refused(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    released(monkeypatch, load()[:-1])
    with pytest.raises(MigrationError, match="install the newer release"):
        await run(database)
    assert await recorded(database) == NAMES


async def test_a_migration_that_fails_leaves_nothing_and_keeps_nobody_out(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Migration(len(NAMES) + 1, "0099_broken.sql", "create table makegood.half (); select 1 / 0")
    async with connected(database) as connection:
        with monkeypatch.context() as patch:
            released(patch, [*load(), broken])
            with pytest.raises(MigrationError, match=r"0099_broken\.sql.*division by zero"):
                await migrate(connection)
        assert await connection.fetchval("SELECT to_regclass('makegood.half') IS NULL")
        assert await run(database) == []  # while the connection that failed is still open
    assert await recorded(database) == NAMES


async def test_a_runner_waits_for_another_one_only_so_long(database: str) -> None:
    async with connected(database) as busy, connected(database) as late:
        assert await busy.fetchval("SELECT pg_try_advisory_lock($1)", module._KEY)
        with pytest.raises(MigrationError, match="already"):
            await migrate(late, patience_seconds=0.1)
        assert await late.fetchval("SELECT 1") == 1


async def test_a_role_that_may_not_create_is_told_so(empty_database: str) -> None:
    dsn = f"{empty_database}{'&' if '?' in empty_database else '?'}role=pg_monitor"
    with pytest.raises(StoreError) as refused:
        async with PostgresStore.open(dsn, update_schema=True):
            pass
    assert "permission denied" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_files_have_no_gap() -> None:
    assert [migration.version for migration in load()] == list(range(1, len(NAMES) + 1))


# Hush and Hash stand for a password; what is wrong with each address besides comes first.
WRONG = {
    "nobody listens": "postgresql://u:HushHash@127.0.0.1:1/db",
    "no such socket": "postgresql://u:HushHash@/db?host=/nonexistent",
    "password in the query": "postgresql://127.0.0.1:1/db?user=u&password=HushHash",
    "slash in the password": "postgresql://u:Hush/Hash@127.0.0.1:1/db",
    "password like a port": "postgresql://u:12/HushHash@127.0.0.1:1/db",
    "hash sign in the password": "postgresql://u:Hush#Hash@127.0.0.1:1/db",
    "question mark in the password": "postgresql://u:Hush?Hash@127.0.0.1:1/db",
    "bracket in the password": "postgresql://u:Hush[Hash@127.0.0.1:1/db",
    "another scheme": "mysql://u:HushHash@127.0.0.1:1/db",
    "no scheme": "u:HushHash@127.0.0.1:1/db",
    "port is a word": "postgresql://u:HushHash@127.0.0.1:port/db",
    "port is too large": "postgresql://u:HushHash@127.0.0.1:99999/db",
    "bad option": "postgresql://u:HushHash@127.0.0.1:1/db?sslmode=nonsense",
    "bad certificate": "postgresql://u:HushHash@127.0.0.1:1/db?sslmode=verify-full&sslrootcert=/nonexistent",
}


@pytest.mark.parametrize("update_schema", [True, False])
@pytest.mark.parametrize("dsn", WRONG.values(), ids=WRONG)
async def test_a_wrong_address_gives_one_sentence_without_the_password(dsn: str, update_schema: bool) -> None:
    check(await refusal(dsn, update_schema))


@pytest.mark.parametrize("update_schema", [True, False])
async def test_a_missing_database_gives_one_sentence(postgres_dsn: str, update_schema: bool) -> None:
    parts = urlsplit(postgres_dsn)
    error = await refusal(parts._replace(path="/nonexistent").geturl(), update_schema)
    check(error)
    assert "nonexistent" in str(error)


@pytest.mark.parametrize("update_schema", [True, False])
async def test_a_server_that_is_no_postgres_gives_one_sentence(update_schema: bool) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        for option in ("", "?sslmode=disable"):
            check(await refusal(f"postgresql://u:HushHash@127.0.0.1:{port}/db{option}", update_schema))


async def refusal(dsn: str, update_schema: bool) -> StoreUnavailable:
    with pytest.raises(StoreUnavailable) as refused:
        async with PostgresStore.open(dsn, update_schema=update_schema):
            pass
    return refused.value


def check(error: StoreUnavailable) -> None:
    assert str(error).startswith("Cannot connect to Postgres")
    assert "\n" not in str(error)
    shown = "".join(traceback.format_exception(error))
    assert "Hush" not in str(error) + shown
    assert "Hash@" not in str(error) + shown


async def test_a_user_without_a_name_in_the_system_gets_a_sentence_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in a container: the driver then finds no user where the address names none."""

    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.delenv("PGUSER", raising=False)
    monkeypatch.setattr(getpass, "getuser", nameless)
    with pytest.raises(StoreUnavailable, match="Cannot connect to Postgres"):
        async with PostgresStore.open("postgresql://127.0.0.1:1/nothing"):
            pass
