"""Buckets: monthly cycles, payments taken back, and plans without limit."""

# ruff: noqa: D102 - the name of a test is its sentence

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from makegood.buckets import CREDITS_MAX
from makegood.errors import InsufficientCredits, InvalidRequest
from makegood.job import Bucket, Ending, Job, JobMoney, Verdict, Wallet
from makegood.testing.drive import PRICE, SPECS, Drive

DAY = 86_400


async def wallet(drive: Drive) -> Wallet:
    """Return Ada's wallet."""
    return await drive.store.ledger.wallet("ada")


async def bucket(drive: Drive, source_ref: str) -> Bucket:
    """Return the bucket that *source_ref* has brought to Ada."""
    [found] = [b for b in (await wallet(drive)).buckets if b.source_ref == source_ref]
    return found


async def columns(drive: Drive, source_ref: str) -> tuple[int, int, int, int, int]:
    """Return issued, remaining, held, captured and expired of one of Ada's buckets."""
    b = await bucket(drive, source_ref)
    return b.issued, b.remaining, b.held, b.captured, b.expired


async def cycle(drive: Drive, amount: int, name: str, **given: Any) -> bool:
    """Start a cycle of Ada's plan "pro"; *given* replaces plan, kind, priority, ends_at, rolls_over."""
    usual = {"plan": "pro", "cycle": name, "kind": "monthly", "priority": 40, **given}
    return await drive.store.ledger.start_cycle("ada", amount, **usual)


async def unlimited(drive: Drive, *, priority: int = 0, expires_at: datetime | None = None) -> None:
    """Give Ada a plan without limit, with the source "plan-u"."""
    assert await drive.store.ledger.grant_unlimited(
        "ada", kind="unlimited", source_ref="plan-u", priority=priority, expires_at=expires_at
    )


async def fail(drive: Drive, job: Job) -> None:
    """Let a queued job fail, so that all that it holds comes back."""
    await drive.event(job, "fail")


