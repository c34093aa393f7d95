"""The store in memory keeps the contract, and its audit finds what is broken."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from makegood.job import Phase, Verdict
from makegood.ports import Store
from makegood.testing.clock import FakeClock
from makegood.testing.contract import StoreContract
from makegood.testing.drive import SPECS, Advance, Drive
from makegood_adapters.memory import MemoryStore
from makegood_adapters.memory.tables import Hold, Tables


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


def _bucket(tables: Tables) -> None:
    buckets = tables.wallets["ada"].buckets
    buckets[1] = replace(buckets[1], remaining=buckets[1].remaining + 1)


def _journal(tables: Tables) -> None:
    del tables.wallets["ada"].journal[1]


def _lost_hold(tables: Tables) -> None:
    tables.holds.clear()


def _double_hold(tables: Tables) -> None:
    [holds] = tables.holds.values()
    holds.append(Hold(1, 100))


def _state(tables: Tables) -> None:
    [row] = tables.jobs.values()
    row.job = replace(row.job, state="failed")


def _version(tables: Tables) -> None:
    [row] = tables.jobs.values()
    row.job = replace(row.job, version=row.job.version + 1)


def _history(tables: Tables) -> None:
    [lines] = tables.history.values()
    lines[2] = replace(lines[2], to_state="running")


def _outbox(tables: Tables) -> None:
    tables.outbox.pop()


def _capacity(tables: Tables) -> None:
    [(name, account)] = tables.accounts.items()
    tables.accounts[name] = replace(account, capacity=0)


def _attempt(tables: Tables) -> None:
    tables.attempts.clear()


def _phase(tables: Tables) -> None:
    [row] = tables.attempts.values()
    row.attempt = replace(row.attempt, phase=Phase.CLOSED)


def _deadline(tables: Tables) -> None:
    [row] = tables.jobs.values()
    row.job = replace(row.job, deadline_at=None)


@pytest.mark.parametrize(
    "spoil",
    [
        _bucket,
        _journal,
        _lost_hold,
        _double_hold,
        _state,
        _version,
        _history,
        _outbox,
        _capacity,
        _attempt,
        _phase,
        _deadline,
    ],
)
async def test_the_audit_finds_what_is_broken(clock: FakeClock, spoil: Callable[[Tables], None]) -> None:
    store = MemoryStore(clock)
    await store.declare(SPECS)
    drive = Drive(store, clock.advance)
    await drive.grant()
    await drive.to("running")
    assert await store.violations() == []
    spoil(store.tables)
    assert await store.violations() != []


async def test_the_audit_finds_a_settled_job_that_still_holds_credits(clock: FakeClock) -> None:
    store = MemoryStore(clock)
    await store.declare(SPECS)
    drive = Drive(store, clock.advance)
    await drive.grant()
    job = await drive.to("running")
    await drive.event(job, "fail", Verdict.FAILED)
    assert await store.violations() == []
    store.tables.holds[job.id] = [replace(hold, captured=None) for hold in store.tables.holds[job.id]]
    assert len(await store.violations()) >= 2


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
