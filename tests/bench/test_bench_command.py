"""`makegood bench` as a user meets it, with tiny sizes: no test looks at how fast anything was."""

import json
import os
import re
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from makegood_adapters.cli.app import build
from makegood_adapters.cli.bench.command import bench
from tests import command
from tests.conftest import Administrator

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "benchmark.md"
TINY = ("--seconds=0.1", "--concurrency=3", "--owners=2", "--jobs=12", "--baseline-clients=2", "--readers=6")
#: A queue of a dozen is none.
LONG = (*(word for word in TINY if not word.startswith("--jobs")), "--jobs=1000")
ONE_SIDED = ("accept", "transitions", "refund", "lifecycle")
PAIRED = ("wakeup", "handover", "claim", "stream", "hooks")
#: More than what a figure loses by rounding.
ROUNDED = 0.051
OWED = {
    "rate_per_second",
    "p50_ms",
    "p99_ms",
    "ratio",
    "baseline",
    "python_cpu_seconds",
    "postgres_cpu_seconds",
    "wal_bytes_per_job",
}


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    return command.run("bench", *words, environment={**os.environ, "COLUMNS": "80"})


def sentence_of(told: "subprocess.CompletedProcess[str]", status: int = 2) -> str:
    assert (told.returncode, told.stdout) == (status, "")
    assert re.fullmatch(r"makegood: \S.*\S\n", told.stderr), told.stderr
    return told.stderr.strip().removeprefix("makegood: ")


#: All of them, measured once and told in both ways.
ALL_TOLD_TWICE = """
from makegood_adapters.cli.bench import command
measured, kept = command._measured, []
def once(plans, dsn):
    if not kept:
        kept.extend(measured(plans, dsn))
    return iter(kept)
command._measured = once
sizes = dict(
    seconds=0.1, concurrency=3, owners=2, jobs=1000, baseline_clients="2", readers=6, dsn={dsn!r}
)
command.bench("all", json=True, **sizes)
print("and as a table")
command.bench("all", **sizes)
"""


def test_all_are_told_as_objects_and_as_a_table_and_leave_no_database(
    postgres_dsn: str, administrator: Administrator, tmp_path: Path
) -> None:
    assert "makegood bench all" in commands_of_the_page()
    code = ALL_TOLD_TWICE.format(dsn=postgres_dsn)
    told = command.run_python(code, tmp_path, {**os.environ, "COLUMNS": "80"})
    assert (told.returncode, told.stderr) == (0, "")
    objects, table = told.stdout.split("and as a table\n")
    found = json.loads(objects)["benches"]
    assert [figures["bench"] for figures in found] == [*ONE_SIDED, "transitions", *PAIRED]
    for figures in found[: len(ONE_SIDED)]:
        check_one_sided(figures, jobs=1000)
    for figures in found[len(ONE_SIDED) + 1 :]:
        check_paired(figures)
    check_table(table)
    assert administrator.run(databases(postgres_dsn)) == []


def test_one_of_them_tells_one_object(postgres_dsn: str) -> None:
    told = run("refund", *TINY, "--json", "--dsn", postgres_dsn)
    assert (told.returncode, told.stderr) == (0, "")
    check_one_sided(json.loads(told.stdout), jobs=12)


def test_one_of_two_ways_tells_one_object(postgres_dsn: str) -> None:
    told = run("claim", *LONG, "--json", "--dsn", postgres_dsn)
    assert (told.returncode, told.stderr) == (0, "")
    check_paired(json.loads(told.stdout))


def check_one_sided(figures: dict[str, Any], jobs: int) -> None:
    name = figures["bench"]
    assert set(figures) >= OWED
    assert (figures["concurrency"], figures["owners"]) == (3, 2)
    assert figures["jobs"] > 0
    assert figures["transitions"] == figures["jobs"] * {"transitions": 2, "lifecycle": 5}.get(name, 1)
    assert figures["wal_bytes_per_job"] > 0
    assert figures["p50_ms"] <= figures["p99_ms"]
    baseline = figures["baseline"]
    assert (baseline["clients"], baseline["missing"]) == (2, None)
    rates = (figures["rate_per_second"], baseline["rate_per_second"])
    assert all(rate > 2 * ROUNDED for rate in rates)
    ours, other = [(rate - ROUNDED, rate + ROUNDED) for rate in rates]
    assert ours[0] / other[1] - ROUNDED <= figures["ratio"] <= ours[1] / other[0] + ROUNDED
    if name == "refund":
        assert figures["jobs"] == jobs
        assert figures["ratio_to_transitions"] > 0
    else:
        assert figures["ratio_to_transitions"] is None


def check_paired(figures: dict[str, Any]) -> None:
    for pair in figures["pairs"]:
        ours, other = pair["ours"], pair["other"]
        assert 0 < ours["p50"] <= ours["p99"]
        assert pair["ratio"] == pytest.approx(ours["p50"] / other["p50"], rel=0.05)
        assert pair["rounds"] >= (6 if pair["unit"] in ("ms", "per second") else 1)


def test_a_queue_too_short_to_be_long_is_one_sentence(postgres_dsn: str) -> None:
    told = run("claim", *TINY, "--dsn", postgres_dsn)
    assert sentence_of(told) == "--jobs takes at least 1,000 for a long queue, not 12."


