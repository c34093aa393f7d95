"""Where a benchmark runs: a Postgres, two databases of the benchmark's own on it, and what they use."""

import os
import re
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from makegood_adapters.cli.bench.plan import BenchError
from makegood_adapters.postgres.embedded import EmbeddedPostgres, EmbeddedPostgresError
from makegood_adapters.postgres.migrate import migrate
from makegood_adapters.postgres.store import connect

#: Those of a small production server; what makes a commit durable is left as Postgres has it, which is on.
SETTINGS = {"shared_buffers": "256MB", "max_wal_size": "4GB", "max_connections": 100}
DURABLE = ("fsync", "synchronous_commit", "full_page_writes")
_START_SECONDS_APART = 5.0


@contextmanager
def embedded_server() -> Iterator[str]:
    """Yield the DSN of a fresh Postgres in a temporary folder, which goes with it."""
    with tempfile.TemporaryDirectory(prefix="makegood-bench-") as folder:
        server = EmbeddedPostgres(Path(folder, "postgres"), **SETTINGS)
        try:
            try:
                yield server.start()
            except EmbeddedPostgresError as error:
                raise BenchError(str(error)) from None
        finally:
            server.remove()


@dataclass(frozen=True, slots=True)
class Databases:
    """Two databases from one template: `product` is the engine's, `baseline` is pgbench's."""

    product: str
    baseline: str


@asynccontextmanager
async def databases_on(dsn: str) -> AsyncIterator[Databases]:
    """Make both databases with the schema in them, and drop them at the end.

    Nobody may be connected to `product` until `copied` is called.
    """
    stem = f"makegood_bench_{secrets.token_hex(4)}"
    names = [stem, f"{stem}_baseline"]
    connection = await connect(dsn)
    try:
        try:
            await connection.execute(f"create database {names[0]} template template0")
        except asyncpg.InsufficientPrivilegeError:
            raise BenchError(
                "The benchmark makes two databases of its own and drops them at the end, for which this user "
                "lacks the right: ALTER ROLE … CREATEDB, or leave --dsn out."
            ) from None
        try:
            fresh = await connect(_dsn_of(dsn, names[0]))
            try:
                await migrate(fresh)
            finally:
                await fresh.close()
            yield Databases(*(_dsn_of(dsn, name) for name in names))
        finally:
            for name in names:
                await connection.execute(f"drop database if exists {name} with (force)")
    finally:
        await connection.close()


async def copy_product(dsn: str, databases: Databases) -> None:
    """Make `baseline` a copy of `product`, to which nobody may be connected."""
    source, target = (urlsplit(d).path.removeprefix("/") for d in (databases.product, databases.baseline))
    connection = await connect(dsn)
    try:
        await connection.execute(f"create database {target} template {source}")
    finally:
        await connection.close()


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used so far: CPU seconds of both sides, `postgres` None where it cannot be seen, WAL bytes."""

    python: float
    postgres: float | None
    wal: int

    def since(self, before: "Usage") -> "Usage":
        """Return what was used after *before*."""
        seen = self.postgres is not None and before.postgres is not None
        postgres = (self.postgres or 0.0) - (before.postgres or 0.0) if seen else None
        return Usage(self.python - before.python, postgres, self.wal - before.wal)

    def plus(self, other: "Usage") -> "Usage":
        """Return the sum of both."""
        seen = self.postgres is not None and other.postgres is not None
        postgres = (self.postgres or 0.0) + (other.postgres or 0.0) if seen else None
        return Usage(self.python + other.python, postgres, self.wal + other.wal)


class Meter:
    """Reads what this process and the server have used, over a connection of its own."""

    def __init__(self, connection: asyncpg.Connection, postmaster: int | None) -> None:
        self._connection, self._postmaster = connection, postmaster

    @classmethod
    @asynccontextmanager
    async def open(cls, dsn: str) -> AsyncIterator["Meter"]:
        """Connect to *dsn* and find out whether the server's processes can be seen from here."""
        connection = await connect(dsn)
        try:
            row = await connection.fetchrow(
                "select pg_backend_pid() as pid, extract(epoch from backend_start)::float8 as began"
                " from pg_stat_activity where pid = pg_backend_pid()"
            )
            assert row is not None
            yield cls(connection, postmaster_of(row["pid"], row["began"]))
        finally:
            await connection.close()

    async def read(self) -> Usage:
        """Return what was used until now."""
        wal = await self._connection.fetchval("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
        postgres = None if self._postmaster is None else _cpu_seconds(self._postmaster)
        return Usage(time.process_time(), postgres, int(wal))

    async def version(self) -> str:
        """Return the server's version, such as `18.6`."""
        told: str = await self._connection.fetchval("show server_version")
        return told.split()[0]

    async def lax(self) -> list[str]:
        """Return the settings without which a commit may be lost, of those that are off."""
        rows = await self._connection.fetch(
            "select name from pg_settings where name = any($1::text[]) and setting = 'off'", DURABLE
        )
        return sorted(row["name"] for row in rows)


@dataclass(frozen=True, slots=True)
class _Process:
    name: str
    parent: int
    ticks: int
    ticks_of_ended_children: int
    started: int


def _process(pid: int) -> _Process | None:
    """Read /proc/<pid>/stat, see proc(5); None when there is no such process."""
    try:
        text = Path("/proc", str(pid), "stat").read_text()
    except OSError:
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")
    f = rest.split()
    return _Process(name, int(f[1]), int(f[11]) + int(f[12]), int(f[13]) + int(f[14]), int(f[19]))


def postmaster_of(backend: int, began: float) -> int | None:
    """Return the server's main process, None where the backend is not a process of this machine.

    The number alone proves nothing: a server on another machine or in a container counts for itself.
    """
    seen = _process(backend)
    if seen is None or not seen.name.startswith("postgres"):
        return None
    boot = re.search(r"^btime (\d+)$", Path("/proc/stat").read_text(), re.MULTILINE)
    if boot is None:
        return None
    started = int(boot[1]) + seen.started / os.sysconf("SC_CLK_TCK")
    return seen.parent if abs(started - began) < _START_SECONDS_APART else None


def _cpu_seconds(postmaster: int) -> float:
    """Add up the CPU time of the server's processes, also of those that have ended."""
    ticks = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        seen = _process(int(entry.name))
        if seen is None:
            continue
        if int(entry.name) == postmaster:
            ticks += seen.ticks + seen.ticks_of_ended_children
        elif seen.parent == postmaster:
            ticks += seen.ticks
    return ticks / os.sysconf("SC_CLK_TCK")


def _dsn_of(dsn: str, database: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))
