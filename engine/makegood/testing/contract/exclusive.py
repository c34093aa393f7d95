"""What is agreed when a job is inserted: one at a time for each owner and scope, and not before its time."""

# ruff: noqa: D102 - the name of a test is its sentence

import asyncio
from datetime import timedelta

import pytest

from makegood.errors import ActiveJob, KeyReused
from makegood.job import Job
from makegood.testing.drive import PLAIN, REVIEWED, Drive, accounts, new_job

SCOPE = "images"


async def refusals(drive: Drive, *scopes: tuple[str, str]) -> list[Job | BaseException]:
    """Insert a job for each (owner, scope) at the same moment, of both types in turn."""
    new = [
        new_job((PLAIN, REVIEWED)[n % 2], owner=owner, exclusive_scope=scope)
        for n, (owner, scope) in enumerate(scopes)
    ]
    return await asyncio.gather(*map(drive.store.jobs.insert, new), return_exceptions=True)


class ExclusiveContract:
    """What `Jobs.insert` and `Jobs.active` promise about exclusive scopes."""

    async def test_of_fifty_at_once_one_is_taken_over_all_types(self, drive: Drive) -> None:
        told = await refusals(drive, *[("ada", SCOPE)] * 50)
        [job] = [found for found in told if isinstance(found, Job)]
        refused = [found for found in told if isinstance(found, ActiveJob)]
        assert len(refused) == 49
        assert {(error.owner, error.scope, error.job_id) for error in refused} == {("ada", SCOPE, job.id)}
        assert await drive.store.jobs.active("ada", SCOPE) == job

    async def test_a_refusal_in_a_batch_is_one_callers_alone(self, drive: Drive) -> None:
        owners = [f"owner-{n}" for n in range(30)]
        told = await refusals(drive, *[(owner, SCOPE) for owner in [*owners, owners[7]]])
        assert [found.owner for found in told if isinstance(found, ActiveJob)] == [owners[7]]
        assert {found.owner for found in told if isinstance(found, Job)} == set(owners)

    async def test_scopes_owners_and_jobs_without_a_scope_are_apart(self, drive: Drive) -> None:
        first = await drive.store.jobs.insert(new_job(exclusive_scope=SCOPE))
        for owner, scope in (("ada", "films"), ("bo", SCOPE), ("ada", None), ("ada", None)):
            other = await drive.store.jobs.insert(new_job(owner=owner, exclusive_scope=scope))
            assert other.id != first.id
        assert await drive.store.jobs.active("ada", SCOPE) == first
        assert await drive.store.jobs.active("ada", "sounds") is None

    async def test_the_refusal_says_which_job_it_is_and_what_to_do(self, drive: Drive) -> None:
        first = await drive.store.jobs.insert(new_job(exclusive_scope=SCOPE))
        refused = new_job(exclusive_scope=SCOPE, key="k")
        with pytest.raises(ActiveJob, match="wait until it is over, or cancel it") as told:
            await drive.store.jobs.insert(refused)
        assert (told.value.job_id, told.value.state) == (first.id, "pending")
        assert await drive.store.jobs.get(refused.id) is None

    @pytest.mark.parametrize("state", ["completed", "failed", "cancelled"])
    async def test_the_end_of_a_job_makes_room_at_once(self, drive: Drive, state: str) -> None:
        await drive.grant()
        over = await drive.to(state, exclusive_scope=SCOPE)
        assert await drive.store.jobs.active("ada", SCOPE) is None
        again = await drive.store.jobs.insert(new_job(exclusive_scope=SCOPE, retry_of=over.id))
        assert await drive.store.jobs.active("ada", SCOPE) == again

    @pytest.mark.parametrize("state", ["pending", "queued", "starting", "running", "awaiting_review"])
    async def test_whatever_is_not_over_keeps_others_out(self, drive: Drive, state: str) -> None:
        await drive.grant()
        job = await drive.to(state, REVIEWED, exclusive_scope=SCOPE)
        assert job.exclusive_scope == SCOPE
        for retry_of in (None, job.id):
            with pytest.raises(ActiveJob) as told:
                await drive.store.jobs.insert(new_job(exclusive_scope=SCOPE, retry_of=retry_of))
            assert told.value.state == state

    async def test_a_key_gives_its_own_job_whatever_is_under_way(self, drive: Drive) -> None:
        first = await drive.store.jobs.insert(new_job(exclusive_scope=SCOPE, key="k"))
        assert await drive.store.jobs.insert(new_job(exclusive_scope=SCOPE, key="k")) == first
        over = await drive.event(first, "refuse")
        second = await drive.store.jobs.insert(new_job(exclusive_scope=SCOPE, key="l"))
        assert await drive.store.jobs.insert(new_job(exclusive_scope=SCOPE, key="k")) == over
        with pytest.raises(KeyReused):
            await drive.store.jobs.insert(new_job(exclusive_scope=SCOPE, key="k", input={"scale": 4}))
        assert await drive.store.jobs.active("ada", SCOPE) == second


class StartContract:
    """What `Jobs.insert` and `Attempts.dispatch` promise about a job that is not to start yet."""

    async def test_a_job_is_not_dispatched_before_its_time(self, drive: Drive) -> None:
        await drive.grant()
        pool, start = await drive.pool(), await drive.now() + timedelta(hours=1)
        later = await drive.to("queued", pool=pool, not_before=start)
        assert later.not_before == start
        assert (await drive.store.jobs.money(later.id)).held == later.price
        now = await drive.to("queued", pool=pool)
        assert (await drive.dispatch(now)).state == "starting"
        assert await drive.store.attempts.dispatch(pool, accounts(pool), 10) == []
        await drive.advance(3_600)
        begun = await drive.dispatch(later)
        assert (begun.state, begun.not_before) == ("starting", None)

    async def test_a_time_that_has_passed_is_no_hindrance(self, drive: Drive) -> None:
        await drive.grant()
        past = await drive.now() - timedelta(hours=1)
        await drive.dispatch(await drive.to("queued", not_before=past))

    async def test_who_is_sent_back_waits_for_the_new_time_alone(self, drive: Drive) -> None:
        await drive.grant()
        start = await drive.now() + timedelta(hours=1)
        job = await drive.to("queued", not_before=start)
        await drive.advance(3_600)
        back = await drive.event(await drive.dispatch(job), "defer")
        assert back.not_before is None

    async def test_a_job_that_is_over_starts_never(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("queued", not_before=await drive.now() + timedelta(hours=1))
        assert (await drive.event(job, "cancel")).not_before is None
