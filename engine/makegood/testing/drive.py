"""Drive jobs through a store to any state, the way the engine would."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from makegood.job import Attempt, Evidence, Job, NewJob, Occupancy, ProviderAccount, Verdict
from makegood.lifecycle import BaseJob
from makegood.machine import Edge, Event, Money, Spec, State
from makegood.ports import Change, Store

Advance = Callable[[float], Awaitable[None]]

PRICE = 100
LEASE_SECONDS = 300.0
GROW_SECONDS = 100.0

# What a usual provider would have said before an edge is taken, most usual first.
_USUAL = (Verdict.ACCEPTED, Verdict.SUCCEEDED, Verdict.FAILED, Verdict.CANCELLED)


class Plain(BaseJob):
    """The seven states as they are."""

    name = "contract_plain"


class Reviewed(BaseJob):
    """Adds what the base machine lacks: states after the slot, captured early or late."""

    name = "contract_reviewed"
    awaiting_review = State(deadline=timedelta(days=2))
    handed_over = State(deadline=timedelta(days=2))
    deliver = Event(BaseJob.running >> awaiting_review)
    approve = Event(awaiting_review >> BaseJob.completed, money=Money.CAPTURE)
    decline = Event(awaiting_review >> BaseJob.failed, money=Money.RELEASE)
    hand_over = Event(BaseJob.running >> handed_over, money=Money.CAPTURE)
    archive = Event(handed_over >> BaseJob.completed)


PLAIN, REVIEWED = Plain.spec, Reviewed.spec
SPECS: tuple[Spec, ...] = (PLAIN, REVIEWED)


def new_job(spec: Spec = PLAIN, **given: Any) -> NewJob:
    """Return a job of Ada's that costs 100 credits; *given* replaces fields."""
    usual = NewJob(
        id=uuid4(),
        owner="ada",
        type=spec.name,
        type_version=spec.version,
        pool="pool",
        price=PRICE,
        input={"scale": 2},
        request={"app": "upscale", "scale": 2},
        actor="test",
    )
    return replace(usual, **given)


def path(spec: Spec, state: str) -> list[Edge]:
    """Return the shortest way from the initial state to *state*."""
    ways: dict[str, list[Edge]] = {spec.initial: []}
    todo = deque([spec.initial])
    while state not in ways:
        here = todo.popleft()
        for edge in spec.leaving(here):
            if edge.dest not in ways:
                ways[edge.dest] = [*ways[here], edge]
                todo.append(edge.dest)
    return ways[state]


def edge_of(spec: Spec, state: str, event: str) -> Edge:
    """Return the edge of *event* out of *state*."""
    return next(e for e in spec.leaving(state) if e.event == event)


def usual_verdict(spec: Spec, edge: Edge, *, submitted: bool) -> Verdict | None:
    """Return what a usual provider would have said before *edge*, None if nothing need be known."""
    rule = spec.evidence(edge)
    if rule is None or not (rule.always or submitted):
        return None
    return next(v for v in _USUAL if v in rule.verdicts)


def fact(job: Job, verdict: Verdict, **given: Any) -> Evidence:
    """Return evidence about the job's current attempt; *given* replaces fields."""
    attempt = given.get("attempt", job.attempt)
    usual = Evidence(
        job_id=job.id,
        attempt=attempt,
        verdict=verdict,
        source="test",
        task_id=f"task-{job.id}-{attempt}",
        outputs=({"url": "https://files.example/1.png"},) if verdict is Verdict.SUCCEEDED else (),
    )
    return replace(usual, **given)


def accounts(pool: str) -> list[str]:
    """Return the names of the provider accounts of a pool that `Drive.pool` has made."""
    return [f"{pool}-a"]


def token_hash(attempt: Attempt) -> bytes:
    """Return the hash under which `Drive.submit` stores the attempt's webhook token."""
    return sha256(f"{attempt.job_id}/{attempt.number}".encode()).digest()


def change(seen: Job, edge: Edge, **given: Any) -> Change:
    """Return the change that takes *edge* from the job as it was *seen*; *given* replaces fields."""
    usual = Change(
        operation_id=uuid4(),
        job=seen,
        event=edge.event,
        to_state=edge.dest,
        actor="test",
    )
    return replace(usual, **given)


