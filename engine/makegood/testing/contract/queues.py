"""Queues: owners share a lane by weight, nobody starves, and the crowd of one owner is its own affair."""

# ruff: noqa: D102 - the name of a test is its sentence

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from statistics import median

import pytest

from makegood.fairness import KEEP, OLDEST_EVERY, Scope, starvation_bound
from makegood.job import Job
from makegood.testing.drive import PLAIN, REVIEWED, Drive, accounts, edge_of

_BY_ORDER_ALONE = 1_000_000
_SLOTS = 2_000  # more than any test takes: nothing has to end before the next one starts


async def queue_of(drive: Drive, oldest_every: int = _BY_ORDER_ALONE) -> str:
    """Make a pool with slots for all whose jobs go by the order of their lanes, but one of *oldest_every*."""
    pool = await drive.pool(_SLOTS)
    await drive.store.rules.limit(
        Scope.POOL, pool, actor="test", running_max=KEEP, weight=KEEP, oldest_every=oldest_every
    )
    return pool


async def crowd(drive: Drive, pool: str, owner: str, n: int) -> list[Job]:
    """Queue *n* jobs of *owner* as many callers at one moment do."""
    await drive.grant(n * 100, owner=owner)
    jobs = await asyncio.gather(*(drive.insert(pool=pool, owner=owner) for _ in range(n)))
    accept = edge_of(PLAIN, "pending", "accept")
    return list(await asyncio.gather(*(drive.apply(job, accept) for job in jobs)))


async def queued(drive: Drive, pool: str, owner: str, n: int = 1, priority: int = 0) -> list[Job]:
    """Queue *n* jobs of *owner*, one after the other."""
    await drive.grant(n * 100, owner=owner)
    return await drive.queued(pool, n, owner=owner, priority=priority)


async def serve(drive: Drive, pool: str, n: int) -> list[Job]:
    """Give out *n* slots one by one, and return the jobs that got them."""
    served = []
    for _ in range(n):
        for attempt in await drive.store.attempts.dispatch(pool, accounts(pool), 1):
            job = await drive.store.jobs.get(attempt.job_id)
            assert job is not None
            served.append(job)
    return served


def owners(jobs: Sequence[Job]) -> list[str]:
    """Return whose the jobs are."""
    return [job.owner for job in jobs]


