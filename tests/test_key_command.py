"""The commands `makegood key …`, as an operator meets them."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from makegood.catalog import Catalog
from makegood.engine import Engine
from makegood.errors import InvalidRequest, KeyNameTaken, StoreError, UnknownKey
from makegood_adapters.cli.key import make, revoke, rotate, show
from makegood_adapters.http.callers import Scope
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore
from tests.roles import login
from tests.test_rights_command import run


async def opens(database: str, secret: str) -> bool:
    async with PostgresStore.open(database, connections_max=1) as store:
        engine = Engine(store, Catalog([]), blobs=MemoryBlobs(), run_loops=False)
        return await engine.find_key(secret) is not None


async def test_an_operator_makes_a_key_rotates_and_revokes_it(database: str, tmp_path: Path) -> None:
    async with login(database, "worker") as dsn:
        at = ("--dsn", dsn, "--actor", "olga")
        ended = await run(
            tmp_path, "key", "make", "shop", "--scope", "owners", "--scope", "credits", "--for", "90d", *at
        )
        assert ended.returncode == 0, ended.stderr
        first = ended.stdout.removesuffix("\n")  # the secret alone, for a script
        assert first.startswith("mgk_")
        assert " may credits, owners, until 20" in ended.stderr
        assert "shown once" in ended.stderr
        assert await opens(database, first)
        ended = await run(tmp_path, "key", "rotate", "shop", "--grace", "20m", "--json", "--dsn", dsn)
        again = json.loads(ended.stdout)
        assert (again["name"], again["scopes"], ended.stderr) == ("shop", ["credits", "owners"], "")
        assert [await opens(database, secret) for secret in (first, again["secret"])] == [True, True]
        listed = await run(tmp_path, "key", "list", "--dsn", dsn)
        assert "shop" in listed.stdout
        assert first.split("_", 2)[2] not in listed.stdout
        ended = await run(tmp_path, "key", "revoke", again["id"], *at)
        assert ended.stdout == (
            f"shop ({again['id']}): revoked by olga; every process refuses it within 5 seconds\n"
        )
        assert [await opens(database, secret) for secret in (first, again["secret"])] == [False, False]
        [kept] = json.loads((await run(tmp_path, "key", "list", "--json", "--dsn", dsn)).stdout)
        assert (kept["created_by"], kept["revoked_by"]) == ("olga", "olga")
        assert "secret" not in kept


async def test_mistakes_are_one_sentence(database: str, tmp_path: Path) -> None:
    await make("shop", scope=[Scope.OWNERS], actor="olga", dsn=database)
    with pytest.raises(KeyNameTaken):
        await make("shop", scope=[Scope.OWNERS], dsn=database)
    with pytest.raises(InvalidRequest, match="--for takes a time such as"):
        await make("late", scope=[Scope.OWNERS], lasts="soon", dsn=database)
    with pytest.raises(UnknownKey, match="'shpo'"):
        await rotate("shpo", dsn=database)
    with pytest.raises(UnknownKey):
        await revoke("shpo", dsn=database)
    ended = await run(tmp_path, "key", "make", "shop", "--scope", "everything", "--dsn", database)
    assert ended.returncode != 0
    assert "owners" in ended.stdout + ended.stderr  # the scopes that there are
    async with login(database, "api") as dsn:
        with pytest.raises(StoreError, match="permission denied for table service_key"):
            await make("other", scope=[Scope.OWNERS], dsn=dsn)


async def test_names_are_shown_as_they_are_and_an_empty_list_says_how_to_begin(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await show(dsn=database)
    assert capsys.readouterr().out.startswith("No keys: `makegood key make NAME --scope SCOPE`")
    await make("[b]shop[/b]", scope=[Scope.METRICS], actor="[olga]", dsn=database)
    await show(dsn=database)
    shown = capsys.readouterr().out
    assert "[b]" in shown
    assert "[olga]" in shown


async def test_a_process_that_may_only_ask_finds_keys(database: str) -> None:
    async with PostgresStore.open(database, connections_max=1) as store:
        engine = Engine(store, Catalog([]), blobs=MemoryBlobs(), run_loops=False)
        made = await engine.make_key("shop", ["owners"], actor="olga", expires_at=timedelta(days=1))
    async with login(database, "api") as dsn:
        assert await opens(dsn, made.secret)
