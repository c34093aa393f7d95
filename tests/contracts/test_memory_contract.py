"""The store in memory keeps the contract."""

import pytest

from makegood.ports import Store
from makegood.testing.clock import FakeClock
from makegood.testing.contract import StoreContract
from makegood.testing.drive import SPECS, Advance, Drive
from makegood_adapters.memory import MemoryStore


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def advance(clock: FakeClock) -> Advance:
    return clock.advance


@pytest.fixture
def store(clock: FakeClock) -> Store:
    return MemoryStore(clock)


class TestMemoryStore(StoreContract):
    pass


async def test_a_caller_cannot_reach_into_a_stored_job(clock: FakeClock) -> None:
    store = MemoryStore(clock)
    await store.declare(SPECS)
    given = {"scale": 2}
    job = await Drive(store, clock.advance).insert(input=given)
    given["scale"] = 4
    kept = await store.jobs.get(job.id)
    assert kept is not None
    assert kept.input == {"scale": 2}


async def test_without_a_clock_it_takes_the_time_of_this_machine() -> None:
    store = MemoryStore()
    await store.declare(SPECS)

    async def never(seconds: float) -> None:
        raise AssertionError(f"nobody can move real time by {seconds} seconds")

    assert (await Drive(store, never).insert()).created_at.tzinfo is not None
