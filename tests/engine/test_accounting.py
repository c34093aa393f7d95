"""What a service does with credits: kinds and their defaults, cycles, charge-backs, plans without limit."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from makegood import Catalog, Engine, InsufficientCredits, InvalidRequest, Settings
from makegood.buckets import GRACE_SECONDS, KINDS
from makegood.testing.clock import FakeClock
from makegood.testing.drive import PRICE, Plain
from makegood_adapters.memory import MemoryBlobs, MemoryStore


class Portrait(Plain):
    """Something to buy."""

    name = "portrait"
    price = PRICE


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest_asyncio.fixture
async def engine(clock: FakeClock) -> AsyncIterator[Engine]:
    settings = Settings(grace_seconds=3_600)
    store, catalog = MemoryStore(clock), Catalog([Portrait])
    async with Engine(store, catalog, blobs=MemoryBlobs(), settings=settings, run_loops=False) as opened:
        yield opened
        assert await opened.violations() == []


async def accepted(engine: Engine) -> Any:
    job = await engine.submit(Portrait, "ada", {})
    return await engine.accept(job.id)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"unlimited"}))
async def test_a_kind_brings_its_priority_and_expiry(engine: Engine, clock: FakeClock, kind: str) -> None:
    assert await engine.grant("ada", 10, source_ref="gift", kind=kind)
    [bucket] = (await engine.wallet("ada")).buckets
    lifetime = KINDS[kind].lifetime
    assert (bucket.kind, bucket.priority) == (kind, KINDS[kind].priority)
    assert bucket.expires_at == (clock() + lifetime if lifetime else None)


async def test_what_the_host_says_goes_before_the_kind(engine: Engine, clock: FakeClock) -> None:
    until = clock() + timedelta(days=3)
    await engine.grant("ada", 10, source_ref="gift", kind="promo", priority=7, expires_at=until)
    await engine.grant("ada", 10, source_ref="friend", kind="referral", priority=8)
    buckets = (await engine.wallet("ada")).buckets
    assert [(b.kind, b.priority, b.expires_at) for b in buckets] == [
        ("promo", 7, until),
        ("referral", 8, None),
    ]


async def test_a_kind_that_nobody_knows_needs_a_priority(engine: Engine) -> None:
    with pytest.raises(InvalidRequest, match="no kind of bucket 'bonsu': use one of unlimited") as told:
        await engine.grant("ada", 10, source_ref="gift", kind="bonsu")
    assert str(told.value).endswith("or give your own a priority. Nothing was granted.")
    with pytest.raises(InvalidRequest, match="bonsu"):
        await engine.start_cycle("ada", 10, plan="pro", cycle="1", kind="bonsu")
    assert (await engine.wallet("ada")).buckets == ()


async def test_a_cycle_of_a_plan_replaces_the_former(engine: Engine) -> None:
    assert await engine.start_cycle("ada", 300, plan="pro", cycle="2026-11")
    assert await engine.start_cycle("ada", 300, plan="pro", cycle="2026-12")
    assert not await engine.start_cycle("ada", 300, plan="pro", cycle="2026-12")
    assert (await engine.wallet("ada")).available == 300


async def test_a_payment_taken_back_is_owed(engine: Engine) -> None:
    await engine.grant("ada", PRICE, source_ref="order-1")
    job = await accepted(engine)
    assert await engine.charge_back("ada", "order-1")
    assert (await engine.wallet("ada")).debt == PRICE
    await engine.cancel(job.id)
    assert (await engine.wallet("ada")).debt == 0


async def test_an_unlimited_plan_lets_jobs_through_until_it_ends(engine: Engine, clock: FakeClock) -> None:
    until = clock() + timedelta(days=1)
    assert await engine.grant_unlimited("ada", source_ref="plan", expires_at=until)
    job = await accepted(engine)
    wallet = await engine.wallet("ada")
    assert (wallet.available, wallet.held, wallet.unlimited) == (0, PRICE, True)
    await engine.cancel(job.id)
    await clock.advance(86_400)
    with pytest.raises(InsufficientCredits):
        await accepted(engine)


async def test_the_life_of_grace_credits_is_a_setting(engine: Engine, clock: FakeClock) -> None:
    await engine.grant("ada", PRICE, source_ref="gift", expires_at=clock() + timedelta(seconds=60))
    job = await accepted(engine)
    await clock.advance(100)
    await engine.cancel(job.id)
    [grace] = [b for b in (await engine.wallet("ada")).buckets if b.kind == "grace"]
    assert grace.expires_at == clock() + timedelta(hours=1)
    assert Settings().grace_seconds == GRACE_SECONDS
