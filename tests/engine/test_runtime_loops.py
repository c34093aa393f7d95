"""The lifecycle of the loops, and the whole engine with its loops running."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from makegood import Attempt, Catalog, Engine, Job, ProviderAccount, Settings
from makegood.job import Phase
from makegood.outcome import Unfinished
from makegood.ports import Moved, unheard
from makegood.runtime import Health, LocalWakeups, run_all
from makegood.testing.clock import FakeClock
from makegood.testing.provider import PNG, ScriptedProvider
from makegood_adapters.memory import MemoryBlobs, MemoryStore
from makegood_adapters.memory.attempts import MemoryAttempts
from tests.engine.world import PATIENCE_SECONDS, PRICE, SETTINGS, WALLET, Upscale

RUNS = Unfinished(running=True)


class Turns:
    """A loop that counts its turns, fails in some of them and can be waited for."""

    name = "turns"
    topic = "turns"

    def __init__(self, *outcomes: bool | Exception) -> None:
        self.outcomes, self.taken = list(outcomes), 0
        self._changed = asyncio.Condition()

    async def turn(self) -> bool:
        async with self._changed:
            self.taken += 1
            self._changed.notify_all()
        outcome = self.outcomes.pop(0) if self.outcomes else False
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def reached(self, turns: int) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
            await self._changed.wait_for(lambda: self.taken >= turns)


class Running:
    """One loop that runs, with what is needed to wake and stop it."""

    def __init__(self, loop: Turns, settings: Settings) -> None:
        self.loop, self.wakeups, self.stopping = loop, LocalWakeups(), asyncio.Event()
        self.health = Health(loop.name)
        work = run_all([loop], self.wakeups, settings, self.stopping, {loop.name: self.health})
        self.task = asyncio.create_task(work)

    async def stop(self) -> None:
        self.stopping.set()
        self.wakeups.wake(self.loop.topic)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.task


class TestLoop:
    async def test_it_takes_a_turn_for_every_wake_up(self) -> None:
        running = Running(Turns(), SETTINGS)
        for turn in range(1, 5):
            await running.loop.reached(turn)
            running.wakeups.wake(running.loop.topic)
        await running.stop()

    async def test_it_outlives_an_outage_of_any_length(self) -> None:
        running = Running(Turns(OSError("away"), False), Settings(loop_interval_seconds=60.0))
        running.health.failures = 5_000
        await running.loop.reached(1)
        running.wakeups.wake(running.loop.topic)
        await running.loop.reached(2)
        await running.stop()

    async def test_a_wake_up_during_a_turn_is_not_lost(self) -> None:
        class Waking(Turns):
            async def turn(self) -> bool:
                if self.taken < 3:
                    running.wakeups.wake(self.topic)
                return await super().turn()

        running = Running(Waking(), SETTINGS)
        await running.loop.reached(4)
        await running.stop()

    async def test_without_a_wake_up_it_turns_after_its_interval(self) -> None:
        running = Running(Turns(), Settings(loop_interval_seconds=0.001))
        await running.loop.reached(5)
        await running.stop()

    async def test_more_to_do_means_another_turn_at_once(self) -> None:
        running = Running(Turns(True, True, True), SETTINGS)
        await running.loop.reached(4)
        await running.stop()
        assert running.health.turns == 4

    async def test_it_survives_an_error_of_its_turn_and_tells_of_it(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        errors = [RuntimeError("first"), RuntimeError("second")]
        running = Running(Turns(*errors), Settings(loop_interval_seconds=0.001))
        with caplog.at_level(logging.ERROR, "makegood.runtime"):
            await running.loop.reached(4)
            await running.stop()
        assert (running.health.failures, running.health.last_error) == (0, "RuntimeError: second")
        assert "turns could not take its turn (2 in a row)" in caplog.text

    async def test_after_errors_it_rests_longer_and_longer_within_a_bound(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pauses: list[float] = []

        async def note(_: object, seconds: float) -> bool:
            pauses.append(seconds)
            await asyncio.sleep(0)
            return False

        monkeypatch.setattr("makegood.runtime.wakeups.LocalBell.wait", note)
        running = Running(
            Turns(*(RuntimeError() for _ in range(8))),
            Settings(loop_interval_seconds=1, loop_backoff_max_seconds=20),
        )
        await running.loop.reached(10)
        await running.stop()
        wanted = [2, 4, 8, 16, 20, 20, 20, 20, 1]
        for pause, base in zip(pauses, wanted, strict=False):
            assert 0.8 * base <= pause <= 1.2 * base, pauses

    async def test_it_stops_between_turns(self) -> None:
        running = Running(Turns(True, True), SETTINGS)
        await running.loop.reached(1)
        await running.stop()
        taken = running.loop.taken
        running.wakeups.wake(running.loop.topic)
        assert running.loop.taken == taken


class Slow(MemoryAttempts):
    """The store takes its time to hand out opened attempts, until the test lets it."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store.tables)
        self.asked, self.go = asyncio.Event(), asyncio.Event()

    async def claim(self, accounts: Sequence[str], limit: int, lease_seconds: float) -> list[Attempt]:
        claimed = await super().claim(accounts, limit, lease_seconds)
        if claimed:
            self.asked.set()
            await self.go.wait()
        return claimed


