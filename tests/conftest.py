"""What every test may ask for: a real Postgres, a fresh, migrated database on it, its own long form."""

import asyncio
import os
import secrets
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import asyncpg
import hypothesis
import pytest

from makegood.testing.drive import Advance
from makegood_adapters.postgres.embedded import EmbeddedPostgres

T = TypeVar("T")
STEP_SECONDS = 60
# Databases live for one test here; crash tests start a server of their own with the product's settings.
FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": 200,
    "max_wal_size": "128MB",
    "shared_buffers": "64MB",
    "log_min_messages": "fatal",
}
# A database is 300 small files: making one takes 0.3 s on some disks and 0.01 s in memory.
MEMORY = Path("/dev/shm")
MEMORY_BYTES_MIN = 2**30

#: Called with what was counted and how many: `make soak` adds the figures of all tests up.
Tally = Callable[[str, int], None]
_COUNTED = "counted "


def pytest_configure() -> None:
    """Let Hypothesis judge what is found, not how long a machine took to find it."""
    hypothesis.settings.register_profile(
        "unhurried",
        hypothesis.settings.get_profile(hypothesis.settings.get_current_profile_name()),
        deadline=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
    hypothesis.settings.load_profile("unhurried")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the long form of the tests that have one")


@pytest.hookimpl(optionalhook=True)  # without xdist nobody asks
def pytest_xdist_auto_num_workers() -> int:
    """Say how many processes `-n logical` is: more than processors, because tests also wait."""
    processors = os.cpu_count() or 1
    return processors + (processors + 1) // 2


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that asks for `part` as many of them as its marker says, so that they run side by side."""
    if "part" in metafunc.fixturenames and (mark := metafunc.definition.get_closest_marker("soak")):
        form = "long" if metafunc.config.getoption("soak") else "short"
        metafunc.parametrize("part", range(mark.kwargs[form]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Close a soak with one line of figures, and any failure of a counted test with how to repeat it."""
    totals: Counter[str] = Counter()
    broken: dict[str, None] = {}  # a test may fail and then break its teardown too
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, ()):
            kept = getattr(report, "user_properties", ())  # a file that cannot be collected has none
            counted = [(name, value) for name, value in kept if name.startswith(_COUNTED)]
            if outcome != "passed" and counted:
                broken[report.nodeid] = None
            if report.when == "call":
                for name, value in counted:
                    totals[name.removeprefix(_COUNTED)] += value
    long = " --soak" if config.getoption("soak") else ""
    seed = config.getoption("randomly_seed", None)
    chosen = f" --randomly-seed={seed}" if seed is not None else ""
    for nodeid in broken:
        terminalreporter.write_line(f'repeat it: .venv/bin/pytest "{nodeid}"{long}{chosen}')
    if long and totals:
        figures = ", ".join(f"{value:,} {name}" for name, value in sorted(totals.items()))
        terminalreporter.write_line(f"{figures}, {len(broken)} violations")


@pytest.fixture(scope="session")
def soak(pytestconfig: pytest.Config) -> bool:
    """Whether the long form is wanted: more examples, every crash point instead of some."""
    return bool(pytestconfig.getoption("soak"))


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Tally:
    """Count what a test has tried, for the line that closes `make soak`; several calls add up."""
    return lambda what, number: record_property(_COUNTED + what, number)


