"""The pytest plugin: stores for generated tests, and the reckoning of which edges the user's tests took.

pytest imports it in every run where makegood is installed, so nothing heavy is imported before a test asks.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from uuid import UUID

    from makegood.ports import Store
    from makegood.testing.jobtypes import OpenStore, Update
    from makegood.testing.visits import Visits, Wanted

_VISITS: pytest.StashKey[Visits] = pytest.StashKey()
_FROM_WORKERS: pytest.StashKey[list[dict[str, Any]]] = pytest.StashKey()
_COMPLAINTS: pytest.StashKey[list[str]] = pytest.StashKey()
_TAKEN, _WANTED = "makegood_taken", "makegood_wanted"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the group makegood."""
    group = parser.getgroup("makegood")
    group.addoption(
        "--makegood-dsn",
        help="Postgres server for generated tests; its role may create databases. One is made and dropped.",
    )
    group.addoption(
        "--makegood-diagrams",
        type=Path,
        help="folder for diagrams of edges that no test took (default: cache)",
    )


@pytest.fixture(scope="session")
def makegood_dsn(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """Yield the DSN of an empty or migrated database that tests may fill, None if there is none.

    Replace it by a fixture of your own, of any scope, if you have such databases already.
    """
    server = request.config.getoption("--makegood-dsn")
    if server is None:
        yield None
        return
    name = f"makegood_test_{secrets.token_hex(6)}"
    _run(_execute(server, f"create database {name} template template0"))
    try:
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
    finally:
        _run(_execute(server, f"drop database {name} with (force)"))


@pytest.fixture
def makegood_postgres(request: pytest.FixtureRequest) -> Postgres:
    """Return the database of `makegood_dsn`; without one the test is skipped."""
    dsn = request.getfixturevalue("makegood_dsn")
    if dsn is None:
        pytest.skip("needs a Postgres: --makegood-dsn, or a fixture makegood_dsn")
    return Postgres(dsn)


@pytest.fixture(params=["memory", "postgres"])
def makegood_store(request: pytest.FixtureRequest) -> OpenStore:
    """Return what opens an empty store: one in memory, one on the database of `makegood_dsn`."""
    if request.param == "memory":
        return _memory
    postgres: Postgres = request.getfixturevalue("makegood_postgres")
    return postgres.store


@pytest.fixture
def makegood_edges(request: pytest.FixtureRequest) -> Callable[[Wanted], None]:
    """Return what fails unless all edges that are wanted were taken; workers are judged at the end."""
    visits = request.config.stash[_VISITS]

    def judge(wanted: Wanted) -> None:
        from makegood.testing.visits import complaint

        if hasattr(request.config, "workeroutput"):
            visits.wanted.append(wanted)
            pytest.skip("told at the end of the run, when all workers are done")
        if told := complaint(wanted, visits.taken, _folder(request.config)):
            pytest.fail(told, pytrace=False)

    return judge


class Postgres:
    """Implements `makegood.testing.jobtypes.Postgres`."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    @asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        """Open a store on the database, migrated."""
        from makegood_adapters.postgres.store import PostgresStore

        async with PostgresStore.open(self._dsn, connections_max=2, update_schema=True) as store:
            yield store

    @asynccontextmanager
    async def rival(self) -> AsyncIterator[Update]:
        """Yield what writes a job's state as another program would, and returns why that was refused."""
        import asyncpg

        connection = await asyncpg.connect(self._dsn)

        async def update(job_id: UUID, state: str, output: bool) -> str | None:
            result = "output = '{}', " if output else ""
            try:
                await connection.execute(
                    f"update makegood.job set {result}state = $2 where job_id = $1",  # noqa: S608 - two fixed texts
                    job_id,
                    state,
                )
            except asyncpg.PostgresError as error:
                return error.sqlstate
            return None

        try:
            yield update
        finally:
            await connection.close()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let edge coverage run after the tests that it judges, also where others shuffle."""
    items.sort(key=_judges)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin to note what engines do, if somebody will ask."""
    if any(map(_judges, session.items)):
        from makegood.testing.visits import Visits

        patch, visits = pytest.MonkeyPatch(), Visits()
        visits.listen(patch)
        session.config.stash[_VISITS] = visits
        session.config.add_cleanup(patch.undo)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Keep what a worker of pytest-xdist has seen."""
    output = getattr(node, "workeroutput", None)
    if output and _TAKEN in output:
        node.config.stash.setdefault(_FROM_WORKERS, []).append(output)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands over what it has seen; the controller judges what all have seen together."""
    config = session.config
    output = getattr(config, "workeroutput", None)
    visits = config.stash.get(_VISITS, None)
    if output is not None and visits is not None:
        from makegood.machine.projections import to_json

        output[_TAKEN] = [list(visit) for visit in visits.taken]
        output[_WANTED] = [[to_json(spec), *map(list, sorted(asked))] for spec, asked in visits.wanted]
    if seen := config.stash.get(_FROM_WORKERS, []):
        from makegood.machine.projections import from_json
        from makegood.testing.visits import complaint

        taken = {(visit[0], visit[1], visit[2]) for each in seen for visit in each[_TAKEN]}
        told = [
            complaint((from_json(text), {(event, source) for event, source in asked}), taken, _folder(config))
            for each in seen
            for text, *asked in each[_WANTED]
        ]
        config.stash[_COMPLAINTS] = [each for each in told if each]
        if any(told):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Tell which edges no worker's tests took."""
    if complaints := config.stash.get(_COMPLAINTS, []):
        terminalreporter.section("makegood edge coverage", red=True)
        for told in complaints:
            terminalreporter.line(f"FAILED {told}", red=True)


def _judges(item: pytest.Item) -> bool:
    return "makegood_edges" in getattr(item, "fixturenames", ())


def _folder(config: pytest.Config) -> Path:
    folder: Path | None = config.getoption("--makegood-diagrams")
    if folder is None:
        cache = getattr(config, "cache", None)
        return cache.mkdir("makegood") if cache else Path(tempfile.mkdtemp(prefix="makegood-"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


@asynccontextmanager
async def _memory() -> AsyncIterator[Store]:
    from makegood_adapters.memory import MemoryStore

    yield MemoryStore()


async def _execute(dsn: str, statement: str) -> None:
    import asyncpg

    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _run(work: Coroutine[Any, Any, None]) -> None:
    # With a factory the runner leaves alone which loop the thread calls its own: it may be the user's.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(work)
