"""Which database a command looks at: the one that is named, else the one of the service."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from makegood import Catalog, Engine
from makegood.errors import InvalidRequest
from makegood_adapters.blobs import open_blobs
from makegood_adapters.config import ServiceConfig, load_config
from makegood_adapters.job_types import load_catalog
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.plugins import load_plugins
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
async def an_engine_over(dsn: str | None, config: Path | None) -> AsyncIterator[tuple[Engine, PostgresStore]]:
    """Yield what `an_engine` does, and the store below it."""
    async with PostgresStore.open(find_dsn(dsn, config), connections_max=1) as store:
        yield Engine(store, Catalog([]), blobs=MemoryBlobs(), run_loops=False), store


@asynccontextmanager
async def an_engine(dsn: str | None, config: Path | None) -> AsyncIterator[Engine]:
    """Yield an engine over that database for what needs no job type: it is never entered, declares nothing
    and runs no loop."""
    async with an_engine_over(dsn, config) as (engine, _):
        yield engine


@asynccontextmanager
async def an_informed_engine(
    dsn: str | None, config: Path | None, *, needs_files: bool = False
) -> AsyncIterator[tuple[Engine, PostgresStore]]:
    """Yield an engine over that database that knows the job types of the configuration, where there is one,
    and the store; it is never entered, declares nothing and runs no loop."""
    read = _configuration(dsn, config)
    if needs_files and read is None:
        raise InvalidRequest("--complete needs --config: it says where our files are.")
    # Without a configuration the stored rules of the job's type are enough to end it.
    catalog = load_catalog(read, load_plugins()) if read else Catalog([])
    blobs = await open_blobs(read) if read and needs_files else MemoryBlobs()
    async with PostgresStore.open(find_dsn(dsn, config), connections_max=2) as store:
        yield Engine(store, catalog, blobs=blobs, run_loops=False), store


def _configuration(dsn: str | None, config: Path | None) -> ServiceConfig | None:
    """Return the configuration that is named, else that of the usual file where it is there."""
    path = config or (CONFIG if CONFIG.is_file() and dsn is None else None)
    return load_config(path) if path else None
