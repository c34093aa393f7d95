"""Limits and pauses: set while everything runs, obeyed from the next dispatch, and nobody is forgotten."""

# ruff: noqa: D102 - the name of a test is its sentence

from datetime import timedelta

import pytest

from makegood.errors import InvalidRequest
from makegood.fairness import EVERYBODY, KEEP, Keep, Rule, Scope
from makegood.job import Job, ProviderAccount, Verdict
from makegood.testing.contract.queues import owners, queued, serve
from makegood.testing.drive import PLAIN, REVIEWED, Drive, accounts


async def limit(
    drive: Drive, scope: Scope, name: str, running_max: int | None, weight: float | Keep = KEEP
) -> Rule:
    """Set how many jobs of *name* may be in slots."""
    return await drive.store.rules.limit(
        scope, name, actor="olga", running_max=running_max, weight=weight, oldest_every=KEEP
    )


async def pause(drive: Drive, scope: Scope, name: str, seconds: float | None = None) -> Rule:
    """Pause *name*, for so many seconds if there are any."""
    until = None if seconds is None else await drive.now() + timedelta(seconds=seconds)
    return await drive.store.rules.pause(scope, name, actor="olga", reason="maintenance", until=until)


async def resume(drive: Drive, scope: Scope, name: str) -> bool:
    """Resume *name*."""
    return await drive.store.rules.resume(scope, name, actor="olga")


async def ends(drive: Drive, *jobs: Job) -> None:
    """End jobs that have a slot and were not sent."""
    for job in jobs:
        await drive.event(await drive.job(job), "fail")


