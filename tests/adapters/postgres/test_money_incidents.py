"""Incidents of other ledgers, each named by its number, that must never happen here."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from makegood import BaseJob, Catalog, Engine, InsufficientCredits, JobInput
from makegood.job import Bucket, Job, JobMoney, Verdict
from makegood.testing.drive import PRICE, Drive
from makegood_adapters.folder import FolderBlobs
from makegood_adapters.postgres.store import PostgresStore

DAY = timedelta(days=1)


async def buckets(drive: Drive, owner: str = "ada") -> dict[str, Bucket]:
    """Return the owner's buckets by kind."""
    return {b.kind: b for b in (await drive.store.ledger.wallet(owner)).buckets}


async def two_pots(drive: Drive, first: int, second: int, kind: str = "monthly") -> None:
    """Give Ada a pot that is spent first and expires, and one of credits she bought."""
    if first:
        await drive.grant(first, kind=kind, priority=40, expires_at=await drive.now() + DAY)
    if second:
        await drive.grant(second, kind="purchased", priority=100)


class TestS6:
    @pytest.mark.parametrize("held_price", [0, PRICE])
    async def test_s6_failing_jobs_of_an_unlimited_plan_mint_nothing(
        self, drive: Drive, plain: asyncpg.Connection, held_price: int
    ) -> None:
        await drive.store.ledger.grant_unlimited("ada", kind="unlimited", source_ref="pro", priority=0)
        await drive.grant(10)
        for state in ("queued", "starting", "running"):
            job = await drive.to(state, price=held_price)
            verdict = Verdict.FAILED if state == "running" else None
            await drive.event(job, "fail", verdict)
        wallet = await drive.store.ledger.wallet("ada")
        assert (wallet.available, wallet.held) == (10, 0)
        [plan] = [b for b in wallet.buckets if b.unlimited]
        assert (plan.remaining, plan.issued) == (0, plan.expired)
        assert await plain.fetchval("SELECT balance FROM makegood.wallet") == 10

    async def test_s6_a_trial_job_that_fails_gives_back_to_the_trial_pot_only(self, drive: Drive) -> None:
        await two_pots(drive, PRICE, 500, kind="trial")
        await drive.event(await drive.to("running"), "fail", Verdict.FAILED)
        after = await buckets(drive)
        assert (after["trial"].remaining, after["purchased"].remaining) == (PRICE, 500)


async def test_s7_bought_credits_never_expire_with_the_plan_they_were_spent_beside(drive: Drive) -> None:
    await two_pots(drive, 40, 60)
    job = await drive.to("running")
    await drive.advance(2 * 86_400)
    await drive.store.ledger.expire(10)
    await drive.event(job, "fail", Verdict.FAILED)
    after = await buckets(drive)
    assert (after["purchased"].remaining, after["purchased"].expires_at) == (60, None)
    assert (after["monthly"].remaining, after["monthly"].expired, after["grace"].remaining) == (0, 40, 40)
    await drive.advance(40 * 86_400)  # now the grace has ended too
    await drive.store.ledger.expire(10)
    assert (await drive.store.ledger.wallet("ada")).available == 60


