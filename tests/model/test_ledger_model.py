"""Stories about credits on a real Postgres: after every step the books are what plain arithmetic says."""

import asyncio
import logging
from contextlib import AsyncExitStack

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test

from tests.conftest import Tally
from tests.model.machine import Story
from tests.model.stage import staged

EXAMPLES, STEPS = 25, 40


@pytest.mark.soak(short=4, long=40)
@pytest.mark.timeout(900)  # a story that fails is made shorter, which takes longer than finding it
def test_no_story_loses_or_makes_a_credit(
    part: int, database: str, tally: Tally, caplog: pytest.LogCaptureFixture, pytestconfig: pytest.Config
) -> None:
    caplog.set_level(logging.CRITICAL, "makegood")  # workers die by the dozen here
    chosen = pytestconfig.getoption("randomly_seed", 0)
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        stage = runner.run(stack.enter_async_context(staged(database)))

        class Told(Story):
            def __init__(self) -> None:
                super().__init__(runner, stage)

        try:
            run_state_machine_as_test(
                seed(f"{chosen}/{part}")(Told),
                settings=settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=STEPS,
                    deadline=None,
                    database=None,  # the seed alone tells which stories are told, here and elsewhere
                    derandomize=False,
                    phases=set(Phase) - {Phase.explain},
                    suppress_health_check=list(HealthCheck),
                ),
            )
        except Flaky as flaky:  # a race that does not always end like this; Hypothesis would not tell which
            pytest.fail("\n".join(["this story failed, and not each time:", *stage.broken, f"{flaky}"]))
        finally:
            tally("examples", stage.stories)
            tally("steps", stage.steps)
            runner.run(stack.aclose())
