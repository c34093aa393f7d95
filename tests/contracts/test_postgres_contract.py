"""The store on Postgres keeps the contract, as a login role that has nothing but the rights of a worker."""

import secrets
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
import pytest_asyncio

from makegood.ports import Store
from makegood.testing.contract import StoreContract
from makegood.testing.drive import SPECS, Advance
from makegood_adapters.postgres.store import PostgresStore
from tests.conftest import Administrator
from tests.roles import dsn_as, make_role

ROLE = f"makegood_test_contract_{secrets.token_hex(6)}"
#: Later than whatever the migrations have written.
BEGINNING = "2100-01-01 00:00:00+00"


@pytest.fixture(scope="module")
def template(administrator: Administrator, template: str) -> Iterator[str]:
    """Yield the name of a database that knows the role and the machines of the contract, as its copies do."""
    name = f"makegood_contract_{secrets.token_hex(6)}"
    administrator.copy(template, name)
    administrator.run(prepared(administrator.dsn_of(name)))
    yield name
    administrator.execute(f"DROP DATABASE {name} WITH (FORCE)")
    administrator.execute(f"DROP ROLE {ROLE}")


async def prepared(dsn: str) -> None:
    await make_role(dsn, ROLE, "worker")
    async with PostgresStore.open(dsn) as store:
        await store.declare(SPECS)
    await set_clock(dsn, 0)


async def set_clock(dsn: str, passed: float) -> None:
    """Let the time of a database go on from *passed* seconds after its beginning, a thousand times slower
    than here: nothing becomes due because a machine stands still."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            "create or replace function makegood.now() returns timestamptz language sql stable parallel safe"
            f" as $$ select timestamptz '{BEGINNING}' + make_interval(secs => {passed})"
            f" + (clock_timestamp() - timestamptz '{BEGINNING}') / 1000 $$"
        )
    finally:
        await connection.close()


@pytest.fixture
def advance(database: str) -> Advance:
    passed = 0.0

    async def move(seconds: float) -> None:
        nonlocal passed
        passed += seconds
        await set_clock(database, passed)

    return move


@pytest_asyncio.fixture
async def store(database: str) -> AsyncIterator[Store]:
    async with PostgresStore.open(dsn_as(database, ROLE)) as opened:
        yield opened


class TestPostgresStore(StoreContract):
    pass
