"""An upload tells what the socket has taken, and lives as long as that moves."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from makegood_adapters.exchange import NoReply, Reply
from makegood_adapters.outgoing import Outgoing
from makegood_adapters.replicate.client import ReplicateClient
from makegood_adapters.runninghub import open_session
from makegood_adapters.runninghub.simulator import Simulator
from tests.loop_time import hasten
from tests.scenarios.line import client_to, line_to

KEY = "a-key-of-the-simulator"
SIZE = 8_000_000
REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(handle: Serve) -> AsyncIterator[str]:
    """Yield the address of a server that does with a connection what *handle* does."""
    served: list[tuple[asyncio.Task[object] | None, asyncio.StreamWriter]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append((asyncio.current_task(), writer))
        await handle(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**16)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task, writer in served:
            if task:
                task.cancel()
            writer.transport.abort()
        await asyncio.gather(*(task for task, _ in served if task), return_exceptions=True)


def test_a_piece_is_told_once_the_next_one_is_asked_for() -> None:
    told: list[int] = []
    file = Outgoing(b"x" * 10, told.append)
    assert (file.read(4), told) == (b"xxxx", [])
    assert (file.read(4), told) == (b"xxxx", [4])
    assert (file.read(4), told) == (b"xx", [4, 4])
    assert (file.read(4), told) == (b"", [4, 4, 2])
    assert (file.read(4), sum(told)) == (b"", 10)


@pytest.mark.parametrize("site", ["RunningHub", "Replicate"])
async def test_d29_what_is_told_is_what_the_socket_has_taken(site: str) -> None:
    """What is told stays ahead of what the site has read by less than the buffers between them hold."""
    begun, over = asyncio.Event(), asyncio.Event()
    told = taken = ahead = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        await reader.readuntil(b"\r\n\r\n")
        await begun.wait()
        while taken < SIZE:
            taken += len(await reader.read(2**16))
        writer.write(REPLY)
        await writer.drain()
        await over.wait()

    def moved(size: int) -> None:
        nonlocal told, ahead
        told += size
        ahead = max(ahead, told - taken)
        begun.set()

    async with serving(handle) as url, open_session() as session:
        if site == "RunningHub":
            uploading = client_to(session, url, KEY).upload("a.bin", bytes(SIZE), "v2", moved)
        else:
            uploading = ReplicateClient(session, KEY, url).upload("a.bin", bytes(SIZE), moved)
        assert isinstance(await uploading, Reply)
        over.set()
    assert told == SIZE
    assert 0 < ahead < SIZE


async def test_d29_an_upload_takes_longer_than_a_standstill_may() -> None:
    """Twice more than half of what a standstill may take passes between two pieces."""
    bound, told = 60.0, 0
    hasten(0)  # whoever keeps the clock from now on keeps this one

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        taken = 0
        while taken < SIZE:
            taken += len(await reader.read(2**16))
        writer.write(REPLY)
        await writer.drain()
        await asyncio.Event().wait()

    def moved(size: int) -> None:
        nonlocal told
        for part in (SIZE // 3, SIZE * 2 // 3):
            if told < part <= told + size:
                hasten(0.6 * bound)
        told += size

    async with serving(handle) as url, open_session() as session:
        client = client_to(session, url, KEY)
        exchange = await client.upload("a.bin", bytes(SIZE), "v2", moved, idle_seconds=bound)
        assert isinstance(exchange, Reply)
    assert told == SIZE


async def test_an_upload_that_stands_still_ends() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.Event().wait()

    async with serving(handle) as url, open_session() as session:
        exchange = await client_to(session, url, KEY).upload("a.bin", bytes(SIZE), idle_seconds=0.2)
        assert exchange == NoReply("nothing moved for 0.2 s", sent=True)


async def test_the_provider_passes_it_on() -> None:
    told: list[int] = []
    async with Simulator(keys={KEY: 3}) as simulator, open_session() as session:
        provider = line_to(session, simulator.url, KEY)
        await provider.upload("a.png", bytes(SIZE), told.append)
    assert sum(told) == SIZE
