"""The commands that rule the queues, as an operator meets them."""

import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from makegood.errors import InvalidRequest, StoreError
from makegood.testing.contract.closing import REASON, close, refused
from makegood.testing.drive import PLAIN, SPECS, Advance, Drive, accounts
from makegood_adapters.cli.rules import limit, pause, resume, rules
from makegood_adapters.postgres.store import PostgresStore
from tests.roles import login
from tests.test_rights_command import run


async def told(folder: Path, *words: str) -> str:
    ended = await run(folder, *words)
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr
    return ended.stdout


async def prepared(database: str, advance: Advance) -> None:
    async with PostgresStore.open(database) as store:
        await store.declare(SPECS)
        await Drive(store, advance, pools="studio").pool()


async def test_an_operator_rules_a_queue(database: str, advance: Advance, tmp_path: Path) -> None:
    await prepared(database, advance)
    async with login(database, "worker") as dsn:
        at = ("--dsn", dsn, "--actor", "olga")
        said = await told(tmp_path, "limit", "--owner", "ann", "--running-max", "2", "--weight", "1.5", *at)
        assert said == "owner ann: running_max 2, weight 1.5\n"
        await limit(pool="studio-1", oldest_every="4", actor="olga", dsn=dsn)
        await limit(type="*", running_max="40", actor="olga", dsn=dsn)
        await pause(pool="studio-1", reason="the provider moves", actor="olga", dsn=dsn)
        said = await told(tmp_path, "pause", "--owner", "bob", "--reason", "unpaid", "--for", "2h", *at)
        assert " until 20" in said
        listed = await told(tmp_path, "rules", "--dsn", dsn)
        heads, *lines = listed.splitlines()
        assert " ".join(heads.split()) == "scope name running weight oldest by paused (UTC) until because"
        assert [line.split()[:2] for line in lines if line[:1].strip()] == [
            ["owner", "ann"],
            ["owner", "bob"],
            ["pool", "studio-1"],
            ["type", "*"],
        ]
        found = json.loads(await told(tmp_path, "rules", "--json", "--dsn", dsn))
        assert [(rule["name"], rule["actor"], rule["reason"]) for rule in found] == [
            ("ann", "olga", None),
            ("bob", "olga", "unpaid"),
            ("studio-1", "olga", "the provider moves"),
            ("*", "olga", None),
        ]


async def test_d36_an_operator_sees_why_a_type_is_closed_and_opens_it(
    database: str, advance: Advance, tmp_path: Path
) -> None:
    await prepared(database, advance)
    async with login(database, "worker") as dsn:
        async with PostgresStore.open(dsn) as store:
            drive = Drive(store, advance, pools="broken")
            await refused(drive, await drive.pool(), 3)
            assert await close(drive)
        listed = await told(tmp_path, "rules", "--dsn", dsn)
        assert "closed" in listed
        assert "803" in listed
        said = await told(tmp_path, "limit", "--type", PLAIN.name, "--running-max", "2", "--dsn", dsn)
        assert said == f"type {PLAIN.name}: running_max 2, closed until it is resumed: {REASON}\n"
        assert await told(tmp_path, "resume", "--type", PLAIN.name, "--dsn", dsn)
        assert "closed" not in await told(tmp_path, "rules", "--dsn", dsn)


COMMANDS: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
    "limit": limit,
    "pause": pause,
    "resume": resume,
}
MISTAKES: list[tuple[str, dict[str, str], str]] = [
    ("limit", {"running_max": "2"}, "Name one of --owner, --type and --pool."),
    ("limit", {"owner": "a", "type": "b", "running_max": "2"}, "Name one of"),
    ("limit", {"owner": "a"}, "Give --running-max or --weight here"),
    ("limit", {"pool": "a", "running_max": "2"}, "Give --oldest-every here"),
    ("limit", {"owner": "a", "running_max": "two"}, "takes a whole number or 'none', not 'two'"),
    ("limit", {"owner": "a", "running_max": "3000000000"}, "a whole number from 0 to 2,147,483,647"),
    ("limit", {"pool": "*", "oldest_every": "0"}, "oldest_every 0 must be a whole number from 1"),
    ("limit", {"owner": "a", "weight": "heavy"}, "takes a number or 'none', not 'heavy'"),
    ("limit", {"owner": "a", "weight": "0"}, "weight 0.0 must be a number from 0.001 to 1,000"),
    ("limit", {"owner": "a", "weight": "nan"}, "weight nan must be a number"),
    ("limit", {"owner": "*", "weight": "2"}, "'*' stands for every owner and cannot be chosen here"),
    ("limit", {"type": "flim", "running_max": "2"}, "There is no type 'flim'; there are: contract_"),
    ("pause", {"pool": "stuido", "reason": "x"}, "There is no pool 'stuido'; there are: studio-1"),
    ("pause", {"owner": "a", "reason": "x", "lasts": "soon"}, "such as 90s, 20m, 2h or 1d"),
    ("pause", {"owner": "a", "reason": ""}, "reason '' must be 1 to 500 printable characters"),
    ("pause", {"reason": "x"}, "Name one of pool, type and owner."),
    ("resume", {"owner": "a", "pool": "b"}, "Name one of pool, type and owner."),
    ("resume", {"pool": "studoi-1"}, "There is no pool 'studoi-1'; there are: studio-1."),
    ("limit", {"owner": "", "running_max": "1"}, "owner '' must be 1 to 500 printable characters."),
]


async def test_a_mistake_is_one_sentence_and_changes_nothing(database: str, advance: Advance) -> None:
    await prepared(database, advance)
    for command, options, sentence in MISTAKES:
        with pytest.raises(InvalidRequest) as refused:
            await COMMANDS[command](**options, dsn=database)
        assert sentence in str(refused.value), (command, options)
    async with PostgresStore.open(database) as store:
        assert await store.rules.all() == []


async def test_names_and_reasons_are_shown_as_they_are(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An owner's name is often chosen by the owner."""
    await pause(owner="[b]ann[/b]", reason="closed [/b]", actor="[olga]", dsn=database)
    await rules(dsn=database)
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("[b]ann[/b]", "[/b]", "[olga]"))


async def test_a_mistake_ends_the_command(tmp_path: Path) -> None:
    ended = await run(tmp_path, "limit", "--running-max", "2")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("makegood: Name one of --owner, --type and --pool.")


async def test_who_may_not_is_told_who_may(database: str) -> None:
    async with login(database, "api") as dsn:
        with pytest.raises(StoreError, match="permission denied for table rule"):
            await limit(owner="ann", running_max="2", dsn=dsn)


async def test_a_worker_obeys_the_command(
    database: str, advance: Advance, capsys: pytest.CaptureFixture[str]
) -> None:
    await prepared(database, advance)
    async with PostgresStore.open(database) as store:
        drive = Drive(store, advance, pools="shop")
        pool = await drive.pool()
        await drive.grant()
        [job] = await drive.queued(pool)
        await rules(dsn=database)
        await pause(type=PLAIN.name, reason="prices", dsn=database)
        assert await store.attempts.dispatch(pool, accounts(pool), 1) == []
        await resume(type=PLAIN.name, dsn=database)
        await resume(type=PLAIN.name, dsn=database)
        await drive.dispatch(job)
    none, paused, resumed, again = capsys.readouterr().out.splitlines()
    assert none.startswith("No limits, shares or pauses: ")
    assert paused == f"type {PLAIN.name}: paused until it is resumed: prices"
    assert (resumed, again) == (f"type {PLAIN.name}: resumed", f"type {PLAIN.name}: was not paused")
