"""The tests that are made for users find what is wrong, and say it under one worker and under several."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import run_python

TYPE = """
from makegood import BaseJob, JobInput


class Sign(BaseJob):
    price = 9

    class Input(JobInput):
        words: str
"""
GENERATED = """
from makegood.testing import job_type_tests
from sign import Sign

TestSign = job_type_tests(Sign, input={"words": "open"})
"""
COVERAGE = """
import asyncio

from makegood import Catalog, Engine, ProviderAccount
from makegood.testing import edge_coverage
from makegood.testing.provider import ScriptedProvider
from makegood_adapters.memory import MemoryBlobs, MemoryStore
from sign import Sign

test_edges = edge_coverage(Sign)


async def life(cancel):
    studio = {ProviderAccount(name="one", pool="default", capacity=1): ScriptedProvider()}
    async with Engine(MemoryStore(), Catalog([Sign]), blobs=MemoryBlobs(), providers=studio) as engine:
        await engine.grant("ana", 100, source_ref="order-1")
        job = await engine.submit(Sign, "ana", {"words": "open"})
        if cancel:
            return await engine.cancel(job.id)
        await engine.accept(job.id)
        async for step in engine.watch(job.id):
            pass


def test_a_sign_is_made():
    asyncio.run(life(False))


def test_a_sign_is_cancelled():
    asyncio.run(life(True))
"""
# Each breaks one thing in the store or in the rules, as a mistake of ours might.
BROKEN = {
    "credits that do not come back": """
from makegood_adapters.memory import ledger
real = ledger.settle
ledger.settle = lambda tables, job, settled: real(tables, job, job.price)
""",
    "a guard that the table forgets": """
from makegood.machine.rulebook import RuleBook
RuleBook.look_up = lambda self, state, event, job, payload: (self.table.get((state, event)), [])
""",
    "evidence that is not asked for": """
import makegood.decide
makegood.decide._check_attempt = lambda *_: None
""",
    "an edge that is not there": """
from sign import Sign
del Sign.rules.table["queued", "fail"]
""",
}


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run pytest in *folder*, as a user would who has no plugins but ours and xdist."""
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    (folder / "sign.py").write_text(TYPE)
    plugins = ["-p", "no:asyncio", "-p", "no:randomly", "-p", "no:timeout"]
    # The process that is forked knows our modules already, that of a user does not.
    known = ["-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"]
    words = ["-q", *plugins, *known, *arguments]
    return run_python(f"import sys, pytest\nsys.exit(pytest.main({words!r}))", folder, os.environ)


def test_one_line_gives_the_tests_of_a_type(tmp_path: Path, postgres_dsn: str) -> None:
    (tmp_path / "test_sign.py").write_text(GENERATED)
    told = run(tmp_path)
    assert "5 skipped" not in told.stdout
    assert "4 passed, 4 skipped" in told.stdout, told.stdout
    told = run(tmp_path, "--makegood-dsn", postgres_dsn)
    assert "8 passed" in told.stdout, told.stdout


def test_an_input_that_is_needed_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "test_sign.py").write_text(GENERATED.replace(', input={"words": "open"}', ""))
    told = run(tmp_path)
    assert "job_type_tests(Sign, input=...)" in told.stdout
    assert "words: Field required" in told.stdout


@pytest.mark.parametrize("mistake", BROKEN)
def test_what_is_broken_is_found(tmp_path: Path, mistake: str) -> None:
    (tmp_path / "conftest.py").write_text(BROKEN[mistake])
    (tmp_path / "test_sign.py").write_text(GENERATED)
    told = run(tmp_path)
    assert told.returncode == pytest.ExitCode.TESTS_FAILED, told.stdout + told.stderr
    assert re.search(r"^\d failed", told.stdout, re.MULTILINE), told.stdout + told.stderr


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "two workers"])
def test_edges_that_no_test_took_are_named_and_drawn(tmp_path: Path, workers: tuple[str, ...]) -> None:
    (tmp_path / "test_sign.py").write_text(GENERATED + COVERAGE)
    told = run(tmp_path, *workers, "--makegood-diagrams", "diagrams")
    assert told.returncode == pytest.ExitCode.TESTS_FAILED, told.stdout
    assert "no job of your tests has taken 10 of 15 edges" in told.stdout
    assert "fail from starting" in told.stdout
    assert "accept from pending" not in told.stdout
    assert str(tmp_path / "diagrams" / "sign.svg") in told.stdout.replace("\n", "")
    assert "<svg" in (tmp_path / "diagrams" / "sign.svg").read_text("utf-8")


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "two workers"])
def test_edges_that_were_taken_are_not_complained_of(tmp_path: Path, workers: tuple[str, ...]) -> None:
    taken = COVERAGE.replace("edge_coverage(Sign)", "edge_coverage(Sign, beyond=BaseJob)").replace(
        "from sign import Sign", "from makegood import BaseJob\nfrom sign import Sign"
    )
    (tmp_path / "test_sign.py").write_text(taken)
    told = run(tmp_path, *workers)
    assert told.returncode == pytest.ExitCode.OK, told.stdout


def test_the_plugin_imports_nothing_before_a_test_asks() -> None:
    code = (
        "import sys, makegood_adapters.pytest_plugin; "
        "print(*{'makegood', 'pydantic', 'asyncpg', 'aiohttp', 'transitions'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == ""
