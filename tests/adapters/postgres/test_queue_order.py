"""Random crowds: both stores serve them in the same order, and nobody waits longer than the bound says."""

import asyncio
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from makegood.fairness import EVERYBODY, KEEP, Scope, starvation_bound
from makegood.job import Job
from makegood.machine import Spec
from makegood.testing.clock import FakeClock
from makegood.testing.drive import PLAIN, REVIEWED, SPECS, Advance, Drive, accounts
from makegood_adapters.memory import MemoryStore
from makegood_adapters.postgres.store import PostgresStore

OWNERS = ("ann", "bob", "cy")
WEIGHTS = (0.5, 1.0, 2.0)
OLDEST_EVERY = 3
EXAMPLES = count()

owners, weights = st.sampled_from(OWNERS), st.sampled_from(WEIGHTS)
come = st.tuples(st.just("come"), owners, st.sampled_from((PLAIN, REVIEWED)), st.sampled_from((0, 0, 0, 1)))
serve = st.tuples(st.just("serve"), st.integers(1, 4))
one_by_one = st.tuples(st.just("serve"), st.just(1))
goes = st.tuples(st.sampled_from(("end", "back", "cancel")), st.integers(0, 5))
limit = st.tuples(
    st.just("limit"),
    st.sampled_from((Scope.OWNER, Scope.TYPE)),
    st.sampled_from((0, 1, 2)),
    st.one_of(st.none(), st.integers(0, 2)),
)
pause = st.tuples(
    st.sampled_from(("pause", "resume")), st.sampled_from((Scope.OWNER, Scope.TYPE)), st.integers(0, 1)
)
CALM = st.lists(st.one_of(come, come, one_by_one), max_size=60)
WILD = st.lists(st.one_of(come, come, come, serve, serve, goes, goes, limit, pause), max_size=50)


@dataclass
class Crowd:
    """One store with a pool in which jobs have numbers, in the order in which they came."""

    drive: Drive
    pool: str = ""
    numbers: dict[object, int] = field(default_factory=dict)
    jobs: list[Job] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    running: list[int] = field(default_factory=list)
    served: list[int] = field(default_factory=list)

    async def begin(self, weight_of: dict[str, float]) -> None:
        self.pool = await self.drive.pool(1_000)
        await self._limit(Scope.POOL, self.pool, oldest_every=OLDEST_EVERY)
        for scope in (Scope.OWNER, Scope.TYPE):  # an example before this one has left its rules
            for name in (*OWNERS, EVERYBODY) if scope is Scope.OWNER else (PLAIN.name, REVIEWED.name, "*"):
                await self.drive.store.rules.resume(scope, name, actor="test")
                await self._limit(scope, name, running_max=None)
        for owner, weight in weight_of.items():
            await self.drive.grant(100_000, owner=owner)
            await self._limit(Scope.OWNER, owner, weight=weight)

    async def do(self, act: tuple[Any, ...]) -> None:
        match act:
            case ("come", owner, spec, priority):
                await self._come(owner, spec, priority)
            case ("serve", n):
                await self._serve(n)
            case ("end" | "back" as how, n) if self.running:
                job = await self.drive.job(self.jobs[self.running.pop(n % len(self.running))])
                await self.drive.event(job, "fail" if how == "end" else "defer")
                self.waiting += [self.numbers[job.id]] if how == "back" else []
            case ("cancel", n) if self.waiting:
                job = await self.drive.job(self.jobs[self.waiting.pop(n % len(self.waiting))])
                await self.drive.event(job, "cancel")
            case ("limit", scope, n, most):
                await self._limit(scope, self._name(scope, n), running_max=most)
            case ("pause", scope, n):
                name = self._name(scope, n)
                await self.drive.store.rules.pause(scope, name, actor="test", reason="test")
            case ("resume", scope, n):
                await self.drive.store.rules.resume(scope, self._name(scope, n), actor="test")

    async def _come(self, owner: str, spec: Spec, priority: int) -> None:
        job = await self.drive.to("queued", spec, pool=self.pool, owner=owner, priority=priority)
        self.numbers[job.id] = len(self.jobs)
        self.waiting.append(len(self.jobs))
        self.jobs.append(job)

    async def _serve(self, n: int) -> None:
        opened = await self.drive.store.attempts.dispatch(self.pool, accounts(self.pool), n)
        found = sorted(self.numbers[attempt.job_id] for attempt in opened)
        self.running += found
        self.waiting = [number for number in self.waiting if number not in found]
        self.served += found

    async def _limit(self, scope: Scope, name: str, **values: Any) -> None:
        kept = {"running_max": KEEP, "weight": KEEP, "oldest_every": KEEP}
        await self.drive.store.rules.limit(scope, name, actor="test", **{**kept, **values})

    @staticmethod
    def _name(scope: Scope, n: int) -> str:
        return (*OWNERS[:2], EVERYBODY)[n] if scope is Scope.OWNER else (PLAIN.name, REVIEWED.name, "*")[n]


