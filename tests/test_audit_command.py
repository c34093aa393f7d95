"""`makegood audit` as an operator meets it: tables, JSON, exit statuses, and looking again until Ctrl-C."""

import asyncio
import io
import json
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from rich.console import Console

from makegood.audit import INVARIANTS, Audit, Totals, Violation
from makegood.errors import StoreUnavailable
from makegood.testing.drive import PRICE, SPECS, Advance, Drive
from makegood_adapters.cli.audit.report import report
from makegood_adapters.cli.audit.watch import Lines, Page, watch
from makegood_adapters.postgres.store import PostgresStore
from tests import command

PAGE = Path(__file__).resolve().parent.parent / "docs" / "how-to" / "audit.md"
WIDTH = 80
NOTHING = Totals(owner=None, issued=0, remaining=0, held=0, captured=0, expired=0)
FINE = Audit(
    at=datetime(2026, 5, 1, 12, tzinfo=UTC),
    counts=dict.fromkeys(INVARIANTS, 0),
    violations=(),
    total=NOTHING,
    owners=0,
    totals=(),
)
BROKEN = replace(
    FINE,
    counts={**FINE.counts, "wallet_sequence": 12},
    violations=(Violation(code="wallet_sequence", subject="ada", owner="ada"),),
)
FINE_LINE = f"{len(INVARIANTS)} invariants, 0 violations"
BROKEN_LINE = f"{len(INVARIANTS)} invariants, 12 violations: wallet_sequence 12"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def call(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        surroundings = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"}
        surroundings.update({"COLUMNS": str(WIDTH), **environment})
        return command.run("audit", *words, folder=tmp_path, environment=surroundings)

    return call


@pytest_asyncio.fixture
async def drive(database: str, advance: Advance) -> AsyncIterator[Drive]:
    async with PostgresStore.open(database) as store:
        await store.declare(SPECS)
        yield Drive(store, advance)


async def tamper(database: str, sql: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def texts(told: str) -> list[str]:
    return [" ".join(line.split()) for line in told.splitlines()]


async def test_books_in_order_are_told_in_a_table(drive: Drive, database: str, run: Run) -> None:
    await drive.grant(1_000)
    await drive.grant(500, owner="bob")
    await drive.to("running")
    told = await asyncio.to_thread(run, "--dsn", database)
    assert (told.returncode, told.stderr) == (0, "")
    lines = texts(told.stdout)
    for code, sentence in INVARIANTS.items():
        assert f"{code} 0 {sentence}" in lines
    assert "ada 1,000 900 100 0 0" in lines
    assert "all 2 owners 1,500 1,400 100 0 0" in lines
    assert lines[-1] == FINE_LINE
    assert max(map(len, told.stdout.splitlines())) <= WIDTH


async def test_the_page_shows_what_the_command_prints(drive: Drive, database: str, run: Run) -> None:
    await drive.grant(1_000)
    await drive.grant(500, owner="bob")
    await drive.to("running")
    await drive.to("completed")
    shown = re.search(
        r"```sh\nmakegood audit ([^\n]+)\n```\n\n```text\n(.+?)```", PAGE.read_text("utf-8"), re.DOTALL
    )
    assert shown is not None
    told = await asyncio.to_thread(run, *shown[1].split(), DATABASE_URL=database)
    assert [line.rstrip() for line in told.stdout.splitlines()] == shown[2].splitlines()


def test_the_page_says_what_to_do_for_each_invariant() -> None:
    rows = re.findall(r"^\| (\w+) \| (.+?) \| (.+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert [(code, sentence) for code, sentence, _ in rows[1:]] == list(INVARIANTS.items())


async def test_owners_are_few_or_one_and_the_others_are_counted(
    drive: Drive, database: str, run: Run
) -> None:
    for owner in ("ada", "bob", "cleo"):
        await drive.grant(1_000, owner=owner)
    few = texts((await asyncio.to_thread(run, "--owners", "1", DATABASE_URL=database)).stdout)
    assert "ada 1,000 1,000 0 0 0" in few
    assert "and 2 more owners: --owner NAME shows one, --owners N more" in few
    one = texts((await asyncio.to_thread(run, "--owner", "cleo", DATABASE_URL=database)).stdout)
    assert [line for line in one if line.endswith("1,000 1,000 0 0 0")] == ["cleo 1,000 1,000 0 0 0"]
    assert "all 3 owners 3,000 3,000 0 0 0" in one
    nobody = texts((await asyncio.to_thread(run, "--owner", "eve", DATABASE_URL=database)).stdout)
    assert "'eve' has no credits and never had any" in nobody


@pytest.mark.tampers
async def test_a_violation_is_named_and_is_the_exit_status(drive: Drive, database: str, run: Run) -> None:
    await drive.grant()
    job = await drive.to("running")
    await tamper(
        database,
        "SET session_replication_role = replica; UPDATE makegood.job SET deadline_at = NULL;"
        " UPDATE makegood.wallet SET seq = seq + 1",
    )
    told = await asyncio.to_thread(run, "--dsn", database)
    assert told.returncode == 1
    lines = texts(told.stdout)
    assert f"job_times {job.id} running owner ada" in lines
    assert f"wallet_sequence 1 {INVARIANTS['wallet_sequence']}" in lines
    assert "wallet_sequence ada" in lines
    assert lines[-1] == f"{len(INVARIANTS)} invariants, 2 violations: wallet_sequence 1, job_times 1"
    told = await asyncio.to_thread(run, "--dsn", database, "--json")
    assert told.returncode == 1
    found = json.loads(told.stdout)
    assert (found["violations"], found["invariants"]["job_times"]) == (2, 1)
    assert found["found"][1] == {
        "code": "job_times",
        "invariant": INVARIANTS["job_times"],
        "subject": f"{job.id} running",
        "owner": "ada",
        "job": str(job.id),
    }


async def test_json_has_every_invariant_and_all_totals(drive: Drive, database: str, run: Run) -> None:
    await drive.grant(1_000)
    await drive.to("completed")
    told = await asyncio.to_thread(run, "--dsn", database, "--json")
    assert told.returncode == 0
    found = json.loads(told.stdout)
    assert datetime.fromisoformat(found.pop("at")).tzinfo is not None
    amounts = {"issued": 1_000, "remaining": 1_000 - PRICE, "held": 0, "captured": PRICE, "expired": 0}
    assert found == {
        "violations": 0,
        "invariants": dict.fromkeys(INVARIANTS, 0),
        "found": [],
        "total": {"owners": 1, **amounts, "difference": 0},
        "owners": [{"owner": "ada", **amounts, "difference": 0}],
    }


async def test_the_service_file_names_the_database(database: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "makegood.toml").write_text(f'database_url = "{database}"\n')
    assert (await asyncio.to_thread(run)).returncode == 0
    (tmp_path / "config" / "makegood.toml").rename(tmp_path / "other.toml")
    assert (await asyncio.to_thread(run, "--config", "other.toml")).returncode == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "No database is named: give --dsn, set DATABASE_URL, or name a file with --config"),
        (
            ("--dsn", "postgresql://ada:a-password@127.0.0.1:1/x"),
            "Cannot connect to Postgres at 127.0.0.1:1/x",
        ),
        (("--config", "nowhere.toml"), "There is no configuration file nowhere.toml"),
        (("--dsn", "x", "--config", "y"), "--dsn and --config both name a database"),
        (("--owners=-1",), "--owners takes 0 or more, not -1."),
        (("--watch", "0"), "--watch takes 0.1 to 86400 seconds, not 0."),
        (("--json", "--watch"), "--json is one object and --watch goes on for ever"),
    ],
)
def test_a_mistake_is_one_sentence_and_status_2(words: tuple[str, ...], sentence: str, run: Run) -> None:
    told = run(*words)
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith(f"makegood: {sentence}")
    assert told.stderr.count("\n") == 1
    assert "a-password" not in told.stderr


