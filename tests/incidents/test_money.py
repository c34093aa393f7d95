"""What once cost users or the house money: charges without work, refunds that were doubled or forgotten."""

import asyncio
from dataclasses import replace
from itertools import product
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from makegood import (
    BaseJob,
    Catalog,
    Engine,
    Failure,
    IllegalTransition,
    InsufficientCredits,
    InvalidRequest,
    Job,
    JobMoney,
    KeyReused,
    ProviderAccount,
)
from makegood.job import Evidence, Verdict
from makegood.machine import Empty
from makegood.outcome import Failed, NotFound, Rejected, Retry, Uncertain, Unfinished
from makegood.runtime.inquiry import Inquiry
from makegood.testing.drive import fact
from makegood.testing.provider import ScriptedProvider
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore
from tests.engine.world import (
    PATIENCE_SECONDS,
    PRICE,
    QUEUE,
    RUNNING,
    SETTINGS,
    STARTING,
    WALLET,
    Upscale,
    World,
    in_state,
)
from tests.incidents.conftest import Another, Free

LOST = Failed("It broke.")
NO = Rejected("803", "No.", Retry.NEVER)
OVER = ("completed", "failed", "cancelled")


async def refunds(plain: asyncpg.Connection, job: Job) -> int:
    """Return how many lines of the journal give credits of the job back."""
    query = "SELECT count(*) FROM makegood.journal WHERE job_id = $1 AND kind = 'release'"
    return int(await plain.fetchval(query, job.id))


async def test_d17_whoever_ends_a_job_after_another_refunds_nothing_more(
    world: World, plain: asyncpg.Connection
) -> None:
    job = await world.queued()
    await world.engine.cancel(job.id, actor="administrator", reason="asked by mail")
    with pytest.raises(IllegalTransition):
        await world.engine.cancel(job.id, actor="ada")
    await world.engine.report(job.id, "It failed!", source="browser")
    with pytest.raises(IllegalTransition):
        await world.engine.fire(job.id, BaseJob.fail, Failure())
    await world.after(QUEUE)
    await world.ended(job, "cancelled")
    assert await refunds(plain, job) == 1


async def test_d27_a_trial_has_an_owner_and_its_credits_come_back_to_the_trial(
    world: World, plain: asyncpg.Connection
) -> None:
    await world.engine.grant("guest-7", PRICE, source_ref="trial", kind="trial", priority=1)
    job = await world.engine.accept((await world.engine.submit(Upscale, "guest-7", {})).id)
    await world.engine.fire(job.id, BaseJob.fail, Failure())
    [bucket] = (await world.engine.wallet("guest-7")).buckets
    assert (bucket.kind, bucket.remaining, bucket.held, bucket.captured) == ("trial", PRICE, 0, 0)
    with pytest.raises(InvalidRequest):
        await world.engine.submit(Upscale, "", {})
    for owner, refusal in (("", asyncpg.CheckViolationError), (None, asyncpg.NotNullViolationError)):
        with pytest.raises(refusal):
            await plain.execute(
                "INSERT INTO makegood.job (job_id, owner_id, type, type_version, pool, state, actor, price,"
                " input, request, attempts_max) SELECT $1, $2, type, type_version, pool, 'pending', actor,"
                " price, input, request, attempts_max FROM makegood.job LIMIT 1",
                uuid4(),
                owner,
            )


async def test_d51_a_report_is_the_sum_of_the_ledger_whatever_a_job_was_said_to_cost(
    world: World, plain: asyncpg.Connection
) -> None:
    """A free job, one paid by a trial, one paid and one given back."""
    await world.engine.grant("bo", PRICE, source_ref="trial", kind="trial")
    for owner, job_type in (("ada", Free), ("bo", Upscale), ("ada", Upscale)):
        job = await world.engine.accept((await world.engine.submit(job_type, owner, {})).id)
        await world.start()
        await world.ask()
        assert await world.money(job) == JobMoney(captured=job.price)
    await world.engine.cancel((await world.queued()).id)
    earned = "SELECT sum(amount) FROM makegood.journal WHERE kind = 'capture'"
    told = [sum(b.captured for b in (await world.engine.wallet(o)).buckets) for o in ("ada", "bo")]
    assert (await plain.fetchval(earned), told) == (2 * PRICE, [PRICE, PRICE])


