"""A provider that counts other tasks than we do: those of others take places, ours are asked about."""

import logging
from typing import Any

import pytest

from makegood.outcome import Capacity, Features, NotFound, Output, Succeeded, Unfinished
from tests.engine.world import PRICE, Upscale, World

TELLS = Features(tells_limit=True, counts_tasks=True)
RUNS = Unfinished(running=True)
DONE = Succeeded((Output("https://provider.example/1.png", "png"),))


async def surveyed(world: World, in_use: int, limit: int = 3) -> None:
    """Let the next survey come, in which the provider tells this."""
    world.provider.room = Capacity(limit=limit, in_use=in_use)
    await world.work(world.surveyor)
    await world.clock.advance(1.2 * world.settings.survey_interval_seconds)


async def test_p7_a_shared_key_is_not_driven_into_refusals(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "makegood.surveyor")
    await world.instead(TELLS)
    await surveyed(world, in_use=2)
    for _ in range(3):
        await world.queued()
    await world.start()
    use = await world.use()
    assert (use.open, use.foreign, use.capacity) == (1, 2, 3)
    said = [m for m in caplog.messages if "are not ours" in m]
    assert said == ["account gpu-1 has 2 tasks at its provider that are not ours; they take places"]
    await surveyed(world, in_use=1)  # the others are done
    await world.start()
    assert ((await world.use()).open, (await world.use()).foreign) == (3, 0)


async def test_a_stray_task_of_an_exclusive_account_shows(world: World) -> None:
    await world.instead(TELLS, capacity=3, exclusive=True)
    await surveyed(world, in_use=1)
    assert (await world.use()).foreign == 1


async def test_p7_what_is_submitted_while_the_provider_counts_is_not_held_against_it(
    world: World,
) -> None:
    await world.instead(TELLS, capacity=3)
    await world.opened()
    world.provider.room = Capacity(limit=3, in_use=0)
    gate = world.provider.gate("capacity")
    await world.surveyor.turn()
    await gate.reached.wait()
    await world.work(world.submitter)
    gate.opened.set()
    await world.surveyor.crew.drain(30)
    use = await world.use()
    assert (use.foreign, use.differs_since, use.in_use) == (0, None, 0)


async def test_a_count_that_is_lower_for_long_has_every_task_asked_about_at_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "makegood.surveyor")
    await world.instead(TELLS, capacity=3)
    job = await world.running(Upscale, RUNS, DONE)
    await world.work(world.poller)
    later = 10 * world.settings.survey_interval_seconds
    await world.store.attempts.due(["gpu-1"], 10, later)
    asked = world.provider.count("query")
    for _ in range(2):
        await surveyed(world, in_use=0)
        await world.store.attempts.due(["gpu-1"], 10, later)
    assert world.provider.count("query") == asked
    await surveyed(world, in_use=0)
    await world.work(world.poller, world.collector)
    await world.ended(job, "completed", captured=PRICE)
    said = "the provider counts 0 tasks of account gpu-1, fewer than we do: all 1 are asked about"
    assert caplog.messages.count(said) == 1


async def test_p10_a_task_that_is_neither_counted_nor_known_ends_with_its_refund(
    world: World,
) -> None:
    await world.instead(TELLS, capacity=3)
    job = await world.running(Upscale, RUNS, NotFound())
    await world.work(world.poller)
    await world.store.attempts.due(["gpu-1"], 10, 10**6)
    for _ in range(3):
        await surveyed(world, in_use=0)
    await world.work(world.poller)
    await world.ended(job, "failed")
    assert await world.slots() == (0, 0)


@pytest.mark.parametrize(
    ("limit", "in_use"), [(-1, 0), (3, -1), (2**31, 0), (3, 2**70), (3, 0.5), (True, 0), ("3", 0)]
)
async def test_numbers_that_no_account_can_have_are_no_answer(
    world: World, limit: Any, in_use: Any, caplog: pytest.LogCaptureFixture
) -> None:
    await world.instead(TELLS)
    await surveyed(world, in_use=1)
    await surveyed(world, in_use, limit)
    use = await world.use()
    assert (use.capacity, use.told, use.in_use, use.foreign, use.failures) == (3, 3, 1, 1, 1)
    assert f"it says that the account may have {limit!r} tasks at a time" in caplog.text