class LimitsContract:
    """What `Store.rules` promises about limits."""

    async def test_an_owner_has_no_more_jobs_in_slots_than_may_be(self, drive: Drive) -> None:
        pool = await drive.pool(10)
        await limit(drive, Scope.OWNER, "ann", 2)
        await queued(drive, pool, "ann", 5)
        first = await serve(drive, pool, 10)
        assert len(first) == 2
        await ends(drive, first[0])
        assert len(await serve(drive, pool, 10)) == 1
        await ends(drive, first[1])
        assert len(await serve(drive, pool, 10)) == 1

    async def test_who_has_its_fill_stands_in_nobodys_way(self, drive: Drive) -> None:
        pool = await drive.pool(10)
        await limit(drive, Scope.OWNER, "ann", 1)
        await queued(drive, pool, "ann", 6, priority=9)
        await queued(drive, pool, "bob", 2)
        assert owners(await serve(drive, pool, 10)) == ["ann", "bob", "bob"]

    async def test_one_batch_keeps_the_limit_too(self, drive: Drive) -> None:
        pool = await drive.pool(10)
        await limit(drive, Scope.OWNER, EVERYBODY, 2)
        for owner in ("ann", "bob"):
            await queued(drive, pool, owner, 4)
        opened = await drive.store.attempts.dispatch(pool, accounts(pool), 10)
        jobs = [await drive.store.jobs.get(attempt.job_id) for attempt in opened]
        assert sorted(job.owner for job in jobs if job) == ["ann", "ann", "bob", "bob"]

    async def test_an_owner_may_be_an_exception(self, drive: Drive) -> None:
        pool = await drive.pool(10)
        await limit(drive, Scope.OWNER, EVERYBODY, 1)
        await limit(drive, Scope.OWNER, "vip", 3)
        for owner in ("ann", "vip"):
            await queued(drive, pool, owner, 5)
        assert sorted(owners(await serve(drive, pool, 10))) == ["ann", "vip", "vip", "vip"]

    async def test_a_type_is_limited_likewise(self, drive: Drive) -> None:
        pool = await drive.pool(10)
        await limit(drive, Scope.TYPE, REVIEWED.name, 1)
        await drive.grant(2_000)
        films = await drive.queued(pool, 3, spec=REVIEWED)
        await drive.queued(pool, 2)
        served = await serve(drive, pool, 10)
        assert sorted(job.type for job in served) == [PLAIN.name, PLAIN.name, REVIEWED.name]
        await ends(drive, films[0])
        assert [job.id for job in await serve(drive, pool, 10)] == [films[1].id]

    async def test_limits_of_owner_and_type_hold_together(self, drive: Drive) -> None:
        pool = await drive.pool(10)
        await limit(drive, Scope.TYPE, REVIEWED.name, 1)
        await limit(drive, Scope.OWNER, "ann", 1)
        for owner in ("ann", "bob"):
            await drive.grant(2_000, owner=owner)
        await drive.queued(pool, 2, spec=REVIEWED, owner="ann")
        await drive.queued(pool, 2, spec=REVIEWED, owner="bob")
        await drive.queued(pool, 2, owner="ann")
        [film] = await serve(drive, pool, 10)
        assert (film.owner, film.type) == ("ann", REVIEWED.name)
        await ends(drive, film)
        served = await serve(drive, pool, 10)
        assert {(job.owner, job.type) for job in served} == {("bob", REVIEWED.name), ("ann", PLAIN.name)}
        await ends(drive, *served)
        [film] = await serve(drive, pool, 10)  # which takes all that its type and its owner may have
        assert (film.owner, film.type) == ("ann", REVIEWED.name)
        await ends(drive, film)
        served = await serve(drive, pool, 10)
        assert {(job.owner, job.type) for job in served} == {("bob", REVIEWED.name), ("ann", PLAIN.name)}

    async def test_a_limit_counts_in_each_pool_by_itself(self, drive: Drive) -> None:
        pools = [await drive.pool(10), await drive.pool(10)]
        await limit(drive, Scope.OWNER, "ann", 1)
        for pool in pools:
            await queued(drive, pool, "ann", 2)
        assert [len(await serve(drive, pool, 3)) for pool in pools] == [1, 1]

    async def test_a_raised_limit_lets_those_go_who_were_held_back(self, drive: Drive) -> None:
        pool = await drive.pool(10)
        await limit(drive, Scope.OWNER, "ann", 1)
        await queued(drive, pool, "ann", 5)
        assert len(await serve(drive, pool, 10)) == 1
        await limit(drive, Scope.OWNER, "ann", 3)
        assert len(await serve(drive, pool, 10)) == 2
        await limit(drive, Scope.OWNER, "ann", None)
        assert len(await serve(drive, pool, 10)) == 2

    async def test_a_raised_limit_of_everybody_lets_those_go_who_were_held_back(self, drive: Drive) -> None:
        pool = await drive.pool(200)
        await limit(drive, Scope.OWNER, EVERYBODY, 1)
        for n in range(60):
            await queued(drive, pool, f"owner {n}", 2)
        assert len(await drive.store.attempts.dispatch(pool, accounts(pool), 200)) == 60
        await limit(drive, Scope.OWNER, EVERYBODY, 2)
        assert len(await drive.store.attempts.dispatch(pool, accounts(pool), 200)) == 60

    async def test_a_limit_below_use_lets_running_jobs_go_on(self, drive: Drive) -> None:
        pool = await drive.pool(10)
        await queued(drive, pool, "ann", 5)
        running = await serve(drive, pool, 3)
        await limit(drive, Scope.OWNER, "ann", 1)
        assert await serve(drive, pool, 3) == []
        await ends(drive, *running[:2])
        assert await serve(drive, pool, 3) == []
        assert (await drive.submit(await drive.job(running[2]))).submitted
        await drive.event(await drive.job(running[2]), "fail", Verdict.FAILED)
        assert len(await serve(drive, pool, 3)) == 1

    async def test_a_job_that_comes_back_makes_room_and_keeps_its_place(self, drive: Drive) -> None:
        pool = await drive.pool(10)
        await limit(drive, Scope.OWNER, "ann", 1)
        first, second = await queued(drive, pool, "ann", 2)
        assert [job.id for job in await serve(drive, pool, 3)] == [first.id]
        await drive.event(await drive.job(first), "defer", defer_seconds=120)
        assert [job.id for job in await serve(drive, pool, 3)] == [second.id]
        await ends(drive, second)
        assert await serve(drive, pool, 3) == []
        await drive.advance(121)
        assert [job.id for job in await serve(drive, pool, 3)] == [first.id]

    async def test_a_limit_of_nothing_starts_nothing(self, drive: Drive) -> None:
        pool = await drive.pool(10)
        await limit(drive, Scope.OWNER, "ann", 0)
        await queued(drive, pool, "ann")
        assert await serve(drive, pool, 2) == []

    async def test_a_weight_leaves_the_limit_of_everybody_in_force(self, drive: Drive) -> None:
        pool = await drive.pool(10)
        await limit(drive, Scope.OWNER, EVERYBODY, 1)
        await limit(drive, Scope.OWNER, "ann", None, weight=2.0)
        await queued(drive, pool, "ann", 3)
        assert len(await serve(drive, pool, 3)) == 1

    async def test_two_on_the_last_slot_open_one_attempt(self, drive: Drive) -> None:
        pool = await drive.pool(1)
        await queued(drive, pool, "ann", 2)
        other = ProviderAccount(name=f"{pool}-b", pool=pool, capacity=0)
        await drive.store.attempts.register(other)
        first = await drive.store.attempts.dispatch(pool, [other.name, *accounts(pool)], 5)
        again = await drive.store.attempts.dispatch(pool, accounts(pool), 5)
        assert (len(first), len(again)) == (1, 0)