async def in_memory() -> Crowd:
    clock = FakeClock()
    store = MemoryStore(clock)
    await store.declare(SPECS)
    return Crowd(Drive(store, clock.advance))


async def _never(seconds: float) -> None:
    raise AssertionError(f"nobody waits here for {seconds} seconds")


NEVER: Advance = _never


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(acts=WILD, weight_of=st.fixed_dictionaries(dict.fromkeys(OWNERS, weights)))
def test_both_stores_serve_alike(
    database: str, acts: list[tuple[Any, ...]], weight_of: dict[str, float]
) -> None:
    """Whom the database parks and takes up again, the memory looks at each time."""

    async def compare() -> None:
        async with PostgresStore.open(database, connections_max=2) as store:
            await store.declare(SPECS)
            kept, remembered = Crowd(Drive(store, NEVER, pools=f"pool {next(EXAMPLES)}")), await in_memory()
            for crowd in (kept, remembered):
                await crowd.begin(weight_of)
            for act in [*acts, ("serve", 100)]:
                for crowd in (kept, remembered):
                    await crowd.do(act)
                note(f"{act}: {kept.served}, {remembered.served}")
                assert kept.served == remembered.served

    asyncio.run(compare())


@settings(max_examples=150, deadline=None)
@given(acts=CALM, weight_of=st.fixed_dictionaries(dict.fromkeys(OWNERS, weights)))
def test_nobody_waits_longer_than_the_bound(acts: list[tuple[Any, ...]], weight_of: dict[str, float]) -> None:
    async def watch() -> None:
        crowd = await in_memory()
        await crowd.begin(weight_of)
        due: dict[int, int] = {}  # jobs that wait: how many slots have been given out when each has its own
        for act in [*acts, *[("serve", 1)] * len(acts)]:
            before, come = len(crowd.served), len(crowd.jobs)
            await crowd.do(act)
            for number in crowd.served[before:]:
                assert len(crowd.served) <= due.pop(number), number
            for number in range(come, len(crowd.jobs)):
                due[number] = len(crowd.served) + starvation_bound(len(due), OLDEST_EVERY)
        assert due == {}

    asyncio.run(watch())


@settings(max_examples=100, deadline=None)
@given(weight_of=st.fixed_dictionaries(dict.fromkeys(OWNERS, weights)), turns=st.lists(owners, max_size=60))
def test_shares_differ_by_no_more_than_one_job_each(weight_of: dict[str, float], turns: list[str]) -> None:
    """While two owners wait in one lane, what each was served, divided by its weight."""

    async def watch() -> None:
        crowd = await in_memory()
        await crowd.begin(weight_of)
        await crowd._limit(Scope.POOL, crowd.pool, oldest_every=1_000_000)
        for owner in OWNERS:
            for _ in range(30):
                await crowd.do(("come", owner, PLAIN, 0))
        shares = dict.fromkeys(OWNERS, Fraction(0))
        for owner in turns:
            await crowd.do(("come", owner, PLAIN, 0))
            await crowd.do(("serve", 1))
            served = crowd.jobs[crowd.served[-1]].owner
            shares[served] += 1 / Fraction(weight_of[served])
            if len(crowd.served) > 20:
                break
            for one in OWNERS:
                for other in OWNERS:
                    most = 1 / Fraction(weight_of[one]) + 1 / Fraction(weight_of[other])
                    assert abs(shares[one] - shares[other]) <= most

    asyncio.run(watch())
