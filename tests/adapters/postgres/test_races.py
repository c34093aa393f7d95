"""Whoever meets at one row: one of them wins, the other is told, and the credits move once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import asyncpg
import pytest_asyncio

from makegood.catalog import Catalog
from makegood.engine import Engine
from makegood.errors import IllegalTransition, InsufficientCredits
from makegood.job import Attempt, Job, JobMoney, Phase, Verdict
from makegood.lifecycle import BaseJob, Completion, Failure
from makegood.ports import Store
from makegood.testing.drive import (
    LEASE_SECONDS,
    PLAIN,
    PRICE,
    Drive,
    Plain,
    accounts,
    change,
    edge_of,
    fact,
    token_hash,
)
from makegood_adapters.folder import FolderBlobs
from makegood_adapters.postgres.store import PostgresStore

T = TypeVar("T")


class Portrait(BaseJob):
    """Something to buy."""

    name = "portrait"
    price = PRICE


def engine_over(store: Store, folder: Path) -> Engine:
    return Engine(store, Catalog([Plain, Portrait]), blobs=FolderBlobs(folder), run_loops=False)


@pytest_asyncio.fixture
async def engine(store: PostgresStore, tmp_path: Path) -> AsyncIterator[Engine]:
    async with engine_over(store, tmp_path) as opened:
        yield opened


@pytest_asyncio.fixture
async def other_engine(other_store: PostgresStore, tmp_path: Path) -> AsyncIterator[Engine]:
    """Yield the engine of another process."""
    async with engine_over(other_store, tmp_path) as opened:
        yield opened


async def meet(*calls: Awaitable[T]) -> list[T | BaseException]:
    """Let the calls run at one moment and return what each returned or raised, in their order."""
    return await asyncio.gather(*calls, return_exceptions=True)


async def all_of(calls: Sequence[Awaitable[T]], at_a_time: int = 16) -> list[T]:
    """Await many calls, a few at a time."""
    done: list[T] = []
    for first in range(0, len(calls), at_a_time):
        done += await asyncio.gather(*calls[first : first + at_a_time])
    return done


async def opened(drive: Drive, n: int) -> tuple[str, list[Attempt]]:
    """Bring *n* jobs of Ada's into slots and claim their attempts."""
    pool = await drive.pool(capacity=n)
    await drive.grant(n * PRICE)
    await all_of([drive.to("queued", pool=pool) for _ in range(n)])
    assert len(await drive.store.attempts.dispatch(pool, accounts(pool), n)) == n
    return pool, await drive.store.attempts.claim(accounts(pool), n, LEASE_SECONDS)


async def running(drive: Drive, n: int) -> list[Job]:
    """Bring *n* jobs of Ada's to the provider; all of them are asked to be cancelled."""
    _, attempts = await opened(drive, n)

    async def begin(attempt: Attempt) -> Job:
        assert await drive.store.attempts.intend(attempt, token_hash(attempt), LEASE_SECONDS)
        job = await drive.store.jobs.get(attempt.job_id)
        assert job is not None
        await drive.event(job, "begin", Verdict.ACCEPTED)
        asked = await drive.store.jobs.request_cancel(job.id)
        assert asked is not None
        return asked

    return await all_of([begin(attempt) for attempt in attempts])


async def test_m1_of_two_failures_at_one_moment_one_refunds(
    drive: Drive, engine: Engine, other_engine: Engine
) -> None:
    await drive.grant(20 * PRICE)
    for _ in range(20):
        job = await drive.to("queued")
        results = await meet(*(e.fire(job.id, BaseJob.fail, Failure()) for e in (engine, other_engine)))
        [failed] = [result for result in results if isinstance(result, Job)]
        assert failed == await drive.job(job)
        [refused] = [result for result in results if not isinstance(result, Job)]
        assert isinstance(refused, IllegalTransition)
        assert refused.state == "failed"
        assert [t.event for t in await engine.history(job.id)] == ["submit", "accept", "fail"]
        assert await engine.money(job.id) == JobMoney(released=PRICE)
    wallet = await engine.wallet("ada")
    assert (wallet.available, wallet.held) == (20 * PRICE, 0)


