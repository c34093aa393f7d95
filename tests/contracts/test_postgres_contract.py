"""The store on Postgres keeps the contract."""

from collections.abc import AsyncIterator

import pytest_asyncio

from makegood.ports import Store
from makegood.testing.contract import StoreContract
from makegood_adapters.postgres.store import PostgresStore


@pytest_asyncio.fixture
async def store(database: str) -> AsyncIterator[Store]:
    async with PostgresStore.open(database) as opened:
        yield opened


class TestPostgresStore(StoreContract):
    pass
