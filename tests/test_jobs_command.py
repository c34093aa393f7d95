"""`makegood jobs` as an operator meets it: a page of jobs, one of them with its money, its end by hand."""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio

from makegood import (
    BaseJob,
    Catalog,
    Engine,
    Event,
    Failure,
    Job,
    JobMoney,
    Money,
    ProviderAccount,
    Settings,
    State,
)
from makegood.job import Phase
from makegood.outcome import Unfinished
from makegood.testing.provider import ScriptedProvider
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore
from tests import command
from tests.roles import login

ID = "01a213bf-9421-7538-90e1-66c5d4082a84"
STATES = ("pending", "queued", "starting", "running", "completed", "failed", "cancelled")
WHO = ("--actor", "bo", "--reason", "ordered twice")


class Upscaler(BaseJob):
    name = "upscaler"
    pool, price = "studio", 60


async def jobs(dsn: str, *words: str, folder: Path, columns: int = 80) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "DATABASE_URL": dsn, "COLUMNS": str(columns)}
    return await asyncio.to_thread(command.run, "jobs", *words, folder=folder, environment=environment)


@pytest_asyncio.fixture
async def store(database: str) -> AsyncIterator[PostgresStore]:
    async with PostgresStore.open(database) as opened:
        yield opened


def an_engine(store: PostgresStore, provider: ScriptedProvider | None = None) -> Engine:
    studio = {ProviderAccount(name="studio-1", pool="studio", capacity=3): provider or ScriptedProvider()}
    quick = Settings(loop_interval_seconds=0.05)
    return Engine(store, Catalog([Upscaler]), blobs=MemoryBlobs(), providers=studio, settings=quick)


async def ordered(engine: Engine, owner: str = "ana") -> Job:
    await engine.grant(owner, 100, source_ref="order-1")
    job = await engine.submit(Upscaler, owner, {})
    return await engine.accept(job.id, actor=owner)


async def at_the_provider(store: PostgresStore) -> Job:
    """Return a job whose task the provider works on; nobody looks after it any more."""
    provider = ScriptedProvider()
    provider.plan(None, Unfinished(running=True))
    async with an_engine(store, provider) as engine, asyncio.timeout(60):
        job = await ordered(engine)
        while not [a for a in await engine.attempts(job.id) if a.phase is Phase.ACCEPTED]:  # noqa: ASYNC110 - nobody tells of phases
            await asyncio.sleep(0.02)
        return job


async def waiting(store: PostgresStore, owner: str = "ana") -> Job:
    """Return a job that waits for a slot, which nobody gives it."""
    idle = Engine(store, Catalog([Upscaler]), blobs=MemoryBlobs(), run_loops=False)
    async with idle as engine:
        return await ordered(engine, owner)


async def test_jobs_are_listed_page_by_page_to_who_may_only_read(
    store: PostgresStore, database: str, tmp_path: Path
) -> None:
    made = [str((await waiting(store, owner)).id) for owner in ("ana", "a long name [bold]", "bob")]
    async with login(database, "readonly") as dsn:
        told = await jobs(dsn, "list", "--limit", "2", "--since", "1h", folder=tmp_path)
        assert (told.returncode, told.stderr) == (0, "")
        lines = told.stdout.splitlines()
        assert [line.split()[0] for line in lines[1:3]] == made[:0:-1]
        assert max(map(len, lines)) <= 80
        assert "a long n…" in told.stdout
        wide = await jobs(dsn, "list", "--limit", "1", folder=tmp_path, columns=120)
        head, first, *_ = wide.stdout.splitlines()
        assert head.split() == ["id", "state", "type", "owner", "credits", "ordered"]
        assert first.split()[:5] == [made[-1], "queued", "upscaler", "bob", "60"]
        cursor = lines[-1].split()[-1]
        rest = await jobs(dsn, "list", "--limit", "2", "--after", cursor, "--json", folder=tmp_path)
        page = json.loads(rest.stdout)
        assert ([job["id"] for job in page["jobs"]], page["next"]) == (made[:1], None)
        assert (page["jobs"][0]["state"], page["jobs"][0]["status"]) == ("queued", "queued")
        for words, found in {
            ("--owner", "bob", "--active"): made[2:],
            ("--search", made[1]): made[1:2],
            ("--search", made[0][:8]): made[::-1],
            ("--search", "bob", "--active"): made[2:],
            ("--search", "nobody"): [],
            ("--state", "running", "--state", "queued", "--type", "upscaler"): made[::-1],
            ("--over",): [],
            ("--until", "1d"): [],
        }.items():
            told = await jobs(dsn, "list", "--json", *words, folder=tmp_path)
            assert [job["id"] for job in json.loads(told.stdout)["jobs"]] == found
        assert (await jobs(dsn, "list", "--over", folder=tmp_path)).stdout == "No such jobs.\n"
        for words, said in {
            ("--state", "queued", "--state", "nonsense"): f"state 'nonsense'; there are: {', '.join(STATES)}",
            ("--type", "upscalr", "--json"): "job type 'upscalr'; there are: upscaler",
            ("--type", "upscaler", "--state", ""): f"state '' of upscaler; there are: {', '.join(STATES)}",
        }.items():
            told = await jobs(dsn, "list", *words, folder=tmp_path)
            assert (told.returncode, told.stdout) == (2, "")
            assert told.stderr == f"makegood: There is no {said}.\n"
    nowhere = urlunsplit(urlsplit(database)._replace(path="/nothing"))
    told = await jobs(nowhere, "list", folder=tmp_path)
    assert (told.returncode, told.stdout) == (2, "")
    assert 'database "nothing" does not exist. Make it, for instance with `createdb`' in told.stderr