class Endless(ScriptedProvider):
    """Its upload ends when it is cut short, and only then its create call is answered."""

    def __init__(self) -> None:
        super().__init__()
        self.create, self.uploading = self.gate("submit"), asyncio.Event()
        self.plan(None, RUNS)

    async def upload(self, name: str, data: bytes, moved: Moved = unheard) -> str:
        self.uploading.set()
        try:
            return await asyncio.Future[str]()
        finally:
            self.create.opened.set()


class House:
    """What outlives an engine: the store, the files, the provider, and Ada's credits."""

    def __init__(self, capacity: int = 2) -> None:
        self.clock = FakeClock()
        self.store, self.blobs, self.provider = MemoryStore(self.clock), MemoryBlobs(), ScriptedProvider()
        self.account = ProviderAccount(name="gpu-1", pool="gpu", capacity=capacity)

    def engine(self, settings: Settings = SETTINGS) -> Engine:
        return Engine(
            self.store,
            Catalog([Upscale]),
            blobs=self.blobs,
            providers={self.account: self.provider},
            settings=settings,
        )

    @asynccontextmanager
    async def open(self, settings: Settings = SETTINGS) -> AsyncIterator[Engine]:
        async with self.engine(settings) as engine:
            await engine.grant("ada", WALLET, source_ref="order-1")
            yield engine
        assert (await self.store.audit()).violations == ()

    async def attempt(self, job: Job) -> Attempt:
        found = await self.store.attempts.get(job.id, 1)
        assert found is not None
        return found


async def buy(engine: Engine) -> Job:
    return await engine.accept((await engine.submit(Upscale, "ada", {})).id)


