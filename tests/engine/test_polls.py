"""With wake-ups that never ring, each step of a job happens at the next turn of the loop that makes it."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from makegood import Catalog, Engine, Job, ProviderAccount, Settings, Transition
from makegood.outcome import Output, Succeeded, Unfinished
from makegood.testing.clock import FakeClock
from makegood.testing.provider import ScriptedProvider
from makegood_adapters.memory import MemoryBlobs, MemoryStore
from tests.engine.world import PATIENCE_SECONDS, PRICE, Upscale

INTERVAL_SECONDS = 7.0


class Interval:
    """The bell of one loop: its wait is over when the test says that the interval has passed."""

    def __init__(self) -> None:
        self.waits = 0
        self.asked = 0.0
        self._passed, self._waiting = asyncio.Event(), asyncio.Event()

    async def wait(self, seconds: float) -> bool:
        self.waits, self.asked = self.waits + 1, seconds
        self._waiting.set()
        await self._passed.wait()
        self._passed.clear()
        return False

    async def passes(self) -> None:
        """Let the interval pass and return when the loop's turn is over and it waits again."""
        await self.rests()
        self._waiting.clear()
        self._passed.set()
        await self.rests()

    async def rests(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._waiting.wait()


class Silent:
    """Wake-ups that are all lost."""

    def __init__(self) -> None:
        self.intervals: defaultdict[str, Interval] = defaultdict(Interval)
        self.lost = 0

    def wake(self, topic: str) -> None:
        self.lost += 1

    @contextmanager
    def listen(self, topic: str) -> Iterator[Interval]:
        yield self.intervals[topic]

    def pass_all(self) -> None:
        for interval in self.intervals.values():
            interval._passed.set()


class Told(Upscale):
    """Its hook tells."""

    name = "told"


class House:
    """An engine whose loops turn when the test lets them."""

    def __init__(self) -> None:
        self.clock, self.silent = FakeClock(), Silent()
        self.store, self.provider = MemoryStore(self.clock), ScriptedProvider()
        self.engine = Engine(
            self.store,
            Catalog([Told]),
            blobs=MemoryBlobs(),
            providers={ProviderAccount(name="gpu-1", pool=Upscale.pool, capacity=1): self.provider},
            settings=Settings(loop_interval_seconds=INTERVAL_SECONDS),
            wakeups=self.silent,
        )

    async def turn(self, topic: str, loop: str) -> None:
        """Let the interval of one loop pass, and its crew end what the turn began."""
        state = self.engine.health[loop]
        turns = state.turns
        await self.silent.intervals[topic].passes()
        assert state.turns == turns + 1
        if state.crew:
            await state.crew.drain(PATIENCE_SECONDS)

    async def state(self, job: Job) -> str:
        return (await self.engine.get(job.id)).state


async def test_each_step_happens_at_the_next_turn_and_needs_no_wake_up() -> None:
    house, heard = House(), list[str]()
    engine, clock = house.engine, house.clock

    @Told.completed.on_enter
    async def tell(transition: Transition) -> None:
        heard.append(transition.to_state)

    house.provider.plan(None, Unfinished(running=True))
    await engine.__aenter__()
    try:
        for topic in ("dispatch", "submit", "poll", "fetch", "watchdog", "surveyor", "relay"):
            await house.silent.intervals[topic].rests()
        await engine.grant("ada", PRICE, source_ref="order-1")
        job = await engine.accept((await engine.submit(Told, "ada", {})).id)
        assert await house.state(job) == "queued"
        await house.turn("submit", "submitter")  # there is nothing for it yet
        assert await house.state(job) == "queued"
        await house.turn("dispatch", "dispatcher")
        assert await house.state(job) == "starting"
        assert house.provider.count("submit") == 0
        await house.turn("submit", "submitter")
        assert await house.state(job) == "running"
        await house.turn("poll", "poller")
        asked = house.provider.count("query")
        [task] = house.provider.tasks.values()
        task.answers.clear()
        task.answers.append(Succeeded((Output("https://provider.example/result.png", "png"),)))
        await house.turn("poll", "poller")  # it is not due yet
        assert house.provider.count("query") == asked
        await clock.advance(engine.settings.poll_interval_seconds)
        await house.turn("poll", "poller")
        assert house.provider.count("query") == asked + 1
        assert await house.state(job) == "running"
        await house.turn("fetch", "collector")
        assert await house.state(job) == "completed"
        assert heard == []
        for _ in await engine.history(job.id):  # a turn tells of one transition of each job
            await house.turn("relay", "relay")
        assert heard == ["completed"]
        waits = [interval.asked for interval in house.silent.intervals.values()]
        assert max(waits) <= 1.2 * INTERVAL_SECONDS
        assert house.silent.lost > 0
    finally:
        leaving = asyncio.create_task(engine.__aexit__(None, None, None))
        await engine._context.stopping.wait()
        house.silent.pass_all()
        await leaving
    assert (await house.store.audit()).violations == ()