async def test_a_job_is_shown_with_bars_attempts_and_every_line_of_its_money(
    store: PostgresStore, database: str, tmp_path: Path
) -> None:
    async with an_engine(store) as engine, asyncio.timeout(60):
        job = await ordered(engine)
        steps = [step.to_state async for step in engine.watch(job.id)]
    async with login(database, "readonly") as dsn:
        told = await jobs(dsn, "show", str(job.id), folder=tmp_path)
        assert (told.stderr, told.returncode) == ("", 0)
        lines = told.stdout.splitlines()
        assert lines[:3] == [
            f"Job {job.id} (times in UTC)",
            "upscaler, version 1, for ana: completed",
            "It costs 60 credits: 0 held, 60 paid, 0 returned.",
        ]
        *bars, end = lines[4 : 4 + len(steps)]
        assert [line.split()[0] for line in (*bars, end)] == steps
        assert all("━" in line and line.endswith(("ms", " s")) for line in bars)
        assert end.split() == ["completed", "▏"], "an end lasts no time"
        assert any(line.split()[:3] == ["1", "studio-1", "task-1"] for line in lines)
        assert f"{'':19}  > 60 paid: 60 purchased".strip() in told.stdout
        assert lines[-1] == "The books of this job balance."
        as_json = await jobs(dsn, "show", str(job.id), "--json", folder=tmp_path)
    whole = json.loads(as_json.stdout)
    assert [bar["state"] for bar in whole["bars"]] == steps
    assert [line["kind"] for line in whole["journal"]] == ["hold", "capture"]
    assert (whole["status"], whole["explanation"]["balances"]) == ("completed", True)
    assert whole["attempts"][0]["known"][0]["verdict"] == "accepted"


class Proofread(BaseJob):
    """Has states of its own: one says how the outside sees it, of the other it follows from its credits."""

    name = "proofread"
    pool, price = "studio", 60
    proofing = State(deadline=timedelta(days=1), public="starting")
    shelved = State(final=True)
    check = Event(BaseJob.queued >> proofing)
    shelve = Event(proofing >> shelved, Failure, money=Money.RELEASE)


async def test_the_status_is_the_one_that_the_outside_sees(
    store: PostgresStore, database: str, tmp_path: Path
) -> None:
    async def told(job: Job, dsn: str) -> tuple[list[tuple[str, str]], str, list[str]]:
        page = json.loads((await jobs(dsn, "list", "--json", folder=tmp_path)).stdout)
        one = json.loads((await jobs(dsn, "show", str(job.id), "--json", folder=tmp_path)).stdout)
        listed = [(each["state"], each["status"]) for each in page["jobs"]]
        assert "type_gone" not in one  # the command knows no job types, so none is missed
        assert [each["text"] for each in one["told"] if "job type" in each["text"]] == []
        return listed, one["status"], [bar["status"] for bar in one["bars"]]

    def engine() -> Engine:
        return Engine(store, Catalog([Proofread]), blobs=MemoryBlobs(), run_loops=False)

    async with engine() as first, login(database, "readonly") as dsn:
        await first.grant("ana", 100, source_ref="order-1")
        job = await first.submit(Proofread, "ana", {})
        await first.accept(job.id, actor="ana")
        await first.fire(job.id, Proofread.check, actor="ana")
        seen = [("proofing", "starting")], "starting", ["pending", "queued", "starting"]
        assert await told(job, dsn) == seen
        plain = await asyncpg.connect(database)
        await plain.execute("update makegood.machine_state set public_status = null")  # as before 0019
        await plain.close()
        untold = [("proofing", "proofing")], "proofing", ["pending", "queued", "proofing"]
        assert await told(job, dsn) == untold
        async with engine():
            assert await told(job, dsn) == seen
        await first.fire(job.id, Proofread.shelve, Failure(category="refused", message="no"), actor="ana")
        assert await told(job, dsn) == ([("shelved", "failed")], "failed", [*seen[2], "failed"])


