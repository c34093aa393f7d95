"""What the command line says to a database user with many rights, with few, and with none."""

import asyncio
import json
import os
import socket
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests import command
from tests.roles import login

UP_TO_DATE = "The schema makegood is up to date.\n"


async def run(folder: Path, *words: str) -> "CompletedProcess[str]":
    environment = {**os.environ, "COLUMNS": "100"}
    return await asyncio.to_thread(command.run, *words, folder=folder, environment=environment)


async def serve(folder: Path, dsn: str, more: str = "") -> str:
    """Start the service on a port that is taken, and return the sentence with which it ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        text = f"database_url = {json.dumps(dsn)}\nport = {port}\n{more}\n"
        (folder / "engine.toml").write_text(text)
        told = await run(folder, "serve", "--config", "engine.toml")
    assert told.returncode == 2, told.stdout + told.stderr
    assert "Traceback" not in told.stderr
    assert "a-password" not in told.stderr
    last = told.stderr.strip().splitlines()[-1]
    assert last.startswith("makegood: ")
    return last.removeprefix("makegood: ")


async def test_the_owner_makes_the_schema_with_a_command(empty_database: str, tmp_path: Path) -> None:
    first = await run(tmp_path, "migrate", "--dsn", empty_database)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.startswith("applied 0001_machine.sql\n")
    assert first.stdout.endswith(UP_TO_DATE)
    (tmp_path / "engine.toml").write_text(f"database_url = {json.dumps(empty_database)}")
    again = await run(tmp_path, "migrate", "--config", "engine.toml")
    assert (again.returncode, again.stdout) == (0, UP_TO_DATE)


@pytest.mark.parametrize("key", ["", "database_update_schema = false", "database_transaction_pooler = true"])
async def test_a_worker_starts_the_service(database: str, tmp_path: Path, key: str) -> None:
    async with login(database, "worker") as dsn:
        assert "Cannot listen on 127.0.0.1" in await serve(tmp_path, dsn, key)  # it came as far as that


async def test_without_a_schema_it_says_who_makes_it(empty_database: str, tmp_path: Path) -> None:
    said = await serve(tmp_path, empty_database, "database_update_schema = false")
    assert said.startswith("The database has no schema `makegood`: run `makegood migrate` as its owner")


@pytest.mark.parametrize(
    ("kind", "key", "sentence"),
    [
        (None, "", "permission denied for schema makegood. Only the owner of the schema can update it"),
        (None, "database_update_schema = false", "makegood.grant_rights('<user>', 'worker')"),
        ("readonly", "", "The database user may not do this: permission denied for table ledger_rule"),
        ("api", "", "The database user may not do this: permission denied for table ledger_rule"),
    ],
)
async def test_a_user_without_the_rights_is_told_which_is_missing_and_what_to_do(
    database: str, tmp_path: Path, kind: str | None, key: str, sentence: str
) -> None:
    async with login(database, kind) as dsn:
        assert sentence in await serve(tmp_path, dsn, key)


async def test_who_is_not_the_owner_cannot_migrate(empty_database: str, tmp_path: Path) -> None:
    async with login(empty_database, None) as dsn:
        told = await run(tmp_path, "migrate", "--dsn", dsn)
    assert told.returncode == 2
    assert "permission denied" in told.stderr
    assert "`makegood migrate` with the owner's address" in told.stderr
    assert len(told.stderr.splitlines()) == 1
