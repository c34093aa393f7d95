"""A gate before every request to the database: a seeded scheduler says whose goes next.

    proxy for each process  ->  parks every request  ->  `Gates.run` opens one, when nothing else can happen

Nothing else can happen when every request under way waits for a lock and no party computes or talks to the
provider. Whether a request waits for a lock the server itself says. The first two choices are of two
parties, so that both are in the middle of something; from then on the seed decides.
"""

import asyncio
import random
import struct
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg

from tests.adapters.postgres.flights import DESCRIBED, FLUSH, PASSWORD, QUERY, READY, SYNC, TERMINATE
from tests.adapters.postgres.proxy import Proxy, Side, both_ways, read_message

BACKEND_KEY = b"K"
#: After so long without any news the server is asked who waits for a lock.
SILENCE_SECONDS = 0.003
#: A race in which nothing happens for so long has failed.
STANDSTILL_SECONDS = 60.0
#: How likely the party that was chosen last is chosen again: one may come to its end between two requests of
#: the other, or both take turns.
STAY = (0.0, 0.5, 0.9)
_BLOCKED = "select coalesce(bool_and(cardinality(pg_blocking_pids(p)) > 0), true) from unnest($1::int[]) p"

Party = str


class Gates:
    """Opens gates one by one while `run` runs; before and after it all are open."""

    def __init__(self, sql: asyncpg.Connection) -> None:
        self._sql = sql
        self._shut = False
        self._parked: dict[tuple[Party, int], asyncio.Future[None]] = {}
        self._at_work: dict[tuple[Party, int], int] = {}
        self._news = asyncio.Event()
        self.passed, self.lock_waits = 0, 0

    async def pass_through(self, party: Party, connection: int, pid: int) -> None:
        """Wait until the request of this connection may go to the server."""
        if self._shut:
            gate = self._parked[party, connection] = asyncio.get_running_loop().create_future()
            self._news.set()
            await gate
        self._at_work[party, connection] = pid

    def answered(self, party: Party, connection: int) -> None:
        """Note that the server is done with the request of this connection, or the connection is gone."""
        self._at_work.pop((party, connection), None)
        self._news.set()

    async def run(self, seed: int, acts: Mapping[Party, Coroutine[Any, Any, None]]) -> bool:
        """Let all act at one moment, in the order that *seed* draws; return whether any two were in the
        middle of their acts at one time. Raises what an act raises."""
        draw, begun = random.Random(seed), list[Party]()
        stay = draw.choice(STAY)
        self._shut = True
        tasks = {party: asyncio.create_task(act, name=party) for party, act in acts.items()}
        for task in tasks.values():
            task.add_done_callback(lambda _: self._news.set())
        overlapped = False
        try:
            async with asyncio.timeout(STANDSTILL_SECONDS):
                while live := [party for party, task in tasks.items() if not task.done()]:
                    if not await self._stands_still(live):
                        continue
                    overlapped = overlapped or len([p for p in live if p in begun]) > 1
                    places = sorted(self._parked)
                    new = [place for place in places if place[0] not in begun]
                    same = [place for place in places if begun and place[0] == begun[-1]]
                    goes_on = same and draw.random() < stay
                    chosen = draw.choice(new if begun and new else same if goes_on else places)
                    begun.append(chosen[0])
                    self.passed += 1
                    self._parked.pop(chosen).set_result(None)
                    await asyncio.sleep(0)
        finally:
            self._open()
            for task in tasks.values():
                task.cancel()
            results = await asyncio.gather(*tasks.values(), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return overlapped

    async def _stands_still(self, live: list[Party]) -> bool:
        """Return whether nothing but the opening of a gate can go on; else wait for news."""
        self._news.clear()
        moving = [p for p in live if p not in {party for party, _ in (*self._parked, *self._at_work)}]
        if not moving and self._parked:
            if not self._at_work:
                return True
            if await self._news_within(SILENCE_SECONDS):
                return False
            pids = list(self._at_work.values())
            if await self._sql.fetchval(_BLOCKED, pids) and pids == list(self._at_work.values()):
                self.lock_waits += 1
                return True
            return False
        await self._news_within(None)
        return False

    async def _news_within(self, seconds: float | None) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            if seconds is None:
                raise
            return False
        return True

    def _open(self) -> None:
        self._shut = False
        for gate in self._parked.values():
            gate.set_result(None)
        self._parked.clear()


class GatedProxy(Proxy):
    """Lets every request of one party pass its gate."""

    def __init__(self, upstream: str, gates: Gates, party: Party) -> None:
        super().__init__(upstream)
        self._gates, self._party, self._count = gates, party, 0

    async def _exchange(self, client: Side, server: Side) -> None:
        self._count += 1
        number, pid, ending = self._count, 0, b""

        async def to_server() -> None:
            nonlocal ending
            flight = b""
            while True:
                message = await read_message(client[0])
                flight += message
                if message[:1] in (SYNC, FLUSH, QUERY):
                    await self._gates.pass_through(self._party, number, pid)
                    ending = message[:1]
                elif message[:1] not in (PASSWORD, TERMINATE):
                    continue
                server[1].write(flight)
                await server[1].drain()
                flight = b""

        async def to_client() -> None:
            nonlocal pid
            while True:
                message = await read_message(server[0])
                if message[:1] == BACKEND_KEY:
                    (pid,) = struct.unpack("!i", message[5:9])
                client[1].write(message)
                await client[1].drain()
                if message[:1] == READY or (ending == FLUSH and message[:1] in DESCRIBED):
                    self._gates.answered(self._party, number)

        try:
            await both_ways(to_server(), to_client())
        finally:
            self._gates.answered(self._party, number)


@asynccontextmanager
async def gated(dsn: str, *parties: Party) -> AsyncIterator[tuple[Gates, dict[Party, str]]]:
    """Yield the gates and, for each party, the address at which its requests pass them."""
    sql = await asyncpg.connect(dsn)
    gates, addresses = Gates(sql), {}
    async with AsyncExitStack() as stack:
        stack.callback(sql.terminate)
        for party in parties:
            proxy = GatedProxy(dsn, gates, party)
            await proxy.listen()
            stack.push_async_callback(proxy.refuse)
            addresses[party] = proxy.dsn
        yield gates, addresses