class Administrator:
    """One connection to the server's maintenance database, on a loop of its own.

    Fixtures that are not coroutines use it, so that tests with and without a loop share one database fixture.
    """

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="test-database", daemon=True)
        self._thread.start()
        self._connection: asyncpg.Connection[asyncpg.Record] = self.run(asyncpg.connect(dsn))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(STEP_SECONDS)

    def execute(self, statement: str) -> None:
        self.run(self._connection.execute(statement))

    def copy(self, template: str, name: str) -> None:
        """Make a database like *template* by copying its files, which costs a tenth less than its log."""
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")

    def close(self) -> None:
        self.run(self._connection.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STEP_SECONDS)
        self._loop.close()

    def dsn_of(self, database: str) -> str:
        parts = urlsplit(self.dsn)
        query = f"?{parts.query}" if parts.query else ""
        return f"{parts.scheme}://{parts.netloc}/{database}{query}"


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    """Yield the DSN of a superuser: the server of DATABASE_URL, else an embedded one for this worker.

    Each xdist worker starts its own: that costs half a second, and no worker's end stops another's server.
    """
    if given := os.environ.get("DATABASE_URL"):
        yield given
        return
    roomy = os.access(MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES_MIN
    with tempfile.TemporaryDirectory(prefix="makegood-tests-", dir=MEMORY if roomy else None) as folder:
        server = EmbeddedPostgres(Path(folder, "postgres"), **FAST)
        try:
            yield server.start()
        finally:
            server.remove()


@pytest.fixture(scope="session")
def administrator(postgres_dsn: str) -> Iterator[Administrator]:
    admin = Administrator(postgres_dsn)
    yield admin
    admin.close()


@pytest.fixture(scope="session")
def template(administrator: Administrator) -> Iterator[str]:
    """Yield the name of a migrated database that nobody is connected to."""
    name = f"makegood_template_{secrets.token_hex(6)}"
    administrator.copy("template0", name)
    # Roles belong to the whole server: workers that share one must not make them at the same moment.
    administrator.execute("SELECT pg_advisory_lock(hashtext('makegood tests migrate'))")
    try:
        administrator.run(_migrated(administrator.dsn_of(name)))
    finally:
        administrator.execute("SELECT pg_advisory_unlock(hashtext('makegood tests migrate'))")
    yield name
    administrator.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def stocked_template(administrator: Administrator, template: str) -> Iterator[str]:
    """Yield the name of a migrated database that knows the machines of all job types that come with makegood.

    In its copies an engine that starts with them has nothing to declare, which is most of what a start costs.
    """
    name = f"makegood_stocked_{secrets.token_hex(6)}"
    administrator.copy(template, name)
    administrator.run(_stocked(administrator.dsn_of(name)))
    yield name
    administrator.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(administrator: Administrator, template: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the DSN of a migrated database of the test's own; at its end no invariant may be broken."""
    name = f"makegood_test_{secrets.token_hex(6)}"
    administrator.copy(template, name)
    try:
        yield administrator.dsn_of(name)
        if request.node.get_closest_marker("tampers") is None:
            broken = administrator.run(_violations(administrator.dsn_of(name)))
            if broken:
                pytest.fail("broken invariants:\n" + "\n".join(broken), pytrace=False)
    finally:
        administrator.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_database(administrator: Administrator) -> Iterator[str]:
    """Yield the DSN of a database without a schema."""
    name = f"makegood_empty_{secrets.token_hex(6)}"
    administrator.copy("template0", name)
    try:
        yield administrator.dsn_of(name)
    finally:
        administrator.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def advance(database: str) -> Advance:
    """Replace the one function from which the database takes its time; only its owner can."""
    passed = 0.0

    async def move(seconds: float) -> None:
        nonlocal passed
        passed += seconds
        connection = await asyncpg.connect(database)
        try:
            await connection.execute(
                "create or replace function makegood.now() returns timestamptz"
                " language sql stable parallel safe"
                f" as $$ select clock_timestamp() + make_interval(secs => {passed}) $$"
            )
        finally:
            await connection.close()

    return move


async def _migrated(dsn: str) -> None:
    # Imported here so that tests without a database run while the schema is being worked on.
    from makegood_adapters.postgres.migrate import migrate

    connection = await asyncpg.connect(dsn)
    try:
        await migrate(connection)
    finally:
        await connection.close()


async def _stocked(dsn: str) -> None:
    from makegood_adapters.postgres.store import PostgresStore
    from tests.shipped import shipped

    async with PostgresStore.open(dsn) as store:
        await store.declare([job_type.spec for job_type in shipped()])


async def _violations(dsn: str) -> list[str]:
    connection = await asyncpg.connect(dsn)
    try:
        return [str(dict(row)) for row in await connection.fetch("SELECT * FROM makegood.violation")]
    finally:
        await connection.close()
