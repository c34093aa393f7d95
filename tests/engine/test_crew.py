"""A loop that hangs is told and left alone; who is cut short gives back what it had taken."""

import asyncio
import logging
from collections.abc import Callable

import pytest

from makegood import Catalog, Engine, Settings
from makegood.runtime import Crew, Health, LocalWakeups, run_all
from makegood.testing.clock import FakeClock
from makegood_adapters.memory import MemoryBlobs, MemoryStore
from tests.engine.world import PATIENCE_SECONDS, PRICE, WALLET, Upscale, World


class Hanging:
    """A loop whose first turn lasts until the test lets it."""

    name = topic = "hanging"

    def __init__(self) -> None:
        self.go, self.again = asyncio.Event(), asyncio.Event()
        self.turns = 0

    async def turn(self) -> bool:
        self.turns += 1
        if self.turns == 1:
            await self.go.wait()
        else:
            self.again.set()
        return self.turns < 2


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():  # noqa: ASYNC110 - what is waited for is a time-out of the loop's own
            await asyncio.sleep(0.005)


async def test_a_loop_that_hangs_in_one_turn_is_told_and_goes_on_once_it_can(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loop, health, stopping, wakeups = Hanging(), Health("hanging"), asyncio.Event(), LocalWakeups()
    settings = Settings(turn_alarm_seconds=0.01)
    clock = asyncio.get_running_loop().time
    with caplog.at_level(logging.WARNING, "makegood.runtime"):
        work = asyncio.create_task(run_all([loop], wakeups, settings, stopping, {"hanging": health}))
        await until(lambda: health.hanging)
        assert not health.healthy
        assert health.lag(clock()) >= 0.01
        assert (health.told(clock())["hanging"], health.turns, work.done()) == (True, 0, False)
        loop.go.set()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await loop.again.wait()
        assert health.healthy
        stopping.set()
        wakeups.wake("hanging")
        await work
    assert "hanging has been in one turn for 0.01 seconds; it is let alone" in caplog.text
    assert "the turn of hanging that hung is over" in caplog.text
    assert (health.healthy, health.over) == (False, True)


def test_the_lag_is_the_present_turn_or_how_late_the_next_one_is() -> None:
    health = Health("poller")
    assert health.lag(5.0) == 0
    health.begins(10.0)
    assert health.lag(13.0) == 3
    health.ends(14.0)
    health.rest_seconds = 2.0
    assert health.lag(15.0) == 0
    assert health.lag(17.5) == 1.5
    health.fails(OSError("the address is secret.example"), 18.0)
    told = health.told(20.0)
    assert (told["last_error"], told["last_error_seconds_ago"]) == ("OSError", 2.0)
    assert "secret" not in str(told)


class Giving:
    """What a task had taken, and in which order it came back and others were woken."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.crew = Crew(3, lambda: self.seen.append("woken"))

    async def back(self) -> None:
        self.seen.append("back")

    async def works(self) -> None:
        self.seen.append("begun")
        await asyncio.Event().wait()


async def test_who_is_cut_short_gives_back_and_others_are_woken_after_it() -> None:
    giving = Giving()
    giving.crew.start(giving.works(), "work", giving.back)
    await asyncio.sleep(0)
    assert giving.crew.working == 1
    await giving.crew.drain(0)
    assert giving.seen[0] == "begun"
    assert giving.seen[-2:] == ["back", "woken"]
    assert giving.crew.working == 0


async def test_who_is_cut_short_before_its_first_step_gives_back_too() -> None:
    giving = Giving()
    giving.crew.start(giving.works(), "work", giving.back)
    giving.crew.dismiss()
    await giving.crew.drain(PATIENCE_SECONDS)
    assert giving.seen[-2:] == ["back", "woken"]
    assert "begun" not in giving.seen


async def test_who_came_to_its_end_gives_nothing_back() -> None:
    giving = Giving()
    giving.crew.start(asyncio.sleep(0), "work", giving.back)
    await giving.crew.drain(PATIENCE_SECONDS)
    assert giving.seen == ["woken"]


async def test_what_cannot_be_given_back_is_told_and_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    giving = Giving()

    async def away() -> None:
        raise OSError("the database is away")

    giving.crew.start(giving.works(), "first", away)
    giving.crew.start(giving.works(), "second", giving.back)
    with caplog.at_level(logging.ERROR, "makegood.runtime"):
        await giving.crew.drain(0)
    assert "back" in giving.seen
    assert "hand back first: it comes back when its lease is over" in caplog.text


async def test_what_is_kept_outlasts_the_others_and_its_bound_is_its_own() -> None:
    giving, kept, go = Giving(), asyncio.Event(), asyncio.Event()

    async def sends() -> None:
        with giving.crew.kept():
            kept.set()
            await go.wait()
        giving.seen.append("recorded")

    giving.crew.start(sends(), "send", giving.back)
    giving.crew.start(giving.works(), "work", giving.back)
    await kept.wait()
    draining = asyncio.create_task(giving.crew.drain(0, PATIENCE_SECONDS))
    await until(lambda: "back" in giving.seen)
    assert giving.crew.working == 1
    go.set()
    await draining
    assert giving.seen.count("back") == 1
    assert "recorded" in giving.seen

    giving.crew.start(sends(), "send", giving.back)
    go.clear()
    await asyncio.sleep(0)
    await giving.crew.drain(0, 0)
    assert giving.seen.count("recorded") == 1
    assert giving.seen.count("back") == 2


async def test_a_store_that_does_not_know_workers_fails_the_heartbeat_and_nothing_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore(FakeClock())

    async def refuses(*_: object) -> None:
        raise PermissionError("permission denied for table worker")

    monkeypatch.setattr(store.workers, "beat", refuses)
    engine = Engine(
        store,
        Catalog([Upscale]),
        blobs=MemoryBlobs(),
        providers={world.account: world.provider},
        settings=world.settings,
    )
    async with engine:
        await engine.grant("ada", WALLET, source_ref="order-1")
        job = await engine.accept((await engine.submit(Upscale, "ada", {})).id)
        async with asyncio.timeout(PATIENCE_SECONDS):
            steps = [step.to_state async for step in engine.watch(job.id)]
        assert steps[-1] == "completed"
        assert (await engine.wallet("ada")).available == WALLET - PRICE
        assert engine.health["heartbeat"].failures == 1
        assert {state.failures for name, state in engine.health.items() if name != "heartbeat"} == {0}


async def test_what_raises_the_end_of_something_else_is_not_handed_back_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It would be taken again at once, and raise again."""
    handed_back: list[str] = []

    async def work() -> None:
        gone = asyncio.get_running_loop().create_future()
        gone.cancel()
        await gone

    async def hand_back() -> None:
        handed_back.append("work")

    crew = Crew(1, lambda: None)
    crew.start(work(), "work", hand_back)
    await crew.drain(PATIENCE_SECONDS)
    assert (crew.working, handed_back) == (0, [])
    assert "work ended: something that it waited for was cancelled" in caplog.text


class TestCrew:
    async def test_each_member_takes_a_place_and_gives_it_back(self) -> None:
        freed: list[int] = []
        crew = Crew(2, lambda: freed.append(1))
        go = asyncio.Event()

        async def work() -> None:
            await go.wait()

        for _ in range(2):
            crew.start(work(), "work")
        assert crew.room == 0
        go.set()
        await crew.drain(PATIENCE_SECONDS)
        assert (crew.room, len(freed)) == (2, 2)

    async def test_an_error_of_one_member_is_logged_and_reaches_nobody_else(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        crew, done = Crew(2, lambda: None), asyncio.Event()

        async def fail() -> None:
            raise RuntimeError("told to fail")

        async def work() -> None:
            done.set()

        with caplog.at_level(logging.ERROR, "makegood.runtime"):
            crew.start(fail(), "submit 7")
            crew.start(work(), "submit 8")
            await crew.drain(PATIENCE_SECONDS)
        assert done.is_set()
        assert "submit 7 ended with an error" in caplog.text
        assert crew.room == 2

    async def test_after_the_bound_who_still_works_is_stopped(self) -> None:
        crew, stopped = Crew(1, lambda: None), asyncio.Event()

        async def work() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                stopped.set()

        crew.start(work(), "work")
        await asyncio.sleep(0)
        await crew.drain(0)
        assert stopped.is_set()
        assert crew.room == 1

    async def test_a_drain_that_is_cancelled_stops_the_members(self) -> None:
        crew, begun, stopped = Crew(1, lambda: None), asyncio.Event(), asyncio.Event()

        async def work() -> None:
            try:
                begun.set()
                await asyncio.Event().wait()
            finally:
                stopped.set()

        crew.start(work(), "work")
        await begun.wait()
        drain = asyncio.create_task(crew.drain(PATIENCE_SECONDS))
        await asyncio.sleep(0)
        drain.cancel()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await stopped.wait()
        with pytest.raises(asyncio.CancelledError):
            await drain
