"""Two transactions that want one wallet take turns: the second waits, then counts on from the first."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import pytest
import pytest_asyncio

from makegood.job import Job
from makegood.testing.drive import PRICE, Drive
from tests.adapters.postgres.far import somebody_waits

MOVE = "UPDATE makegood.job SET state = $2 WHERE job_id = $1"
SWEEP = "SELECT makegood.expire_credits(10)"
GRANT = "SELECT makegood.grant_credits('ada', 'purchased', 5, 'order-2', 100, NULL, 'test')"


@dataclass(frozen=True, slots=True)
class Two:
    """A transaction that is open, another program that wants the same, and somebody who watches them."""

    first: asyncpg.Connection
    second: asyncpg.Connection
    watcher: asyncpg.Connection

    async def take_turns(self, first: "Turn", second: "Turn", jobs: Sequence[Job]) -> "asyncio.Future[str]":
        """Let the second wait for the first, and return its answer once the first is done."""
        async with self.first.transaction():
            await first(self.first, jobs[0])
            waiting = second(self.second, jobs[1])
            await somebody_waits(self.watcher, self.first)
        await asyncio.wait([waiting])
        return waiting


@pytest_asyncio.fixture
async def two(database: str) -> AsyncIterator[Two]:
    connections = [await asyncpg.connect(database) for _ in range(3)]
    try:
        yield Two(*connections)
    finally:
        for connection in connections:
            connection.terminate()


Turn = Callable[[asyncpg.Connection, Job], "asyncio.Future[str]"]


def accepts(connection: asyncpg.Connection, job: Job) -> "asyncio.Future[str]":
    return asyncio.ensure_future(connection.execute(MOVE, job.id, "queued"))


def fails(connection: asyncpg.Connection, job: Job) -> "asyncio.Future[str]":
    return asyncio.ensure_future(connection.execute(MOVE, job.id, "failed"))


def grants(connection: asyncpg.Connection, _: Job) -> "asyncio.Future[str]":
    return asyncio.ensure_future(connection.execute(GRANT))


@pytest.mark.parametrize("second", [accepts, fails, grants])
@pytest.mark.parametrize("first", [accepts, fails, grants])
async def test_d31_no_movement_is_lost_or_counted_twice(
    drive: Drive, two: Two, first: Turn, second: Turn
) -> None:
    """The journal has no gap, and every balance is that of its replay: the fixture looks at the end."""
    await drive.grant(4 * PRICE)
    turns = (first, second)
    states: dict[Turn, str] = {accepts: "pending", fails: "queued", grants: "pending"}
    answer = await two.take_turns(*turns, [await drive.to(states[turn]) for turn in turns])
    assert answer.exception() is None
    wallet = await drive.store.ledger.wallet("ada")
    assert wallet.held == PRICE * turns.count(accepts)
    assert wallet.available + wallet.held == 4 * PRICE + (5 if grants in turns else 0)


async def test_the_second_of_two_who_can_pay_for_one_is_refused(drive: Drive, two: Two) -> None:
    await drive.grant(PRICE)
    answer = await two.take_turns(accepts, accepts, [await drive.to("pending") for _ in range(2)])
    with pytest.raises(asyncpg.PostgresError, match="wallet of ada has 0 credits, 100 are needed"):
        answer.result()
    assert (await drive.store.ledger.wallet("ada")).held == PRICE


async def test_an_expiry_waits_for_a_hold_and_takes_what_it_left(drive: Drive, two: Two) -> None:
    await drive.grant(PRICE + 30, expires_at=await drive.now() + timedelta(hours=1))
    job = await drive.to("pending")

    def sweeps_later(connection: asyncpg.Connection, _: Job) -> "asyncio.Future[str]":
        async def later() -> str:
            await drive.advance(3_601)
            return await connection.execute(SWEEP)

        return asyncio.ensure_future(later())

    answer = await two.take_turns(accepts, sweeps_later, [job, job])
    assert answer.exception() is None
    wallet = await drive.store.ledger.wallet("ada")
    assert (wallet.available, wallet.held, wallet.buckets[0].expired) == (0, PRICE, 30)
