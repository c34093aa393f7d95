"""The store on Postgres keeps the contract."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from makegood.ports import Store
from makegood.testing.contract import StoreContract
from makegood.testing.drive import Advance
from makegood_adapters.postgres.store import PostgresStore


@pytest_asyncio.fixture
async def store(database: str) -> AsyncIterator[Store]:
    async with PostgresStore.open(database) as opened:
        yield opened


@pytest.fixture
def advance(database: str) -> Advance:
    """Replace the one function from which the database takes its time; only its owner can."""
    passed = 0.0

    async def move(seconds: float) -> None:
        nonlocal passed
        passed += seconds
        connection = await asyncpg.connect(database)
        try:
            await connection.execute(
                "create or replace function makegood.now() returns timestamptz"
                " language sql stable parallel safe"
                f" as $$ select clock_timestamp() + make_interval(secs => {passed}) $$"
            )
        finally:
            await connection.close()

    return move


class TestPostgresStore(StoreContract):
    pass