class Drive:
    """A store with *specs* declared, and a way to let its time pass.

    Pools are named after *pools*: two drives on one database need two names.
    """

    def __init__(
        self, store: Store, advance: Advance, specs: Sequence[Spec] = SPECS, *, pools: str = "pool"
    ) -> None:
        self.store, self.advance = store, advance
        self.specs = {spec.name: spec for spec in specs}
        self._pools, self._made = pools, 0

    async def pool(self, capacity: int | None = 10, **given: Any) -> str:
        """Make a pool with one account of *capacity* and return its name; *given* goes to the account."""
        self._made += 1
        name = f"{self._pools}-{self._made}"
        await self.resize(name, capacity, **given)
        return name

    async def resize(self, pool: str, capacity: int | None, **given: Any) -> None:
        """Give the pool's account another capacity."""
        [name] = accounts(pool)
        account = ProviderAccount(name=name, pool=pool, capacity=capacity, **given)
        await self.store.attempts.register(account, GROW_SECONDS)

    async def grant(self, amount: int = 1_000, *, owner: str = "ada", **given: Any) -> None:
        """Issue a bucket that never expires; *given* replaces kind, source_ref, priority, expires_at."""
        bucket = {"kind": "purchased", "source_ref": f"order-{uuid4()}", **given}
        assert await self.store.ledger.grant(owner, amount, **bucket)

    async def now(self) -> datetime:
        """Return the store's time."""
        return await self.store.now()

    async def insert(self, spec: Spec = PLAIN, **given: Any) -> Job:
        """Insert a job, into a pool of its own unless one is given."""
        given.setdefault("pool", None)
        given["pool"] = given["pool"] or await self.pool()
        return await self.store.jobs.insert(new_job(spec, **given))

    async def to(self, state: str, spec: Spec = PLAIN, **given: Any) -> Job:
        """Insert a job and drive it to *state* by the shortest way; its owner has the credits."""
        job = await self.insert(spec, **given)
        for edge in path(spec, state):
            job = await self.take(job, edge)
        return job

    async def queued(self, pool: str, n: int = 1, **given: Any) -> list[Job]:
        """Drive *n* jobs into the queue of *pool*, one after the other."""
        return [await self.to("queued", pool=pool, **given) for _ in range(n)]

    async def take(self, job: Job, edge: Edge, **given: Any) -> Job:
        """Take *edge* with whatever it needs, and return the job; *given* goes to the change."""
        spec = self.specs[job.type]
        if spec.opens_attempt(edge):
            return await self.dispatch(job)
        job = await self.ready(job, edge)
        if "evidence" not in given and (verdict := usual_verdict(spec, edge, submitted=job.submitted)):
            given["evidence"] = fact(job, verdict)
        return await self.apply(job, edge, **given)

    async def ready(self, job: Job, edge: Edge) -> Job:
        """Bring about what *edge* needs but for evidence: a submission, a wish to cancel."""
        rule = self.specs[job.type].evidence(edge)
        if rule and rule.always and not job.submitted:
            job = await self.submit(job)
        if edge.money is Money.POLICY:
            job = await self.wants_cancel(job)
        return job

    async def event(self, job: Job, event: str, verdict: Verdict | None = None, **given: Any) -> Job:
        """Take the edge of *event*, with evidence of *verdict* if there is one to give."""
        if verdict is not None:
            given["evidence"] = fact(job, verdict)
        return await self.apply(job, edge_of(self.specs[job.type], job.state, event), **given)

    async def wants_cancel(self, job: Job) -> Job:
        """Note that the job shall be cancelled, and return it as it then is."""
        asked = await self.store.jobs.request_cancel(job.id)
        assert asked is not None
        return asked

    async def apply(self, job: Job, edge: Edge, **given: Any) -> Job:
        """Take *edge* as it stands, and return the job; the race must not be lost."""
        moved = await self.store.jobs.apply(change(job, edge, **given))
        assert moved is not None
        return moved

    async def dispatch(self, job: Job) -> Job:
        """Dispatch this job, which must be the next one of its pool."""
        opened = await self.store.attempts.dispatch(job.pool, accounts(job.pool), 1)
        assert [attempt.job_id for attempt in opened] == [job.id]
        return await self.job(job)

    async def claim(self, job: Job) -> Attempt:
        """Lease the job's opened attempt, and leave those of other jobs to others."""
        mine = None
        for attempt in await self.store.attempts.claim(accounts(job.pool), 100, LEASE_SECONDS):
            if attempt.job_id == job.id:
                mine = attempt
            else:
                await self.store.attempts.give_back(attempt)
        assert mine is not None
        return mine

    async def submit(self, job: Job) -> Job:
        """Claim the attempt and commit the intent: from now on the provider may know it."""
        attempt = await self.claim(job)
        assert await self.store.attempts.intend(attempt, token_hash(attempt), LEASE_SECONDS)
        return await self.job(job)

    async def record(self, job: Job, verdict: Verdict, **given: Any) -> Attempt:
        """Record evidence about the job's attempt without moving the job."""
        return await self.store.attempts.record(fact(job, verdict, **given))

    async def job(self, job: Job | UUID) -> Job:
        """Read the job again."""
        found = await self.store.jobs.get(job if isinstance(job, UUID) else job.id)
        assert found is not None
        return found

    async def attempt(self, job: Job, number: int | None = None) -> Attempt:
        """Read one attempt of the job, the current one unless *number* is given."""
        found = await self.store.attempts.get(job.id, number or job.attempt)
        assert found is not None
        return found

    async def use(self, pool: str) -> Occupancy:
        """Return the occupancy of the pool's account."""
        [use] = [o for o in await self.store.attempts.occupancy() if [o.account] == accounts(pool)]
        return use

    async def slots(self, pool: str) -> tuple[int, int]:
        """Return (open, draining) of the pool's account."""
        use = await self.use(pool)
        return use.open, use.draining