async def test_a_database_without_our_schema_is_one_sentence(empty_database: str, run: Run) -> None:
    told = await asyncio.to_thread(run, "--dsn", empty_database)
    assert (told.returncode, told.stdout) == (2, "")
    assert "has no schema `makegood`" in told.stderr


@pytest.mark.tampers
async def test_watching_writes_a_line_for_each_change_and_ends_with_the_last_state(
    drive: Drive, database: str
) -> None:
    await drive.grant()
    watching = await asyncio.create_subprocess_exec(
        command.PROGRAM, "audit", "--dsn", database, "--watch", "0.1",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert watching.stdout is not None
    assert (await watching.stdout.readline()).decode().strip().endswith(FINE_LINE)
    await drive.to("running")  # credits move, and that is no change of the state
    await tamper(database, "UPDATE makegood.wallet SET seq = seq + 1")
    broken = (await watching.stdout.readline()).decode().strip()
    assert broken.endswith("1 violation: wallet_sequence 1")
    watching.send_signal(signal.SIGINT)
    out, err = await watching.communicate()
    assert (watching.returncode, out, err) == (1, b"", b"")


class Seen:
    """A screen that remembers."""

    def __init__(self) -> None:
        self.told: list[Audit | str] = []

    def show(self, audit: Audit) -> None:
        self.told.append(audit)

    def lose(self, sentence: str) -> None:
        self.told.append(sentence)


async def watched(*looks: Audit | Exception) -> tuple[int, list[Audit | str]]:
    """Watch through these looks, and stop before another."""
    left, seen = list(looks), Seen()

    async def look() -> Audit:
        found = left.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    async def pause() -> bool:
        return not left

    return await watch(look, seen, pause, asyncio.Event()), seen.told


async def test_the_status_is_that_of_the_last_state() -> None:
    assert await watched(FINE) == (0, [FINE])
    assert await watched(FINE, BROKEN) == (1, [FINE, BROKEN])
    assert await watched(BROKEN, FINE) == (0, [BROKEN, FINE])
    gone = StoreUnavailable("The database does not answer.")
    assert await watched(FINE, gone) == (2, [FINE, str(gone)])
    assert await watched(FINE, gone, BROKEN) == (1, [FINE, str(gone), BROKEN])


async def test_an_error_of_the_first_look_ends_it() -> None:
    with pytest.raises(StoreUnavailable, match="does not answer"):
        await watched(StoreUnavailable("The database does not answer."))


async def test_a_look_that_takes_long_is_given_up_when_nobody_waits_for_it() -> None:
    stopping, ended = asyncio.Event(), asyncio.Event()

    async def look() -> Audit:
        stopping.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return FINE

    async def pause() -> bool:
        raise AssertionError("there was nothing to wait after")

    assert await watch(look, Seen(), pause, stopping) == 0
    assert ended.is_set()


def console_of(*, terminal: bool) -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    return Console(file=written, force_terminal=terminal, width=WIDTH, height=24, highlight=False), written


def test_without_a_terminal_only_changes_are_written() -> None:
    console, written = console_of(terminal=False)
    with Lines(console) as lines:
        for audit in (FINE, FINE, BROKEN, BROKEN):
            lines.show(audit)
        lines.lose("gone")
        lines.lose("gone")
        lines.show(BROKEN)
    moment = "2026-05-01 12:00:00 UTC  "
    assert written.getvalue().splitlines() == [
        moment + FINE_LINE,
        moment + BROKEN_LINE,
        "gone",
        moment + BROKEN_LINE,
    ]


def test_a_terminal_gets_a_page_in_place_and_keeps_the_last_report() -> None:
    console, written = console_of(terminal=True)
    with Page(console, None, 10) as page:
        page.show(FINE)
        page.show(BROKEN)
        page.lose("The database does not answer.")
    drawn, left = written.getvalue().split("\x1b[?1049l")
    first, last = drawn.index("every 10 seconds, Ctrl-C ends"), drawn.rindex("every 10 seconds, Ctrl-C ends")
    assert FINE_LINE in drawn[first:last]
    assert "The database does not answer." in drawn[last:]
    assert BROKEN_LINE in drawn[last:]
    assert BROKEN_LINE in left
    assert "The database does not answer." in left


def test_what_is_left_out_is_counted() -> None:
    console, written = console_of(terminal=False)
    console.print(report(BROKEN))
    lines = texts(written.getvalue())
    assert "wallet_sequence and 11 more" in lines
    assert "\x1b" not in written.getvalue()


def test_missing_credits_are_a_column() -> None:
    lost = Totals(owner="ada", issued=10, remaining=7, held=0, captured=0, expired=0)
    console, written = console_of(terminal=False)
    console.print(report(replace(FINE, owners=1, totals=(lost,), total=replace(lost, owner=None))))
    lines = texts(written.getvalue())
    assert "credits of issued remaining held captured expired difference" in lines
    assert "ada 10 7 0 0 0 3" in lines
    assert "all 1 owner 10 7 0 0 0 3" in lines
