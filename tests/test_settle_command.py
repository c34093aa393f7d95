"""`makegood settle` as an operator meets it: what will happen, a question, the act, the ledger."""

import asyncio
import os
import pty
import re
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from makegood import BaseJob, Catalog, Engine, Job, JobMoney, ProviderAccount, Settings, Verdict
from makegood.job import Phase
from makegood.outcome import Submission, Uncertain, Unfinished
from makegood.testing.provider import PNG, ScriptedProvider
from makegood_adapters.folder import FolderBlobs
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore
from tests import command

PAGE = Path(__file__).resolve().parent.parent / "docs" / "how-to" / "settle-by-hand.md"
WHO = ("--actor", "bo", "--reason", "the customer called")

Run = Callable[..., "asyncio.Future[subprocess.CompletedProcess[str]]"]


class Upscaler(BaseJob):
    """What the page tells of."""

    name = "upscaler"
    pool, price = "studio", 60


@pytest.fixture
def run(tmp_path: Path, database: str) -> Run:
    def call(*words: str) -> "subprocess.CompletedProcess[str]":
        where = () if "--config" in words else ("--dsn", database)
        return command.run("settle", *words, *where, folder=tmp_path)

    return lambda *words: asyncio.ensure_future(asyncio.to_thread(call, *words))


@pytest_asyncio.fixture
async def store(database: str) -> AsyncIterator[PostgresStore]:
    async with PostgresStore.open(database) as opened:
        yield opened
        assert (await opened.audit()).violations == ()


async def submitted(store: PostgresStore, submission: Submission | None = None) -> Job:
    """Return a job of Ana's whose task the provider has, or may have; nobody works on it any more."""
    provider = ScriptedProvider()
    provider.plan(submission, Unfinished(running=True))
    studio = {ProviderAccount(name="studio-1", pool="studio", capacity=3): provider}
    quick, wanted = Settings(loop_interval_seconds=0.05), Phase.UNCERTAIN if submission else Phase.ACCEPTED
    async with Engine(
        store, Catalog([Upscaler]), blobs=MemoryBlobs(), providers=studio, settings=quick
    ) as engine:
        await engine.grant("ana", 100, source_ref="order-1")
        job = await engine.submit(Upscaler, "ana", {})
        await engine.accept(job.id, actor="ana")
        async with asyncio.timeout(60):
            while not [a for a in await engine.attempts(job.id) if a.phase is wanted]:  # noqa: ASYNC110 - nobody tells of phases
                await asyncio.sleep(0.02)
        return await engine.get(job.id)


async def test_a_job_is_ended_as_the_page_shows_it(store: PostgresStore, run: Run) -> None:
    job = await submitted(store)
    told = await run(str(job.id), "--fail", *WHO, "--yes")
    assert (told.returncode, told.stderr) == (0, "")
    shown = re.search(
        r"```sh\nmakegood settle [^\n]+\n```\n\n```text\n(.+?)```", PAGE.read_text("utf-8"), re.S
    )
    assert shown
    page = shown[1].replace("01a213bf-9421-7538-90e1-66c5d4082a84", str(job.id))
    before, _, after = told.stdout.partition("\n\n")
    assert before + "\n" == page
    for line in (
        "running to failed: fail, by bo (the customer called)",
        "attempt 1: an administrator decided (the customer called), known from bo",
        "> 60 returned: 60 purchased",
        "The books of this job balance.",
    ):
        assert line in after
    assert await store.jobs.money(job.id) == JobMoney(released=60)


async def test_without_a_yes_nothing_happens(store: PostgresStore, run: Run) -> None:
    job = await submitted(store)
    told = await run(str(job.id), "--cancel", *WHO)
    assert (told.returncode, "give --yes" in told.stderr) == (2, True)
    assert "60 held credits come back to ana" in told.stdout
    assert await store.jobs.get(job.id) == job


@pytest.mark.parametrize(("answer", "state", "status"), [("n", "running", 1), ("y", "cancelled", 0)])
async def test_on_a_terminal_it_asks(
    store: PostgresStore, database: str, tmp_path: Path, answer: str, state: str, status: int
) -> None:
    job = await submitted(store)

    def call() -> int:
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [command.PROGRAM, "settle", str(job.id), "--cancel", *WHO, "--dsn", database],
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            cwd=tmp_path,
        ) as process:
            os.write(ours, f"{answer}\n".encode())
            process.wait(60)
        os.close(ours)
        os.close(theirs)
        return process.returncode

    assert await asyncio.to_thread(call) == status
    now = await store.jobs.get(job.id)
    assert now is not None
    assert now.state == state


async def test_what_is_over_is_told_and_stays(store: PostgresStore, run: Run) -> None:
    job = await submitted(store)
    assert (await run(str(job.id), "--cancel", *WHO, "--yes")).returncode == 0
    told = await run(str(job.id), "--fail", *WHO, "--yes")
    assert told.returncode == 2
    assert (
        f"Job {job.id} is cancelled already. Of its 60 credits 0 were paid and 60 came back." in told.stderr
    )


async def test_a_file_of_ours_is_delivered(
    store: PostgresStore, run: Run, database: str, tmp_path: Path
) -> None:
    job = await submitted(store)
    key = await FolderBlobs(tmp_path / "files").put(PNG, "repaired.png")
    config = tmp_path / "makegood.toml"
    config.write_text(f'database_url = "{database}"\nblobs = "{tmp_path / "files"}"\n')
    alone = await run(str(job.id), "--complete", key, *WHO, "--yes")
    assert (alone.returncode, "--complete needs --config" in alone.stderr) == (2, True)
    told = await run(str(job.id), "--complete", key, *WHO, "--yes", "--config", str(config))
    assert (told.returncode, told.stderr) == (0, "")
    assert "It becomes completed: 60 of 60 held credits are paid." in told.stdout
    now = await store.jobs.get(job.id)
    assert now is not None
    assert now.output is not None
    assert (now.settled, now.output["files"][0]["key"]) == (60, key)


async def test_an_uncertain_attempt_is_settled_and_its_job_goes_on(store: PostgresStore, run: Run) -> None:
    job = await submitted(store, Uncertain("the connection broke"))
    told = await run(str(job.id), "--resolve", "1", *WHO, "--yes")
    assert (told.returncode, told.stderr) == (0, "")
    assert "attempt 1: the provider refused it (the customer called), known from bo" in told.stdout
    attempt, now = await store.attempts.get(job.id, 1), await store.jobs.get(job.id)
    assert attempt is not None
    assert now is not None
    assert (attempt.verdict, now.state) == (Verdict.REJECTED, "queued")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nobody",), "is no job id"),
        (("01a213bf-9421-7538-90e1-66c5d4082a84", "--fail", "--cancel"), "one of --fail, --cancel"),
        (("01a213bf-9421-7538-90e1-66c5d4082a84",), "Say what becomes of the job"),
        (("01a213bf-9421-7538-90e1-66c5d4082a84", "--fail"), "There is no job 01a213bf"),
    ],
)
async def test_a_mistake_is_one_sentence(run: Run, words: tuple[str, ...], said: str) -> None:
    told = await run(*words, *WHO, "--yes")
    assert (told.returncode, said in told.stderr) == (2, True), told.stderr
