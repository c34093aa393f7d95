"""Sockets of pages that are many, slow, silent or hostile, and servers that stop: all of it bounded."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientSession, WSServerHandshakeError

from makegood import StoreUnavailable
from makegood_adapters.http.gatekeeper import Gatekeeper
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.queue_manager.realtime_socket import SocketLimits
from tests.adapters.postgres.proxy import proxy_before
from tests.adapters.queue_manager.scene import OWNER, Scene
from tests.adapters.queue_manager.sockets import PATIENCE_SECONDS, Ear, listening, telling
from tests.api.issuer import BY_SECRET, PUBLIC, a_gate, by_secret

ADA = by_secret(sub=OWNER)
GOING_AWAY, TOO_BIG, POLICY, BAD_TEXT, NO_BINARY, AGAIN = 1001, 1009, 1008, 1007, 1003, 1013
TIGHT = SocketLimits(
    channels_max=3,
    entries_max=2,
    message_bytes_max=4_096,
    messages_per_minute=50,
    write_seconds=0.3,
    close_seconds=0.3,
)


@pytest_asyncio.fixture
async def gate() -> AsyncIterator[Gatekeeper]:
    async with a_gate(BY_SECRET) as made:
        yield made


@pytest_asyncio.fixture
async def scene(database: str, tmp_path: Path, gate: Gatekeeper) -> AsyncIterator[Scene]:
    async with telling(database, tmp_path, gate, sockets=TIGHT) as made:
        yield made


def a_join(**given: Any) -> str:
    message = {
        "topic": "realtime:x",
        "event": "phx_join",
        "payload": {},
        "ref": "1",
        "join_ref": "1",
        **given,
    }
    return json.dumps(message)


HOSTILE: dict[str, tuple[str | bytes, int | str]] = {
    "binary": (b"\x03\x00\x01", NO_BINARY),
    "no JSON": ("{", BAD_TEXT),
    "empty": ("", BAD_TEXT),
    "deep": ("[" * 2_000 + "]" * 2_000, BAD_TEXT),
    "too deep": ('{"a":' * 400 + "1" + "}" * 400, BAD_TEXT),
    "not finite": (a_join(payload=0).replace("0", "1e999"), BAD_TEXT),
    "a number": ("7", BAD_TEXT),
    "an array in 1.0.0": ('[null,"1","phoenix","heartbeat",{}]', BAD_TEXT),
    "no topic": (a_join(topic=None), BAD_TEXT),
    "a ref of a ref": (a_join(ref=["1"]), BAD_TEXT),
    "a payload that is none": (a_join(payload="x"), BAD_TEXT),
    "too big": ("x" * 5_000, TOO_BIG),
    "a topic of elsewhere": (a_join(topic="phoenix"), "unmatched topic"),
    "not joined": (a_join(event="access_token"), "unmatched topic"),
    "a broadcast": (a_join(event="broadcast"), "unmatched topic"),
    "a config that is none": (a_join(payload={"config": []}), "names no list"),
    "rows that are none": (a_join(payload={"config": {"postgres_changes": {"a": 1}}}), "names no list"),
    "a row that is none": (a_join(payload={"config": {"postgres_changes": [1]}}), "names no list"),
    "many rows": (a_join(payload={"config": {"postgres_changes": [{}] * 3}}), "Too many rows"),
    "half a character": (a_join(topic="realtime:\ud800"), "ok"),
    "a row with an id of its own": (a_join(payload={"config": {"postgres_changes": [{"id": [9]}]}}), "ok"),
}


async def test_what_is_no_message_is_refused_or_ends_its_own_socket_alone(scene: Scene) -> None:
    job = await scene.job_at("queued")
    async with listening(scene.page.base) as good:
        await good.join(ADA, f"id=eq.{job.id}")
        assert (await good.change())["status"] == "queued"
        for name, (sent, expected) in HOSTILE.items():
            async with listening(scene.page.base) as ear:
                await (ear.wire.send_bytes(sent) if isinstance(sent, bytes) else ear.wire.send_str(sent))
                if isinstance(expected, int):
                    assert await ear.closed() == expected, name
                else:
                    payload = (await ear.next())["payload"]
                    told = payload["response"].get("reason", payload["status"])
                    assert expected in told, (name, payload)
                    assert await ear.beat() == [], name
        await scene.engine.cancel(job.id)
        assert (await good.change())["status"] == "cancelled"


async def test_a_flood_ends_its_socket_and_channels_are_bounded(scene: Scene) -> None:
    async with listening(scene.page.base) as ear:
        for n in range(TIGHT.channels_max):
            assert (await ear.join(ADA, topic=f"realtime:{n}"))["status"] == "ok"
        assert (await ear.join(ADA, topic="realtime:0"))["status"] == "ok", "again is not one more"
        assert (await ear.join(ADA, topic="realtime:more"))["status"] == "error"
        for _ in range(TIGHT.messages_per_minute):
            await ear.wire.ping()
        assert await ear.closed() == POLICY


async def test_a_silent_socket_is_closed(database: str, tmp_path: Path, gate: Gatekeeper) -> None:
    limits = SocketLimits(silence_seconds=0.1)
    async with telling(database, tmp_path, gate, sockets=limits) as scene, listening(scene.page.base) as ear:
        assert await ear.closed() == POLICY


async def test_a_page_that_takes_nothing_is_cut_off_and_holds_up_nobody(
    database: str, tmp_path: Path, gate: Gatekeeper
) -> None:
    limits = SocketLimits(write_seconds=0.3, close_seconds=0.3, messages_per_minute=10_000_000)
    async with telling(database, tmp_path, gate, sockets=limits) as scene:
        job = await scene.job_at("queued")
        host, port = scene.page.base.removeprefix("http://").split(":")
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        slow.setblocking(False)
        await asyncio.get_running_loop().sock_connect(slow, (host, int(port)))
        with slow:
            reader, writer = await asyncio.open_connection(sock=slow, limit=4_096)
            writer.write(
                f"GET /realtime/v1/websocket?apikey={PUBLIC} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
            )
            assert b" 101 " in await reader.readline()
            entries = [{"filter": "x" * 6_000}] * 10
            text = a_join(payload={"config": {"postgres_changes": entries}}).encode()
            frame = b"\x81\xfe" + len(text).to_bytes(2, "big") + bytes(4) + text
            assert len(text) < 65_536
            async with listening(scene.page.base) as ear:
                await ear.join(ADA, f"id=eq.{job.id}")
                assert (await ear.change())["status"] == "queued"
                with pytest.raises(ConnectionError):
                    await _pour(writer, frame)
                assert await ear.beat() == []
                await scene.drive.dispatch(job)
                assert (await ear.change())["status"] == "starting"
            writer.close()


async def _pour(writer: asyncio.StreamWriter, frame: bytes) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            writer.write(frame)
            await writer.drain()


async def test_sockets_are_bounded_in_all_and_of_an_owner(
    database: str, tmp_path: Path, gate: Gatekeeper
) -> None:
    async with (
        telling(
            database, tmp_path, gate, sockets=SocketLimits(sockets_max=101, strangers_per_address_max=101)
        ) as scene,
        AsyncExitStack() as stack,
    ):
        ears = [await stack.enter_async_context(listening(scene.page.base)) for _ in range(101)]
        with pytest.raises(WSServerHandshakeError) as refused:
            await stack.enter_async_context(listening(scene.page.base))
        assert refused.value.headers is not None
        assert (refused.value.status, refused.value.headers["Retry-After"]) == (503, "5")
        for ear in ears[:-1]:
            assert (await ear.join(ADA))["status"] == "ok"
        reply = await ears[-1].join(ADA)
        assert reply["status"] == "error"
        assert "100 streams are open" in reply["response"]["reason"]
        assert (await ears[-1].join(by_secret(sub="bob")))["status"] == "ok"


async def test_one_stranger_does_not_take_the_room_of_all_pages(
    database: str, tmp_path: Path, gate: Gatekeeper
) -> None:
    """Behind a proxy connections are not counted by address, and a heartbeat is all that keeps one open."""
    async with (
        telling(database, tmp_path, gate, sockets=SocketLimits(strangers_per_address_max=3)) as scene,
        AsyncExitStack() as stack,
    ):
        base, theirs, ours = scene.page.base, *({"X-Forwarded-For": f"203.0.113.{n}"} for n in (6, 7))
        for _ in range(3):
            await stack.enter_async_context(listening(base, headers=theirs))
        with pytest.raises(WSServerHandshakeError) as refused:
            await stack.enter_async_context(listening(base, headers=theirs))
        assert refused.value.status == 429
        for _ in range(5):
            ear = await stack.enter_async_context(listening(base, headers=ours))
            assert (await ear.join(ADA))["status"] == "ok", "who has signed in is bounded by its owner alone"


async def test_many_sockets_of_many_owners_hear_their_own_rows_by_one_reader(
    database: str, tmp_path: Path, gate: Gatekeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """200 sockets, ten of each owner, each joined for the rows of three owners: while nothing happens nobody
    asks for a row, and a change is looked up once however many hear it."""
    owners = [f"owner-{n}" for n in range(20)]
    async with telling(database, tmp_path, gate) as scene, AsyncExitStack() as stack:
        jobs = [await scene.drive.insert(owner=owner, type="upscaler", type_version=1) for owner in owners]
        ears: list[Ear] = []
        for n, owner in enumerate(owners * 10):
            ears.append(await stack.enter_async_context(listening(scene.page.base)))
            rows = [f"id=eq.{jobs[(n + k) % len(jobs)].id}" for k in range(3)]
            assert (await ears[-1].join(by_secret(sub=owner), *rows))["status"] == "ok"
        asked: list[Any] = []
        real = scene.store.jobs.get

        async def counting(job_id: Any, **given: Any) -> Any:
            asked.append(job_id)
            return await real(job_id, **given)

        monkeypatch.setattr(scene.store.jobs, "get", counting)
        for job in jobs:
            await scene.engine.cancel(job.id)
        asked.clear()
        heard = [await ear.change() for ear in ears]
        assert [row["id"] for row in heard] == [str(job.id) for job in jobs * 10]
        assert {row["status"] for row in heard} == {"cancelled"}
        assert len(asked) <= len(jobs)
        assert [await ear.beat() for ear in ears] == [[]] * len(ears)


async def test_pages_lose_nothing_where_the_store_is_away_or_the_server_stops(
    database: str, tmp_path: Path, gate: Gatekeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with telling(database, tmp_path, gate) as scene:
        job = await scene.job_at("queued")
        real, away = scene.engine.get, True

        async def sometimes(*given: Any, **more: Any) -> Any:
            if away:
                raise StoreUnavailable("away")
            return await real(*given, **more)

        monkeypatch.setattr(scene.engine, "get", sometimes)
        async with listening(scene.page.base) as ear, listening(scene.page.base) as nobody:
            reply = await ear.join(ADA, f"id=eq.{job.id}")
            assert reply["status"] == "error"
            assert "join again" in reply["response"]["reason"]
            away = False
            await ear.join(ADA, f"id=eq.{job.id}")
            assert (await ear.change())["status"] == "queued"
            away = True
            await scene.drive.dispatch(job)
            assert await ear.closed() == AGAIN
            away = False
            async with listening(scene.page.base) as again:
                await again.join(ADA, f"id=eq.{job.id}")
                assert (await again.change())["status"] == "starting"
                scene.engine.stop()
                assert await again.closed() == GOING_AWAY
            assert await nobody.beat() == [], "it hears nothing, and is closed with the server"


async def test_a_page_whose_servers_database_is_cut_off_hears_what_happened_meanwhile(
    database: str, tmp_path: Path, gate: Gatekeeper
) -> None:
    async with (
        proxy_before(database) as proxy,
        telling(proxy.dsn, tmp_path, gate) as scene,
        PostgresStore.open(database) as direct,
        listening(scene.page.base) as ear,
    ):
        job = await scene.job_at("queued")
        await ear.join(ADA, f"id=eq.{job.id}")
        assert (await ear.change())["status"] == "queued"
        await proxy.refuse()
        reply = await ear.join(ADA, f"id=eq.{job.id}", topic="realtime:other")
        assert reply["status"] == "error"
        scene.drive.store = direct
        await scene.drive.dispatch(job)
        assert await ear.beat() == []
        await proxy.listen()
        assert (await ear.change())["status"] == "starting"


async def test_a_server_that_is_ended_closes_every_socket(
    database: str, tmp_path: Path, gate: Gatekeeper
) -> None:
    async with AsyncExitStack() as clients:
        async with telling(database, tmp_path, gate) as scene:
            session = await clients.enter_async_context(ClientSession())
            address = f"{scene.page.base}/realtime/v1/websocket?apikey={PUBLIC}"
            ear = Ear(await session.ws_connect(address))
            assert await ear.beat() == []
            closing = asyncio.create_task(ear.closed())
        assert await closing == GOING_AWAY