async def test_a_failure_and_a_plain_update_at_one_moment_refund_once(
    drive: Drive, engine: Engine, plain: asyncpg.Connection
) -> None:
    await drive.grant(20 * PRICE)
    for _ in range(20):
        job = await drive.to("queued")
        sql = "UPDATE makegood.job SET state = 'failed' WHERE job_id = $1"
        ours, theirs = await meet(engine.fire(job.id, BaseJob.fail, Failure()), plain.execute(sql, job.id))
        assert isinstance(ours, Job | IllegalTransition)
        assert theirs == "UPDATE 1"
        assert [t.event for t in await engine.history(job.id)] == ["submit", "accept", "fail"]
        assert await engine.money(job.id) == JobMoney(released=PRICE)
    assert (await engine.wallet("ada")).available == 20 * PRICE


async def test_a_decision_about_an_earlier_stay_in_the_same_state_comes_too_late(drive: Drive) -> None:
    await drive.grant()
    queued = await drive.to("queued")
    late = change(queued, edge_of(PLAIN, "queued", "fail"))
    back = await drive.event(await drive.dispatch(queued), "defer")
    assert (back.state, back.version) == ("queued", 3)
    assert await drive.store.jobs.apply(late) is None
    assert await drive.job(queued) == back
    assert await drive.store.jobs.money(queued.id) == JobMoney(held=PRICE)


async def test_a_result_and_a_cancellation_at_one_moment_settle_once(
    drive: Drive, engine: Engine, other_engine: Engine
) -> None:
    n = 300
    jobs = await running(drive, n)

    async def race(job: Job, turn: int) -> None:
        done = engine.fire(job.id, BaseJob.complete, Completion(), evidence=fact(job, Verdict.SUCCEEDED))
        cancelled = other_engine.fire(job.id, BaseJob.cancel, evidence=fact(job, Verdict.CANCELLED))
        results = await meet(*((done, cancelled) if turn % 2 else (cancelled, done)))
        [winner] = [result for result in results if isinstance(result, Job)]
        [loser] = [result for result in results if not isinstance(result, Job)]
        assert isinstance(loser, IllegalTransition)
        assert loser.state == winner.state
        assert winner == await drive.job(job)
        last = {"completed": "complete", "cancelled": "cancel"}[winner.state]
        history = await engine.history(job.id)
        assert [t.event for t in history] == ["submit", "accept", "dispatch", "begin", last]
        money = {"complete": JobMoney(captured=PRICE), "cancel": JobMoney(released=PRICE)}[last]
        assert await engine.money(job.id) == money
        verdict = {"complete": Verdict.SUCCEEDED, "cancel": Verdict.CANCELLED}[last]
        attempt = await drive.attempt(job)
        assert (attempt.phase, attempt.verdict) == (Phase.CLOSED, verdict)

    await all_of([race(job, turn) for turn, job in enumerate(jobs)], at_a_time=8)
    ended = [(await drive.job(job)).state for job in jobs]
    wallet = await engine.wallet("ada")
    assert (wallet.available, wallet.held) == (ended.count("cancelled") * PRICE, 0)
    assert sum(bucket.captured for bucket in wallet.buckets) == ended.count("completed") * PRICE
    assert await drive.slots(jobs[0].pool) == (0, 0)


async def test_c10_a_cancellation_and_a_submission_at_one_moment_exclude_each_other(
    drive: Drive, engine: Engine, other_store: PostgresStore
) -> None:
    n = 100
    pool, attempts = await opened(drive, n)

    async def race(attempt: Attempt, turn: int) -> bool:
        async def send() -> bool:
            for _ in range(turn % 5):  # so many round trips later, so that each of them may be the first
                await other_store.now()
            return await other_store.attempts.intend(attempt, token_hash(attempt), LEASE_SECONDS)

        answer, sent = await asyncio.gather(engine.cancel(attempt.job_id), send())
        job, after = await engine.get(attempt.job_id), await drive.store.attempts.get(attempt.job_id, 1)
        assert after is not None
        assert answer.id == job.id
        if sent:
            assert (job.state, job.submitted, after.phase) == ("starting", True, Phase.SUBMITTING)
            assert job.cancel_requested_at is not None
            assert await engine.money(job.id) == JobMoney(held=PRICE)
        else:
            assert (job.state, job.submitted, after.phase) == ("cancelled", False, Phase.CLOSED)
            assert after.intent_at is None
            assert await engine.money(job.id) == JobMoney(released=PRICE)
        return sent

    sent = await all_of([race(attempt, turn) for turn, attempt in enumerate(attempts)], at_a_time=8)
    assert len(sent) == n
    assert await drive.slots(pool) == (sum(sent), 0)
    assert (await engine.wallet("ada")).held == sum(sent) * PRICE