class QueuesContract:
    """What `Attempts.dispatch` promises about the order of a queue."""

    async def test_owners_take_turns(self, drive: Drive) -> None:
        pool = await queue_of(drive)
        for owner in ("ann", "bob", "cy"):
            await queued(drive, pool, owner, 3)
        assert owners(await serve(drive, pool, 9)) == ["ann", "bob", "cy"] * 3

    async def test_jobs_of_one_owner_go_first_come(self, drive: Drive) -> None:
        pool = await queue_of(drive)
        jobs = await queued(drive, pool, "ann", 4)
        assert [job.id for job in await serve(drive, pool, 4)] == [job.id for job in jobs]

    async def test_who_comes_late_is_not_behind_the_backlog_of_others(self, drive: Drive) -> None:
        pool = await queue_of(drive)
        await queued(drive, pool, "ann", 9)
        await serve(drive, pool, 4)
        await queued(drive, pool, "bob", 2)
        assert owners(await serve(drive, pool, 5)) == ["bob", "ann", "bob", "ann", "ann"]

    async def test_nobody_saves_up_turns_by_staying_away(self, drive: Drive) -> None:
        pool = await queue_of(drive)
        await queued(drive, pool, "bob")
        await queued(drive, pool, "ann", 12)
        await serve(drive, pool, 10)
        await queued(drive, pool, "bob", 3)
        served = owners(await serve(drive, pool, 5))
        assert Counter(served) == {"bob": 3, "ann": 2}
        assert served[:4] in (["bob", "ann"] * 2, ["ann", "bob"] * 2)

    async def test_a_weight_is_a_share(self, drive: Drive) -> None:
        pool = await queue_of(drive)
        await self._weigh(drive, "ann", 3.0)
        await self._weigh(drive, "bob", 0.5)
        for owner, n in (("ann", 18), ("bob", 3), ("cy", 6)):
            await queued(drive, pool, owner, n)
        served: Counter[str] = Counter()
        for job in await serve(drive, pool, 27):
            served[job.owner] += 1
            shares = {"ann": served["ann"] / 3, "bob": served["bob"] / 0.5, "cy": served["cy"] / 1}
            for one in shares:
                for other in shares:
                    steps = {"ann": 1 / 3, "bob": 2.0, "cy": 1.0}
                    assert abs(shares[one] - shares[other]) <= steps[one] + steps[other] + 1e-9
        assert served == {"ann": 18, "bob": 3, "cy": 6}

    async def test_priority_goes_before_shares_and_each_priority_is_a_lane(self, drive: Drive) -> None:
        pool = await queue_of(drive)
        await queued(drive, pool, "ann", 2)
        await queued(drive, pool, "bob", 1)
        await queued(drive, pool, "ann", 2, priority=3)
        await queued(drive, pool, "bob", 1, priority=3)
        served = [(job.owner, job.priority) for job in await serve(drive, pool, 6)]
        assert served == [("ann", 3), ("bob", 3), ("ann", 3), ("ann", 0), ("bob", 0), ("ann", 0)]

    async def test_jobs_accepted_at_one_moment_have_places_of_their_own(self, drive: Drive) -> None:
        pool = await queue_of(drive)
        await drive.grant(4_000, owner="ann")
        await drive.grant(4_000, owner="bob")
        jobs = [await drive.insert(pool=pool, owner=owner) for owner in ("ann", "bob") * 20]
        accept = edge_of(PLAIN, "pending", "accept")
        await asyncio.gather(*(drive.apply(job, accept) for job in jobs))
        served = owners(await serve(drive, pool, 40))
        for turn in range(0, 40, 2):
            assert set(served[turn : turn + 2]) == {"ann", "bob"}, turn

    async def test_every_so_many_slots_go_to_the_job_that_waits_longest(self, drive: Drive) -> None:
        pool = await queue_of(drive, oldest_every=3)
        await queued(drive, pool, "slow", 2, priority=-5)
        await queued(drive, pool, "ann", 6, priority=5)
        assert owners(await serve(drive, pool, 8)) == [
            "ann",
            "ann",
            "slow",
            "ann",
            "ann",
            "slow",
            "ann",
            "ann",
        ]

    async def test_the_share_of_the_oldest_is_the_same_in_one_batch(self, drive: Drive) -> None:
        pool = await queue_of(drive, oldest_every=3)
        await queued(drive, pool, "slow", 2, priority=-5)
        await queued(drive, pool, "ann", 6, priority=5)
        opened = await drive.store.attempts.dispatch(pool, accounts(pool), 5)
        found = [await drive.store.jobs.get(attempt.job_id) for attempt in opened]
        assert Counter(job.owner for job in found if job) == {"ann": 4, "slow": 1}

    async def test_whoever_waits_longest_moves_no_lane_forward(self, drive: Drive) -> None:
        """Else the last job of a crowd would put everybody who comes now behind all of them."""
        pool = await queue_of(drive, oldest_every=2)
        await self._weigh(drive, "bob", 10.0)
        await queued(drive, pool, "ann", 12)
        await queued(drive, pool, "bob", 12)
        await serve(drive, pool, 12)  # six by age, all Ann's, whose tags are far above those of Bob
        await queued(drive, pool, "cy")
        assert "cy" in owners(await serve(drive, pool, 4))

    async def test_endless_urgent_jobs_starve_nobody(self, drive: Drive) -> None:
        pool = await drive.pool(_SLOTS)
        waiting = await queued(drive, pool, "slow", 3, priority=-5)
        await self._started_in_time(drive, pool, waiting, "crowd", priority=9)

    async def test_endless_new_owners_starve_nobody(self, drive: Drive) -> None:
        pool = await drive.pool(_SLOTS)
        await self._weigh(drive, "slow", 0.001)
        waiting = await queued(drive, pool, "slow", 3)
        await self._started_in_time(drive, pool, waiting, "new owner {n}", priority=0)

    async def test_a_noisy_neighbour_does_not_double_the_wait_of_others(self, drive: Drive) -> None:
        others = [f"owner {letter}" for letter in "bcdefghij"]
        waits = []
        for noise in (0, 1_000):
            pool = await drive.pool(_SLOTS)
            if noise:
                await crowd(drive, pool, "owner a", noise)
            for owner in others:
                await crowd(drive, pool, owner, 10)
            served: list[str] = []
            while sum(owner != "owner a" for owner in served) < 90:
                served += owners(await serve(drive, pool, 1))
            waits.append(median(n for n, owner in enumerate(served, 1) if owner != "owner a"))
        assert waits[1] <= 2 * waits[0]

    async def _started_in_time(
        self, drive: Drive, pool: str, waiting: list[Job], crowd: str, *, priority: int
    ) -> None:
        """Give out slots while somebody comes for each, until all that *waiting* are owed is due."""
        started: dict[object, int] = {}
        for n in range(1, starvation_bound(len(waiting) - 1) + 1):
            await queued(drive, pool, crowd.format(n=n), priority=priority)
            [job] = await serve(drive, pool, 1)
            started[job.id] = n
        bounds = [starvation_bound(ahead, OLDEST_EVERY) for ahead in range(len(waiting))]
        assert all(started[job.id] <= bound for job, bound in zip(waiting, bounds, strict=True))

    async def _weigh(self, drive: Drive, owner: str, weight: float) -> None:
        await drive.store.rules.limit(
            Scope.OWNER, owner, actor="test", running_max=KEEP, weight=weight, oldest_every=KEEP
        )

    async def test_a_crowd_that_was_put_off_has_saved_no_turns_up(self, drive: Drive) -> None:
        pool = await queue_of(drive)
        await drive.grant(3_000, owner="ann")
        await drive.queued(pool, 12, owner="ann", not_before=await drive.now() + timedelta(hours=1))
        await queued(drive, pool, "bob", 20)
        await serve(drive, pool, 20)
        await drive.advance(3_601)
        assert owners(await serve(drive, pool, 1)) == ["ann"]
        await queued(drive, pool, "cy", 3)
        assert owners(await serve(drive, pool, 6)).count("cy") == 3
        assert owners(await serve(drive, pool, 9)) == ["ann"] * 8

    @pytest.mark.parametrize("scope", [Scope.OWNER, Scope.TYPE])
    async def test_a_crowd_that_was_paused_has_saved_no_turns_up(self, drive: Drive, scope: Scope) -> None:
        pool = await queue_of(drive)
        name = {Scope.OWNER: "ann", Scope.TYPE: REVIEWED.name}[scope]
        await drive.grant(3_000, owner="ann")
        crowd = [await drive.to("queued", REVIEWED, pool=pool, owner="ann") for _ in range(12)]
        await drive.store.rules.pause(scope, name, actor="test", reason="test")
        await queued(drive, pool, "bob", 20)
        await serve(drive, pool, 20)
        await drive.store.rules.resume(scope, name, actor="test")
        first = await serve(drive, pool, 1)
        await queued(drive, pool, "cy", 3)
        then = await serve(drive, pool, 6)
        assert owners(then).count("cy") == 3
        again = [job.id for job in [*first, *then, *await serve(drive, pool, 9)] if job.owner == "ann"]
        assert again == [job.id for job in crowd]

    async def test_who_cancels_a_crowd_does_not_stand_behind_it(self, drive: Drive) -> None:
        pool = await queue_of(drive)
        many = await queued(drive, pool, "ann", 12)
        await queued(drive, pool, "bob", 12)
        for job in many[:-1]:
            await drive.event(job, "cancel")
        assert owners(await serve(drive, pool, 2)) == ["bob", "bob"]
        await drive.event(many[-1], "cancel")
        await queued(drive, pool, "ann", 3)
        assert owners(await serve(drive, pool, 7)).count("ann") == 3

    async def test_who_cancels_the_next_job_after_each_gains_no_turns(self, drive: Drive) -> None:
        pool = await queue_of(drive)
        await queued(drive, pool, "bob", 20)
        served = []
        for _ in range(10):
            [_, spare] = await queued(drive, pool, "ann", 2)
            served += owners(await serve(drive, pool, 2))
            await drive.event(spare, "cancel")
        assert served.count("bob") >= 9