async def test_f7_a_job_that_was_never_charged_is_refunded_nothing(
    world: World, plain: asyncpg.Connection
) -> None:
    world.provider.plan(NO)
    job = await world.engine.accept((await world.engine.submit(Free, "ada", {})).id)
    await world.start()
    assert (await world.job(job)).state == "failed"
    assert await world.money(job) == JobMoney()
    assert (await world.engine.wallet("ada")).available == WALLET
    assert await plain.fetchval("SELECT count(*) FROM makegood.journal WHERE job_id = $1", job.id) == 0


@pytest.mark.parametrize("state", OVER)
async def test_m6_p1_p18_no_command_moves_a_job_that_is_over(world: World, state: str) -> None:
    job = await in_state(world, state)
    money = await world.money(job)
    commands: list[Any] = [world.engine.accept(job.id), world.engine.cancel(job.id)]
    for event in Upscale.events().values():
        given = None if event.payload is Empty else event.payload()
        said = fact(job, Verdict.FAILED) if job.attempt else None
        for evidence in (None, said):
            commands.append(world.engine.fire(job.id, event, given, evidence=evidence))
    for command in commands:
        with pytest.raises(IllegalTransition) as refused:
            await command
        assert isinstance(refused.value, IllegalTransition)
        assert (refused.value.state, refused.value.allowed) == (state, ())
    assert await world.engine.report(job.id, "It failed!") == job
    assert (await world.job(job), await world.money(job)) == (job, money)


async def test_m8_jobs_behind_refused_ones_start_without_an_event_from_outside(database: str) -> None:
    """The loops run as they do in a service, while time passes."""
    provider = ScriptedProvider()
    for _ in range(3):
        provider.plan(NO)
    async with (
        PostgresStore.open(database) as store,
        Engine(
            store,
            Catalog([Upscale]),
            blobs=MemoryBlobs(),
            providers={ProviderAccount(name="gpu-1", pool="gpu", capacity=1): provider},
            settings=replace(SETTINGS, loop_interval_seconds=0.05, poll_interval_seconds=0.05),
        ) as engine,
    ):
        await engine.grant("ada", WALLET, source_ref="order-1")
        jobs = [await engine.accept((await engine.submit(Upscale, "ada", {})).id) for _ in range(6)]
        async with asyncio.timeout(PATIENCE_SECONDS):
            ends = [[step.event async for step in engine.watch(job.id)][-1] for job in jobs]
        assert ends == ["fail"] * 3 + ["complete"] * 3
        assert [await engine.money(job.id) for job in jobs] == (
            [JobMoney(released=PRICE)] * 3 + [JobMoney(captured=PRICE)] * 3
        )


async def test_d40_fifty_pollers_that_hear_of_one_failure_refund_it_once(
    world: World, plain: asyncpg.Connection
) -> None:
    job = await world.running(Upscale, Unfinished(running=True), LOST)
    await world.ask()
    attempt = await world.attempt(job)
    await asyncio.gather(*(Inquiry(world.context).ask(attempt) for _ in range(50)))
    await world.ended(job, "failed")
    assert await refunds(plain, job) == 1


@pytest.mark.parametrize("accepted", [False, True])
async def test_m9_a_request_that_comes_again_ends_nothing_and_charges_nothing(
    world: World, accepted: bool
) -> None:
    job = await world.engine.submit(Upscale, "ada", {"scale": 2}, key="click")
    if accepted:
        job = await world.engine.accept(job.id)
    money = await world.money(job)
    assert await world.engine.submit(Upscale, "ada", {"scale": 2}, key="click") == job
    with pytest.raises(KeyReused):
        await world.engine.submit(Upscale, "ada", {"scale": 4}, key="click")
    assert (await world.job(job), await world.money(job)) == (job, money)


