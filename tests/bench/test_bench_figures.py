"""What counts as a figure: books that agree, medians, a server that can be seen."""

import os
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from makegood_adapters.cli.bench import run as bench_run
from makegood_adapters.cli.bench.baseline import without_password
from makegood_adapters.cli.bench.books import check_books
from makegood_adapters.cli.bench.figures import Against, Figures
from makegood_adapters.cli.bench.jobs import BENCHMARK, Preparer, job_id
from makegood_adapters.cli.bench.plan import BooksDisagree, Plan
from makegood_adapters.cli.bench.report import row, to_json, to_text
from makegood_adapters.cli.bench.server import Usage, postmaster_of
from makegood_adapters.cli.bench.workloads import Slice, call_together
from makegood_adapters.postgres.store import PostgresStore

TINY = Plan(name="transitions", seconds=0.1, concurrency=2, owners=2, jobs=4, clients=(2,))
FIGURES = Figures(
    plan=TINY,
    unit="transitions",
    server="18.6",
    loop="asyncio",
    lax=(),
    slices=(Slice([0.001] * 98 + [0.5] * 2, 1.0), Slice([0.001] * 100, 2.0), Slice([0.001] * 300, 1.0)),
    jobs=250,
    transitions=500,
    usage=Usage(0.5, 1.0, 250_000),
    against=Against("pgbench", 50.0, 8, 300.0),
)


def test_rates_are_medians_and_cpu_is_per_transition() -> None:
    told = to_json(FIGURES)
    assert told["slices"] == [100.0, 50.0, 300.0]
    assert (told["rate_per_second"], told["ratio"]) == (100.0, 2.0)
    assert (told["p50_ms"], told["p99_ms"]) == (1.0, 1.0)
    assert FIGURES.percentile(0.999) == 500.0
    assert (told["python_cpu_us_per_transition"], told["postgres_cpu_us_per_transition"]) == (1000.0, 2000.0)
    assert told["wal_bytes_per_job"] == 1000


def test_a_server_elsewhere_has_no_cpu_time() -> None:
    unseen = replace(FIGURES, usage=Usage(0.5, 1.0, 0).plus(Usage(0.0, None, 0)))
    told = to_json(unseen)
    assert (told["postgres_cpu_seconds"], told["postgres_cpu_us_per_transition"]) == (None, None)
    assert told["python_cpu_seconds"] == 0.5
    assert "unknown" in to_text(unseen)
    assert "1,000+?" in row(unseen)


def test_a_lax_server_is_named() -> None:
    lax = replace(FIGURES, lax=("fsync",))
    assert to_json(lax)["durable"] is False
    assert "Not durable: this server has fsync off" in to_text(lax)


async def test_only_a_process_that_began_with_the_session_is_the_server(database: str) -> None:
    """The number of a backend on another machine may be that of any process here."""
    connection = await asyncpg.connect(database)
    try:
        began = await connection.fetchval(
            "select extract(epoch from backend_start)::float8"
            " from pg_stat_activity where pid = pg_backend_pid()"
        )
        pid = await connection.fetchval("select pg_backend_pid()")
        assert postmaster_of(os.getpid(), began) is None
        assert postmaster_of(pid, began - 3600) is None
        if "DATABASE_URL" not in os.environ:
            server = postmaster_of(pid, began)
            assert server is not None
            assert Path(f"/proc/{server}/comm").read_text().startswith("postgres")
    finally:
        await connection.close()


async def test_without_pgbench_there_is_a_figure_and_no_ratio(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_run, "find_pgbench", lambda: None)
    figures = await bench_run.measure(TINY, postgres_dsn, "asyncio")
    told = to_json(figures)
    assert figures.rate > 0
    assert told["ratio"] is None
    assert told["baseline"] == {
        "name": "pgbench, one hand-written statement for each transition",
        "rate_per_second": None,
        "clients": None,
        "postgres_cpu_us_per_transition": None,
        "missing": bench_run.NO_PGBENCH,
    }
    assert "  ratio                            none\n" in to_text(figures)
    assert f"There is no ratio because {bench_run.NO_PGBENCH}." in " ".join(to_text(figures).split())
    assert "-" in row(figures).split()
    assert max(map(len, to_text(figures).splitlines())) <= 80


async def prepared(dsn: str, jobs: int) -> asyncpg.Connection:
    async with PostgresStore.open(dsn) as store:
        await store.declare([BENCHMARK.spec])
        await store.ledger.grant("owner-0", 1000, kind="purchased", source_ref="benchmark")
    connection = await asyncpg.connect(dsn)
    preparer = Preparer(connection, 1)
    numbers = await preparer.insert(jobs)
    await preparer.queue(numbers)
    return connection


async def test_prepared_jobs_are_jobs_and_not_counted(database: str) -> None:
    connection = await prepared(database, 3)
    try:
        ids = await connection.fetch("select job_id from makegood.job where state = 'queued' order by job_id")
        assert [row["job_id"] for row in ids] == [job_id(number) for number in (1, 2, 3)]
        await check_books(connection, "makegood", 0)
    finally:
        await connection.close()


async def test_a_transition_too_few_or_too_many_is_told(database: str) -> None:
    connection = await prepared(database, 1)
    try:
        await connection.execute(
            "update makegood.job set state = 'cancelled', event = 'cancel', actor = 'a caller',"
            " operation_id = gen_random_uuid()"
        )
        await check_books(connection, "makegood", 1)
        await check_books(connection, "pgbench", 0, 2)
        for low, high in ((2, None), (0, None), (2, 3)):
            with pytest.raises(
                BooksDisagree, match=r"of makegood do not agree.*number of transitions is 1, not "
            ):
                await check_books(connection, "makegood", low, high)
        with pytest.raises(BooksDisagree, match="not completed is 1, not 0"):
            await check_books(connection, "makegood", 1, all_completed=True)
    finally:
        await connection.close()


@pytest.mark.tampers
async def test_a_violation_is_told(database: str) -> None:
    connection = await prepared(database, 1)
    try:
        await connection.execute("update makegood.bucket set remaining = remaining + 1, issued = issued + 1")
        with pytest.raises(
            BooksDisagree, match=r"nothing that was measured counts: .* violations, the first is: "
        ):
            await check_books(connection, "makegood", 0)
    finally:
        await connection.close()


async def test_a_slice_ends_when_its_jobs_are_used_up_and_an_error_ends_it() -> None:
    left = iter(range(5))

    async def turn(latencies: list[float]) -> bool:
        if next(left, None) is None:
            return False
        latencies.append(0.1)
        return True

    assert len((await call_together(3, 1000.0, turn)).latencies) == 5

    async def without_end(latencies: list[float]) -> bool:
        latencies.append(0.1)
        return True

    assert len((await call_together(3, 0.0, without_end)).latencies) == 3, "of no turn there is no rate"

    async def broken(latencies: list[float]) -> bool:
        raise BooksDisagree("no")

    with pytest.raises(BooksDisagree, match="no"):
        await call_together(3, 1000.0, broken)


@pytest.mark.parametrize(
    ("dsn", "address", "password"),
    [
        ("postgresql://me:a%40b@host:5/db?ssl=x", "postgresql://me@host:5/db?ssl=x", "a@b"),
        ("postgresql://me@/db?host=/run/a%20b&password=c", "postgresql://me@/db?host=%2Frun%2Fa%20b", "c"),
        ("postgresql://host/db", "postgresql://host/db", None),
    ],
)
def test_a_password_is_not_on_a_command_line(dsn: str, address: str, password: str | None) -> None:
    assert without_password(dsn) == (address, password)
