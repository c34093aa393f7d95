"""How many webhooks one process takes in, next to bare handlers with one INSERT and without a database."""

import asyncio
import hashlib
import itertools
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from makegood import Catalog, Engine
from makegood.job import Attempt
from makegood_adapters.cli.bench.jobs import BENCHMARK, Preparer, grant_all, text_of
from makegood_adapters.cli.bench.paired.intake import ACCOUNT
from makegood_adapters.cli.bench.paired.pair import Pair, in_milliseconds
from makegood_adapters.cli.bench.plan import BenchError, BooksDisagree, Plan
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore, connect

#: The attempts that messages are about, in turn.
_ATTEMPTS = 2_000
_LEASE_SECONDS = 3_600.0
_ROUNDS = 6
_BODY = (
    b'{"event":"TASK_END","taskId":"%d","eventData":"{\\"code\\":0,\\"msg\\":\\"success\\",\\"data\\":[{'
    b'\\"fileUrl\\":\\"https://rh-images.example/%d/output/0.png\\",\\"fileType\\":\\"png\\",'
    b'\\"taskCostTime\\":41,\\"nodeId\\":\\"9\\"}]}"}'
)


@dataclass(slots=True)
class Side:
    """One way and what was measured of it."""

    name: str
    port: int
    rates: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    sent: int = 0


async def measure(plan: Plan, dsn: str) -> list[Pair]:
    """Send messages on *plan.concurrency* connections to each of three processes in turn; every message is
    another one, about one of many attempts."""
    async with AsyncExitStack() as stack:
        tokens = await _submitted(plan, dsn)
        connection = await connect(dsn)
        stack.push_async_callback(connection.close)
        await connection.execute(text_of("bare_inbox"))
        sides = [
            Side(name, await stack.enter_async_context(_process(name, dsn)))
            for name in ("product", "insert", "nothing")
        ]
        numbers = itertools.count(1)
        seconds = max(0.2, plan.seconds / _ROUNDS)
        for number in range(-1, _ROUNDS):
            for side in sides if number % 2 else reversed(sides):
                await _load(side, plan.concurrency, seconds, _messages(tokens, numbers), counts=number >= 0)
        kept = await connection.fetchval(text_of("heard"))
    ours, insert, nothing = sides
    if kept != ours.sent:
        raise BooksDisagree(f"{ours.sent} messages were answered with 200 and {kept} were kept.")
    return [
        Pair(
            name="webhooks, beside one INSERT for each",
            unit="per second",
            ours=tuple(ours.rates),
            other="one INSERT for each, no rules",
            others=tuple(insert.rates),
            owed=2.0,
        ),
        Pair(
            name="webhooks, beside no database",
            unit="per second",
            ours=tuple(ours.rates),
            other="no database",
            others=tuple(nothing.rates),
            owed=0.35,
        ),
        Pair(
            name=f"webhook until it is kept, {plan.concurrency} senders",
            unit="ms",
            ours=in_milliseconds(ours.latencies),
            other="one INSERT for each, no rules",
            others=in_milliseconds(insert.latencies),
            owed=None,
        ),
    ]


async def _submitted(plan: Plan, dsn: str) -> list[str]:
    """Bring jobs up to the intent of their attempts and return the tokens of these."""
    async with (
        PostgresStore.open(dsn) as store,
        Engine(store, Catalog([BENCHMARK]), blobs=MemoryBlobs(), run_loops=False) as engine,
    ):
        await grant_all(engine, plan.owners)
        await store.attempts.register(ACCOUNT)
        connection = await connect(dsn)
        try:
            preparer = Preparer(connection, plan.owners)
            await preparer.queued(_ATTEMPTS)
            await store.attempts.dispatch(ACCOUNT.pool, [ACCOUNT.name], _ATTEMPTS)
            claimed = await store.attempts.claim([ACCOUNT.name], _ATTEMPTS, _LEASE_SECONDS)
            tokens = list(await asyncio.gather(*(_intend(store, attempt) for attempt in claimed)))
            await preparer.settle()
        finally:
            await connection.close()
    if len(tokens) != _ATTEMPTS:
        raise BenchError(f"{len(tokens)} of {_ATTEMPTS} attempts were submitted.")
    return tokens


async def _intend(store: PostgresStore, attempt: Attempt) -> str:
    token = hashlib.sha256(attempt.job_id.bytes).hexdigest()
    if not await store.attempts.intend(attempt, hashlib.sha256(token.encode()).digest(), _LEASE_SECONDS):
        raise BenchError("An attempt was not submitted.")
    return token


def _messages(tokens: list[str], numbers: Iterator[int]) -> Iterator[bytes]:
    """Yield requests for ever, each with another body."""
    for token, number in zip(itertools.cycle(tokens), numbers, strict=False):
        body = _BODY % (number, number)
        yield (
            f"POST /hooks/{token} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )


@asynccontextmanager
async def _process(name: str, dsn: str) -> AsyncIterator[int]:
    """Run a way in a process of its own and yield its port."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "makegood_adapters.cli.bench.paired.intake", name),
        env={**os.environ, "DATABASE_URL": dsn},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = await process.stdout.readline()
        if not line:
            raise BenchError(f"The process that takes webhooks in ({name}) did not start.")
        yield int(line)
        process.stdin.close()
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _load(side: Side, senders: int, seconds: float, messages: Iterator[bytes], *, counts: bool) -> None:
    """Send on so many connections for *seconds*, on each the next message when the last one is answered."""
    loop = asyncio.get_running_loop()
    end = time.perf_counter() + seconds
    latencies: list[float] = []
    began = time.perf_counter()
    opened = [
        await loop.create_connection(lambda: _Sender(messages, latencies, end), "127.0.0.1", side.port)
        for _ in range(senders)
    ]
    await asyncio.gather(*(protocol.over for _, protocol in opened))
    took = time.perf_counter() - began
    side.sent += len(latencies)
    if counts:
        side.rates.append(len(latencies) / took)
        side.latencies += latencies


class _Sender(asyncio.Protocol):
    """One connection; as little of a client as will do, so that the server is measured and not this."""

    def __init__(self, messages: Iterator[bytes], latencies: list[float], end: float) -> None:
        self._messages, self._latencies, self._end = messages, latencies, end
        self._transport: asyncio.Transport | None = None
        self._began, self._received = 0.0, b""
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        """Send the next once the answer is whole."""
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or not body.endswith(b"}"):
            return
        self._received = b""
        self._latencies.append(time.perf_counter() - self._began)
        if not head.startswith(b"HTTP/1.1 200"):
            self._fail(head.decode(errors="replace"))
        elif time.perf_counter() >= self._end:
            self._close()
        else:
            self._next()

    def connection_lost(self, error: Exception | None) -> None:
        """Tell who waits that there is no more to come."""
        if not self.over.done():
            self._fail(f"the connection was closed ({error})")

    def _next(self) -> None:
        assert self._transport is not None
        self._began = time.perf_counter()
        self._transport.write(next(self._messages))

    def _close(self) -> None:
        assert self._transport is not None
        self.over.set_result(None)
        self._transport.close()

    def _fail(self, why: str) -> None:
        self.over.set_exception(BenchError(f"A webhook was not taken in: {why.splitlines()[0]}"))
        if self._transport:
            self._transport.close()