async def over(engine: Engine, job: Job) -> list[str]:
    """Watch the job to its end and return its events."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        return [step.event async for step in engine.watch(job.id)]


WAY = ["submit", "accept", "dispatch", "begin", "complete"]


class TestEngine:
    """The loops wake each other: the interval is an hour, and every test takes a moment."""

    async def test_a_job_goes_its_way_without_anybody_driving(self) -> None:
        house = House()
        async with house.open() as engine:
            job = await buy(engine)
            assert await over(engine, job) == WAY
            assert (await engine.wallet("ada")).available == WALLET - PRICE
            assert house.provider.count("submit") == 1

    async def test_d1_many_jobs_share_the_slots(self) -> None:
        house = House(capacity=2)
        async with house.open() as engine:
            jobs = [await buy(engine) for _ in range(10)]
            assert await asyncio.gather(*(over(engine, job) for job in jobs)) == [WAY] * 10
            assert house.provider.count("submit") == 10
            assert [use.open for use in await engine.occupancy()] == [0]

    async def test_a_hook_hears_of_the_end(self) -> None:
        class Mine(Upscale):
            name = "upscale"

        heard: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        @Mine.completed.on_enter
        async def tell(transition: object) -> None:
            heard.set_result(type(transition).__name__)

        house = House()
        async with Engine(
            house.store,
            Catalog([Mine]),
            blobs=house.blobs,
            providers={house.account: house.provider},
            settings=SETTINGS,
        ) as engine:
            await engine.grant("ada", WALLET, source_ref="order-1")
            await buy(engine)
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await heard == "Transition"

    async def test_every_loop_tells_how_it_is(self) -> None:
        async with House().open() as engine:
            assert set(engine.health) == {
                *("dispatcher", "submitter", "poller", "collector", "watchdog", "relay", "surveyor"),
                *("sequencer", "estimator"),
                "heartbeat",
            }
            await over(engine, await buy(engine))
            assert {health.failures for health in engine.health.values()} == {0}
            assert engine.health["dispatcher"].turns > 0

    async def test_a_process_without_loops_leaves_the_work_to_others(self) -> None:
        house = House()
        front = Engine(house.store, Catalog([Upscale]), blobs=house.blobs, run_loops=False)
        async with front:
            await front.grant("ada", WALLET, source_ref="order-1")
            job = await buy(front)
            assert front.health == {}
        assert await house.store.attempts.get(job.id, 1) is None
        async with house.engine() as engine:
            assert await over(engine, job) == WAY


class TestExit:
    """At the end no new work is taken, and what is under way is recorded."""

    async def test_a_create_call_under_way_is_waited_for_and_recorded(self) -> None:
        house = House()
        gate = house.provider.gate("submit")
        house.provider.plan(None, RUNS)
        async with house.open() as engine:
            job = await buy(engine)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await gate.reached.wait()
            asyncio.get_running_loop().call_soon(gate.opened.set)
        assert (await house.attempt(job)).task_id == "task-1"

    async def test_a_create_call_is_not_cut_short_where_an_upload_is(self) -> None:
        house = House()
        house.provider = provider = Endless()
        brief = replace(SETTINGS, drain_seconds=0, drain_submit_seconds=PATIENCE_SECONDS)
        async with house.open(brief) as engine:
            sent = await buy(engine)
            image = await house.blobs.put(PNG, "image.png")
            cut = await engine.accept((await engine.submit(Upscale, "ada", {"image": image})).id)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await provider.create.reached.wait()
                await provider.uploading.wait()
        attempt = await house.attempt(sent)
        assert (attempt.phase, attempt.task_id) == (Phase.ACCEPTED, "task-1")
        assert (await house.attempt(cut)).phase is Phase.OPENED

    async def test_the_wait_is_bounded_and_the_call_is_never_made_again(self) -> None:
        house = House()
        gate = house.provider.gate("submit")
        brief = Settings(drain_seconds=0.01, drain_submit_seconds=0, loop_interval_seconds=3_600)
        async with house.open(brief) as engine:
            job = await buy(engine)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await gate.reached.wait()
        assert (await house.attempt(job)).phase is Phase.UNCERTAIN
        await house.clock.advance(SETTINGS.lease_seconds)
        async with house.open():
            pass
        assert house.provider.count("submit") == 1

    @pytest.mark.parametrize("patience", [0, 10])
    async def test_what_a_last_turn_takes_goes_back_at_once_and_is_not_sent(self, patience: float) -> None:
        house = House()
        house.store.attempts = slow = Slow(house.store)
        before = asyncio.all_tasks()
        async with house.open(replace(SETTINGS, drain_seconds=patience)) as engine:
            job = await buy(engine)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await slow.asked.wait()
            asyncio.get_running_loop().call_soon(slow.go.set)
        assert asyncio.all_tasks() == before
        assert (await house.attempt(job)).phase is Phase.OPENED
        assert house.provider.count("submit") == 0
        house.store.attempts = MemoryAttempts(house.store.tables)
        async with house.open() as engine:
            assert await over(engine, job) == WAY

    async def test_an_exit_that_is_cancelled_leaves_nothing_running(self) -> None:
        house = House()
        house.store.attempts = slow = Slow(house.store)
        before = asyncio.all_tasks()
        async with house.open() as engine:
            await buy(engine)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await slow.asked.wait()
            leaving = asyncio.create_task(engine.__aexit__(None, None, None))
            await engine._context.stopping.wait()
            leaving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leaving
            assert asyncio.all_tasks() == before
