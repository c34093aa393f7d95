"""The stage over HTTP: it answers its own page on this machine alone, and one press at a time."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from uuid import UUID

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from makegood_adapters.cli.staging.board import Board, Button, Tone
from makegood_adapters.cli.staging.routes import stage_routes
from makegood_adapters.http import application, runner

JSON = {"Content-Type": "application/json"}


class Bench:
    """A stage with one button that ends when it is told to."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.begun, self.ending = asyncio.Event(), asyncio.Event()
        self.board = Board("a show", lambda text, tone: self.heard.append(f"{tone} {text}"))
        self.board.offer([Button("wait", "wait a while", "It waits.", self.wait)])

    async def wait(self) -> str:
        self.begun.set()
        await self.ending.wait()
        self.board.say("it has waited", Tone.GOOD)
        return "waited"


@pytest_asyncio.fixture
async def bench() -> Bench:
    return Bench()


@pytest_asyncio.fixture
async def at(bench: Bench) -> AsyncIterator[str]:
    app = application()
    app.add_routes(stage_routes(bench.board))
    serving = runner(app)
    await serving.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(serving, listener).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/stage"
    await bench.board.end()
    await serving.cleanup()


async def asked(method: str, url: str, headers: Mapping[str, str] = JSON) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession(trust_env=False) as session,
        session.request(method, url, headers=headers) as reply,
    ):
        return reply.status, await reply.text()


STRANGERS = {
    "another name that leads here": {**JSON, "Host": "evil.example"},
    "a name that only looks like ours": {**JSON, "Host": "127.0.0.1.evil.example:80"},
    "somebody behind a proxy": {**JSON, "X-Forwarded-For": "203.0.113.7"},
    "somebody behind a proxy that tells the address": {**JSON, "X-Real-IP": "203.0.113.7"},
    "a page on another port": {**JSON, "Origin": "http://127.0.0.1:5173"},
}


@pytest.mark.parametrize("stranger", STRANGERS)
async def test_strangers_neither_see_nor_press(stranger: str, bench: Bench, at: str) -> None:
    for method, url in (("GET", at), ("POST", f"{at}/wait")):
        status, text = await asked(method, url, STRANGERS[stranger])
        assert status == 403
        assert "wait a while" not in text
    assert not bench.begun.is_set()


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_what_a_form_of_another_site_could_send_presses_nothing(
    kind: str, bench: Bench, at: str
) -> None:
    told = '{"text": "A button is pressed with Content-Type: application/json."}'
    for headers in ({"Content-Type": kind}, {"Content-Type": f"{kind}; a=application/json"}):
        assert await asked("POST", f"{at}/wait", headers) == (415, told)
    assert not bench.begun.is_set()


async def test_a_press_is_told_as_it_goes_and_is_one_at_a_time(bench: Bench, at: str) -> None:
    first = asyncio.create_task(asked("POST", f"{at}/wait"))
    await bench.begun.wait()
    assert bench.board.shown()["buttons"] == [
        {"name": "wait", "label": "wait a while", "told": "It waits.", "busy": True}
    ]
    assert await asked("POST", f"{at}/wait") == (
        409,
        '{"text": "\'wait a while\' is under way; press it again when it has ended."}',
    )
    bench.ending.set()
    assert await first == (200, '{"text": "waited"}')
    status, text = await asked("GET", at)
    assert (status, "it has waited" in text) == (200, True)
    assert bench.heard == ["good it has waited"]
    assert not bench.board.shown()["buttons"][0]["busy"]


async def test_the_story_is_told_in_order_each_line_with_its_tone_and_job(bench: Bench) -> None:
    job = UUID(int=7)
    bench.board.say("job 7 is failed", Tone.WARN, job)
    bench.board.note("the engine is gone", Tone.BAD)
    told = [(line["text"], line["tone"], line["job"]) for line in bench.board.shown()["story"]]
    assert told == [("job 7 is failed", "warn", str(job)), ("the engine is gone", "bad", None)]
    assert bench.heard == ["warn job 7 is failed"], "the terminal knows the other"


async def test_what_there_is_not_is_told(at: str) -> None:
    assert await asked("POST", f"{at}/dance") == (
        404,
        '{"text": "There is no button \'dance\'; there is wait."}',
    )


async def test_who_leaves_ends_nothing_and_books_are_looked_at_alone(bench: Bench, at: str) -> None:
    pressing = asyncio.create_task(asked("POST", f"{at}/wait"))
    await bench.begun.wait()
    pressing.cancel()
    order: list[str] = []

    async def look() -> None:
        async with bench.board.alone():
            order.append("looked")

    async def late() -> str:
        order.append("pressed")
        return "pressed"

    bench.board.offer([Button("late", "be late", "It is held back.", late)])
    looking = asyncio.create_task(look())
    await asyncio.sleep(0)
    pressing = asyncio.create_task(asked("POST", f"{at}/late"))
    while not bench.board.shown()["buttons"][0]["busy"]:  # noqa: ASYNC110  # a press rings no bell
        await asyncio.sleep(0)
    order.append("ended")
    bench.ending.set()
    await looking
    assert (await pressing)[0] == 200
    assert order == ["ended", "looked", "pressed"]
    assert bench.heard == ["good it has waited"]


async def test_who_serves_need_not_wait_for_presses_and_the_next_buttons_take_those_that_come_meanwhile(
    bench: Bench, at: str
) -> None:
    taken: list[str] = []
    pressing = asyncio.create_task(asked("POST", f"{at}/wait"))
    await bench.begun.wait()
    bench.board.hold()
    bench.board.offer([Button("late", "be late", "It is of the state before.", bench.wait)])
    held = asyncio.create_task(bench.board.press("late"))
    while not bench.board.shown()["buttons"][0]["busy"]:  # noqa: ASYNC110  # a press rings no bell
        await asyncio.sleep(0)
    bench.board.answer()
    assert await pressing == (200, '{"text": "It goes on; the story tells how it ends."}')

    async def next_one() -> str:
        taken.append("by the next")
        return taken[-1]

    bench.board.offer([Button("late", "be late", "It is of the next state.", next_one)])
    assert await held == "It goes on; the story tells how it ends."
    late = asyncio.create_task(bench.board.press("late"))
    bench.board.resume()
    assert await late == "by the next"
    bench.ending.set()
    while not bench.heard:  # noqa: ASYNC110  # nor does a line of the story
        await asyncio.sleep(0)
    assert (bench.heard, taken) == (["good it has waited"], ["by the next"] * 2)
