"""The old side: where it is, what it is called there and here, and its rows, read at one moment."""

import tomllib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import asyncpg
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from makegood.errors import InvalidRequest
from makegood_adapters.cli.imports.rows import BALANCE_COLUMNS, JOB_COLUMNS, Row
from makegood_adapters.config.secret_files import read_secret_files
from makegood_adapters.postgres.store import connect

#: The statements that come with makegood, by the name of their file.
STATEMENTS = ("balances.sql", "jobs.sql")
_ROWS_AT_ONCE = 500
#: The old side is read for as long as it takes, and its transaction waits while this side writes.
_PATIENT = {
    "application_name": "makegood import",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}


class OldSide(BaseModel):
    """What a file says of the old side.

    `accounts` gives names of its provider accounts their names here; running jobs of those in `give_back` are
    not taken over: their credits come back. `types` gives tables their job types, where the catalogue does
    not say; those in `leave_out` stay behind.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    database_url: SecretStr | None = None
    balances: str = ""
    jobs: str = ""
    accounts: dict[str, str] = {}
    give_back: list[str] = []
    types: dict[str, str] = {}
    leave_out: list[str] = []


def read_old_side(path: Path | None) -> OldSide:
    """Read the file *path*, and the statements that it names, which lie beside it. Raises InvalidRequest,
    ConfigurationError."""
    if path is None:
        return OldSide(balances=shipped("balances.sql"), jobs=shipped("jobs.sql"))
    try:
        given = read_secret_files(tomllib.loads(path.read_text("utf-8")), OldSide)
        read = OldSide.model_validate(given)
        named = {name: getattr(read, name) for name in ("balances", "jobs")}
        texts = {
            name: (path.parent / file).read_text("utf-8") if file else shipped(f"{name}.sql")
            for name, file in named.items()
        }
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise InvalidRequest(f"{path} cannot be used: {wrong}.") from None
    except (OSError, ValueError) as error:  # not there, or neither UTF-8 nor TOML
        raise InvalidRequest(f"{path} cannot be used: {error}.") from None
    return read.model_copy(update=texts)


def shipped(name: str) -> str:
    """Return one of STATEMENTS."""
    return files("makegood_adapters.cli.imports").joinpath(name).read_text("utf-8")


@dataclass(frozen=True, slots=True)
class OldRows:
    """The rows of the old side as they were at one moment."""

    _connection: asyncpg.Connection
    _balances: str
    _jobs: str

    def balances(self) -> AsyncGenerator[list[Row]]:
        """Yield the rows of balances, some at a time. Raises InvalidRequest."""
        return self._read("balances", self._balances, BALANCE_COLUMNS)

    def jobs(self) -> AsyncGenerator[list[Row]]:
        """Yield the rows of jobs, some at a time. Raises InvalidRequest."""
        return self._read("jobs", self._jobs, JOB_COLUMNS)

    async def _read(self, name: str, sql: str, columns: Sequence[str]) -> AsyncGenerator[list[Row]]:
        try:
            prepared = await self._connection.prepare(sql.strip().rstrip(";"))
            given = [attribute.name for attribute in prepared.get_attributes()]
            if missing := [column for column in columns if column not in given]:
                raise InvalidRequest(
                    f"The statement for {name} gives no column {missing[0]!r}; it gives {', '.join(given)}."
                )
            rows: list[Row] = []
            async for row in prepared.cursor(prefetch=_ROWS_AT_ONCE):
                rows.append(dict(row))
                if len(rows) == _ROWS_AT_ONCE:
                    yield rows
                    rows = []
            yield rows
        except asyncpg.PostgresError as error:
            raise InvalidRequest(
                f"The old database refuses the statement for {name}: {error}. Write the statements to files "
                "with --write-sql FOLDER, adapt them, and name them in the old side's file. Nothing changed."
            ) from None


@asynccontextmanager
async def open_old(dsn: str, side: OldSide) -> AsyncIterator[OldRows]:
    """Connect to the old database, which is only read, in one transaction. Raises StoreUnavailable."""
    connection = await connect(dsn, _PATIENT)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield OldRows(connection, side.balances, side.jobs)
    finally:
        connection.terminate()
