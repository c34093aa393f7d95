"""Forward-only SQL migrations: one runner at a time, in order, each file once, never edited."""

import asyncio
import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files

import asyncpg

from makegood.errors import StoreError
from makegood_adapters.postgres.refusal import bare

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_KEY = int.from_bytes(hashlib.sha256(b"makegood.migrate").digest()[:8], "big", signed=True)

_JOURNAL = """
create table if not exists makegood.migration (
  version    integer primary key,
  name       text not null,
  sha256     text not null,
  applied_at timestamptz not null default clock_timestamp())"""


class MigrationError(StoreError):
    """The database cannot be brought to this release; no file was applied in part."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of SQL."""

    version: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Checksum of the text; a file is never edited once it was applied."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def load() -> list[Migration]:
    """Return the migrations of this release in order."""
    found = []
    for entry in files("makegood_adapters.postgres").joinpath("migrations").iterdir():
        if match := _NAME.fullmatch(entry.name):
            found.append(Migration(int(match[1]), entry.name, entry.read_text("utf-8")))
    found.sort(key=lambda m: m.version)
    if [m.version for m in found] != list(range(1, len(found) + 1)):
        raise MigrationError("The migration files have a gap or a number twice.")
    return found


async def migrate(connection: asyncpg.Connection, *, patience_seconds: float = 60) -> list[str]:
    """Apply what is missing to the schema `makegood` and return the names of the files applied.

    Needs a direct connection (no pooler in transaction mode) of a role that may create the schema.
    Raises MigrationError when a file was edited or fails, when the database is newer than this release,
    or when another runner is still at work after *patience_seconds*.
    """
    try:
        async with asyncio.timeout(patience_seconds):
            await _take_turn(connection)
    except TimeoutError:
        raise MigrationError(
            f"Another process is already updating the database, for more than {patience_seconds:g} seconds: "
            "wait for its end and run again."
        ) from None
    try:
        return await _apply(connection, load())
    finally:
        if not connection.is_closed():
            await connection.execute("select pg_advisory_unlock($1)", _KEY)


async def _take_turn(connection: asyncpg.Connection) -> None:
    # A statement that waits inside pg_advisory_lock() keeps its snapshot, and an index that the
    # holder builds concurrently waits for that snapshot: a deadlock. So the lock is polled.
    while not await connection.fetchval("select pg_try_advisory_lock($1)", _KEY):  # noqa: ASYNC110  # the database has no event to wait for
        await asyncio.sleep(0.1)


async def _apply(connection: asyncpg.Connection, migrations: list[Migration]) -> list[str]:
    try:
        if not await connection.fetchval("select to_regnamespace('makegood') is not null"):
            await connection.execute("create schema makegood")
        if not await connection.fetchval("select to_regclass('makegood.migration') is not null"):
            await connection.execute(_JOURNAL)
        rows = await connection.fetch("select version, sha256 from makegood.migration")
    except asyncpg.PostgresError as error:
        raise MigrationError(
            f"The schema makegood cannot be created or read: {_line(error)}.{_whose(error)}"
        ) from error
    done = {row["version"]: row["sha256"] for row in rows}
    if done and max(done) > len(migrations):
        raise MigrationError(
            f"The database is at migration {max(done)}, this release ends at {len(migrations)}: "
            "install the newer release of makegood."
        )
    applied = []
    for migration in migrations:
        if migration.version in done:
            if done[migration.version] != migration.sha256:
                raise MigrationError(f"{migration.name} was edited after it had been applied.")
            continue
        await _apply_one(connection, migration)
        applied.append(migration.name)
    if applied and await connection.fetchval("select to_regproc('makegood.renew_rights') is not null"):
        await connection.execute("select makegood.renew_rights()")
    return applied


async def _apply_one(connection: asyncpg.Connection, migration: Migration) -> None:
    try:
        async with connection.transaction():
            await connection.execute("set local lock_timeout = '5s'")
            await connection.execute(migration.sql)
            await connection.execute(
                "insert into makegood.migration (version, name, sha256) values ($1, $2, $3)",
                migration.version,
                migration.name,
                migration.sha256,
            )
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{migration.name} cannot be applied: {_line(error)}.{_whose(error)}") from error


def _line(error: asyncpg.PostgresError) -> str:
    return " ".join(bare(error).split())


def _whose(error: asyncpg.PostgresError) -> str:
    if not isinstance(error, asyncpg.InsufficientPrivilegeError):
        return ""
    return " Only the owner of the schema can update it: run `makegood migrate` with the owner's address."
