"""All orders in which six sources may speak about a job: under every truth it ends as the truth says."""

import random
from collections.abc import Sequence
from itertools import permutations, product
from pathlib import Path
from typing import NamedTuple

import pytest

from makegood import Job
from makegood_adapters.runninghub.simulator import Task
from tests.conftest import Tally
from tests.races.ring import DEADLINE_SECONDS, SETTINGS, Ring, a_ring
from tests.races.truth import WEBHOOKS, Source, Truth, ending

SHORT_PARTS, SHORT_CASES = 2, 120
LONG_PARTS = 8
#: The third is one of several, for all of them are "not over" to whoever asks.
TRUTHS = ("succeeded", "failed", "not over")
UNFINISHED = (Truth.WORKING, Truth.WAITING, Truth.MUTE)


class Case(NamedTuple):
    """An order, a truth, whether the create reply was lost, after whom the provider is asked at once."""

    number: int
    truth: Truth
    order: Sequence[Source]
    reply_lost: bool
    prompt: Sequence[bool]


def all_cases() -> list[Case]:
    """Return every order under every truth; what else varies is drawn by the case's number."""
    cases = []
    for number, (truth, order) in enumerate(product(TRUTHS, permutations(Source))):
        draw = random.Random(number)
        actual = draw.choice(UNFINISHED) if truth == "not over" else Truth(truth)
        reply_lost = draw.random() < 0.25
        # Of a lost reply a webhook is the news, and what follows from it is told apart from what comes next.
        prompt = [draw.random() < 0.5 or (reply_lost and source in WEBHOOKS) for source in order]
        cases.append(Case(number, actual, order, reply_lost, prompt))
    return cases


def test_there_are_as_many_cases_as_orders_and_truths() -> None:
    cases = all_cases()
    assert len(cases) == len({(case.order, case.number // 720) for case in cases}) == 2_160
    assert {case.truth for case in cases} == set(Truth)


async def play(ring: Ring, case: Case, job: Job, task: Task) -> None:
    """Let everybody speak in the order of the case."""
    process = ring.process
    for source, prompt in zip(case.order, case.prompt, strict=True):
        if source is Source.DEADLINE:
            await ring.clock.advance(DEADLINE_SECONDS)
        if source is Source.POLL:
            await ring.clock.advance(SETTINGS.poll_interval_seconds)
        await process.speak(source, job, task)
        if prompt or source is Source.POLL:
            await process.ask()


@pytest.mark.soak(short=SHORT_PARTS, long=LONG_PARTS)
@pytest.mark.timeout(900)
async def test_every_order_of_the_sources_ends_as_the_truth_says(
    part: int, soak: bool, database: str, tmp_path: Path, tally: Tally, pytestconfig: pytest.Config
) -> None:
    cases = all_cases()
    if soak:
        cases = cases[part::LONG_PARTS]
    else:
        seed = pytestconfig.getoption("randomly_seed", 0)
        chosen = random.Random(seed).sample(cases, SHORT_PARTS * SHORT_CASES)
        cases = chosen[part::SHORT_PARTS]
    async with a_ring(database, tmp_path) as ring:
        for case in cases:
            job, task = await ring.job(case.truth, reply_lost=case.reply_lost)
            try:
                await play(ring, case, job, task)
                await ring.check(job, ending(case.truth, case.order, reply_lost=case.reply_lost))
            except Exception as error:
                error.add_note(f"in {case}")
                raise
        assert await ring.process.engine.violations() == []
    tally("orders", len(cases))
