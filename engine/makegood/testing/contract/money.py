"""Money: drawn in order, captured or given back exactly once, and never lost."""

# ruff: noqa: D102 - the name of a test is its sentence

import asyncio
import contextlib
from datetime import timedelta

import pytest

from makegood.errors import GuardFailed, InsufficientCredits
from makegood.job import Bucket, JobMoney, Verdict
from makegood.machine import Edge, Holding, Money, Spec
from makegood.machine.money import holdings
from makegood.testing.drive import PLAIN, PRICE, REVIEWED, SPECS, Drive, change, edge_of, fact

EDGES = [(spec, edge) for spec in SPECS for edge in spec.edges]


def _name(value: Spec | Edge) -> str:
    return value.name if isinstance(value, Spec) else f"{value.source}-{value.event}"


async def buckets(drive: Drive) -> dict[str, Bucket]:
    """Return Ada's buckets by kind."""
    return {b.kind: b for b in (await drive.store.ledger.wallet("ada")).buckets}


async def two_buckets(drive: Drive) -> None:
    """Give Ada 60 credits that are spent first, and 100 that she bought."""
    await drive.grant(60, kind="bonus", priority=10)
    await drive.grant(100, kind="purchased", priority=20)


class MoneyContract:
    """What `Store.ledger` and the edges of `Store.jobs` promise."""

    @pytest.mark.parametrize(("spec", "edge"), EDGES, ids=_name)
    async def test_an_edge_moves_the_money_it_declares(self, drive: Drive, spec: Spec, edge: Edge) -> None:
        await drive.grant(PRICE)
        job = await drive.to(edge.source, spec)
        if spec.state[edge.source].slot:
            job = job if job.submitted else await drive.submit(job)
        before = await drive.store.jobs.money(job.id)
        expected = {
            Money.NONE: before,
            Money.HOLD: JobMoney(held=PRICE),
            Money.CAPTURE: JobMoney(captured=PRICE),
            Money.RELEASE: JobMoney(released=PRICE),
            Money.POLICY: JobMoney(captured=40, released=60),
        }[edge.money]
        assert before.held == (PRICE if holdings(spec)[edge.source] is Holding.HELD else 0)
        given = {"settle": 40} if edge.money is Money.POLICY else {}
        after = await drive.take(job, edge, **given)
        assert await drive.store.jobs.money(job.id) == expected
        wallet = await drive.store.ledger.wallet("ada")
        assert (wallet.held, wallet.available + wallet.held) == (expected.held, PRICE - expected.captured)
        if spec.state[edge.dest].terminal:
            assert after.settled == expected.captured

    async def test_a_grant_is_issued_once_for_its_source(self, drive: Drive) -> None:
        ledger = drive.store.ledger
        assert await ledger.grant("ada", 50, kind="purchased", source_ref="order-1")
        assert not await ledger.grant("ada", 50, kind="purchased", source_ref="order-1")
        assert await ledger.grant("bo", 50, kind="purchased", source_ref="order-1")
        assert (await ledger.wallet("ada")).available == 50

    async def test_the_same_grant_at_one_moment_is_issued_once(self, drive: Drive) -> None:
        grant = drive.store.ledger.grant
        made = await asyncio.gather(
            *(grant("ada", 50, kind="purchased", source_ref="order-1") for _ in range(10))
        )
        assert sum(made) == 1
        assert (await drive.store.ledger.wallet("ada")).available == 50

    async def test_an_unknown_owner_has_an_empty_wallet(self, drive: Drive) -> None:
        wallet = await drive.store.ledger.wallet("nobody")
        assert (wallet.owner, wallet.available, wallet.held, wallet.buckets) == ("nobody", 0, 0, ())

    async def test_buckets_are_drawn_by_priority_then_expiry_then_age(self, drive: Drive) -> None:
        now = await drive.now()
        for kind, priority, days in [
            ("last", 20, 1),
            ("fourth", 10, None),
            ("third", 10, 9),
            ("first", 10, 3),
            ("fifth", 10, None),
            ("second", 10, 3),
        ]:
            expires_at = None if days is None else now + timedelta(days=days)
            await drive.grant(10, kind=kind, priority=priority, expires_at=expires_at)
        drawn: list[str] = []
        for _ in range(6):
            await drive.to("queued", price=10)
            drawn += [kind for kind, b in (await buckets(drive)).items() if b.held and kind not in drawn]
        assert drawn == ["first", "second", "third", "fourth", "fifth", "last"]
        listed = [b.kind for b in (await drive.store.ledger.wallet("ada")).buckets]
        assert listed == drawn

    async def test_a_price_is_drawn_over_several_buckets(self, drive: Drive) -> None:
        await two_buckets(drive)
        await drive.to("queued")
        after = await buckets(drive)
        assert (after["bonus"].remaining, after["bonus"].held) == (0, 60)
        assert (after["purchased"].remaining, after["purchased"].held) == (60, 40)

    async def test_too_few_credits_change_nothing(self, drive: Drive) -> None:
        await drive.grant(60)
        job = await drive.insert()
        before = await drive.store.ledger.wallet("ada")
        with pytest.raises(InsufficientCredits) as refused:
            await drive.event(job, "accept")
        error = refused.value
        assert (error.owner, error.price, error.available) == ("ada", PRICE, 60)
        assert await drive.job(job) == job
        assert len(await drive.store.jobs.history(job.id)) == 1
        assert await drive.store.ledger.wallet("ada") == before
        await drive.grant(40)
        assert (await drive.event(job, "accept")).state == "queued"

    async def test_expired_credits_are_not_spent(self, drive: Drive) -> None:
        await drive.grant(PRICE, expires_at=await drive.now() + timedelta(days=1))
        job = await drive.insert()
        await drive.advance(86_401)
        assert (await drive.store.ledger.wallet("ada")).available == 0
        with pytest.raises(InsufficientCredits):
            await drive.event(job, "accept")

    async def test_jobs_at_one_moment_never_spend_the_same_credits(self, drive: Drive) -> None:
        await drive.grant(PRICE)
        jobs = [await drive.insert(price=30) for _ in range(10)]
        accept = edge_of(PLAIN, "pending", "accept")
        results = await asyncio.gather(
            *(drive.store.jobs.apply(change(job, accept)) for job in jobs), return_exceptions=True
        )
        assert sum(isinstance(r, InsufficientCredits) for r in results) == 7
        assert sum(not isinstance(r, BaseException) for r in results) == 3
        wallet = await drive.store.ledger.wallet("ada")
        assert (wallet.available, wallet.held) == (10, 90)

    async def test_what_was_drawn_last_comes_back_first(self, drive: Drive) -> None:
        await two_buckets(drive)
        job = await drive.to("running")
        done = await drive.event(job, "complete", Verdict.SUCCEEDED, settle=70)
        assert done.settled == 70
        assert await drive.store.jobs.money(job.id) == JobMoney(captured=70, released=30)
        after = await buckets(drive)
        assert (after["bonus"].captured, after["bonus"].remaining) == (60, 0)
        assert (after["purchased"].captured, after["purchased"].remaining) == (10, 90)

    async def test_a_refund_restores_every_bucket_exactly(self, drive: Drive) -> None:
        await two_buckets(drive)
        before = await drive.store.ledger.wallet("ada")
        job = await drive.to("running")
        await drive.event(job, "fail", Verdict.FAILED)
        assert await drive.store.ledger.wallet("ada") == before

    async def test_a_release_gives_all_back_whatever_the_caller_says(self, drive: Drive) -> None:
        await two_buckets(drive)
        job = await drive.to("queued")
        failed = await drive.event(job, "fail", settle=50)
        assert failed.settled == 0
        assert await drive.store.jobs.money(job.id) == JobMoney(released=PRICE)

    async def test_a_run_that_was_never_submitted_costs_nothing(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("starting")
        job = await drive.wants_cancel(job)
        cancelled = await drive.event(job, "cancel", settle=50)
        assert cancelled.settled == 0
        assert await drive.store.jobs.money(job.id) == JobMoney(released=PRICE)

    async def test_a_cancellation_without_a_price_costs_nothing(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        job = await drive.wants_cancel(job)
        cancelled = await drive.event(job, "cancel", Verdict.CANCELLED)
        assert cancelled.settled == 0

    async def test_nobody_pays_for_what_the_provider_cancelled_by_itself(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        with pytest.raises(GuardFailed):
            await drive.event(job, "cancel", Verdict.CANCELLED, settle=50)
        assert (await drive.store.jobs.money(job.id)).held == PRICE

    @pytest.mark.parametrize("settle", [-1, PRICE + 1])
    async def test_never_more_than_the_price_is_captured(self, drive: Drive, settle: int) -> None:
        await drive.grant()
        job = await drive.to("running")
        done = change(
            job,
            edge_of(PLAIN, "running", "complete"),
            evidence=fact(job, Verdict.SUCCEEDED),
            settle=settle,
        )
        with contextlib.suppress(Exception):  # a store may refuse it, with an error of its own
            await drive.store.jobs.apply(done)
        money = await drive.store.jobs.money(job.id)
        assert money.held + money.captured + money.released == PRICE
        assert 0 <= money.captured <= PRICE

    async def test_credits_that_expired_meanwhile_come_back_as_grace(self, drive: Drive) -> None:
        expires_at = await drive.now() + timedelta(days=1)
        await drive.grant(60, kind="bonus", priority=10, expires_at=expires_at)
        await drive.grant(100, kind="purchased", priority=20)
        job = await drive.to("running")
        await drive.advance(86_401)
        failed = await drive.event(job, "fail", Verdict.FAILED)
        after = await buckets(drive)
        bonus, grace = after["bonus"], after["grace"]
        assert (bonus.remaining, bonus.held, bonus.expired) == (0, 0, 60)
        assert (grace.issued, grace.remaining, grace.priority) == (60, 60, 10)
        assert grace.source_ref == f"grace:{job.id}:{bonus.id}"
        assert grace.expires_at is not None
        assert abs(grace.expires_at - failed.entered_at - timedelta(days=30)) < timedelta(seconds=30)
        assert after["purchased"].remaining == 100
        assert (await drive.store.ledger.wallet("ada")).available == 160
        assert await drive.store.jobs.money(job.id) == JobMoney(released=PRICE)

    async def test_grace_is_only_for_what_was_not_captured(self, drive: Drive) -> None:
        await drive.grant(PRICE, kind="bonus", expires_at=await drive.now() + timedelta(days=1))
        job = await drive.to("running")
        await drive.advance(86_401)
        await drive.event(job, "complete", Verdict.SUCCEEDED, settle=70)
        after = await buckets(drive)
        assert (after["bonus"].captured, after["bonus"].expired, after["grace"].issued) == (70, 30, 30)

    async def test_expiry_takes_what_remains_and_leaves_what_is_held(self, drive: Drive) -> None:
        await drive.grant(150, kind="bonus", expires_at=await drive.now() + timedelta(days=1))
        await drive.grant(10, kind="purchased")
        await drive.to("running")
        assert await drive.store.ledger.expire(10) == 0
        await drive.advance(86_401)
        assert await drive.store.ledger.expire(10) == 1
        assert await drive.store.ledger.expire(10) == 0
        after = await buckets(drive)
        assert (after["bonus"].remaining, after["bonus"].held, after["bonus"].expired) == (0, 100, 50)
        wallet = await drive.store.ledger.wallet("ada")
        assert (wallet.available, wallet.held) == (10, 100)

    async def test_a_free_job_needs_no_wallet(self, drive: Drive) -> None:
        done = await drive.to("completed", owner="nobody", price=0)
        assert done.settled == 0
        assert await drive.store.jobs.money(done.id) == JobMoney()

    async def test_a_refused_edge_moves_no_money(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        before = await drive.store.ledger.wallet("ada")
        for event in ("fail", "complete"):
            with pytest.raises(GuardFailed):
                await drive.event(job, event)
        assert await drive.store.ledger.wallet("ada") == before

    async def test_credits_captured_early_stay_captured(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("handed_over", REVIEWED)
        assert await drive.store.jobs.money(job.id) == JobMoney(captured=PRICE)
        done = await drive.event(job, "archive", settle=5)
        assert (done.state, done.settled) == ("completed", PRICE)
        assert await drive.store.jobs.money(job.id) == JobMoney(captured=PRICE)

    async def test_attempts_share_one_hold(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        job = await drive.event(job, "rerun", Verdict.FAILED)
        assert await drive.store.jobs.money(job.id) == JobMoney(held=PRICE)
        job = await drive.submit(await drive.dispatch(job))
        await drive.event(job, "complete", Verdict.SUCCEEDED)
        assert await drive.store.jobs.money(job.id) == JobMoney(captured=PRICE)
        assert (await drive.store.ledger.wallet("ada")).available == 900
