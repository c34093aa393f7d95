"""Faults that stories have found, each told as shortly as it can be, to both stores."""

from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial

import pytest
import pytest_asyncio

from makegood.ports import Store
from makegood.testing.clock import FakeClock
from makegood_adapters.memory import MemoryStore
from makegood_adapters.postgres.store import PostgresStore


@pytest_asyncio.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore(FakeClock())
        return
    async with PostgresStore.open(request.getfixturevalue("database")) as opened:
        yield opened


async def test_a_cycle_without_an_end_that_rolls_over_ends_with_the_next_one(store: Store) -> None:
    ends_at = await store.now() + timedelta(days=30)
    start = partial(store.ledger.start_cycle, "ada", 10, plan="pro", kind="monthly", priority=40)
    assert await start(cycle="1")
    assert await start(cycle="2", ends_at=ends_at, rolls_over=True)
    wallet = await store.ledger.wallet("ada")
    assert [(b.remaining, b.expires_at) for b in wallet.buckets] == [(10, ends_at), (10, ends_at)]