@pytest.mark.tampers  # a hold that says other than its journal
async def test_a_job_whose_books_are_broken_is_shown_with_what_is_wrong_and_status_1(
    store: PostgresStore, database: str, tmp_path: Path
) -> None:
    job = await waiting(store)
    plain = await asyncpg.connect(database)
    await plain.execute("set session_replication_role = replica")
    await plain.execute("update makegood.hold set captured = 1")
    await plain.close()
    shown = await jobs(database, "show", str(job.id), folder=tmp_path)
    assert (shown.returncode, shown.stderr) == (1, "")
    assert "The books of this job are broken:" in shown.stdout
    told = await jobs(database, "show", str(job.id), "--json", folder=tmp_path)
    assert (told.returncode, told.stderr) == (1, "")
    assert json.loads(told.stdout)["explanation"]["balances"] is False


async def test_what_waits_ends_at_once_by_a_person_with_a_reason(
    store: PostgresStore, database: str, tmp_path: Path
) -> None:
    job = await waiting(store)
    asked = await jobs(database, "cancel", str(job.id), *WHO, folder=tmp_path)
    assert (asked.returncode, "give --yes" in asked.stderr) == (2, True)
    assert asked.stdout.splitlines() == [
        f"Job {job.id}: upscaler for ana, queued",
        "It becomes cancelled: 60 held credits come back to ana.",
    ]
    assert await store.jobs.get(job.id) == job
    told = await jobs(database, "cancel", str(job.id), *WHO, "--yes", folder=tmp_path)
    assert (told.returncode, told.stderr) == (0, "")
    assert "queued to cancelled: cancel, by bo (ordered twice)" in told.stdout
    assert await store.jobs.money(job.id) == JobMoney(released=60)
    again = await jobs(database, "cancel", str(job.id), *WHO, "--yes", folder=tmp_path)
    assert (again.returncode, "is cancelled already. Of its 60 credits 0 were paid" in again.stderr) == (
        2,
        True,
    )
    watched = await jobs(database, "watch", str(job.id), folder=tmp_path)
    assert (watched.returncode, watched.stdout.count("\n")) == (1, 3)


async def test_of_what_the_provider_has_its_answer_decides(
    store: PostgresStore, database: str, tmp_path: Path
) -> None:
    job = await at_the_provider(store)
    told = await jobs(database, "cancel", str(job.id), *WHO, folder=tmp_path)
    assert told.stdout.splitlines()[1:] == [
        "studio-1 has it as task task-1: it is asked to stop, and its answer decides.",
        "What that costs of 60 held credits is the policy of the job type, which is known with --config.",
    ]
    config = tmp_path / "makegood.toml"
    config.write_text(f'database_url = "{database}"\n')
    named = ("--config", str(config))
    told = await jobs(database, "cancel", str(job.id), *WHO, *named, folder=tmp_path)
    assert "Of 60 held credits 60 are paid if the provider had begun, else 0." in told.stdout
    told = await jobs(database, "cancel", str(job.id), *WHO, "--yes", "--json", folder=tmp_path)
    assert (
        "It is to be cancelled: the provider's answer decides what that costs."
        in json.loads(told.stdout)["next"]
    )
    now = await store.jobs.get(job.id)
    assert now is not None
    assert (now.state, now.cancel_requested_at is not None) == ("running", True)


async def test_a_job_is_followed_to_its_end_and_the_status_says_how_it_ended(
    store: PostgresStore, database: str, tmp_path: Path
) -> None:
    job = await waiting(store)
    watching = asyncio.create_task(jobs(database, "watch", str(job.id), "--json", folder=tmp_path))
    async with an_engine(store):
        told = await watching
    assert (told.returncode, told.stderr) == (0, "")
    steps = [json.loads(line) for line in told.stdout.splitlines()]
    assert [step["version"] for step in steps] == list(range(len(steps)))
    assert (steps[0]["event"], steps[-1]["to_state"]) == ("submit", "completed")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "nobody"), "'nobody' is no job id"),
        (("show", ID), "There is no job 01a213bf"),
        (("list", "--since", "yesterday"), "--since takes a time ago such as 20m"),
        (("list", "--active", "--over"), "leave one out"),
        (("list", "--limit", "0"), "limit 0 must be 1 to 200"),
        (("watch", ID, "--after", "-1"), "--after takes 0 or more"),
        (
            ("cancel", ID, "--actor", "engine", "--reason", "x"),
            "a person",
        ),
    ],
)
async def test_a_mistake_is_one_sentence(
    database: str, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    told = await jobs(database, *words, folder=tmp_path)
    assert (told.returncode, told.stdout, said in told.stderr) == (2, "", True), told.stderr
