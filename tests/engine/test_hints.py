"""Messages that name only the provider's task: asked about at once, kept for later, believed never."""

import logging

import pytest

from makegood import InvalidRequest
from makegood.hearing import BODY_MAX
from makegood.outcome import Output, Succeeded, Unfinished
from makegood.ports import PARKED_SECONDS, Receipt
from tests.engine.world import PATIENCE_SECONDS, PRICE, Upscale, World

RUNS = Unfinished(running=True)
DONE = Succeeded((Output("https://provider.example/1.png", "png"),))


async def test_d15_one_that_names_only_the_task_and_comes_before_the_create_reply_is_not_lost(
    world: World,
) -> None:
    """No time passes, so no poll comes: it is the message that leads to the result."""
    world.provider.plan(None, DONE)
    job = await world.opened()
    gate = world.provider.gate("submit")
    await world.submitter.turn()
    await gate.reached.wait()
    assert await world.engine.receive_hint("task-1", "{}", source="10.0.0.1") is Receipt.PARKED
    await world.work(world.poller)
    assert world.provider.count("query") == 0
    gate.opened.set()
    await world.submitter.crew.drain(PATIENCE_SECONDS)
    [hint] = await world.store.hints.unread(await world.attempt(job))
    assert (hint.source, hint.task_id) == ("10.0.0.1", "task-1")
    await world.work(world.poller, world.collector)
    await world.ended(job, "completed", captured=PRICE)
    assert await world.store.hints.unread(await world.attempt(job)) == []


async def test_it_makes_the_provider_be_asked_and_is_not_believed(world: World) -> None:
    job = await world.running(Upscale, RUNS, RUNS, DONE)
    await world.ask()
    asked = world.provider.count("query")
    body = '{"event": "TASK_END", "status": "FAILED"}'
    with world.wakeups.listen(world.poller.topic) as bell:
        assert await world.engine.receive_hint("task-1", body, source="10.0.0.1") is Receipt.KNOWN
        assert await bell.wait(0)
    await world.work(world.poller)
    assert world.provider.count("query") == asked + 1
    assert (await world.job(job)).state == "running"
    await world.engine.receive_hint("task-1", "another", source="10.0.0.1")
    await world.work(world.poller, world.collector)
    await world.ended(job, "completed", captured=PRICE)


async def test_the_watchdog_drops_what_nobody_has_had_in_a_day_and_says_so(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "makegood.watchdog")
    for number in range(3):
        await world.engine.receive_hint(f"foreign-{number}", "{}", source="10.0.0.1")
    await world.after(PARKED_SECONDS - 1)
    assert "are dropped" not in caplog.text
    await world.after(2)
    assert "3 messages about tasks that nobody has had in a day are dropped" in caplog.text


@pytest.mark.parametrize(
    ("task_id", "source", "told"),
    [
        ("", "10.0.0.1", "task_id must be 1 to 200 printable characters"),
        ("1" * 201, "10.0.0.1", "task_id must be 1 to 200 printable characters"),
        (4711, "10.0.0.1", "task_id must be 1 to 200 printable characters"),
        ("4711\n", "10.0.0.1", "task_id must be 1 to 200 printable characters"),
        ("4711", "", "source must be 1 to 100 printable characters"),
        ("4711", "webhook", "source 'webhook' is for messages with a token"),
    ],
)
async def test_what_cannot_be_kept_is_refused_with_what_to_do(
    world: World, task_id: str, source: str, told: str
) -> None:
    with pytest.raises(InvalidRequest, match=told):
        await world.engine.receive_hint(task_id, "{}", source=source)


async def test_of_a_long_message_the_beginning_is_kept(world: World) -> None:
    await world.engine.receive_hint("4711", "x" * (BODY_MAX + 1), source="10.0.0.1")
    [parked] = world.store.tables.parked
    assert parked.body == "x" * BODY_MAX
