"""`makegood top`: what an operator sees of processes, accounts and the queue, with no right but to read."""

import asyncio
import json
import os
import re
from dataclasses import replace
from io import StringIO
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from rich.console import Console

from makegood.ports import RATE_MOVES_MAX, Worker, WorkerName, WorkerState
from makegood.testing.drive import SPECS, Drive
from makegood_adapters.cli.top.report import fitted, report, to_json
from makegood_adapters.postgres.overview import overview
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.store import PostgresStore
from tests import command
from tests.engine.world import DatabaseClock
from tests.roles import login
from tests.site.terminal import ASSETS, PICTURES, a_busy_service


async def top(dsn: str, *words: str) -> tuple[int, str, str]:
    """Return exit status, output and errors of the command; the address travels in the environment."""
    environment = {**os.environ, "DATABASE_URL": dsn, "COLUMNS": "80"}
    told = await asyncio.to_thread(command.run, "top", *words, environment=environment)
    return told.returncode, told.stdout, told.stderr


def a_worker(number: int, **given: Any) -> Worker:
    usual: dict[str, Any] = {
        "id": uuid4(),
        "name": WorkerName(host="gpu-host", pid=4000 + number, number=number, version="0.1.0"),
        "state": WorkerState.RUNNING,
        "accounts": ("main",),
        "health": {"relay": {"failures": 0, "hanging": False, "over": False}},
    }
    return Worker(**{**usual, **given})


async def test_it_shows_processes_accounts_the_queue_and_rates_to_who_may_only_read(database: str) -> None:
    """The time of the database stands still, so that how long a command takes decides nothing."""
    owner = await asyncpg.connect(database)
    clock = DatabaseClock(owner)
    advance = clock.advance
    await advance(0)
    async with PostgresStore.open(database) as store, login(database, "readonly") as readonly:
        await store.declare(SPECS)
        drive = Drive(store, advance)
        await store.workers.beat(a_worker(1))
        await advance(60)
        ill = {"relay": {"failures": 3}, "poller": {"hanging": True}, "watchdog": {"failures": 0}}
        await store.workers.beat(a_worker(2, health=ill))
        await advance(1)
        await store.workers.beat(a_worker(3, state=WorkerState.DRAINING, health={"relay": {"over": True}}))
        await drive.grant()
        pool = await drive.pool(capacity=1)
        await drive.to("completed", pool=pool)
        await drive.to("running", pool=pool)
        for priority in (0, 5, 5):
            await drive.to("queued", pool=pool, priority=priority)

        status, out, err = await top(readonly, "--json", "--audit")
        assert (status, err) == (0, "")
        told = json.loads(out)
        assert [worker["state"] for worker in told["workers"]] == ["lost", "running", "draining"]
        assert [worker["unhealthy"] for worker in told["workers"]] == [[], ["relay", "poller"], []]
        assert told["workers"][0]["seen_seconds_ago"] >= 60
        [account] = [account for account in told["accounts"] if account["pool"] == pool]
        assert (account["open"], account["capacity"], account["waiting"]) == (1, 1, 3)
        assert [(lane["priority"], lane["waiting"]) for lane in told["queue"]] == [(5, 2), (0, 1)]
        assert {state: entry["jobs"] for state, entry in told["states"].items()} == {
            "queued": 3,
            "running": 1,
        }
        assert told["jobs_per_minute"]["completed"] == 1
        assert told["jobs_per_minute"]["accepted"] == 5
        assert told["violations"] == 0

        status, out, err = await top(readonly, "--once")
        assert (status, err) == (0, "")
        assert max(map(len, out.splitlines())) <= 80
        assert out.startswith("2 processes · 3 jobs wait\nPer minute: 5 accepted, 1 completed, 0 failed")
        lines = [line.split() for line in out.splitlines() if line.startswith("gpu-host")]
        assert [line[-3] for line in lines[:1]] == ["lost"]
        assert "relay failed 3 times · poller hangs" in " ".join(out.split())
        assert "draining" in lines[2]
    owner.terminate()


@pytest.mark.tampers  # transitions of jobs that never were
async def test_of_a_flood_the_rate_is_that_of_the_last_transitions(database: str) -> None:
    """So a look costs the same however many jobs there are."""
    plain = await asyncpg.connect(database)
    await DatabaseClock(plain).advance(0)  # how long it takes to write them decides nothing
    async with PostgresStore.open(database) as store:
        await plain.execute(
            "insert into makegood.history (job_id, version, operation_id, owner_id, type, event, from_state,"
            " to_state, actor, attempt, at) select gen_random_uuid(), 1, gen_random_uuid(), 'ada', 'flood',"
            " 'complete', 'running', 'completed', 'x', 1, makegood.now() - make_interval(secs => n * 0.003)"
            f" from generate_series(1, {2 * RATE_MOVES_MAX}) n"
        )
        await plain.execute(
            "insert into makegood.outbox (job_id, version, done_at)"
            " select job_id, 1, makegood.now() from makegood.history order by at"
        )
        rate = (await overview(store)).rates["completed"]
    plain.terminate()
    assert rate == pytest.approx(20_000, rel=0.01)