class PausesContract:
    """What `Store.rules` promises about pauses, and about what it tells."""

    async def test_a_paused_pool_starts_nothing_and_ends_what_it_has(self, drive: Drive) -> None:
        pool = await drive.pool(10)
        await queued(drive, pool, "ann", 2)
        [running] = await serve(drive, pool, 1)
        await pause(drive, Scope.POOL, pool)
        [new] = await queued(drive, pool, "ann")
        assert new.state == "queued"
        assert await serve(drive, pool, 2) == []
        done = await drive.event(await drive.submit(running), "complete", Verdict.SUCCEEDED)
        assert done.state == "completed"
        assert (await drive.event(new, "cancel")).state == "cancelled"
        assert await resume(drive, Scope.POOL, pool)
        assert len(await serve(drive, pool, 2)) == 1

    async def test_a_paused_owner_waits_and_others_do_not(self, drive: Drive) -> None:
        pool = await drive.pool(10)
        for owner in ("ann", "bob"):
            await queued(drive, pool, owner, 2)
        await pause(drive, Scope.OWNER, "ann")
        assert owners(await serve(drive, pool, 4)) == ["bob", "bob"]
        assert await resume(drive, Scope.OWNER, "ann")
        assert owners(await serve(drive, pool, 4)) == ["ann", "ann"]

    async def test_a_paused_type_waits_and_others_do_not(self, drive: Drive) -> None:
        pool = await drive.pool(10)
        await drive.grant()
        await drive.queued(pool, 2, spec=REVIEWED)
        await drive.queued(pool, 1)
        await pause(drive, Scope.TYPE, REVIEWED.name)
        assert [job.type for job in await serve(drive, pool, 4)] == [PLAIN.name]
        assert await resume(drive, Scope.TYPE, REVIEWED.name)
        assert [job.type for job in await serve(drive, pool, 4)] == [REVIEWED.name] * 2

    @pytest.mark.parametrize("scope", list(Scope))
    async def test_a_pause_may_end_by_itself(self, drive: Drive, scope: Scope) -> None:
        pool = await drive.pool(10)
        await queued(drive, pool, "ann")
        name = {Scope.POOL: pool, Scope.TYPE: PLAIN.name, Scope.OWNER: "ann"}[scope]
        await pause(drive, scope, name, 60)
        assert await serve(drive, pool, 1) == []
        await drive.advance(61)
        assert not await resume(drive, scope, name)
        assert await drive.store.rules.all() == []
        assert len(await serve(drive, pool, 1)) == 1

    async def test_a_paused_owner_of_many_jobs_gets_all_of_them_back(self, drive: Drive) -> None:
        pool = await drive.pool(40)
        await queued(drive, pool, "ann", 30)
        await pause(drive, Scope.OWNER, "ann")
        assert await serve(drive, pool, 1) == []
        await resume(drive, Scope.OWNER, "ann")
        assert len(await serve(drive, pool, 30)) == 30

    async def test_rules_tell_what_was_decided_and_by_whom(self, drive: Drive) -> None:
        pool = await drive.pool(10)
        await limit(drive, Scope.OWNER, "ann", 2, weight=1.5)
        until = await drive.now() + timedelta(hours=1)
        await drive.store.rules.pause(Scope.POOL, pool, actor="olga", reason="provider moves", until=until)
        owner, paused = await drive.store.rules.all()
        assert (owner.scope, owner.name, owner.running_max, owner.weight) == (Scope.OWNER, "ann", 2, 1.5)
        assert (paused.scope, paused.name, paused.reason, paused.actor) == (
            Scope.POOL,
            pool,
            "provider moves",
            "olga",
        )
        assert paused.paused_until == until
        assert paused.paused_at is not None

    async def test_what_is_not_named_stays(self, drive: Drive) -> None:
        await limit(drive, Scope.OWNER, "ann", 2)
        await pause(drive, Scope.OWNER, "ann")
        kept = await drive.store.rules.limit(
            Scope.OWNER, "ann", actor="ida", running_max=KEEP, weight=4.0, oldest_every=KEEP
        )
        assert (kept.running_max, kept.weight, kept.reason, kept.actor) == (2, 4.0, "maintenance", "ida")
        assert await resume(drive, Scope.OWNER, "ann")
        assert not await resume(drive, Scope.OWNER, "ann")
        [rule] = await drive.store.rules.all()
        assert (rule.running_max, rule.paused_at, rule.reason) == (2, None, None)

    async def test_a_second_pause_gives_another_reason_and_end(self, drive: Drive) -> None:
        first = await pause(drive, Scope.OWNER, "ann", 60)
        again = await drive.store.rules.pause(Scope.OWNER, "ann", actor="ida", reason="unpaid")
        assert (again.paused_at, again.paused_until, again.reason) == (first.paused_at, None, "unpaid")

    async def test_a_pool_or_type_that_nobody_knows_is_refused(self, drive: Drive) -> None:
        pool = await drive.pool()
        with pytest.raises(InvalidRequest, match=f"There is no pool 'studoi'.*{pool}"):
            await pause(drive, Scope.POOL, "studoi")
        with pytest.raises(InvalidRequest, match=f"There is no type 'flim'.*{PLAIN.name}"):
            await limit(drive, Scope.TYPE, "flim", 1)
        with pytest.raises(InvalidRequest, match=f"There is no pool 'studoi'.*{pool}"):
            await resume(drive, Scope.POOL, "studoi")
        assert await drive.store.rules.all() == []

    async def test_a_pause_cannot_end_before_it_begins(self, drive: Drive) -> None:
        with pytest.raises(InvalidRequest, match="has passed"):
            await pause(drive, Scope.OWNER, "ann", -5)
        assert await drive.store.rules.all() == []
