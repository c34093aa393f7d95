"""Any two sources at one moment, request by request as a seed draws it: one settlement, the true one."""

from itertools import combinations, product
from pathlib import Path

import pytest

from makegood import JobMoney
from tests.conftest import Tally
from tests.races.gates import gated
from tests.races.ring import DEADLINE_SECONDS, PRICE, SETTINGS, Ring, a_ring
from tests.races.truth import COMPLETED, Ending, Source, Truth, endings

PAIRS = tuple(combinations(Source, 2))
TRUTHS = (Truth.SUCCEEDED, Truth.FAILED, Truth.WORKING)
SHORT_PARTS, SHORT_SEEDS = 2, 3
LONG_PARTS, LONG_SEEDS = 8, 10


def test_every_pair_of_six_is_there() -> None:
    assert len(set(PAIRS)) == 15


async def test_one_source_alone_overlaps_with_nobody(database: str, tmp_path: Path) -> None:
    """So that what the other test says of overlapping means something."""
    async with gated(database, "a") as (gates, addresses), a_ring(database, tmp_path) as ring:
        process = await ring.process_at(addresses["a"])
        job, task = await ring.job(Truth.SUCCEEDED)
        assert not await gates.run(1, {"a": process.act(Source.WEBHOOK_OK, job, task)})
        assert gates.passed > 5
        await ring.check(job, COMPLETED)


async def found(ring: Ring, job_id: object) -> Ending:
    """Return the ending that the job has by now."""
    row = await ring.sql.fetchrow("select state, settled from makegood.job where job_id = $1", job_id)
    assert row is not None
    return Ending(row["state"], bool(row["settled"]))


@pytest.mark.soak(short=SHORT_PARTS, long=LONG_PARTS)
@pytest.mark.timeout(900)
async def test_two_sources_at_one_moment_settle_once_and_as_the_truth_says(
    part: int, soak: bool, database: str, tmp_path: Path, tally: Tally, pytestconfig: pytest.Config
) -> None:
    chosen = pytestconfig.getoption("randomly_seed", 0) or 0
    parts, seeds = (LONG_PARTS, LONG_SEEDS) if soak else (SHORT_PARTS, SHORT_SEEDS)
    async with gated(database, "a", "b") as (gates, addresses), a_ring(database, tmp_path) as ring:
        one, other = [await ring.process_at(addresses[party]) for party in ("a", "b")]
        cases = list(product(PAIRS, TRUTHS))[part % 2 :: 2]
        for number, ((first, second), truth) in enumerate(cases * seeds):
            seed = chosen + number * parts + part
            job, task = await ring.job(truth)
            late = Source.DEADLINE in (first, second)
            await ring.clock.advance(DEADLINE_SECONDS if late else SETTINGS.poll_interval_seconds)
            acts = {"a": one.act(first, job, task), "b": other.act(second, job, task)}
            try:
                assert await gates.run(seed, acts), "the two did not overlap"
                right = endings(truth, {first, second})
                if not right:
                    assert (await ring.process.engine.get(job.id)).state == "running"
                    assert await ring.process.engine.money(job.id) == JobMoney(held=PRICE)
                    ring.simulator.release(task.id)
                    await ring.simulator.wait_for(lambda: task.over)  # noqa: B023  # it is awaited here
                    right = {COMPLETED}
                await ring.clear_up(job)
                ended = await found(ring, job.id)
                assert ended in right
                await ring.check(job, ended)
            except Exception as error:
                error.add_note(f"{first!r} and {second!r}, {truth!r}, seed {seed}")
                raise
        assert await ring.process.engine.violations() == []
    tally("overlaps", len(cases) * seeds)
    tally("requests that passed a gate", gates.passed)
    tally("lock waits", gates.lock_waits)
