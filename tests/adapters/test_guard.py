"""Slow and hostile clients of the service's own server, over real sockets with small bounds."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import IPv4Network, IPv6Network
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from makegood_adapters.http import Bounds, Guard, GuardedSite, application, runner
from tests.loop_time import hasten

HEAD = b"GET /slow HTTP/1.1\r\nHost: x\r\n"
#: Far more than a test needs; whoever waits so long has failed.
PATIENCE = 60.0
BIG = 64 * 1024 * 1024
#: More than the buffers between a server and who reads from it hold.
PART = 12 * 1024 * 1024
NOBODY: tuple[IPv4Network | IPv6Network, ...] = ()


class Served:
    """A guarded server of one page, whose handler waits until `go` is set."""

    def __init__(self, guard: Guard, port: int, go: asyncio.Event, asked: asyncio.Event) -> None:
        self.guard, self.port, self.go, self.asked = guard, port, go, asked
        self._writers: list[asyncio.StreamWriter] = []

    def leave(self) -> None:
        for writer in self._writers:
            writer.close()

    async def connect(self, text: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writers.append(writer)
        writer.write(text)
        return reader, writer

    async def until(self, holds: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not holds():  # noqa: ASYNC110 - it is the state of sockets
                await asyncio.sleep(0.005)


@asynccontextmanager
async def served(**bounds: Any) -> AsyncIterator[Served]:
    guard, go, asked = Guard(Bounds(**{"proxies": NOBODY, **bounds})), asyncio.Event(), asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        asked.set()
        await go.wait()
        return web.Response(text="here")

    async def big(_: web.Request) -> web.Response:
        return web.Response(body=bytes(BIG))

    app = application(guard.middleware())
    app.add_routes([web.get("/slow", slow), web.get("/big", big)])
    server = runner(app)
    await server.setup()
    try:
        await GuardedSite(server, guard, host="127.0.0.1", port=0).start()
        site = Served(guard, server.addresses[0][1], go, asked)
        yield site
        site.leave()
    finally:
        go.set()
        await server.cleanup()


async def ended(reader: asyncio.StreamReader) -> bytes:
    """Return what came until the server ended the connection."""
    async with asyncio.timeout(PATIENCE):
        try:
            return await reader.read()
        except ConnectionError:
            return b""


async def ended_in_time(reader: asyncio.StreamReader, seconds: float) -> bytes:
    """Return what comes until the server ends the connection, while *seconds* pass again and again."""
    reading = asyncio.create_task(reader.read())
    while not reading.done():
        hasten(seconds)
        await asyncio.sleep(0.01)
    return await reading


@pytest.mark.parametrize("text", [b"", b"GE", HEAD, HEAD + b"X-Slow: 1\r\n"])
async def test_a_head_that_does_not_arrive_ends_the_connection(text: bytes) -> None:
    async with served(head_seconds=0.05) as site:
        reader, _ = await site.connect(text)
        assert await ended(reader) == b""
        assert site.guard.cut["head"] == 1
        await site.until(lambda: site.guard.connections == 0)


async def test_a_drip_of_headers_does_not_put_the_end_off() -> None:
    async with served(head_seconds=0.1) as site:
        reader, writer = await site.connect(HEAD)
        ending = asyncio.create_task(ended(reader))
        async with asyncio.timeout(PATIENCE):
            while not ending.done():
                writer.write(b"X-Drip: 1\r\n")
                await asyncio.sleep(0.01)
        assert await ending == b""
        assert site.guard.cut["head"] == 1


async def test_an_answer_may_take_longer_than_a_head_and_idle_connections_end() -> None:
    async with served(head_seconds=60, idle_seconds=60) as site:
        reader, _ = await site.connect(HEAD + b"\r\n")
        await site.asked.wait()
        others, _ = await site.connect()
        await site.until(lambda: site.guard.connections == 2)
        assert await ended_in_time(others, 61) == b""  # as long as a head may take has passed
        site.go.set()
        told = await reader.readuntil(b"here")
        assert await ended_in_time(reader, 61) == b""
        assert told.startswith(b"HTTP/1.1 200 OK")
        assert (site.guard.cut["head"], site.guard.cut["idle"]) == (1, 1)


async def test_half_a_second_request_ends_the_connection_before_it_would_be_idle() -> None:
    async with served(head_seconds=30, idle_seconds=1e9) as site:
        site.go.set()
        reader, writer = await site.connect(HEAD + b"\r\n")
        async with asyncio.timeout(PATIENCE):
            await reader.readuntil(b"here")
        writer.write(HEAD)
        assert await ended_in_time(reader, 1) == b""
        assert site.guard.cut["head"] == 1


async def test_who_takes_nothing_of_an_answer_is_cut_off() -> None:
    async with served(write_seconds=0.05) as site:
        _, writer = await site.connect(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport of a socket
        await site.until(lambda: site.guard.cut["write"])
        await site.until(lambda: site.guard.connections == 0)


async def test_who_takes_its_time_with_an_answer_gets_it() -> None:
    async with (
        served(write_seconds=600) as site,
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{site.port}/big") as reply,
    ):
        assert len(await reply.read()) == BIG
        assert site.guard.cut["write"] == 0


@pytest.mark.parametrize(
    ("bounds", "reason"), [({"connections_max": 2}, "full"), ({"connections_per_address_max": 2}, "address")]
)
async def test_too_many_connections_are_told_and_there_is_room_again(
    bounds: dict[str, int], reason: str
) -> None:
    async with served(**bounds) as site:
        first = [await site.connect(HEAD + b"\r\n") for _ in range(2)]
        await site.until(lambda: site.guard.connections == 2)
        reader, _ = await site.connect()
        told = await ended(reader)
        assert told.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert told.endswith(b'\r\n\r\n{"error": "Too many connections."}')
        assert site.guard.cut[reason] == 1
        first[0][1].close()
        await site.until(lambda: site.guard.connections == 1)
        site.go.set()
        again, _ = await site.connect(HEAD + b"Connection: close\r\n\r\n")
        assert b" 200 OK" in await ended(again)


async def test_a_proxy_brings_many_clients_and_is_not_counted_by_its_address() -> None:
    async with served(connections_per_address_max=1, proxies=[IPv4Network("127.0.0.0/8")]) as site:
        site.go.set()
        for _ in range(3):
            await site.connect(HEAD + b"\r\n")
        await site.until(lambda: site.guard.connections == 3)
        assert site.guard.cut.total() == 0


@pytest.mark.parametrize(
    ("peer", "counted"),
    [
        (("203.0.113.7", 5), "203.0.113.7"),
        (("::ffff:203.0.113.7", 5, 0, 0), "203.0.113.7"),
        (("2001:db8:1:2:3:4:5:6", 5, 0, 0), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 5, 0, 2), "fe80::/64"),
        (("::1", 5, 0, 0), ""),
        (("::ffff:127.0.0.1", 5, 0, 0), ""),
        ("", ""),
        (None, ""),
    ],
)
def test_how_an_address_is_counted(peer: object, counted: str) -> None:
    assert Guard(Bounds())._counted_as(peer) == counted


async def test_who_is_refused_again_and_again_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    async with served(connections_max=1) as site:
        await site.connect(HEAD + b"\r\n")
        await site.asked.wait()
        for _ in range(20):
            reader, _ = await site.connect()
            assert b" 503 " in await ended(reader)
        assert site.guard.cut["full"] == 20
    lines = [r.getMessage() for r in caplog.records if r.name == "makegood.http.guard"]
    assert lines == ["a connection of 127.0.0.1 is refused: full (1 so far)"]


async def test_who_takes_a_large_answer_slowly_and_goes_on_gets_all_of_it() -> None:
    """It takes far longer than a client may stand still: more than half of that between any two parts."""
    bound, got, passed = 600.0, 0, 0.0
    async with served(write_seconds=bound) as site:
        reader, _ = await site.connect(b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        while piece := await reader.read(1 << 20):
            if got // PART < (got + len(piece)) // PART < BIG // PART:
                hasten(0.6 * bound)
                passed += 0.6 * bound
            got += len(piece)
        assert got > BIG
        assert passed > 2 * bound
        assert site.guard.cut["write"] == 0


@pytest.mark.parametrize(
    "text",
    [
        b"GET /" + 9_000 * b"x" + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        HEAD + b"X-Long: " + 9_000 * b"x" + b"\r\n\r\n",
        HEAD + b"".join(b"X-%d: 1\r\n" % n for n in range(200)) + b"\r\n",
    ],
)
async def test_a_head_that_is_too_large_is_a_400_and_the_end(text: bytes) -> None:
    async with served() as site:
        reader, _ = await site.connect(text)
        assert (await ended(reader)).startswith(b"HTTP/1.0 400 Bad Request")
