"""A `makegood serve` for a scenario to kill and start again, and a clock that is ahead of what it leaves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from makegood.testing.drive import Advance
from makegood_adapters.cli.stage import SETTINGS, EngineProcess, account_at
from tests.scenarios.stage import PATIENCE_SECONDS, Stage

#: What a child is told: nothing but the clock of the database ends a lease or a deadline of its own, so that
#: how slow this machine is decides nothing.
PATIENT = {
    **SETTINGS,
    "submit_timeout_seconds": 60,
    "upload_timeout_seconds": 50,
    "fetch_timeout_seconds": 60,
    "lease_seconds": 120,
    "drain_seconds": 12,
    "worker_beat_seconds": 0.2,  # it tells how often its loops have turned, see `Mortal`
}
DEADLINES = {"starting": 600, "running": 600}
#: So far the clock goes on when nothing happens: one step is behind a lease, two are behind a deadline.
_STEP_SECONDS = 301
#: When nothing has happened for so long, it is looked whether the child has had its turn at everything.
_QUIET_SECONDS = 0.3
#: Which process came last, and how often the slowest of its loops has turned.
_TURNED = (
    "select worker_id, (select min((value ->> 'turns')::int) from jsonb_each(health)) as turns"
    " from makegood.worker order by started_at desc limit 1"
)
#: How many jobs are not over, and how many attempts hold a slot.
_OPEN = (
    "select (select count(*) from makegood.job where finished_at is null)"
    "     + (select count(*) from makegood.attempt where closed_at is null)"
)


@asynccontextmanager
async def child_of(stage: Stage, folder: Path, dsn: str = "") -> AsyncIterator[EngineProcess]:
    """Run `makegood serve` as a child that works on the stage's database, files and provider, and calls the
    database by *dsn* if one is given."""
    process = EngineProcess(
        folder,
        folder / "engine.log",
        dsn=dsn or stage.dsn,
        blobs=stage.blobs.path("0" * 64 + ".png").parent,
        accounts=[account_at(stage.simulator.url)],
        deadlines=DEADLINES,
        settings=PATIENT,
    )
    await process.start()
    try:
        yield process
    finally:
        await asyncio.to_thread(process.stop)  # the provider, which runs here, must go on answering


class Mortal:
    """A child that dies again and again. What only leases and deadlines end is over after moments, for the
    clock of the database goes on where nothing happens although the child has looked."""

    def __init__(self, stage: Stage, process: EngineProcess, advance: Advance) -> None:
        self._stage, self._process, self._advance = stage, process, advance

    async def dies_after(self, steps: int) -> None:
        """Kill it when *steps* more things have happened at the provider, or no more will, and start it."""
        await self._happens(steps)
        self._process.kill()
        await self._process.start()

    async def ends_all(self) -> None:
        """Wait until every job is over and no attempt holds a slot."""
        while not await self._all_over():
            await self._happens(1)

    async def _all_over(self) -> bool:
        return bool(await self._stage.value(_OPEN) == 0)

    async def _happens(self, steps: int) -> None:
        goal = self._done() + steps
        async with asyncio.timeout(4 * PATIENCE_SECONDS):
            while not await self._all_over():
                before = self._done()
                try:
                    await self._stage.simulator.wait_for(lambda: self._done() >= goal, _QUIET_SECONDS)
                    break
                except TimeoutError:
                    await self._turned()
                if self._done() == before:  # else it is only slow
                    await self._advance(_STEP_SECONDS)

    async def _turned(self) -> None:
        """Wait until each loop of the child has begun and ended another turn."""
        first = await self._stage.sql.fetchrow(_TURNED)
        while True:
            now = await self._stage.sql.fetchrow(_TURNED)
            if first is None or now is None or now["worker_id"] != first["worker_id"]:
                first = now
            elif now["turns"] >= first["turns"] + 2:
                return
            await asyncio.sleep(0.02)

    def _done(self) -> int:
        tasks = self._stage.simulator.tasks
        return sum(1 + t.over + (t.reply != "pending") + len(t.deliveries) for t in tasks)
