"""An attacker at the webhooks' door: whatever is sent, nothing moves but by the provider's own answer."""

import asyncio
import gzip
import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from makegood.job import Job
from makegood.outcome import Answer, Output, Succeeded, Unfinished
from makegood_adapters.http import application, hook_routes
from makegood_adapters.runninghub.webhook import parse_hint
from tests.adapters.queue_manager.scene import Page, Reply, served
from tests.engine.world import PRICE, Upscale, World, a_postgres_world
from tests.loop_time import hasten

RUNS = Unfinished(running=True)
DONE = Succeeded((Output("https://provider.example/1.png", "png"),))
#: Everything that money or a state could be moved by; a hint changes no more than when a task is asked about.
BOOKS = """
    select md5(string_agg(line, '|' order by line)) from (
      select job::text as line from makegood.job
      union all select (to_jsonb(a) - 'next_ask_at' - 'asked')::text from makegood.attempt a
      union all select evidence::text from makegood.evidence
      union all select history::text from makegood.history
      union all select journal::text from makegood.journal
      union all select hold::text from makegood.hold
      union all select bucket::text from makegood.bucket
      union all select wallet::text from makegood.wallet) books
"""


class Door:
    """The route of the webhooks over a world whose store is Postgres, and the books behind it."""

    def __init__(self, world: World, page: Page, dsn: str) -> None:
        self.world, self.page, self._dsn = world, page, dsn

    async def value(self, sql: str, *arguments: object) -> Any:
        connection = await asyncpg.connect(self._dsn)
        try:
            return await connection.fetchval(sql, *arguments)
        finally:
            await connection.close()

    async def running(self, *answers: Answer) -> tuple[Job, str]:
        """Return a running job and the token that its provider was given."""
        job = await self.world.running(Upscale, *answers)
        task_id = (await self.world.attempt(job)).task_id
        assert task_id is not None
        return job, str(self.world.provider.tasks[task_id].webhook).rpartition("/")[2]

    async def send(self, token: str, data: Any, **given: Any) -> Reply:
        return await self.page.call("POST", f"/hooks/{token}", data=data, **given)

    @asynccontextmanager
    async def nothing_moves(self, *, kept: int = 0) -> AsyncIterator[None]:
        """Fail unless the books are afterwards as they were, and *kept* messages more are in the inbox."""
        count = "select coalesce(sum(copies), 0) from makegood.inbox"
        before, inbox = await self.value(BOOKS), await self.value(count)
        yield
        assert await self.value(BOOKS) == before
        assert await self.value(count) == inbox + kept


@pytest_asyncio.fixture
async def door(database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Door]:
    async with a_postgres_world(database) as world:
        # messages are RunningHub's, of which nothing is signed
        monkeypatch.setattr(
            world.provider, "parse_webhook", lambda _, raw: parse_hint(raw.decode(errors="replace"))
        )
        app = application()
        app.add_routes(hook_routes(world.engine, body_seconds=60.0))
        async with served(app) as page:
            yield Door(world, page, database)


def message(task_id: str, **said: Any) -> bytes:
    """Return a message as RunningHub sends it, about any task, that says anything."""
    inner = {
        "taskId": task_id,
        "status": "SUCCESS",
        "results": [{"url": "https://evil.example/1.png"}],
        **said,
    }
    return json.dumps({"event": "TASK_END", "taskId": task_id, "eventData": json.dumps(inner)}).encode()


async def test_without_a_token_or_with_a_guessed_one_nothing_moves_and_nothing_is_learned(door: Door) -> None:
    _, token = await door.running(RUNS)
    close = [token[:-1] + c for c in "AB"] + [token[1:], token.swapcase(), token + "a", hashed(token)]
    guessed = [t for t in close if t != token] + [secrets.token_urlsafe(32) for _ in range(90)]
    async with door.nothing_moves():
        replies = await asyncio.gather(*(door.send(t, message("task-1")) for t in guessed))
        for path in ("/hooks", "/hooks/", f"/hooks/{token}/", f"/hooks//{token}", f"/hooks/x/{token}"):
            replies.append(await door.page.call("POST", path, data=message("task-1")))
        replies.append(await door.send("x", message("task-1")))  # what cannot be a token
        replies += [await door.send(t, b"x" * 100_000) for t in guessed[:3]]  # read by another way
    # one answer, byte for byte, whether a token could be one or not, and however long the body is
    shapes = {(r.status, json.dumps(r.body), *sorted(visible(r.headers))) for r in replies}
    assert len(shapes) == 1
    assert {r.status for r in replies} == {404}


def hashed(token: str) -> str:
    """Return what the database keeps of a token, as somebody who has read a copy of it would send it."""
    return hashlib.sha256(token.encode()).hexdigest()


def visible(headers: Mapping[str, str]) -> set[str]:
    return {f"{name}: {value}" for name, value in headers.items() if name != "Date"}


