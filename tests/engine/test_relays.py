"""Two relays that are killed at any moment: every hook hears of every step, and of each job in its order."""

import asyncio
import random
from collections import defaultdict
from itertools import pairwise
from uuid import UUID

import pytest

from makegood import BaseJob, Transition
from makegood.runtime import Relay
from tests.engine.world import PATIENCE_SECONDS, PRICE, World, a_postgres_world, a_world

JOBS, KILLS = 6, 30
#: Longer than any lease of an announcement, however often it was tried.
LEASES_SECONDS = 60 * 2**6


class Told(BaseJob):
    """Tells two listeners of each of its steps; neither is told twice because the other was not."""

    pool, price = "gpu", PRICE


async def killed(relay: Relay) -> None:
    """End what the relay has begun wherever it stands, as the death of its process would."""
    for task in list(relay.crew._tasks):
        task.cancel()
    await asyncio.gather(*relay.crew._tasks, return_exceptions=True)


@pytest.mark.parametrize("where", ["memory", "postgres"])
@pytest.mark.parametrize("seed", range(3))
async def test_two_relays_killed_at_any_moment_leave_nothing_untold_and_nothing_out_of_order(
    where: str, seed: int, request: pytest.FixtureRequest
) -> None:
    class Mine(Told):
        pass

    dice = random.Random(seed)
    heard: dict[tuple[str, UUID], list[int]] = defaultdict(list)

    def listener(name: str) -> None:
        async def listens(transition: Transition) -> None:
            for _ in range(dice.randint(0, 9)):  # whoever is told later may be quicker
                await asyncio.sleep(0)
            heard[name, transition.job_id].append(transition.version)
            await asyncio.sleep(0)

        for state in Mine.states().values():
            state.on_enter(listens)

    listener("one")
    listener("two")
    opened = (
        a_world(Mine) if where == "memory" else a_postgres_world(request.getfixturevalue("database"), Mine)
    )
    async with opened as world:
        jobs = [await world.queued(Mine) for _ in range(JOBS)]
        await world.start()
        await world.work(world.poller, world.collector)
        for _ in range(KILLS):
            relays = [Relay(world.context) for _ in range(2)]
            await asyncio.gather(*(relay.turn() for relay in relays))
            for _ in range(dice.randint(0, 12)):
                await asyncio.sleep(dice.choice((0, 0, 0.001)))
            await asyncio.gather(*(killed(relay) for relay in relays))
            await world.clock.advance(LEASES_SECONDS)
        await _to_the_end(world)
        wanted = {job.id: [step.version for step in await world.engine.history(job.id)] for job in jobs}
    for name in ("one", "two"):
        for job_id, versions in wanted.items():
            told = heard[name, job_id]
            assert sorted(set(told)) == versions, "something was never told"
            assert all(earlier <= later for earlier, later in pairwise(told)), "told out of order"


async def _to_the_end(world: World) -> None:
    """Let one relay live until there is nothing to tell."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        await world.tell()