async def test_d31_two_hundred_movements_at_once_lose_no_update(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    pool = await drive.pool(0)
    await drive.grant(30 * PRICE, source_ref="order-0")
    failing = [await drive.to("queued", pool=pool) for _ in range(20)]
    waiting = [await drive.insert(pool=pool) for _ in range(20)]
    ledger = drive.store.ledger

    async def fails(job: Job) -> object:
        return await drive.event(job, "fail")

    async def accepts(job: Job) -> object:
        return await drive.event(job, "accept")

    async def cycle(n: int) -> object:
        return await ledger.start_cycle("ada", 50, plan="pro", cycle=f"{n}", kind="monthly", priority=40)

    acts: list[Awaitable[object]] = [
        *(fails(job) for job in failing),
        *(accepts(job) for job in waiting),
        *(ledger.grant("ada", 10, kind="promo", source_ref=f"gift-{n // 2}") for n in range(120)),
        *(cycle(n // 2) for n in range(30)),
        *(ledger.charge_back("ada", "order-0") for _ in range(10)),
    ]
    results = await asyncio.gather(*acts, return_exceptions=True)
    refused = [r for r in results if isinstance(r, BaseException)]
    assert all(isinstance(r, InsufficientCredits) for r in refused)
    row = await plain.fetchrow(
        "SELECT (SELECT balance FROM makegood.wallet), (SELECT debt FROM makegood.wallet),"
        " (SELECT sum(remaining) FROM makegood.bucket),"
        " (SELECT balance FROM makegood.journal ORDER BY seq DESC LIMIT 1),"
        " (SELECT sum(CASE kind WHEN 'debt' THEN amount WHEN 'repay' THEN -amount ELSE 0 END)"
        "    FROM makegood.journal)"
    )
    assert row is not None
    balance, debt, remaining, last, owed = row
    assert balance == remaining == last
    assert debt == owed
    assert (await drive.store.audit()).violations == ()


async def test_d41_a_mixed_charge_comes_back_to_its_buckets(drive: Drive) -> None:
    await two_pots(drive, 60, 500)
    before = await drive.store.ledger.wallet("ada")
    for _ in range(3):
        await drive.event(await drive.to("running"), "fail", Verdict.FAILED)
    assert await drive.store.ledger.wallet("ada") == before


@pytest.mark.parametrize("bought", [0, 1, PRICE - 1, PRICE, PRICE + 1])
@pytest.mark.parametrize("monthly", [0, 1, PRICE - 1, PRICE, PRICE + 1])
async def test_d45_the_order_of_pots_is_one_rule_and_is_recorded(
    drive: Drive, plain: asyncpg.Connection, monthly: int, bought: int
) -> None:
    await two_pots(drive, monthly, bought)
    job = await drive.insert()
    if monthly + bought < PRICE:
        with pytest.raises(InsufficientCredits) as refused:
            await drive.event(job, "accept")
        assert refused.value.available == monthly + bought
        assert await plain.fetchval("SELECT count(*) FROM makegood.hold") == 0
        return
    await drive.event(job, "accept")
    rows = await plain.fetch(
        "SELECT kind, amount FROM makegood.hold JOIN makegood.bucket USING (bucket_id) WHERE job_id = $1",
        job.id,
    )
    drawn = min(monthly, PRICE)
    expected = {"monthly": drawn, "purchased": PRICE - drawn}
    assert {row["kind"]: row["amount"] for row in rows} == {k: n for k, n in expected.items() if n}


async def _refused(drive: Drive, plain: asyncpg.Connection) -> None:
    await drive.event(await drive.insert(), "refuse")


async def _in_the_queue(drive: Drive, plain: asyncpg.Connection) -> None:
    await drive.event(await drive.to("queued"), "fail")


async def _before_its_submission(drive: Drive, plain: asyncpg.Connection) -> None:
    await drive.event(await drive.to("starting"), "fail")


async def _at_the_provider(drive: Drive, plain: asyncpg.Connection) -> None:
    await drive.event(await drive.to("running"), "fail", Verdict.FAILED)


async def _by_its_deadline(drive: Drive, plain: asyncpg.Connection) -> None:
    job = await drive.to("queued")
    await drive.store.jobs.end(job, operation_id=uuid4(), actor="watchdog", reason="late", error={})


async def _cancelled(drive: Drive, plain: asyncpg.Connection) -> None:
    await drive.event(await drive.to("queued"), "cancel")


async def _by_a_plain_update(drive: Drive, plain: asyncpg.Connection) -> None:
    job = await drive.to("queued")
    await plain.execute("UPDATE makegood.job SET state = 'failed' WHERE job_id = $1", job.id)


ENDS = [
    _refused,
    _in_the_queue,
    _before_its_submission,
    _at_the_provider,
    _by_its_deadline,
    _cancelled,
    _by_a_plain_update,
]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__.strip("_"))
async def test_c12_test_credits_come_back_as_test_credits_on_every_way_of_failing(
    drive: Drive, plain: asyncpg.Connection, end: Callable[[Drive, asyncpg.Connection], Awaitable[None]]
) -> None:
    await two_pots(drive, 30, 500, kind="trial")
    before = await drive.store.ledger.wallet("ada")
    await end(drive, plain)
    assert await drive.store.ledger.wallet("ada") == before
    assert await plain.fetchval("SELECT count(*) FROM makegood.job WHERE finished_at IS NULL") == 0


async def test_p8_a_refund_is_the_recorded_charge_whatever_the_price_is_today(
    store: PostgresStore, tmp_path: Path
) -> None:
    price_today = PRICE

    class Portrait(BaseJob):
        pool = "studio"

        class Input(JobInput):
            prompt: str

        @classmethod
        def price_of(cls, value: Any) -> int:
            return price_today

    async with Engine(store, Catalog([Portrait]), blobs=FolderBlobs(tmp_path), run_loops=False) as engine:
        await engine.grant("ada", PRICE, source_ref="order-1")
        job = await engine.accept((await engine.submit(Portrait, "ada", {"prompt": "a lake"})).id)
        price_today = 7 * PRICE
        await engine.cancel(job.id)
        assert await engine.money(job.id) == JobMoney(released=PRICE)
        assert (await engine.wallet("ada")).available == PRICE


class TestP24:
    @pytest.mark.parametrize(
        "act",
        [
            "UPDATE makegood.hold SET captured = 0, released = amount + 1",
            "UPDATE makegood.hold SET captured = -1, released = amount + 1",
            "UPDATE makegood.bucket SET remaining = remaining + 1, held = held - 1, captured = captured - 1",
            "UPDATE makegood.bucket SET remaining = remaining + 1",
            "UPDATE makegood.wallet SET balance = -1",
            "UPDATE makegood.wallet SET debt = -1",
            "UPDATE makegood.job SET settled = price + 1",
        ],
    )
    async def test_p24_a_movement_larger_than_its_charge_is_an_error_and_never_clamped(
        self, drive: Drive, plain: asyncpg.Connection, act: str
    ) -> None:
        await drive.grant()
        job = await drive.to("queued")
        before = await drive.store.ledger.wallet("ada")
        with pytest.raises(asyncpg.PostgresError):
            await plain.execute(act)
        assert await drive.store.ledger.wallet("ada") == before
        assert await drive.store.jobs.money(job.id) == JobMoney(held=PRICE)
