"""The users of `makegood chaos`: however seldom it is looked, what is to be struck is struck."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from makegood import Catalog, Engine
from makegood_adapters.cli.chaos.crowd import Crowd, Tally
from makegood_adapters.cli.chaos.plan import Plan
from makegood_adapters.cli.chaos.strikes import Operator, Sql
from makegood_adapters.memory import MemoryBlobs, MemoryStore
from makegood_adapters.runninghub.simulator import Simulator
from tests.loop_time import time_by_hand, turns
from tests.shipped import shipped


class Struck:
    """An operator who notes what is to be struck, and how many jobs were over by then."""

    def __init__(self) -> None:
        self.strikes: list[str] = []

    async def stop_server(self) -> None:
        self.strikes.append("stop")

    async def kill_and_restart(self, _: int) -> None:
        self.strikes.append("kill")

    async def settled(self) -> None:
        """Nothing is under way."""


class AllAtOnce:
    """A database in which all jobs end that were ordered, and whose answers to whoever strikes come late."""

    def __init__(self) -> None:
        self._late = asyncio.Event()

    async def play(self, crowd: Crowd) -> None:
        """Let the crowd play; where nothing else can happen, what is late comes, and pauses are over."""
        self._crowd, self._playing = crowd, asyncio.create_task(crowd.play())
        with time_by_hand() as pass_by:
            while not self._playing.done():
                await turns(5_000)
                self._late.set()
                pass_by(1.0)
        await self._playing

    async def fetch(self, *_: object) -> list[dict[str, Any]]:
        """Tell how many are over."""
        if asyncio.current_task() is not self._playing:
            await self._late.wait()
        return [{"state": "completed", "n": self._crowd.tally.ordered}]


@pytest.mark.parametrize("jobs", [60, 26])
async def test_a_run_that_ends_between_two_looks_is_struck_all_the_same(jobs: int) -> None:
    operator, sql, told = Struck(), AllAtOnce(), list[Tally]()
    async with Engine(MemoryStore(), Catalog(shipped()), blobs=MemoryBlobs(), run_loops=False) as engine:
        site = cast(Simulator, SimpleNamespace(tasks=(), wait_for=_at_once))
        plan = Plan(jobs=jobs, kills=2, stops=1, owners=5)
        crowd = Crowd(plan, engine, cast(Operator, operator), site, cast(Sql, sql), told.append)
        await sql.play(crowd)
    assert crowd.tally.over == jobs
    assert sorted(operator.strikes) == ["kill", "kill", "stop"]


async def _at_once(*_: object) -> None:
    """What is waited for is so."""