LIES: dict[str, Callable[[str, str], bytes]] = {
    "success of its own task": lambda own, _: message(own),
    "failure of its own task": lambda own, _: message(own, status="FAILED", code=805, failedReason="gone"),
    "success of a foreign task": lambda _, foreign: message(foreign),
    "a task that is none": lambda *_: message("1904163390028185999"),
    "no JSON": lambda *_: b"taskId=1&status=SUCCESS",
    "no UTF-8": lambda *_: b'\xff\xfe{"taskId": "\xc3\x28"}',
    "other scripts": lambda *_: message("٣٣٣٣", name="\u202e\U0001f4a9 \ud83d Ⅷ"),
    "what Postgres cannot keep": lambda own, _: message(own, failedReason="\x00 \ud800"),
    "SQL": lambda *_: message("'); update makegood.job set state = 'completed'; --1"),
    "two taskIds": lambda own, foreign: (
        b'{"taskId": "%s", "taskId": "%s"}' % (own.encode(), foreign.encode())
    ),
    "deep": lambda *_: b'{"a":' * 3_000,
    "a huge number": lambda *_: b'{"taskId": ' + b"9" * 5_000 + b"}",
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_forged_body_with_the_right_token_is_only_a_question(door: Door, lie: str) -> None:
    other, _ = await door.running(RUNS)
    job, token = await door.running(RUNS, RUNS, DONE)
    own, foreign = (await door.world.attempt(job)).task_id, (await door.world.attempt(other)).task_id
    async with door.nothing_moves(kept=1):
        assert (await door.send(token, LIES[lie](own or "", foreign or ""))).status == 200
    asked = door.world.provider.count("query")
    await door.world.work(door.world.poller)  # asks at once, and hears that it still runs
    assert door.world.provider.count("query") > asked
    assert [(await door.world.job(j)).state for j in (job, other)] == ["running", "running"]
    assert (await door.world.attempt(job)).task_id == own
    assert "evil.example" not in str([await door.world.attempt(j) for j in (job, other)])
    # the provider's own answer moves it, once, to the provider's own file
    await door.world.ask()
    await door.world.ask()
    assert (await door.world.job(job)).state == "completed"
    assert ("fetch", "https://provider.example/1.png") in door.world.provider.calls
    assert (await door.world.money(job)).captured == PRICE
    assert (await door.world.job(other)).state == "running"


@pytest.mark.parametrize(
    "given",
    [
        {"headers": {"Content-Type": "text/html"}},
        {"headers": {"Content-Type": "multipart/form-data; boundary=x"}},
        {"headers": {"Content-Type": "application/json; charset=utf-16"}},
        {"headers": {"Content-Type": "\u00fc"}},
        {"headers": {"X-HTTP-Method-Override": "DELETE", "Host": "evil.example"}},
        {"params": {"token": "another", "taskId": "task-9"}},
    ],
    ids=str,
)
async def test_what_stands_around_a_body_decides_nothing(door: Door, given: dict[str, Any]) -> None:
    _, token = await door.running(RUNS)
    async with door.nothing_moves(kept=1):
        assert (await door.send(token, message("task-1"), **given)).status == 200


async def test_a_message_that_is_replayed_is_kept_once_and_asks_no_more_than_others(door: Door) -> None:
    job, token = await door.running(RUNS, DONE)
    body = message("task-1")
    async with door.nothing_moves(kept=100):
        for _ in range(10):
            replies = await asyncio.gather(*(door.send(token, body) for _ in range(10)))
            assert {r.status for r in replies} == {200}
    assert await door.value("select count(*) from makegood.inbox") == 1
    await door.world.work(door.world.poller)
    await door.world.ask()
    await door.world.ended(job, "completed", captured=PRICE)
    asked = door.world.provider.count("query")
    async with door.nothing_moves(kept=10):  # also when all is over
        for _ in range(10):
            assert (await door.send(token, body)).status == 200
        await door.world.ask()
    assert door.world.provider.count("query") == asked


async def test_a_hundred_at_once_that_race_the_poll_are_one_result(door: Door) -> None:
    job, token = await door.running(DONE)
    world = door.world
    await world.clock.advance(world.settings.poll_interval_seconds)

    async def polls() -> None:
        for _ in range(5):
            await world.work(world.poller, world.collector)

    bodies = [message("task-1", status=("SUCCESS", "FAILED")[n % 2], number=n) for n in range(100)]
    *replies, _, _ = await asyncio.gather(*(door.send(token, body) for body in bodies), polls(), polls())
    assert {r.status for r in replies if r} == {200}
    await world.work(world.poller, world.collector)
    await world.ended(job, "completed", captured=PRICE)
    assert (await world.way(job)).count("complete") == 1
    assert world.provider.count("submit") == 1
    assert await door.value("select count(*) from makegood.inbox") == 100


async def slow() -> AsyncIterator[bytes]:
    yield b"{"
    while True:  # time passes, and nothing comes
        hasten(10)
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("data", "headers", "status"),
    [
        (lambda: b"x" * 257 * 1024, {}, 413),
        (lambda: gzip.compress(bytes(20_000_000)), {"Content-Encoding": "gzip"}, 413),
        (lambda: b"no gzip", {"Content-Encoding": "gzip", "Connection": "close"}, 400),
        (slow, {}, 408),
    ],
    ids=["oversize", "bomb", "not packed", "slow"],
)
async def test_a_body_that_is_not_taken_leaves_nothing(
    door: Door, data: Callable[[], Any], headers: dict[str, str], status: int
) -> None:
    _, token = await door.running(RUNS)
    async with door.nothing_moves():
        assert (await door.send(token, data(), headers=headers)).status == status
    async with door.nothing_moves(kept=1):  # and the door is still open
        assert (await door.send(token, message("task-1"))).status == 200
