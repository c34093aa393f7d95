"""Connections of the service's own server: how many there may be, and how slow their clients.

aiohttp waits for the first head of a connection as long as for the next request, and for a client that takes
nothing of an answer for ever. The guard stands between the socket and aiohttp's protocol and cuts such
clients off. How long a body may take is the matter of whoever reads it.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

log = logging.getLogger("makegood.http.guard")

#: How often refusals are told in the log at most: who is refused may come again thousands of times a second.
_TELL_SECONDS = 10.0
#: Less than this is not some of an answer.
_TAKEN_BYTES = 16 * 1024

LOOPBACK = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 5\r\n"
    b"Connection: close\r\nContent-Length: 34\r\n\r\n"
    b'{"error": "Too many connections."}'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How many connections there may be, in all and of one address (0: any number), and seconds: for the head
    of a request to arrive, between two requests, and for a client to take some of an answer, 16 KiB if there
    is so much. Connections from *proxies* carry many clients and are not counted by address."""

    connections_max: int = 10_000
    connections_per_address_max: int = 500
    proxies: Sequence[IPv4Network | IPv6Network] = LOOPBACK
    head_seconds: float = 10.0
    idle_seconds: float = 75.0
    write_seconds: float = 30.0


class Guard:
    """Counts and bounds the connections of one server. `cut` counts those that were ended, by the reason:
    `full`, `address`, `head`, `idle` or `write`."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.cut: Counter[str] = Counter(full=0, address=0, head=0, idle=0, write=0)
        self._open: set[_Guarded] = set()
        self._of: Counter[str] = Counter()
        self._tell_at = 0.0

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._open)

    def over(self, make: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """Return a maker of protocols that pass all on to one of *make* as long as the bounds hold."""
        return lambda: _Guarded(self, make)

    def middleware(self) -> Middleware:
        """Return a middleware, the outermost, which tells a connection that a request is being answered."""

        @web.middleware
        async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
            protocol = request.transport.get_protocol() if request.transport else None
            if not isinstance(protocol, _Guarded):  # served without a guard, or the client has left
                return await handler(request)
            protocol.begins()
            try:
                return await handler(request)
            finally:
                protocol.ends()

        return watch

    def _enters(self, one: "_Guarded") -> str | None:
        """Count a new connection, or return why there is no room for it."""
        if len(self._open) >= self.bounds.connections_max:
            return "full"
        most = self.bounds.connections_per_address_max
        if one.address and most and self._of[one.address] >= most:
            return "address"
        self._open.add(one)
        self._of[one.address] += 1
        return None

    def _refuses(self, one: "_Guarded", reason: str) -> None:
        self.cut[reason] += 1
        now = asyncio.get_running_loop().time()
        if now >= self._tell_at:
            self._tell_at = now + _TELL_SECONDS
            count = self.cut["full"] + self.cut["address"]
            who = one.address or "a proxy"
            log.warning("a connection of %s is refused: %s (%d so far)", who, reason, count)

    def _leaves(self, one: "_Guarded") -> None:
        if one in self._open:
            self._open.remove(one)
            self._of[one.address] -= 1
            if not self._of[one.address]:
                del self._of[one.address]

    def _counted_as(self, peer: object) -> str:
        """Return under which name connections of *peer* are counted; empty: they are not."""
        try:
            address = ip_address(str(peer[0]).partition("%")[0])  # type: ignore[index]  # None is told
        except (TypeError, IndexError, ValueError):  # a socket of the file system
            return ""
        address = getattr(address, "ipv4_mapped", None) or address
        if any(address in network for network in self.bounds.proxies if network.version == address.version):
            return ""
        # One customer of a provider has a whole network of 64 bits.
        return str(address) if address.version == 4 else str(ip_network((address, 64), strict=False))


class _Guarded(asyncio.Protocol):
    """One connection: hands everything on, and ends what takes too long."""

    def __init__(self, guard: Guard, make: Callable[[], asyncio.Protocol]) -> None:
        self._guard, self._make = guard, make
        self._inner: asyncio.Protocol | None = None
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None
        self._answering, self._heard = 0, False
        self.address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.address = self._guard._counted_as(transport.get_extra_info("peername"))
        if reason := self._guard._enters(self):
            self._guard._refuses(self, reason)
            transport.write(_FULL)
            transport.close()
            return
        self._inner = self._make()
        self._inner.connection_made(transport)
        self._heard = True
        self._wait("head", self._guard.bounds.head_seconds)

    def data_received(self, data: bytes) -> None:
        if self._inner is None:
            return
        if not (self._answering or self._heard):
            self._heard = True
            self._wait("head", self._guard.bounds.head_seconds)
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._inner else None

    def pause_writing(self) -> None:
        if self._inner:
            self._wait_for_taking()
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._writing:
            self._writing.cancel()
            self._writing = None
        if self._inner:
            self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._guard._leaves(self)
        for timer in (self._waiting, self._writing):
            if timer:
                timer.cancel()
        if self._inner:
            self._inner.connection_lost(exc)

    def begins(self) -> None:
        """A request is complete and is being answered, for as long as that takes."""
        self._answering += 1
        if self._waiting:
            self._waiting.cancel()

    def ends(self) -> None:
        """It is answered; what still has to be taken of the answer is a matter of writing."""
        self._answering -= 1
        self._heard = False
        self._wait("idle", self._guard.bounds.idle_seconds)

    def _wait(self, reason: str, seconds: float) -> None:
        if self._waiting:
            self._waiting.cancel()
        self._waiting = self._later(reason, seconds)

    def _wait_for_taking(self) -> None:
        """An answer may be handed over whole, and be large: what counts is whether it grows less."""
        assert self._transport is not None
        left = self._transport.get_write_buffer_size()
        seconds = self._guard.bounds.write_seconds
        self._writing = asyncio.get_running_loop().call_later(seconds, self._look_at_taking, left)

    def _look_at_taking(self, before: int) -> None:
        assert self._transport is not None
        if before - self._transport.get_write_buffer_size() >= _TAKEN_BYTES:
            self._wait_for_taking()
        else:
            self._end("write")

    def _later(self, reason: str, seconds: float) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds, self._end, reason)

    def _end(self, reason: str) -> None:
        if reason == "idle" and self._writing:  # its last answer is still being taken
            self._wait(reason, self._guard.bounds.idle_seconds)
            return
        if self._transport and not self._transport.is_closing():
            self._guard.cut[reason] += 1
            log.debug("a connection of %s is cut off: %s", self.address or "a proxy", reason)
            self._transport.abort()


class GuardedSite(web.BaseSite):
    """A site of aiohttp's whose connections are guarded; `where` is a `sock`, or a `host` and a `port`."""

    def __init__(self, runner: web.AppRunner, guard: Guard, **where: Any) -> None:
        super().__init__(runner)
        self._guard, self._where = guard, where

    @property
    def name(self) -> str:
        """Where it listens."""
        return str(self._where)

    async def start(self) -> None:
        """Listen. Raises OSError."""
        await super().start()
        server = self._runner.server
        assert server is not None
        self._server = await asyncio.get_running_loop().create_server(
            self._guard.over(server), backlog=128, **self._where
        )