async def databases(dsn: str) -> list[str]:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("select datname from pg_database where datname like 'makegood_bench%'")
    finally:
        await connection.close()
    return [row["datname"] for row in rows]


def test_without_a_dsn_it_brings_a_durable_postgres_and_fits_the_terminal() -> None:
    told = run("transitions", "--seconds=0.1", "--concurrency=1", "--owners=1")
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith("makegood bench transitions\nPostgreSQL 1")
    assert "1 caller, 1 owner," in told.stdout
    assert "(1 client)" in told.stdout  # one caller is compared with one client
    assert "The books agree: every credit and every transition is there, in both databases.\n" in told.stdout
    assert "Not durable" not in told.stdout
    assert max(map(len, told.stdout.splitlines())) <= 80


def check_table(text: str) -> None:
    table, pairs = text.split("\n\n")
    head, *lines = table.splitlines()
    assert head.split()[:4] == ["benchmark", "callers", "rate/s", "pgbench/s"]
    assert [line.split()[:2] for line in lines] == [
        ["accept", "3"],
        ["transitions", "3"],
        ["refund", "3"],
        ["lifecycle", "3"],
        ["transitions", "1"],
    ]
    head, *lines = pairs.splitlines()
    assert head.split()[-6:] == ["ours", "other", "ratio", "owed", "p99", "ms"]
    assert [line[:38].strip() for line in lines] == [
        "wake-up, idle server",
        "wake-up, beside 32 callers",
        "commits, 32 callers",
        "slot given back, next job starts",
        "claim, 1,000 jobs wait",
        "step heard, 6 readers",
        "the same, next to memory",
        "memory of each reader",
        "CPU of each step told",
        "webhooks, beside one INSERT for each",
        "webhooks, beside no database",
        "webhook until it is kept, 3 senders",
    ]
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--seconds=0",), "--seconds takes 0.1 to 3,600, not 0."),
        (("--seconds=nan",), "--seconds takes 0.1 to 3,600, not nan."),
        (("--concurrency=0",), "--concurrency takes 1 to 10,000, not 0."),
        (("--owners=0",), "--owners takes 1 to 100,000, not 0."),
        (("--readers=0",), "--readers takes 1 to 10,000, not 0."),
        (("--jobs=-1",), "--jobs takes 1 to 1,000,000, not -1."),
        (("--baseline-clients=many",), "--baseline-clients takes numbers such as 1,8,16, not 'many'."),
        (("--baseline-clients=0",), "--baseline-clients takes 1 to 64, not 0."),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_an_option_that_makes_no_sense_is_one_sentence(words: tuple[str, ...], sentence: str) -> None:
    assert sentence_of(run("accept", *words)) == sentence


def test_a_benchmark_that_it_does_not_know() -> None:
    told = run("frobnicate")
    assert told.returncode == 2
    assert "lifecycle" in told.stderr


def test_a_server_that_is_not_there() -> None:
    told = run("accept", "--dsn=postgresql://nobody:a-password@127.0.0.1:1/nothing")
    assert sentence_of(told).startswith("Cannot connect to Postgres at 127.0.0.1:1/nothing")
    assert "a-password" not in told.stderr


@pytest.fixture
def plain_role(postgres_dsn: str, administrator: Administrator) -> Iterator[str]:
    """Yield the DSN of a role that may do nothing."""
    name = f"makegood_plain_{secrets.token_hex(6)}"
    administrator.execute(f"create role {name} login password 'a-password'")
    parts = urlsplit(postgres_dsn)
    place = parts.netloc.rpartition("@")[2]
    yield urlunsplit(parts._replace(netloc=f"{name}:a-password@{place}"))
    administrator.execute(f"drop role {name}")


def test_a_role_that_may_not_create_a_database_is_told_so(plain_role: str) -> None:
    sentence = sentence_of(run("accept", *TINY, "--dsn", plain_role))
    assert sentence == (
        "The benchmark makes two databases of its own and drops them at the end, for which this user lacks "
        "the right: ALTER ROLE … CREATEDB, or leave --dsn out."
    )


def commands_of_the_page() -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line.partition("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("makegood bench ")]


@pytest.mark.parametrize("shown", commands_of_the_page())
def test_every_command_of_the_page_is_one(shown: str) -> None:
    """Each benchmark runs in a test of its own; what the page adds are its words."""
    called, bound, _ = build({"bench"}).parse_args(shown.split()[1:], exit_on_error=False, print_error=False)
    assert called is bench
    assert bound.arguments["name"] in (*ONE_SIDED, *PAIRED, "all")


def test_a_pair_is_told_in_words(postgres_dsn: str) -> None:
    told = run("handover", *TINY, "--dsn", postgres_dsn)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith("makegood bench handover\n")
    assert max(map(len, told.stdout.splitlines())) <= 80


def test_the_page_explains_every_figure(postgres_dsn: str) -> None:
    page = PAGE.read_text("utf-8")
    told = json.loads(run("accept", *TINY, "--json", "--dsn", postgres_dsn).stdout)
    names = {*told, *(f"baseline.{name}" for name in told["baseline"])}
    pairs = json.loads(run("handover", *TINY, "--json", "--dsn", postgres_dsn).stdout)
    names |= {*pairs, *(f"pairs.{name}" for name in pairs["pairs"][0])}
    assert {name for name in names if f"`{name}`" not in page} == set()
