"""What the tests of the Postgres store share: stores, a way to drive jobs, a plain connection beside them."""

from collections.abc import AsyncIterator

import asyncpg
import pytest_asyncio

from makegood.job import Job
from makegood.testing.drive import PRICE, SPECS, Advance, Drive
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.postgres.transaction import Database
from tests.adapters.postgres.far import database_at
from tests.adapters.postgres.proxy import Proxy, proxy_before


@pytest_asyncio.fixture
async def store(database: str) -> AsyncIterator[PostgresStore]:
    async with PostgresStore.open(database) as opened:
        await opened.declare(SPECS)
        yield opened


@pytest_asyncio.fixture
async def other_store(database: str, store: PostgresStore) -> AsyncIterator[PostgresStore]:
    """Yield the store of another process: the same database, connections of its own."""
    async with PostgresStore.open(database) as opened:
        yield opened


@pytest_asyncio.fixture
async def drive(store: PostgresStore, advance: Advance) -> Drive:
    return Drive(store, advance)


@pytest_asyncio.fixture
async def plain(database: str) -> AsyncIterator[asyncpg.Connection]:
    """Yield a connection of another program, which knows nothing of makegood."""
    connection = await asyncpg.connect(database)
    try:
        yield connection
    finally:
        connection.terminate()


@pytest_asyncio.fixture
async def proxy(database: str) -> AsyncIterator[Proxy]:
    async with proxy_before(database) as opened:
        yield opened


@pytest_asyncio.fixture
async def far(proxy: Proxy) -> AsyncIterator[Database]:
    """Yield a Database that reaches the server through the proxy."""
    async with database_at(proxy.dsn) as opened:
        yield opened


@pytest_asyncio.fixture
async def pending(drive: Drive) -> Job:
    """Return a job that its owner can just pay for."""
    await drive.grant(PRICE)
    return await drive.insert()
