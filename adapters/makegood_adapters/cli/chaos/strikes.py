"""The operator's bad days: engines are killed, the server is stopped at once; how soon everything goes on."""

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from makegood.errors import StoreError
from makegood_adapters.cli.chaos.plan import Plan
from makegood_adapters.cli.stage import EngineProcess, StageError
from makegood_adapters.postgres.embedded import EmbeddedPostgres
from makegood_adapters.postgres.store import connect
from makegood_adapters.postgres.transaction import LOST

_LOOK_SECONDS = 0.1
#: So often an engine is started that does not come up, for instance because the server is away.
_STARTS_MAX, _START_PAUSE_SECONDS = 40, 0.5
#: What has not recovered after so long is told as that.
_RECOVERY_SECONDS_MAX = 120.0
_LEASED = (
    "select makegood.now() as now, coalesce(array_agg(job_id), '{}') as jobs,"
    " coalesce(array_agg(number), '{}') as numbers, coalesce(array_agg(epoch), '{}') as epochs,"
    " coalesce(array_agg(phase), '{}') as phases"
    " from makegood.attempt where closed_at is null and phase in ('opened', 'submitting')"
    " and lease_until > makegood.now()"
)
_STILL = (
    "select count(*) as left from makegood.attempt a"
    " join unnest($1::uuid[], $2::integer[], $3::integer[], $4::text[]) as w (job_id, number, epoch, phase)"
    " on a.job_id = w.job_id and a.number = w.number and a.epoch = w.epoch and a.phase = w.phase"
    " where a.closed_at is null"
)
_ENDED = "select exists (select from makegood.job where finished_at > $1) as ended"


class Sql:
    """One connection of another program, made again when the server was away."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: asyncpg.Connection | None = None
        self._turn = asyncio.Lock()

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Return the rows of a statement that may be run twice."""
        while True:
            async with self._turn:
                try:
                    if self._connection is None:
                        self._connection = await connect(self._dsn)
                    return await self._connection.fetch(query, *arguments)
                except (*LOST, StoreError):
                    self.close()
            await asyncio.sleep(_LOOK_SECONDS)

    def close(self) -> None:
        """Give the connection up."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


@dataclass(slots=True)
class Strike:
    """What was struck when, in seconds since the beginning, and how many seconds later a job ended again,
    and all that had been leased had gone on; None: not within a minute."""

    what: str
    at: float
    next_end: float | None = None
    taken_over: float | None = None


class Operator:
    """Strikes while the crowd orders; `strikes` tells how each went."""

    def __init__(
        self, plan: Plan, processes: Sequence[EngineProcess], server: EmbeddedPostgres | None, sql: Sql
    ) -> None:
        self._plan, self._processes, self._server, self._sql = plan, processes, server, sql
        self._chance = random.Random(f"strikes of {plan.seed}")
        self._up = set(range(len(processes)))
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()
        self._watching: set[asyncio.Task[None]] = set()
        self._acting: list[asyncio.Task[None]] = []
        self.strikes: list[Strike] = []

    @property
    def kills(self) -> int:
        """How many engines were killed."""
        return sum(strike.what == "kill" for strike in self.strikes)

    async def kill_and_restart(self, number: int | None = None) -> None:
        """Kill an engine, any of those that run if none is named, and start it again a moment later, also if
        nobody waits for it any more."""
        await asyncio.shield(self._act(self._kill_and_restart(number)))

    async def stop_server(self) -> None:
        """Stop the server as `pg_ctl stop -m immediate` does, and start it again."""
        await asyncio.shield(self._act(self._strike("stop", self._restart_server)))

    async def kill_for_ever(self, every: float) -> None:
        """Kill one of the engines every so many seconds; each comes back by itself."""
        while True:
            await asyncio.sleep(every)
            self._act(self._kill_and_restart(None))

    async def settled(self) -> None:
        """Wait until every engine is there again. Raises StageError if one does not come."""
        await asyncio.gather(*self._acting)

    async def recovered(self) -> None:
        """Wait until it is known of each strike how soon everything went on."""
        if self._watching:
            await asyncio.wait(self._watching)

    def _act(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._acting.append(task)
        return task

    async def _kill_and_restart(self, number: int | None) -> None:
        if number is None:
            number = self._chance.choice(sorted(self._up)) if self._up else None
        if number is None or number not in self._up:
            return
        self._up.discard(number)
        process = self._processes[number]

        async def act() -> None:
            process.kill()

        await self._strike("kill", act)
        await asyncio.sleep(self._chance.uniform(0, 1))  # nobody of it is there meanwhile
        for count in range(1, _STARTS_MAX + 1):
            try:
                await process.start()
            except StageError:
                process.kill()
                if count == _STARTS_MAX:
                    raise
                await asyncio.sleep(_START_PAUSE_SECONDS)
            else:
                self._up.add(number)
                return

    async def _restart_server(self) -> None:
        server = self._server
        assert server is not None
        assert server.pid is not None
        os.kill(server.pid, signal.SIGQUIT)
        while server.pid is not None:  # noqa: ASYNC110 - a process that ends tells nobody else
            await asyncio.sleep(0.02)
        server.start()  # where it was: its socket lies in its own folder

    async def _strike(self, what: str, act: Callable[[], Awaitable[None]]) -> None:
        [leased] = await self._sql.fetch(_LEASED)
        strike = Strike(what, self._clock() - self._began)
        self.strikes.append(strike)
        await act()
        taken = [leased[name] for name in ("jobs", "numbers", "epochs", "phases")]
        watching = asyncio.create_task(self._watch(strike, leased["now"], taken))
        self._watching.add(watching)
        watching.add_done_callback(self._watching.discard)

    async def _watch(self, strike: Strike, since: datetime, taken: Sequence[Any]) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_RECOVERY_SECONDS_MAX):
                while strike.next_end is None or strike.taken_over is None:
                    await asyncio.sleep(_LOOK_SECONDS)
                    passed = self._clock() - self._began - strike.at
                    if strike.next_end is None and (await self._sql.fetch(_ENDED, since))[0]["ended"]:
                        strike.next_end = passed
                    if strike.taken_over is None and not (await self._sql.fetch(_STILL, *taken))[0]["left"]:
                        strike.taken_over = passed
