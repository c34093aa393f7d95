"""Which database a command looks at: the one that is named, else the one of the service."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from makegood import Catalog, Engine
from makegood.errors import InvalidRequest
from makegood_adapters.config import load_config
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore

#: Where `makegood serve` looks too.
CONFIG = Path("config/makegood.toml")


def find_dsn(dsn: str | None, config: Path | None) -> str:
    """Return *dsn*, else the database of the file *config*, of DATABASE_URL, of the service's usual file.

    InvalidRequest or ConfigurationError say in one sentence why there is none.
    """
    if dsn and config:
        raise InvalidRequest("--dsn and --config both name a database; leave one out.")
    if config is None and (given := dsn or os.environ.get("DATABASE_URL")):
        return given
    if config is None and not CONFIG.is_file():
        raise InvalidRequest(
            f"No database is named: give --dsn, set DATABASE_URL, or name a file with --config ({CONFIG} "
            "is not there)."
        )
    return load_config(config or CONFIG).database_url.get_secret_value()


@asynccontextmanager
async def an_engine(dsn: str | None, config: Path | None) -> AsyncIterator[Engine]:
    """Yield an engine over that database for what needs no job type: it is never entered, declares nothing
    and runs no loop."""
    async with PostgresStore.open(find_dsn(dsn, config), connections_max=1) as store:
        yield Engine(store, Catalog([]), blobs=MemoryBlobs(), run_loops=False)