@pytest.mark.tampers  # jobs without a history
async def test_a_look_reads_no_job_that_is_over(database: str) -> None:
    plain = await asyncpg.connect(database)
    async with PostgresStore.open(database) as store:
        await store.declare(SPECS)
    await plain.execute("set session_replication_role = replica")
    await plain.execute(
        "insert into makegood.job (job_id, owner_id, type, type_version, pool, state, actor, price, input,"
        " request, attempts_max, finished_at) select gen_random_uuid(), 'ada', 'contract_plain', 1, 'gpu',"
        " 'completed', 'x', 1, '{}', '{}', 1, makegood.now() from generate_series(1, 20000)"
    )
    await plain.execute("analyze makegood.job")
    for name, given in (
        ("queue", ""),
        ("states", ""),
        ("live", "(9)"),
        ("ended", "(86400, 9, 9)"),
        ("line", "(array['gpu'], 9)"),
        ("pools", ""),
        ("trouble_jobs", "(9, 9)"),
    ):
        sql = statement(f"overview/{name}")
        await plain.execute(f"prepare {name} as {sql}")
        plan = [row[0] for row in await plain.fetch(f"explain execute {name} {given}")]
        assert not [line for line in plan if "Seq Scan on job" in line], plan
    plain.terminate()


async def test_an_empty_database_is_shown_too(database: str) -> None:
    status, out, err = await top(database, "--once")
    assert (status, err) == (0, "")
    for sentence in ("no process works", "no provider account", "nothing waits", "no job is open"):
        assert sentence in out


async def test_what_cannot_be_shown_is_told_in_a_sentence() -> None:
    nowhere = "postgresql://nobody:a-password@127.0.0.1:1/nothing"
    assert await top(nowhere, "--every", "0") == (
        2,
        "",
        "makegood: --every takes 0.5 to 3600 seconds, not 0.\n",
    )
    status, out, err = await top(nowhere, "--once")
    assert (status, out) == (2, "")
    assert err.startswith("makegood: Cannot connect to Postgres at 127.0.0.1:1/nothing")
    assert "a-password" not in err


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_in_a_terminal_what_has_trouble_comes_first_and_nothing_leaves_it(width: int, height: int) -> None:
    """However much is wrong, and however long that is: what stands last is the queue."""
    found, books = a_busy_service()
    ill = [replace(use, failures=9, last_error="a long story of a gateway " * 9) for use in found.accounts]
    for many in (
        replace(found, workers=[*found.workers] * 5, accounts=[*found.accounts] * 9),
        replace(found, workers=[*found.workers] * 5, accounts=ill * 9),
    ):
        page = StringIO()
        console = Console(file=page, width=width, height=height, highlight=False)
        console.print(fitted(console, many, books, lines_beside=3))
        lines = page.getvalue().splitlines()
        assert len(lines) <= height - 3
        assert next(line.split()[2] for line in lines if line.startswith("gpu-host")) == "[2]"
        assert len([line for line in lines if re.fullmatch(r"and \d+ more *", line)]) == 2
        assert lines[-1].split()[-4:] == ["running", "51", "4", "min"]
        assert all(f"\n{word} " in page.getvalue() for word in ("process", "account", "queue"))


def test_books_that_are_broken_are_red_and_counted_for_people_and_programs() -> None:
    found, books = a_busy_service()
    for counts, broken, style in (({}, 0, "1;32"), ({"wallet_sums": 2, "hold_sums": 1}, 3, "1;31")):
        audit = replace(books, counts=counts)
        page = Console(file=StringIO(), width=96, force_terminal=True, highlight=False, record=True)
        page.print(report(found, audit))
        assert f"\x1b[{style}m · {broken} violations" in page.export_text(styles=True)
        assert dict(to_json(found, audit))["violations"] == broken
    assert "violations" not in to_json(found)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_of_the_terminal_is_current_and_asks_nobody(name: str) -> None:
    drawn = (ASSETS / name).read_text("utf-8")
    assert drawn == PICTURES[name](), "renew it: .venv/bin/python -m tests.site.terminal"
    assert not re.findall(r"url\((?!#)|(?:href|src)=\"(?!#)", drawn)


async def test_long_names_push_nothing_off_a_narrow_page(database: str) -> None:
    host = "ip-10-0-12-34.eu-central-1.compute.internal"
    ill = {"relay": {"failures": 3}}
    async with PostgresStore.open(database) as store:
        name = WorkerName(host=host, pid=4001, number=1, version="0.1.0")
        await store.workers.beat(a_worker(1, name=name, accounts=("main", "overflow-account"), health=ill))
    status, out, _ = await top(database, "--once")
    assert (status, max(map(len, out.splitlines())) <= 80) == (0, True)
    assert {"process", "since", "seen", "state", "running", "loops", "relay"} <= set(out.split())
    assert "4001 [1]" in out
