"""The store on Postgres keeps the contract, as a login role that has nothing but the rights of a worker."""

from collections.abc import AsyncIterator

import pytest_asyncio

from makegood.ports import Store
from makegood.testing.contract import StoreContract
from makegood_adapters.postgres.store import PostgresStore
from tests.roles import login


@pytest_asyncio.fixture
async def store(database: str) -> AsyncIterator[Store]:
    async with login(database, "worker") as dsn, PostgresStore.open(dsn) as opened:
        yield opened


class TestPostgresStore(StoreContract):
    pass
