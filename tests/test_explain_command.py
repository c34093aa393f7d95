"""`makegood audit --job` as an operator meets it: one job's money in words, as JSON, and the exit status."""

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from makegood import BaseJob, Catalog, Engine, Job, ProviderAccount, Settings
from makegood.outcome import Failed
from makegood.testing.provider import ScriptedProvider
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore
from tests import command

PAGE = Path(__file__).resolve().parent.parent / "docs" / "how-to" / "audit.md"
MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")

Run = Callable[..., "asyncio.Future[subprocess.CompletedProcess[str]]"]


@pytest.fixture
def run(tmp_path: Path, database: str) -> Run:
    def call(*words: str) -> "subprocess.CompletedProcess[str]":
        return command.run("audit", "--dsn", database, *words, folder=tmp_path)

    return lambda *words: asyncio.ensure_future(asyncio.to_thread(call, *words))


class Upscaler(BaseJob):
    """What the page tells of."""

    name = "upscaler"
    pool, price = "studio", 60


@pytest_asyncio.fixture
async def store(database: str) -> AsyncIterator[PostgresStore]:
    async with PostgresStore.open(database) as opened:
        yield opened


async def failed(store: PostgresStore) -> Job:
    """Return a job of Ana's that was paid from two buckets and failed at the provider."""
    provider = ScriptedProvider()
    provider.plan(None, Failed("out of memory"))
    studio = {ProviderAccount(name="studio-1", pool="studio", capacity=3): provider}
    settings = Settings(loop_interval_seconds=0.05)
    async with Engine(
        store, Catalog([Upscaler]), blobs=MemoryBlobs(), providers=studio, settings=settings
    ) as engine:
        await engine.start_cycle("ana", 20, plan="basic", cycle="march")
        await engine.grant("ana", 100, source_ref="order-1")
        job = await engine.submit(Upscaler, "ana", {})
        await engine.accept(job.id, actor="ana")
        async for _ in engine.watch(job.id):
            pass
        return await engine.get(job.id)


async def test_one_job_is_explained_as_the_page_shows_it(store: PostgresStore, run: Run) -> None:
    job = await failed(store)
    told = await run("--job", str(job.id))
    assert (told.returncode, told.stderr) == (0, "")
    shown = re.search(
        r"```sh\nmakegood audit --job .+\n```\n\n```text\n(.+?)```", PAGE.read_text("utf-8"), re.S
    )
    assert shown is not None

    def timeless(text: str) -> list[str]:
        return [MOMENT.sub("", re.sub(r"[0-9a-f-]{36}", "", line)).rstrip() for line in text.splitlines()]

    assert timeless(told.stdout) == timeless(shown[1])


async def test_a_program_reads_it_as_json(store: PostgresStore, run: Run) -> None:
    job = await failed(store)
    told = await run("--job", str(job.id), "--json")
    assert told.returncode == 0
    found = json.loads(told.stdout)
    assert (found["job"], found["balances"], found["faults"]) == (str(job.id), True, [])
    assert found["summary"] == "It costs 60 credits: 0 held, 0 paid, 60 returned."
    moved = [text for fact in found["facts"] for text in fact["money"]]
    assert moved == ["60 held: 20 monthly + 40 purchased", "60 returned: 20 monthly + 40 purchased"]


@pytest.mark.tampers
async def test_broken_books_end_with_status_1(store: PostgresStore, run: Run, database: str) -> None:
    job = await failed(store)
    connection = await asyncpg.connect(database)
    try:
        await connection.execute("set session_replication_role = replica")
        await connection.execute("update makegood.hold set captured = amount, released = 0")
    finally:
        await connection.close()
    told = await run("--job", str(job.id))
    assert told.returncode == 1
    *_, title, holds, settled, kept = told.stdout.splitlines()
    assert title == "The books of this job are broken:"
    assert holds.startswith(
        "- The holds show 0 held, 60 paid and 0 returned; the journal has 60 drawn, 0 paid"
    )
    assert [settled, kept] == [
        "- The job says that 0 were paid, the ledger 60.",
        "- The job failed and only 0 of 60 came back.",
    ]
    assert (await run("--job", str(job.id), "--json")).returncode == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--job", "abc"], "'abc' is no job id: it looks like 01a213bf-9421-7538-90e1-66c5d4082a84."),
        (
            ["--job", str(uuid4()), "--watch"],
            "--job explains one job, once: leave out --owner and --watch.",
        ),
        (
            ["--job", str(uuid4()), "--owner", "ada"],
            "--job explains one job, once: leave out --owner and --watch.",
        ),
    ],
)
async def test_what_cannot_be_explained_is_one_sentence(run: Run, words: list[str], said: str) -> None:
    told = await run(*words)
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith(f"makegood: {said}")


async def test_an_unknown_job_ends_with_status_2(run: Run) -> None:
    unknown = uuid4()
    told = await run("--job", str(unknown))
    assert (told.returncode, told.stdout, told.stderr) == (2, "", f"makegood: There is no job {unknown}.\n")
