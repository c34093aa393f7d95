"""This side of an import: the service's database as its owner, its job types, its provider accounts."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from makegood import Engine, ProviderAccount
from makegood.errors import InvalidRequest
from makegood_adapters.config import ServiceConfig
from makegood_adapters.job_types import load_catalog
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.plugins import load_plugins
from makegood_adapters.postgres.imports import lock_imports, may_import
from makegood_adapters.postgres.store import PostgresStore, connect


@dataclass(frozen=True, slots=True)
class Here:
    """This side: its engine, which runs no loops, and a connection as the owner of the schema."""

    engine: Engine
    store: PostgresStore
    connection: asyncpg.Connection
    accounts: Mapping[str, ProviderAccount]


@asynccontextmanager
async def open_here(dsn: str, read: ServiceConfig) -> AsyncIterator[Here]:
    """Connect to *dsn*, as the only one who brings something in. Raises InvalidRequest, StoreUnavailable."""
    catalog = load_catalog(read, load_plugins())
    accounts = {
        account.name: ProviderAccount(
            name=account.name,
            pool=account.pool,
            capacity=account.capacity,
            draining_seconds=account.draining_seconds,
            exclusive=account.exclusive,
        )
        for account in read.accounts
    }
    connection = await connect(dsn, {"application_name": "makegood import"})
    try:
        async with PostgresStore.open(dsn, connections_max=2) as store:
            if not await may_import(connection):
                raise InvalidRequest(
                    "Only the owner of the schema brings in jobs that are over: give its address with --dsn."
                )
            if not await lock_imports(connection):
                raise InvalidRequest("Another `makegood import` works on this database: wait for its end.")
            engine = Engine(store, catalog, blobs=MemoryBlobs(), settings=read.engine, run_loops=False)
            yield Here(engine, store, connection, accounts)
    finally:
        connection.terminate()
