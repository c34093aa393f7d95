"""What once went wrong inside the database: refunds ignored, rights unchecked, one bad row for all."""

import logging

import asyncpg
import pytest

from makegood import BaseJob, Failure, JobMoney
from makegood.errors import StoreError
from makegood.job import Verdict
from makegood.outcome import Failed, Unfinished
from makegood.testing.drive import fact
from tests.engine.world import PRICE, QUEUE, WALLET, Upscale, World
from tests.incidents.conftest import Free

#: Every row of a table is refused, as by a full disk or a trigger of somebody else's.
UNWRITABLE = """
CREATE FUNCTION public.unwritable() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'this row cannot be written'; END $$;
CREATE TRIGGER unwritable BEFORE INSERT ON makegood.journal FOR EACH ROW
  WHEN (new.kind = 'release') EXECUTE FUNCTION public.unwritable();
"""
#: One job whose settlement always fails.
STUBBORN = """
CREATE FUNCTION public.stubborn() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'a fault in this row alone'; END $$;
CREATE TRIGGER stubborn BEFORE INSERT ON makegood.history FOR EACH ROW
  WHEN (new.job_id = '{}' AND new.to_state = 'failed') EXECUTE FUNCTION public.stubborn();
"""
TAMPERING = (
    "UPDATE makegood.job SET state = 'failed'",
    "UPDATE makegood.bucket SET remaining = remaining + 1, issued = issued + 1",
    "UPDATE makegood.wallet SET seq = 0",
    "UPDATE makegood.hold SET captured = 0, released = amount",
    "INSERT INTO makegood.bucket (owner_id, kind, priority, source_ref, issued, remaining)"
    " VALUES ('ada', 'gift', 1, 'mine', 99999, 99999)",
    "INSERT INTO makegood.journal (owner_id, seq, kind, bucket_id, amount, actor)"
    " VALUES ('ada', 9, 'issue', 1, 99999, 'nobody')",
    "INSERT INTO makegood.evidence (job_id, attempt, verdict, source)"
    " SELECT job_id, 1, 'failed', 'nobody' FROM makegood.job",
    "DELETE FROM makegood.journal",
)


async def test_s2_p12_p30_a_refund_that_cannot_be_written_undoes_the_settlement(
    world: World, plain: asyncpg.Connection
) -> None:
    job = await world.running()
    said = fact(job, Verdict.FAILED, task_id="task-1")
    await plain.execute(UNWRITABLE)
    with pytest.raises(StoreError, match="this row cannot be written"):
        await world.engine.fire(job.id, BaseJob.fail, Failure(), evidence=said)
    assert await world.job(job) == job
    assert await world.money(job) == JobMoney(held=PRICE)
    assert await world.way(job) == ["submit", "accept", "dispatch", "begin"]
    assert await plain.fetchval("SELECT count(*) FROM makegood.evidence WHERE verdict = 'failed'") == 0
    await plain.execute("DROP TRIGGER unwritable ON makegood.journal")
    await world.engine.fire(job.id, BaseJob.fail, Failure(), evidence=said)
    await world.ended(job, "failed")


async def test_s2_a_poll_that_cannot_write_the_refund_comes_again_until_it_can(
    world: World, plain: asyncpg.Connection
) -> None:
    job = await world.running(Upscale, Unfinished(running=True), Failed("It broke."))
    await world.work(world.poller)
    job = await world.job(job)
    await plain.execute(UNWRITABLE)
    for _ in range(3):
        await world.ask()
        assert await world.job(job) == job
        assert await world.money(job) == JobMoney(held=PRICE)
    await plain.execute("DROP TRIGGER unwritable ON makegood.journal")
    await world.ask()
    await world.ended(job, "failed")


async def test_s3_d43_who_was_given_no_right_moves_no_credits(
    world: World, plain: asyncpg.Connection, nobody: asyncpg.Connection
) -> None:
    """Every function and every table, by a role that was given nothing."""
    job = await world.queued()
    functions = await plain.fetch(
        "SELECT oid::regprocedure::text AS signature, proname, pronargs FROM pg_proc"
        " WHERE pronamespace = 'makegood'::regnamespace AND prorettype <> 'trigger'::regtype"
    )
    assert len(functions) > 5
    for function in functions:
        arguments = ", ".join(["NULL"] * function["pronargs"])
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await nobody.execute(f"SELECT makegood.{function['proname']}({arguments})")
    for statement in TAMPERING:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await nobody.execute(statement)
    assert (await world.job(job), await world.money(job)) == (job, JobMoney(held=PRICE))
    assert (await world.engine.wallet("ada")).available == WALLET - PRICE


async def test_s9_of_a_hundred_overdue_jobs_only_the_one_that_cannot_be_ended_stays(
    world: World, plain: asyncpg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    await world.engine.grant("ada", 100 * PRICE, source_ref="order-2")
    jobs = [await world.queued() for _ in range(100)]
    await plain.execute(STUBBORN.format(jobs[0].id))
    with caplog.at_level(logging.ERROR, "makegood.watchdog"):
        await world.after(QUEUE)
        for _ in range(100 // world.settings.batch_max + 1):
            await world.work(world.watchdog)
    assert [(await world.job(job)).state for job in jobs] == ["queued"] + ["failed"] * 99
    assert any(str(jobs[0].id) in record.getMessage() for record in caplog.records)
    assert await world.money(jobs[0]) == JobMoney(held=PRICE)
    await plain.execute("DROP TRIGGER stubborn ON makegood.history")
    await world.after(3_600)
    assert (await world.job(jobs[0])).state == "failed"
    assert (await world.engine.wallet("ada")).held == 0


@pytest.mark.tampers
async def test_d42_a_job_that_failed_without_its_refund_is_found_by_the_audit(
    world: World, plain: asyncpg.Connection
) -> None:
    """Only past every trigger can there be one at all."""
    job = await world.running()
    await plain.execute("SET session_replication_role = replica")
    await plain.execute("UPDATE makegood.job SET state = 'failed' WHERE job_id = $1", job.id)
    assert any(str(job.id) in line for line in await world.engine.violations())
    await plain.execute("UPDATE makegood.job SET state = 'running' WHERE job_id = $1", job.id)
    assert await world.engine.violations() == []


@pytest.mark.tampers
async def test_d51_a_priced_job_that_runs_without_a_charge_is_found_by_the_audit(
    world: World, plain: asyncpg.Connection
) -> None:
    job = await world.running(Free)
    assert await world.engine.violations() == []
    await plain.execute("SET session_replication_role = replica")
    await plain.execute("UPDATE makegood.job SET price = 60 WHERE job_id = $1", job.id)
    assert any(str(job.id) in line for line in await world.engine.violations())
    await plain.execute("UPDATE makegood.job SET price = 0 WHERE job_id = $1", job.id)
