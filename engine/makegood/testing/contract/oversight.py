"""What people see of everything: counts that the stream goes on from, queues, rates."""

# ruff: noqa: D102 - the name of a test is its sentence

import random
from collections import Counter
from datetime import timedelta

from makegood.fairness import KEEP, Scope
from makegood.job import Job
from makegood.ports import ENDED_SECONDS, Overview
from makegood.testing.drive import PLAIN, REVIEWED, Drive, accounts


def counted(found: Overview) -> Counter[tuple[str, str]]:
    """Return how many jobs stand where, those that are over among them."""
    counts = Counter[tuple[str, str]]()
    for jobs in (found.live, found.ended):
        for name, states in jobs.items():
            counts.update({(name, state): number for state, number in states.items()})
    return counts


class OversightContract:
    """What `Store.oversight` promises."""

    async def test_an_empty_store_shows_nothing_but_what_was_declared(self, drive: Drive) -> None:
        found = await drive.store.oversight.overview()
        assert (found.live, found.ended, list(found.lanes), found.last_seq) == ({}, {}, [], 0)
        assert found.versions == {PLAIN.name: 1, REVIEWED.name: 1}
        assert set(found.rates.values()) == {0}

    async def test_jobs_are_counted_by_type_and_state_and_queues_by_priority(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(capacity=3)
        for state, spec in (("completed", PLAIN), ("running", PLAIN), ("awaiting_review", REVIEWED)):
            await drive.to(state, spec, pool=pool)
        for priority in (5, 0, 5):
            await drive.to("queued", pool=pool, priority=priority)
        while await drive.store.stream.place(100):
            pass
        found = await drive.store.oversight.overview()
        assert found.live == {
            PLAIN.name: {"queued": 3, "running": 1},
            REVIEWED.name: {"awaiting_review": 1},
        }
        assert found.ended == {PLAIN.name: {"completed": 1}}
        assert [(lane.priority, lane.waiting, lane.parked) for lane in found.lanes] == [(5, 2, 0), (0, 1, 0)]
        assert found.lanes[0].oldest is not None
        assert found.at >= found.lanes[0].oldest
        assert (found.rates["accepted"], found.rates["completed"], found.rates["failed"]) == (6, 1, 0)
        assert sum(use.open for use in found.accounts) == 1
        await drive.advance(ENDED_SECONDS + 1)
        assert (await drive.store.oversight.overview()).ended == {}

    async def test_a_pause_is_seen_with_everything_else_until_it_is_over(self, drive: Drive) -> None:
        look, rules = drive.store.oversight, drive.store.rules
        pool = await drive.pool(capacity=3)
        for scope, name in ((Scope.POOL, pool), (Scope.OWNER, pool)):
            assert (await look.overview()).pause_of(scope, name) is None
        until = await drive.now() + timedelta(hours=1)
        await rules.pause(Scope.POOL, pool, reason="closed", actor="olga", until=until)
        found = await look.overview()
        assert list(found.rules) == await rules.all()
        paused = found.pause_of(Scope.POOL, pool)
        assert paused is not None
        assert (paused.reason, paused.paused_until) == ("closed", until)
        assert found.pause_of(Scope.OWNER, pool) is None
        await drive.advance(3_600)
        assert (await look.overview()).pause_of(Scope.POOL, pool) is None

    async def test_the_queue_is_shown_in_its_order_with_what_holds_back(self, drive: Drive) -> None:
        await drive.grant(10_000)
        for owner in ("bob", "eve"):
            await drive.grant(owner=owner)
        pool, other = await drive.pool(capacity=2), await drive.pool(capacity=1)
        jobs = [await drive.to("queued", pool=pool, priority=priority) for priority in (0, 5, 0)]
        paused = await drive.to("queued", pool=pool, owner="bob", priority=9)
        later = await drive.to("queued", pool=other, not_before=await drive.now() + timedelta(hours=1))
        await drive.store.rules.pause(Scope.OWNER, "bob", reason="he asked for it", actor="olga")
        look = drive.store.oversight
        line = await look.line(pool, 3)
        assert [each.job_id for each in line.waiters] == [paused.id, jobs[1].id, jobs[0].id]
        assert [each.position for each in line.waiters] == [1, 2, 3]
        assert [each.paused for each in line.waiters] == [Scope.OWNER, None, None]
        assert line.waiters[0].reason == "he asked for it"
        assert {pool, other} <= set(line.pools)
        assert (line.paces[pool].slots, line.paces[pool].free) == (2, 2)
        both = [each.job_id for each in (await look.line(None, 3)).waiters]
        assert set(both[:2]) == {paused.id, later.id}
        assert both[2] == jobs[1].id
        for each in line.waiters:
            found = await drive.store.queue.standing(each.job_id)
            assert found is not None
            assert (each.position, each.rivals) == (found.position, found.rivals)

    async def test_who_has_its_fill_is_said_to_be_full(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(capacity=2)
        await drive.store.rules.limit(
            Scope.OWNER, "ada", actor="olga", running_max=1, weight=KEEP, oldest_every=KEEP
        )
        await drive.to("running", pool=pool)
        waits = await drive.to("queued", pool=pool)
        assert await drive.store.attempts.dispatch(pool, accounts(pool), 1) == []
        [waiter] = (await drive.store.oversight.line(pool, 10)).waiters
        assert (waiter.job_id, waiter.full, waiter.paused) == (waits.id, Scope.OWNER, None)

    async def test_the_counts_and_the_steps_behind_them_count_every_job_once(self, drive: Drive) -> None:
        """However far places were given when the counts were read: what has none yet is told later."""
        dice, stream = random.Random(7), drive.store.stream
        await drive.grant(10_000)
        pool = await drive.pool(capacity=20)
        looks = [await drive.store.oversight.overview()]
        jobs: list[Job] = []
        for _ in range(12):
            state = dice.choice(["pending", "queued", "running", "completed", "cancelled"])
            jobs.append(await drive.to(state, pool=pool))
            await stream.place(dice.randint(0, 4))
            looks.append(await drive.store.oversight.overview())
        while await stream.place(100):
            pass
        last = await drive.store.oversight.overview()
        assert sum(counted(last).values()) == len(jobs)
        assert any(look.last_seq < last.last_seq for look in looks)
        for look in looks:
            counts = counted(look)
            for step in await stream.read(look.last_seq, 1_000):
                counts[step.type, step.to_state] += 1
                if step.from_state is not None:
                    counts[step.type, step.from_state] -= 1
            assert +counts == counted(last)