async def test_m10_jobs_of_every_type_at_one_moment_spend_no_credit_twice(world: World) -> None:
    await world.engine.grant("bo", PRICE, source_ref="order-2")
    jobs = [await world.engine.submit(kind, "bo", {}) for kind, _ in product((Upscale, Another), range(5))]
    told = await asyncio.gather(*(world.engine.accept(job.id) for job in jobs), return_exceptions=True)
    assert [isinstance(answer, Job) for answer in told].count(True) == 1
    assert sum(isinstance(answer, InsufficientCredits) for answer in told) == 9
    assert sorted([(await world.job(job)).state for job in jobs]) == ["failed"] * 9 + ["queued"]


@pytest.mark.parametrize("trouble", ["refused", "no reply", "time-out", "database"])
async def test_p22_p29_a_charge_before_a_trouble_comes_back(
    world: World, plain: asyncpg.Connection, trouble: str
) -> None:
    job = await world.queued()
    match trouble:
        case "refused":
            world.provider.plan(NO)
        case "no reply":
            world.provider.plan(Uncertain("the connection broke"), NotFound())
        case "time-out":
            world.provider.plan(TimeoutError(), Unfinished(running=False))
        case _:
            await plain.execute(
                "CREATE FUNCTION public.broken() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE EXCEPTION 'out of order'; END $$;"
                "CREATE TRIGGER broken BEFORE UPDATE OF intent_at ON makegood.attempt"
                " FOR EACH ROW EXECUTE FUNCTION public.broken()"
            )
    await world.start()
    if trouble == "database":
        assert world.provider.count("submit") == 0
        await plain.execute("DROP TRIGGER broken ON makegood.attempt")
    await world.after(STARTING)
    await world.ended(job, "failed")
    assert await refunds(plain, job) == 1


@pytest.mark.parametrize("how", ["poll", "webhook", "deadline", "lost", "administrator", "plain SQL"])
async def test_p29_every_way_in_which_a_running_job_fails_gives_its_credits_back(
    world: World, plain: asyncpg.Connection, how: str
) -> None:
    answer = {"lost": NotFound(), "deadline": Unfinished(running=True)}.get(how, LOST)
    job = await world.running(Upscale, Unfinished(running=True), answer)
    await world.work(world.poller)
    match how:
        case "poll":
            await world.ask()
        case "webhook":
            await world.webhook(job, "task-1")
            await world.work(world.poller)
        case "lost":
            await world.clock.advance(world.settings.absent_after_seconds)
            for _ in range(3):
                await world.ask()
        case "administrator":
            said = Evidence(job_id=job.id, attempt=1, verdict=Verdict.ADMINISTRATOR, source="bo")
            await world.engine.fire(job.id, BaseJob.fail, Failure(), actor="bo", evidence=said)
        case "plain SQL":
            await world.store.attempts.record(fact(job, Verdict.FAILED, task_id="task-1"))
            await plain.execute("UPDATE makegood.job SET state = 'failed' WHERE job_id = $1", job.id)
        case _:
            await world.after(RUNNING)
    await world.ended(job, "failed")
    assert await refunds(plain, job) == 1


async def test_p25_the_price_is_held_before_anything_is_sent(world: World) -> None:
    gate = world.provider.gate("submit")
    job = await world.opened()
    await world.submitter.turn()
    await gate.reached.wait()
    assert await world.money(job) == JobMoney(held=PRICE)
    assert (await world.job(job)).submitted
    gate.opened.set()
    await world.submitter.crew.drain(PATIENCE_SECONDS)
    pending = await world.pending()
    await world.start()
    assert (await world.job(pending), world.provider.count("submit")) == (pending, 1)


async def test_p33_two_webhooks_at_once_before_the_create_reply_refund_once(
    world: World, plain: asyncpg.Connection
) -> None:
    gate = world.provider.gate("submit")
    world.provider.plan(None, LOST)
    job = await world.opened()
    await world.submitter.turn()
    await gate.reached.wait()
    await asyncio.gather(world.webhook(job, "task-1"), world.webhook(job, "task-1"))
    assert (await world.job(job)).state == "starting"
    gate.opened.set()
    await world.submitter.crew.drain(PATIENCE_SECONDS)
    await asyncio.gather(world.webhook(job, "task-1"), world.webhook(job, "task-1"))
    await asyncio.gather(world.work(world.poller), world.work(world.poller))
    await world.ended(job, "failed")
    assert await refunds(plain, job) == 1
