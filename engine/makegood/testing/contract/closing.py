"""Job types that are closed since the provider refuses what they ask for."""

# ruff: noqa: D102 - the name of a test is its sentence

from makegood.fairness import Rule, Scope
from makegood.job import Job, Verdict
from makegood.machine import Spec
from makegood.outcome import JSON
from makegood.testing.contract.queues import queued, serve
from makegood.testing.contract.rules import limit, pause, resume
from makegood.testing.drive import PLAIN, REVIEWED, Drive, fact

REASON, WITHIN_SECONDS = "803: node mismatch", 600.0


async def refused(drive: Drive, pool: str, n: int, detail: JSON | None = None, spec: Spec = PLAIN) -> None:
    """Let the provider refuse *n* jobs, by default for what their type asks for."""
    for job in await _sent(drive, pool, n, spec):
        told = {"job_type": spec.name} if detail is None else detail
        await drive.event(job, "fail", evidence=fact(job, Verdict.REJECTED, task_id=None, detail=told))


async def accepted(drive: Drive, pool: str, n: int, spec: Spec = PLAIN) -> list[Job]:
    """Let the provider accept *n* jobs."""
    return [await drive.event(job, "begin", Verdict.ACCEPTED) for job in await _sent(drive, pool, n, spec)]


async def _sent(drive: Drive, pool: str, n: int, spec: Spec) -> list[Job]:
    await drive.grant()
    jobs = await drive.queued(pool, n, spec=spec)
    assert [job.id for job in await serve(drive, pool, n)] == [job.id for job in jobs]
    return [await drive.submit(await drive.job(job)) for job in jobs]


async def close(drive: Drive) -> Rule | None:
    """Close the plain type if three of its jobs in a row were refused."""
    return await drive.store.rules.close(
        PLAIN.name, times=3, within_seconds=WITHIN_SECONDS, actor="submitter", reason=REASON
    )


class ClosingContract:
    """What `Store.rules` promises about types that are closed."""

    async def test_d36_three_refusals_of_a_type_in_a_row_close_it(self, drive: Drive) -> None:
        pool = await drive.pool(20)
        await refused(drive, pool, 2)
        assert await close(drive) is None
        await refused(drive, pool, 1)
        [waits] = await queued(drive, pool, "ann")
        rule = await close(drive)
        assert rule is not None
        assert (rule.closed, rule.reason, rule.actor, rule.paused_until) == (True, REASON, "submitter", None)
        assert await drive.store.rules.all() == [rule]
        assert await drive.store.rules.closed() == {PLAIN.name: REASON}
        assert await serve(drive, pool, 1) == []
        assert await close(drive) is None  # once
        assert await resume(drive, Scope.TYPE, PLAIN.name)
        assert await drive.store.rules.closed() == {}
        assert await drive.store.rules.all() == []
        assert [job.id for job in await serve(drive, pool, 1)] == [waits.id]
        assert await close(drive) is None  # what was before does not count

    async def test_refusals_of_other_kinds_and_types_close_nothing(self, drive: Drive) -> None:
        pool = await drive.pool(20)
        await refused(drive, pool, 2)
        await refused(drive, pool, 2, {"code": "433"})
        await refused(drive, pool, 2, {"job_type": REVIEWED.name}, REVIEWED)
        assert await close(drive) is None
        await refused(drive, pool, 1)
        assert await close(drive) is not None

    async def test_an_accepted_job_in_between_begins_the_count_anew(self, drive: Drive) -> None:
        pool = await drive.pool(20)
        await refused(drive, pool, 2)
        [job] = await accepted(drive, pool, 1)
        await refused(drive, pool, 2)
        assert await close(drive) is None
        await drive.event(job, "complete", Verdict.SUCCEEDED)
        await accepted(drive, pool, 1, REVIEWED)
        await refused(drive, pool, 1)
        assert await close(drive) is not None

    async def test_refusals_long_ago_do_not_count(self, drive: Drive) -> None:
        pool = await drive.pool(20)
        await refused(drive, pool, 2)
        await drive.advance(2 * WITHIN_SECONDS)
        await refused(drive, pool, 2)
        assert await close(drive) is None

    async def test_a_closed_type_may_be_given_a_limit_and_an_end_of_its_pause(self, drive: Drive) -> None:
        pool = await drive.pool(20)
        await refused(drive, pool, 3)
        await close(drive)
        assert (await limit(drive, Scope.TYPE, PLAIN.name, 2)).closed
        assert (await pause(drive, Scope.TYPE, PLAIN.name, 60)).closed
        assert await drive.store.rules.closed() == {PLAIN.name: "maintenance"}
        await drive.advance(61)
        assert await drive.store.rules.closed() == {}
        assert not (await pause(drive, Scope.TYPE, PLAIN.name, 60)).closed
        await drive.advance(61)
        await queued(drive, pool, "ann")
        assert len(await serve(drive, pool, 1)) == 1

    async def test_a_paused_type_is_closed_all_the_same_and_keeps_its_limit(self, drive: Drive) -> None:
        pool = await drive.pool(20)
        await limit(drive, Scope.TYPE, PLAIN.name, 3)
        sent = await _sent(drive, pool, 3, PLAIN)
        since = (await pause(drive, Scope.TYPE, PLAIN.name, 60)).paused_at
        await drive.advance(1)
        for job in sent:
            told = {"job_type": PLAIN.name}
            await drive.event(job, "fail", evidence=fact(job, Verdict.REJECTED, task_id=None, detail=told))
        rule = await close(drive)
        assert rule is not None
        assert (rule.closed, rule.running_max, rule.paused_until) == (True, 3, None)
        assert rule.paused_at == since