async def test_twenty_dispatchers_fill_three_slots(drive: Drive, other_store: PostgresStore) -> None:
    pool = await drive.pool(capacity=3)
    await drive.grant(12 * PRICE)
    jobs = await drive.queued(pool, 12)
    for first in range(0, len(jobs), 3):
        batches = await asyncio.gather(
            *(
                store.attempts.dispatch(pool, accounts(pool), 3)
                for _ in range(10)
                for store in (drive.store, other_store)
            )
        )
        next_three = jobs[first : first + 3]
        assert sorted(a.job_id for batch in batches for a in batch) == sorted(job.id for job in next_three)
        assert await drive.slots(pool) == (3, 0)
        for job in next_three:
            await drive.event(await drive.job(job), "fail")
    assert await drive.slots(pool) == (0, 0)


async def test_a_wallet_for_ten_jobs_pays_for_ten_of_fifty(
    drive: Drive, engine: Engine, other_engine: Engine
) -> None:
    await drive.grant(10 * PRICE + PRICE // 2)
    jobs = [await engine.submit(Portrait, "ada", {}) for _ in range(50)]
    results = await meet(*((engine, other_engine)[turn % 2].accept(job.id) for turn, job in enumerate(jobs)))
    accepted = [result for result in results if isinstance(result, Job)]
    assert len(accepted) == 10
    assert sum(isinstance(result, InsufficientCredits) for result in results) == 40
    states = [(await engine.get(job.id)).state for job in jobs]
    assert (states.count("queued"), states.count("failed")) == (10, 40)
    wallet = await engine.wallet("ada")
    assert (wallet.available, wallet.held) == (PRICE // 2, 10 * PRICE)


async def test_s8_d47_p31_one_job_is_charged_once_by_fifty(
    drive: Drive, engine: Engine, other_engine: Engine
) -> None:
    await drive.grant(50 * PRICE)
    job = await engine.submit(Portrait, "ada", {})
    accepted = await asyncio.gather(*((engine, other_engine)[n % 2].accept(job.id) for n in range(50)))
    assert {a.version for a in accepted} == {1}
    assert [t.event for t in await engine.history(job.id)] == ["submit", "accept"]
    assert (await engine.wallet("ada")).held == PRICE


async def test_d30_the_same_request_fifty_times_at_one_moment_is_one_job(
    engine: Engine, other_engine: Engine
) -> None:
    jobs = await asyncio.gather(
        *((engine, other_engine)[n % 2].submit(Portrait, "ada", {}, key="order-1") for n in range(50))
    )
    assert {job.id for job in jobs} == {jobs[0].id}
    assert len(await engine.history(jobs[0].id)) == 1


async def test_the_same_payment_fifty_times_at_one_moment_is_one_bucket(
    engine: Engine, other_engine: Engine
) -> None:
    made = await asyncio.gather(
        *((engine, other_engine)[n % 2].grant("ada", PRICE, source_ref="payment-1") for n in range(50))
    )
    assert sum(made) == 1
    wallet = await engine.wallet("ada")
    assert (wallet.available, len(wallet.buckets)) == (PRICE, 1)


async def test_an_expiry_and_a_refund_at_one_moment_lose_nothing(
    drive: Drive, engine: Engine, other_store: PostgresStore
) -> None:
    n = 20
    soon = await drive.now() + timedelta(days=1)
    for turn in range(n):
        await drive.grant(PRICE + 50, owner=f"owner-{turn}", kind="bonus", expires_at=soon)
    jobs = [await drive.to("queued", owner=f"owner-{turn}") for turn in range(n)]
    await drive.advance(86_401)
    for turn, job in enumerate(jobs):
        await meet(
            engine.fire(job.id, BaseJob.fail, Failure()), *(other_store.ledger.expire(1) for _ in range(3))
        )
        assert await engine.money(job.id) == JobMoney(released=PRICE)
        assert (await engine.wallet(f"owner-{turn}")).available == PRICE
    while await other_store.ledger.expire(100):
        pass
    for turn in range(n):
        found = {b.kind: (b.remaining, b.expired) for b in (await engine.wallet(f"owner-{turn}")).buckets}
        assert found == {"bonus": (0, PRICE + 50), "grace": (PRICE, 0)}