class BucketsContract:
    """What `Store.ledger` promises beside plain grants."""

    @pytest.mark.parametrize("amount", [0, -1, CREDITS_MAX + 1, 1.5, True, "10", None])
    async def test_what_is_no_number_of_credits_is_not_granted(self, drive: Drive, amount: Any) -> None:
        with pytest.raises(InvalidRequest, match="whole number from 1 to 1,000,000,000,000"):
            await drive.store.ledger.grant("ada", amount, kind="promo", source_ref="gift")
        with pytest.raises(InvalidRequest, match="whole number"):
            await cycle(drive, amount, "november")
        assert (await wallet(drive)).buckets == ()

    @pytest.mark.parametrize(
        "given",
        [
            {"source_ref": ""},
            {"source_ref": "a\x00b"},
            {"source_ref": "grace:1"},
            {"source_ref": "plan:pro:1"},
            {"source_ref": 7},
            {"kind": ""},
            {"priority": 2**31},
            {"priority": 1.5},
            {"expires_at": datetime(2040, 1, 1)},  # noqa: DTZ001 - it is about a time without a zone
            {"expires_at": "tomorrow"},
        ],
        ids=str,
    )
    async def test_a_bucket_that_no_ledger_can_keep_is_refused(
        self, drive: Drive, given: dict[str, Any]
    ) -> None:
        usual = {"kind": "promo", "source_ref": "gift", "priority": 20, **given}
        with pytest.raises(InvalidRequest):
            await drive.store.ledger.grant("ada", 10, **usual)
        with pytest.raises(InvalidRequest):
            await drive.store.ledger.grant_unlimited("ada", **usual)
        assert (await wallet(drive)).buckets == ()

    async def test_credits_that_have_expired_already_are_not_granted(self, drive: Drive) -> None:
        past = await drive.now() - timedelta(seconds=1)
        ledger = drive.store.ledger
        with pytest.raises(InvalidRequest, match="which has passed: give a time to come"):
            await ledger.grant("ada", 10, kind="promo", source_ref="gift", expires_at=past)
        with pytest.raises(InvalidRequest, match="which has passed"):
            await cycle(drive, 10, "november", ends_at=past)
        assert (await wallet(drive)).buckets == ()

    async def test_a_grant_told_again_after_its_expiry_is_no_error(self, drive: Drive) -> None:
        until = await drive.now() + timedelta(days=1)
        await drive.grant(10, source_ref="gift", expires_at=until)
        await drive.advance(2 * DAY)
        again = await drive.store.ledger.grant(
            "ada", 10, kind="purchased", source_ref="gift", expires_at=until
        )
        assert not again

    # Cycles

    async def test_a_cycle_begins_once_and_ends_what_remains_of_the_former(self, drive: Drive) -> None:
        assert await cycle(drive, 300, "november")
        job = await drive.to("queued")
        assert await cycle(drive, 500, "december")
        assert not await cycle(drive, 500, "december")
        assert not await cycle(drive, 300, "november")
        assert await columns(drive, "plan:pro:november") == (300, 0, PRICE, 0, 200)
        assert await columns(drive, "plan:pro:december") == (500, 500, 0, 0, 0)
        assert (await wallet(drive)).available == 500
        await fail(drive, job)  # what was held lives on
        assert await columns(drive, f"grace:{job.id}:{(await bucket(drive, 'plan:pro:november')).id}") == (
            (PRICE, PRICE, 0, 0, 0)
        )
        assert (await wallet(drive)).available == 600

    async def test_a_cycle_at_one_moment_begins_once(self, drive: Drive) -> None:
        await cycle(drive, 300, "november")
        made = await asyncio.gather(*(cycle(drive, 500, "december") for _ in range(10)))
        assert sum(made) == 1
        assert (await wallet(drive)).available == 500

    async def test_a_cycle_leaves_other_plans_and_other_credits_alone(self, drive: Drive) -> None:
        await drive.grant(10)
        await cycle(drive, 20, "november", plan="pro-video")
        await cycle(drive, 300, "november")
        await cycle(drive, 500, "december")
        assert (await wallet(drive)).available == 530
        with pytest.raises(InvalidRequest, match="without a colon"):
            await cycle(drive, 20, "november", plan="pro:video")

    async def test_what_rolls_over_lives_as_long_as_the_new_cycle(self, drive: Drive) -> None:
        now = await drive.now()
        await cycle(drive, 300, "november", ends_at=now + timedelta(days=30))
        await drive.advance(29 * DAY)
        await cycle(drive, 500, "december", ends_at=now + timedelta(days=60), rolls_over=True)
        await drive.advance(2 * DAY)
        assert (await wallet(drive)).available == 800
        await drive.advance(30 * DAY)
        assert (await wallet(drive)).available == 0

    async def test_what_has_expired_does_not_roll_over(self, drive: Drive) -> None:
        now = await drive.now()
        await cycle(drive, 300, "november", ends_at=now + timedelta(days=30))
        await drive.advance(31 * DAY)  # and nobody has taken it out yet
        await cycle(drive, 500, "december", ends_at=now + timedelta(days=60), rolls_over=True)
        assert (await wallet(drive)).available == 500
        assert await drive.store.ledger.expire(10) == 1
        assert await columns(drive, "plan:pro:november") == (300, 0, 0, 0, 300)

    async def test_cycles_are_started_in_order(self, drive: Drive) -> None:
        now = await drive.now()
        await cycle(drive, 500, "december", ends_at=now + timedelta(days=60))
        with pytest.raises(InvalidRequest, match="start cycles in order"):
            await cycle(drive, 300, "november", ends_at=now + timedelta(days=30))
        assert (await wallet(drive)).available == 500

    # Payments taken back

    async def test_what_remains_of_a_payment_is_withdrawn_and_what_was_spent_is_owed(
        self, drive: Drive
    ) -> None:
        await drive.grant(350, source_ref="order-1", priority=1)
        await drive.event(await drive.to("running"), "complete", Verdict.SUCCEEDED, settle=70)
        held = await drive.to("queued")
        await drive.grant(40, source_ref="order-2")
        assert await drive.store.ledger.charge_back("ada", "order-1")
        assert not await drive.store.ledger.charge_back("ada", "order-1")
        after = await wallet(drive)
        assert (after.available, after.held, after.debt) == (40, PRICE, 170)
        assert await columns(drive, "order-1") == (350, 0, PRICE, 70, 180)
        assert (await bucket(drive, "order-1")).charged_back_at is not None
        assert await drive.store.jobs.money(held.id) == JobMoney(held=PRICE)

    async def test_the_same_payment_taken_back_at_one_moment_is_owed_once(self, drive: Drive) -> None:
        await drive.grant(source_ref="order-1")
        await drive.to("queued")
        done = await asyncio.gather(*(drive.store.ledger.charge_back("ada", "order-1") for _ in range(10)))
        assert (sum(done), (await wallet(drive)).debt) == (1, PRICE)

    @pytest.mark.parametrize("source_ref", ["order-2", "", "a\x00b"])
    async def test_a_payment_that_nobody_knows_is_not_taken_back(self, drive: Drive, source_ref: str) -> None:
        await drive.grant(owner="bo", source_ref="order-2")
        with pytest.raises(InvalidRequest):
            await drive.store.ledger.charge_back("ada", source_ref)
        assert await wallet(drive) == Wallet(owner="ada", available=0, held=0)

    async def test_a_grace_bucket_is_no_payment(self, drive: Drive) -> None:
        await drive.grant(PRICE, source_ref="order-1", expires_at=await drive.now() + timedelta(days=1))
        job = await drive.to("queued")
        await drive.advance(2 * DAY)
        await fail(drive, job)
        [grace] = [b for b in (await wallet(drive)).buckets if b.kind == "grace"]
        with pytest.raises(InvalidRequest, match="has no grant"):
            await drive.store.ledger.charge_back("ada", grace.source_ref)
        assert (await wallet(drive)).available == PRICE

    async def test_the_next_grants_pay_the_debt_first(self, drive: Drive) -> None:
        await drive.grant(PRICE, source_ref="order-1")
        await drive.to("queued")
        await drive.store.ledger.charge_back("ada", "order-1")
        await drive.grant(30, source_ref="order-2")
        assert ((await wallet(drive)).available, (await wallet(drive)).debt) == (0, 70)
        assert await cycle(drive, 100, "november")
        assert ((await wallet(drive)).available, (await wallet(drive)).debt) == (30, 0)
        assert await columns(drive, "order-2") == (30, 0, 0, 0, 30)
        assert await columns(drive, "plan:pro:november") == (100, 30, 0, 0, 70)

    async def test_what_comes_back_to_a_payment_taken_back_pays_debt_and_then_its_owner(
        self, drive: Drive
    ) -> None:
        await drive.grant(3 * PRICE, source_ref="order-1")
        jobs = [await drive.to("queued") for _ in range(3)]
        await drive.store.ledger.charge_back("ada", "order-1")
        await fail(drive, jobs[0])  # 300 are owed, 100 come back: 200 are owed
        assert ((await wallet(drive)).available, (await wallet(drive)).debt) == (0, 200)
        await drive.grant(150, source_ref="order-2")  # 50 are owed
        await fail(drive, jobs[1])  # and paid: the other 50 were paid for with order-2
        assert ((await wallet(drive)).available, (await wallet(drive)).debt) == (50, 0)
        await fail(drive, jobs[2])
        assert ((await wallet(drive)).available, (await wallet(drive)).debt) == (150, 0)
        assert [await drive.store.jobs.money(job.id) for job in jobs] == [JobMoney(released=PRICE)] * 3

    async def test_two_payments_taken_back_pay_a_debt_once(self, drive: Drive) -> None:
        for amount, source_ref in ((60, "order-1"), (PRICE - 60, "order-2")):
            await drive.grant(amount, source_ref=source_ref)
        job = await drive.to("queued")
        for source_ref in ("order-1", "order-2"):
            await drive.store.ledger.charge_back("ada", source_ref)
        await drive.grant(PRICE - 30, source_ref="order-3")
        assert ((await wallet(drive)).available, (await wallet(drive)).debt) == (0, 30)
        await fail(drive, job)  # more comes back of each of both than is owed
        assert ((await wallet(drive)).available, (await wallet(drive)).debt) == (PRICE - 30, 0)

    async def test_of_one_priority_what_ends_sooner_is_paid_with_first(self, drive: Drive) -> None:
        await drive.grant(60, source_ref="lasts")
        await drive.grant(60, source_ref="ends", expires_at=await drive.now() + timedelta(days=1))
        await drive.event(await drive.to("running"), "complete", Verdict.SUCCEEDED, settle=70)
        assert await columns(drive, "ends") == (60, 0, 0, 60, 0)
        assert await columns(drive, "lasts") == (60, 50, 0, 10, 0)

    async def test_a_payment_that_had_paid_debt_is_owed_whole(self, drive: Drive) -> None:
        await drive.grant(PRICE, source_ref="order-1")
        await drive.event(await drive.to("running"), "complete", Verdict.SUCCEEDED)
        await drive.store.ledger.charge_back("ada", "order-1")
        await drive.grant(150, source_ref="order-2")
        await drive.store.ledger.charge_back("ada", "order-2")
        after = await wallet(drive)
        assert (after.available, after.debt) == (0, PRICE)

    async def test_a_capture_after_the_payment_was_taken_back_leaves_the_debt(self, drive: Drive) -> None:
        await drive.grant(PRICE, source_ref="order-1")
        job = await drive.to("running")
        await drive.store.ledger.charge_back("ada", "order-1")
        await drive.event(job, "complete", Verdict.SUCCEEDED, settle=60)
        assert ((await wallet(drive)).available, (await wallet(drive)).debt) == (0, 60)

    async def test_grace_credits_go_with_the_payment_they_came_from(self, drive: Drive) -> None:
        until = await drive.now() + timedelta(days=1)
        await drive.grant(2 * PRICE, source_ref="order-1", expires_at=until)
        first, second = await drive.to("queued"), await drive.to("queued")
        await drive.advance(2 * DAY)
        await fail(drive, first)
        assert (await wallet(drive)).available == PRICE
        await drive.store.ledger.charge_back("ada", "order-1")
        assert ((await wallet(drive)).available, (await wallet(drive)).debt) == (0, PRICE)
        await fail(drive, second)
        assert ((await wallet(drive)).available, (await wallet(drive)).debt) == (0, 0)

    async def test_credits_that_came_back_late_twice_go_with_their_payment_too(self, drive: Drive) -> None:
        until = await drive.now() + timedelta(days=1)
        await drive.grant(PRICE, source_ref="order-1", expires_at=until)
        for _ in range(2):
            job = await drive.to("queued")
            await drive.advance(400 * DAY)  # past every grace, too
            await fail(drive, job)
        assert ((await wallet(drive)).available, len((await wallet(drive)).buckets)) == (PRICE, 3)
        await drive.store.ledger.charge_back("ada", "order-1")
        assert ((await wallet(drive)).available, (await wallet(drive)).debt) == (0, 0)

    # Plans without limit

    async def test_an_unlimited_plan_covers_every_price_and_keeps_nothing(self, drive: Drive) -> None:
        await unlimited(drive)
        await drive.grant(10, source_ref="order-1")
        before = await wallet(drive)
        assert (before.available, before.unlimited) == (10, True)
        done, failing = await drive.to("running"), await drive.to("queued")
        assert await columns(drive, "plan-u") == (200, 0, 200, 0, 0)
        await drive.event(done, "complete", Verdict.SUCCEEDED, settle=60)
        await fail(drive, failing)
        assert await columns(drive, "plan-u") == (200, 0, 0, 60, 140)
        assert (await wallet(drive)).available == 10
        assert await drive.store.jobs.money(failing.id) == JobMoney(unused=PRICE)
        assert await drive.store.jobs.money(done.id) == JobMoney(captured=60, unused=PRICE - 60)

    async def test_an_unlimited_plan_covers_what_the_buckets_before_it_do_not(self, drive: Drive) -> None:
        await drive.grant(30, source_ref="first", priority=5)
        await unlimited(drive, priority=10)
        await drive.grant(500, source_ref="last", priority=20)
        job = await drive.to("running")
        assert await columns(drive, "first") == (30, 0, 30, 0, 0)
        assert await columns(drive, "plan-u") == (70, 0, 70, 0, 0)
        assert await columns(drive, "last") == (500, 500, 0, 0, 0)
        assert await drive.store.jobs.money(job.id) == JobMoney(held=PRICE)
        failed = await drive.event(job, "fail", Verdict.FAILED)
        assert await columns(drive, "first") == (30, 30, 0, 0, 0)
        money = JobMoney(released=30, unused=70)
        assert await drive.store.jobs.money(job.id) == money
        assert await drive.store.stream.endings([job.id]) == {
            job.id: Ending(version=failed.version, money=money, error=failed.error)
        }

    async def test_an_unlimited_plan_ends(self, drive: Drive) -> None:
        await unlimited(drive, expires_at=await drive.now() + timedelta(days=1))
        held, late = await drive.to("queued"), await drive.insert()
        await drive.advance(2 * DAY)
        assert not (await wallet(drive)).unlimited
        with pytest.raises(InsufficientCredits):
            await drive.event(late, "accept")
        assert await drive.store.ledger.expire(10) == 0
        await fail(drive, held)  # nothing was paid for it, so no grace comes of it
        assert [b.source_ref for b in (await wallet(drive)).buckets] == ["plan-u"]
        assert await columns(drive, "plan-u") == (PRICE, 0, 0, 0, PRICE)

    async def test_an_unlimited_plan_whose_payment_is_taken_back_ends_without_a_debt(
        self, drive: Drive
    ) -> None:
        await unlimited(drive)
        job = await drive.to("queued")
        assert await drive.store.ledger.charge_back("ada", "plan-u")
        after = await wallet(drive)
        assert (after.unlimited, after.debt, after.held) == (False, 0, PRICE)
        with pytest.raises(InsufficientCredits):
            await drive.to("queued")
        await fail(drive, job)
        assert (await wallet(drive)).available == 0

    # Grace

    async def test_grace_credits_live_as_long_as_the_store_was_told(self, drive: Drive) -> None:
        await drive.store.declare(SPECS, grace_seconds=2 * DAY)
        await drive.store.declare(SPECS)  # who has no wish changes nothing
        await drive.grant(PRICE, expires_at=await drive.now() + timedelta(days=1))
        job = await drive.to("queued")
        await drive.advance(DAY + 60)
        await fail(drive, job)
        [grace] = [b for b in (await wallet(drive)).buckets if b.kind == "grace"]
        assert grace.expires_at is not None
        assert abs(grace.expires_at - await drive.now() - timedelta(days=2)) < timedelta(seconds=30)
