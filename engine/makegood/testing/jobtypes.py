"""Tests made of a job type's machine: every event in every state, every way, every move by plain SQL."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from itertools import islice
from typing import Any, ClassVar, Protocol
from uuid import UUID, uuid4

from pydantic import BaseModel, ValidationError

from makegood.catalog import Catalog
from makegood.decide import decide
from makegood.errors import GuardFailed, IllegalTransition, InvalidInput, Refusal
from makegood.job import Job, JobMoney, Verdict
from makegood.lifecycle import BaseJob
from makegood.machine import Edge, Empty, Event, Money
from makegood.machine.projections import terminal_paths, tours
from makegood.mover import Mover
from makegood.ports import Store
from makegood.runtime import LocalWakeups
from makegood.settings import Settings
from makegood.testing.drive import Drive, fact, path, usual_verdict

WALLET = 10**12

OpenStore = Callable[[], AbstractAsyncContextManager[Store]]
#: Set the state of a job, and with True its output, as another program would; the SQLSTATE of the refusal.
Update = Callable[[UUID, str, bool], Awaitable[str | None]]


class Postgres(Protocol):
    """A database that the tests may fill: a store on it, and another program beside it."""

    def store(self) -> AbstractAsyncContextManager[Store]:
        """Open a store."""

    def rival(self) -> AbstractAsyncContextManager[Update]:
        """Connect as a program that knows nothing of makegood."""


class JobTypeTests:
    """The tests of one job type; `job_type_tests` makes a subclass with what is declared here filled in."""

    job_type: ClassVar[type[BaseJob]]
    input: ClassVar[Mapping[str, Any]]
    payloads: ClassVar[Mapping[str, BaseModel]]
    ways_max: ClassVar[int]

    def test_every_event_in_every_state_is_judged_as_the_machine_says(
        self, makegood_store: OpenStore
    ) -> None:
        """Legal, illegal, held back by guards or for want of evidence; what is refused changes nothing."""
        _run(self._every_event(makegood_store))

    def test_every_edge_is_taken_and_the_books_agree(self, makegood_store: OpenStore) -> None:
        """Tours that together take every edge; where credits are captured, the whole price is."""
        _run(self._walks(makegood_store, tours(self.job_type.spec), part=False))

    def test_every_way_to_an_end_settles_its_credits(self, makegood_store: OpenStore) -> None:
        """Every way that meets no state twice; where credits are captured, a third of the price is."""
        ways = list(islice(terminal_paths(self.job_type.spec), self.ways_max))
        _run(self._walks(makegood_store, ways, part=True))

    def test_every_move_by_plain_sql_is_refereed(self, makegood_postgres: Postgres) -> None:
        """An UPDATE from any state to any other is refused, or carried out with its money."""
        _run(self._every_move(makegood_postgres))

    def test_table_and_transitions_give_one_answer(self) -> None:
        """The flat table and the `transitions.Machine` agree on every state and event."""
        rules, spec = self.job_type.rules, self.job_type.spec
        for state in [*spec.state, "no_such_state"]:
            for event in [*spec.events, "no_such_event"]:
                payload = self._payload(event) if event in spec.events else Empty()
                for job in self._snapshots(state):
                    asked = state, event, job, payload
                    assert rules.look_up(*asked) == rules.consult(*asked), f"{event} from {state}"

    async def _every_event(self, open_store: OpenStore) -> None:
        spec = self.job_type.spec
        async with open_store() as store:
            drive = await self._drive(store)
            catalog = Catalog([self.job_type])
            mover = Mover(store, catalog, LocalWakeups(), Settings(decide_tries_max=1), uuid4)
            for state in spec.states:
                job = await self._to(drive, state.name)
                await self._ask_all(mover, job)
                assert await drive.job(job) == job, f"a refused event changed a job in {state.name}"
                if state.slot and not job.submitted:
                    await self._ask_all(mover, await drive.submit(job))
            for edge in spec.edges:
                # Effects are the host's: they want its tables, which its own tests have.
                if not (spec.opens_attempt(edge) or self.job_type.effects(edge)):
                    await self._fire(drive, mover, edge)
            assert (await store.audit()).violations == ()

    async def _ask_all(self, mover: Mover, job: Job) -> None:
        """Fire what must be refused; of what is legal ask for the decision alone."""
        spec, rules = self.job_type.spec, self.job_type.rules
        for event in spec.events:
            edge, payload = rules.table.get((job.state, event)), self._payload(event)
            told = f"{event} from {job.state}"
            if edge is None:
                refusal = await _refusal(mover, job, event, payload)
                assert isinstance(refusal, IllegalTransition), told
                assert set(refusal.allowed) == {e.event for e in spec.leaving(job.state)}, told
                continue
            unmet = [g.__name__ for g in self.job_type.events()[event].guards if not g(job, payload)]
            rule = spec.evidence(edge)
            needed = rule is not None and (rule.always or job.submitted)
            if not unmet:
                unmet = ["attempt"] if spec.opens_attempt(edge) else ["evidence"] if needed else []
                if spec.state[job.state].slot:
                    self._weigh(job, edge, payload)
            if unmet:
                refusal = await _refusal(mover, job, event, payload)
                assert isinstance(refusal, GuardFailed), told
                assert list(refusal.unmet) == unmet, told
            else:
                assert decide(self.job_type, job, event, payload).edge == edge, told

    def _weigh(self, job: Job, edge: Edge, payload: BaseModel) -> None:
        """Give evidence of every kind about the job's attempt: what does not fit the edge is refused."""
        rule = self.job_type.spec.evidence(edge)
        needed = rule is not None and (rule.always or job.submitted)
        for verdict in Verdict:
            unasked = edge.money is Money.POLICY and verdict is Verdict.CANCELLED
            fits = not needed or (rule is not None and verdict in rule.verdicts and not unasked)
            try:
                decide(self.job_type, job, edge.event, payload, evidence=fact(job, verdict))
                taken = True
            except GuardFailed:
                taken = False
            assert taken == fits, f"{edge.event} from {edge.source} on evidence {verdict.value!r}"

    async def _fire(self, drive: Drive, mover: Mover, edge: Edge) -> None:
        spec, payload = self.job_type.spec, self._payload(edge.event)
        job = await drive.ready(await self._to(drive, edge.source), edge)
        if any(not guard(job, payload) for guard in self.job_type.events()[edge.event].guards):
            return
        verdict = usual_verdict(spec, edge, submitted=job.submitted)
        evidence = fact(job, verdict) if verdict else None
        moved = await mover.fire(job.id, edge.event, payload, actor="test", evidence=evidence)
        assert moved.state == edge.dest
        assert moved.data == (payload.model_dump(mode="json") if spec.state[edge.dest].data else None)

    async def _walks(self, open_store: OpenStore, ways: Sequence[Sequence[Edge]], *, part: bool) -> None:
        async with open_store() as store:
            drive = await self._drive(store)
            for way in ways:
                job = await drive.insert(self.job_type.spec, **self._order())
                for edge in way:
                    job = await self._step(drive, job, edge, job.price // 3 if part else job.price)
                told = " > ".join(edge.event for edge in way)
                assert (await store.audit()).violations == (), f"broken books after {told}"
                if job.state in self.job_type.spec.terminal:
                    assert (await store.jobs.money(job.id)).held == 0, f"credits still held after {told}"

    async def _step(self, drive: Drive, job: Job, edge: Edge, settle: int) -> Job:
        before = await drive.store.jobs.money(job.id)
        earned = settle if edge.money is Money.CAPTURE or job.submitted else 0
        given = {"settle": settle} if edge.money in (Money.CAPTURE, Money.POLICY) else {}
        moved = await drive.take(job, edge, **given)
        told = f"{edge.event} from {edge.source}"
        assert moved.state == edge.dest, told
        assert await drive.store.jobs.money(job.id) == _after(before, edge, job.price, earned), told
        return moved

    async def _every_move(self, postgres: Postgres) -> None:
        spec = self.job_type.spec
        async with postgres.store() as store, postgres.rival() as update:
            drive = await self._drive(store)
            for source in spec.states:
                job: Job | None = None
                for target in spec.states:
                    job = job or await self._to(drive, source.name)
                    job = await self._move(drive, update, job, target.name)
                assert (await store.audit()).violations == (), f"broken books after moves from {source.name}"
            for edge in spec.edges:
                if not spec.opens_attempt(edge):
                    await self._move_with_evidence(drive, update, edge)
            assert (await store.audit()).violations == ()

    async def _move(self, drive: Drive, update: Update, job: Job, target: str) -> Job | None:
        """Set the state of *job*; return it if that was refused, or changed nothing."""
        edge = next((e for e in self.job_type.spec.leaving(job.state) if e.dest == target), None)
        before, told = await drive.store.jobs.money(job.id), f"UPDATE from {job.state} to {target}"
        wanted = None if target == job.state else self._referee(job, edge)
        assert await update(job.id, target, False) == wanted, told
        now = await drive.job(job)
        if edge is None or wanted:
            assert now == job, told
            return job
        assert now.state == target, told
        assert await drive.store.jobs.money(job.id) == _after(before, edge, job.price, 0), told
        return None

    def _referee(self, job: Job, edge: Edge | None) -> str | None:
        """Return the SQLSTATE with which the database must refuse *edge* for a job fresh in its state."""
        spec = self.job_type.spec
        if edge is None:
            return "MG001"
        if spec.opens_attempt(edge):
            return "MG003"
        rule = spec.evidence(edge)
        missing = rule and (rule.always or job.submitted) and not (rule.verdicts & self._known(job))
        return "MG002" if missing or edge.money is Money.CAPTURE else None

    def _known(self, job: Job) -> set[Verdict]:
        """Return what was said of the attempt of a job that came to its state by the shortest way."""
        spec, known = self.job_type.spec, set[Verdict]()
        for edge in path(spec, job.state):
            if spec.opens_attempt(edge):
                known = set()
            elif verdict := usual_verdict(spec, edge, submitted=bool(known)):
                known.add(verdict)
        return known

    async def _move_with_evidence(self, drive: Drive, update: Update, edge: Edge) -> None:
        """Set the state of a job about which all is known that *edge* needs: it must be carried out."""
        job = await drive.ready(await self._to(drive, edge.source), edge)
        if verdict := usual_verdict(self.job_type.spec, edge, submitted=job.submitted):
            await drive.record(job, verdict)
        before, told = await drive.store.jobs.money(job.id), f"UPDATE from {edge.source} to {edge.dest}"
        assert await update(job.id, edge.dest, True) is None, told
        earned = job.price if edge.money is Money.CAPTURE else 0
        assert await drive.store.jobs.money(job.id) == _after(before, edge, job.price, earned), told

    async def _drive(self, store: Store) -> Drive:
        await store.declare([self.job_type.spec])
        drive = Drive(store, _no_time_passes, [self.job_type.spec], pools=f"pool-{uuid4()}")
        await drive.grant(WALLET)
        return drive

    async def _to(self, drive: Drive, state: str) -> Job:
        return await drive.to(state, self.job_type.spec, **self._order())

    def _order(self) -> dict[str, Any]:
        """Return what is fixed of a job when it is submitted."""
        job_type = self.job_type
        try:
            value = job_type.parse(self.input)
        except InvalidInput as error:
            raise AssertionError(f"job_type_tests({job_type.__name__}, input=...): {error}") from None
        return {
            "price": job_type.price_of(value),
            "input": value.model_dump(mode="json"),
            "request": job_type.request(value),
            "attempts_max": job_type.attempts_max,
        }

    def _payload(self, event: str) -> BaseModel:
        if event in self.payloads:
            return self.payloads[event]
        try:
            return self.job_type.events()[event].payload()
        except ValidationError as error:
            name = self.job_type.__name__
            told = f"job_type_tests({name}, payloads={{{name}.{event}: ...}}) is needed: {error}"
            raise AssertionError(told) from None

    def _snapshots(self, state: str) -> list[Job]:
        """Return jobs as no store made them: one on its first try, one on its last."""
        now = datetime(2026, 1, 1, tzinfo=UTC)
        order, last = self._order(), self.job_type.attempts_max - 1
        order |= dict.fromkeys(("key", "intent_attempt", "deadline_at", "not_before", "settled"))
        order |= dict.fromkeys(("cancel_requested_at", "finished_at", "output", "error"))
        return [
            Job(
                id=uuid4(),
                owner="ada",
                type=self.job_type.name,
                type_version=self.job_type.version,
                pool=self.job_type.pool,
                state=state,
                version=1,
                files={},
                priority=0,
                attempt=1,
                reruns=reruns,
                created_at=now,
                entered_at=now,
                **order,
            )
            for reruns in (0, last)
        ]


def job_type_tests(
    job_type: type[BaseJob],
    *,
    input: Mapping[str, Any] | None = None,
    payloads: Mapping[Event[Any], BaseModel] | None = None,
    ways_max: int = 300,
) -> type[JobTypeTests]:
    """Return a class of tests for *job_type*: `TestFilm = job_type_tests(Film)`.

    *input* is what a user would send, needed where the type's `Input` has required fields; *payloads* holds
    a payload for each event whose payload has some. The first *ways_max* ways to an end are driven. All run
    on a store in memory and, with `--makegood-dsn` or a fixture `makegood_dsn` of yours, on Postgres.
    """
    members = {
        "__doc__": f"The job type {job_type.name}@{job_type.version} does what its machine says.",
        "job_type": job_type,
        "input": input or {},
        "payloads": {event.name: payload for event, payload in (payloads or {}).items()},
        "ways_max": ways_max,
    }
    return type(f"Test{job_type.__name__}", (JobTypeTests,), members)


def _after(before: JobMoney, edge: Edge, price: int, earned: int) -> JobMoney:
    """Return what the ledger must show after *edge*, of which *earned* credits are kept."""
    match edge.money:
        case Money.HOLD:
            return JobMoney(held=price)
        case Money.NONE:
            return before
        case Money.CAPTURE | Money.POLICY | Money.RELEASE:
            kept = 0 if edge.money is Money.RELEASE else earned
            return JobMoney(captured=kept, released=price - kept)


async def _refusal(mover: Mover, job: Job, event: str, payload: BaseModel) -> Refusal | None:
    try:
        await mover.fire(job.id, event, payload, actor="test")
    except Refusal as refusal:
        return refusal
    return None


async def _no_time_passes(seconds: float) -> None:
    raise AssertionError(f"these tests do not wait, and somebody asked for {seconds} seconds")


def _run(work: Coroutine[Any, Any, None]) -> None:
    # With a factory the runner leaves alone which loop the thread calls its own: it may be the user's.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(work)
