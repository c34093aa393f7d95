"""`makegood watch` as an operator meets it: lines as they come, of an owner, from a place on, as JSON."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from makegood.testing.contract.stream import all_placed, life
from makegood.testing.drive import SPECS
from makegood_adapters.postgres.store import PostgresStore
from tests.roles import login

PROGRAM = Path(sys.executable).with_name("makegood")
PATIENCE_SECONDS = 60.0


@asynccontextmanager
async def watching(dsn: str, *arguments: str) -> AsyncIterator[Process]:
    environment = {**os.environ, "DATABASE_URL": dsn, "COLUMNS": "200"}
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "watch", *arguments, env=environment, stdout=PIPE, stderr=PIPE
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def lines(process: Process, number: int) -> list[str]:
    assert process.stdout is not None
    return [(await process.stdout.readline()).decode().rstrip("\n") for _ in range(number)]


@pytest.fixture
async def store(database: str) -> AsyncIterator[PostgresStore]:
    async with PostgresStore.open(database) as opened:
        await opened.declare(SPECS)
        yield opened


async def test_what_was_and_what_comes_is_told_to_a_role_that_only_reads(
    store: PostgresStore, database: str
) -> None:
    first = await life(store, "ada")
    await all_placed(store)
    async with login(database, "readonly") as dsn, watching(dsn, "--after", "0") as process:
        told = await lines(process, 2)
        assert f"{first.id}  submit to pending  contract_plain of ada, by test" in told[0]
        assert told[1].split()[0] == "2"
        assert "refuse to failed" in told[1]
        second = await life(store, "bob")
        await all_placed(store)
        later = await lines(process, 2)
        assert [line.split()[0] for line in later] == ["3", "4"]
        assert all(str(second.id) in line for line in later)


async def test_an_owner_from_a_place_on_as_json(store: PostgresStore, database: str) -> None:
    for owner in ("ada", "bob", "ada"):
        await life(store, owner)
    await all_placed(store)
    async with watching(database, "--json", "--owner", "ada", "--after", "1") as process:
        told = [json.loads(line) for line in await lines(process, 3)]
    assert [(step["seq"], step["owner"]) for step in told] == [(2, "ada"), (5, "ada"), (6, "ada")]
    assert told[0]["event"] == "refuse"


async def test_it_goes_on_when_its_connection_is_cut(store: PostgresStore, database: str) -> None:
    async with watching(database, "--after", "0", "--json") as process:
        await life(store, "ada")
        await all_placed(store)
        told = await lines(process, 2)
        plain = await asyncpg.connect(database)
        await plain.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        plain.terminate()
        await life(store, "bob")
        await all_placed(store)
        told += await lines(process, 2)
    assert [json.loads(line)["seq"] for line in told] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--after", "-1"), "--after takes 0 or more, not -1."),
        (("--after", "9"), "The stream has come to 0, so nobody can have seen 9"),
    ],
)
async def test_a_mistake_is_one_sentence(
    store: PostgresStore, database: str, arguments: tuple[str, ...], told: str
) -> None:
    async with watching(database, *arguments) as process:
        out, err = await process.communicate()
    assert (process.returncode, out) == (2, b"")
    assert told in err.decode()
