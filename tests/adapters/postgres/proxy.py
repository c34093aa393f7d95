"""A proxy before the server that acts on the very message that commits, and on connections."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager
from enum import Enum, auto
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

# Frontend and backend messages, see "Message Formats" in the manual of PostgreSQL: a type, a length that
# counts itself, a body; the first message of a client has no type.
BEGIN = b"Q" + struct.pack("!i", 4 + len(b"BEGIN\0")) + b"BEGIN\0"
COMMIT = b"Q" + struct.pack("!i", 4 + len(b"COMMIT\0")) + b"COMMIT\0"
STARTING_UP = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"


class AtCommit(Enum):
    """What becomes of one commit: a COMMIT, or the end of a statement outside BEGIN and COMMIT."""

    PASS = auto()
    CUT_BEFORE = auto()  # the server never sees it
    CUT_AFTER = auto()  # the server has carried it out, its answer is lost
    HOLD_ANSWER = auto()  # the server has carried it out, its answer waits for `release`


class AtConnect(Enum):
    """What becomes of one connection."""

    PASS = auto()
    RESET = auto()
    STARTING_UP = auto()  # what a server says while it recovers


class Cut(Exception):
    """Both sides of a connection are cut."""


Side = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Proxy:
    """Forwards whole messages; `commits` and `connections` tell the fates of the next ones, then all pass."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._links: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._port = 0
        self.commits: Iterator[AtCommit] = iter(())
        self.connections: Iterator[AtConnect] = iter(())
        self.commits_seen = self.connections_seen = 0
        self.holding, self._released = asyncio.Event(), asyncio.Event()
        self.deaf = False  # no notification comes through, as from a pooler that lends by transaction
        self.swallowed = asyncio.Event()  # one has come and was kept back
        self._flowing = asyncio.Event()
        self._flowing.set()

    def at_commits(self, fates: Iterable[AtCommit]) -> None:
        self.commits, self.commits_seen = iter(fates), 0

    def at_connects(self, fates: Iterable[AtConnect]) -> None:
        self.connections, self.connections_seen = iter(fates), 0

    def release(self) -> None:
        """Let the answers go that were held."""
        self._released.set()

    def pause(self) -> None:
        """Keep back everything that the server says, on every connection."""
        self._flowing.clear()

    def resume(self) -> None:
        """Let it go on."""
        self._flowing.set()

    @property
    def dsn(self) -> str:
        """The address of the proxy, with everything else as in that of the server."""
        parts = urlsplit(self._upstream)
        user, at, _ = parts.netloc.rpartition("@")
        kept = [(k, v) for k, v in parse_qsl(parts.query) if k not in ("host", "port", "sslmode")]
        query = urlencode([*kept, ("sslmode", "disable")])
        return f"postgresql://{user}{at}127.0.0.1:{self._port}{parts.path}?{query}"

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Close the port and cut every connection."""
        if self._server is not None:
            self._server.close()
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        self.connections_seen += 1
        try:
            await self._serve(reader, writer, next(self.connections, AtConnect.PASS))
        except (Cut, ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            self._links.discard(task)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fate: AtConnect
    ) -> None:
        if fate is AtConnect.RESET:
            raise Cut
        first = await _first_message(reader)
        if fate is AtConnect.STARTING_UP:
            writer.write(b"E" + struct.pack("!i", 4 + len(STARTING_UP)) + STARTING_UP)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
            return
        up_reader, up_writer = await self._dial()
        try:
            up_writer.write(first)
            await self._exchange((reader, writer), (up_reader, up_writer))
        finally:
            up_writer.transport.abort()

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self._upstream)
        query = dict(parse_qsl(parts.query))
        host = query.get("host") or parts.hostname or "localhost"
        port = int(query.get("port") or parts.port or 5432)
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)

    async def _exchange(self, client: Side, server: Side) -> None:
        """Forward in both directions until one side ends or is cut."""
        answer = AtCommit.PASS
        commits = _Commits()

        async def to_server() -> None:
            nonlocal answer
            while True:
                message = await read_message(client[0])
                if commits.are_at(message):
                    self.commits_seen += 1
                    answer = next(self.commits, AtCommit.PASS)
                    if answer is AtCommit.CUT_BEFORE:
                        raise Cut
                server[1].write(message)
                await server[1].drain()

        async def to_client() -> None:
            nonlocal answer
            while True:
                message = await read_message(server[0])
                if message.startswith(b"C") and answer is AtCommit.CUT_AFTER:
                    raise Cut
                if message.startswith(b"C") and answer is AtCommit.HOLD_ANSWER:
                    self.holding.set()
                    await self._released.wait()
                    answer = AtCommit.PASS
                await self._flowing.wait()
                if self.deaf and message.startswith(b"A"):
                    self.swallowed.set()
                    continue
                client[1].write(message)
                await client[1].drain()

        await both_ways(to_server(), to_client())


@asynccontextmanager
async def proxy_before(dsn: str) -> AsyncIterator[Proxy]:
    """Serve a proxy before the server of *dsn*."""
    proxy = Proxy(dsn)
    await proxy.listen()
    try:
        yield proxy
    finally:
        await proxy.refuse()


class _Commits:
    """Sees in what a client sends where a transaction ends that has to do with makegood; the driver also asks
    the server about types, which commits nothing."""

    def __init__(self) -> None:
        self._block = self._ours = False
        self._statements: set[bytes] = set()

    def are_at(self, message: bytes) -> bool:
        kind, body = message[:1], message[5:]
        if message in (BEGIN, COMMIT):
            self._block = message == BEGIN
            return message == COMMIT
        if kind == b"P" and b"makegood." in body:
            self._statements.add(body.split(b"\0", 1)[0])
        if kind == b"B":
            self._ours = body.split(b"\0", 2)[1] in self._statements
        if kind != b"S" or self._block:
            return False
        ours, self._ours = self._ours, False
        return ours


async def both_ways(*ways: Coroutine[Any, Any, None]) -> None:
    """Forward in both directions until one side ends or is cut."""
    directions = [asyncio.create_task(way) for way in ways]
    try:
        done, _ = await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        for direction in done:
            direction.result()
    finally:
        for direction in directions:
            direction.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*directions, return_exceptions=True)


async def _first_message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(4)
    (length,) = struct.unpack("!i", head)
    return head + await reader.readexactly(length - 4)


async def read_message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(5)
    (length,) = struct.unpack("!i", head[1:])
    return head + await reader.readexactly(length - 4)
