"""Sites with habits of their own: other words, other limits, several jobs at once."""

from pathlib import Path
from typing import Literal

import pytest

from makegood import Job
from makegood.testing.drive import Advance
from makegood_adapters.runninghub.simulator import Faults, Habits, Match, Rule
from tests.cells.cell import Cell, play
from tests.cells.test_tasks import HELD, cancelling
from tests.scenarios.stage import PATIENCE_SECONDS, Stage

#: v2 cannot be asked, so that v1's words are heard.
ONLY_V1 = Rule(faults=Faults(refuse="1001"), match=Match(call="query"), times=None)


REASONS: tuple[tuple[Literal["empty", "null", "absent"], bool], ...] = (
    ("empty", False),
    ("null", True),
    ("absent", True),
)


async def let_the_first_end_once_the_second_was_refused(stage: Stage, job: Job) -> None:
    """Let go of the task before this job's, which took the site's only place."""
    await stage.sent_back(job)
    stage.simulator.release(stage.simulator.tasks[0].id)
    await stage.simulator.wait_for(lambda: stage.simulator.tasks[0].over, PATIENCE_SECONDS)


async def another_one_follows(stage: Stage, job: Job) -> None:
    """Order one more job once this one has a task."""
    await stage.task_exists()
    await stage.order()
    await stage.task_exists(2)


CELLS = [
    *[
        Cell(
            what=f"cancelled and told by v1 alone, its reason {reason}",
            rules=(ONLY_V1, Rule(faults=HELD)),
            habits=Habits(cancelled_reason=reason, status_object=wrapped),
            act=cancelling("running"),
            state="cancelled",
            paid=True,
        )
        for reason, wrapped in REASONS
    ],
    *[
        Cell(
            what=f"failed and told by v1 alone, its reason {reason}",
            rules=(ONLY_V1, Rule(faults=Faults(fail="odd input", webhooks=0))),
            habits=Habits(failed_reason=reason),
            state="failed",
            category="provider",
        )
        for reason in ("given", "empty", "null", "absent")
    ],
    Cell(
        what="failed with a traceback that is a text",
        rules=(Rule(faults=Faults(fail="odd input")),),
        habits=Habits(traceback="text"),
        state="failed",
        category="provider",
    ),
    Cell(what="uploads that only their account can use", habits=Habits(private_uploads=True)),
    Cell(
        what="a result that is a text", rules=(Rule(faults=Faults(text="a red square")),), text="a red square"
    ),
    Cell(
        what="a site that lets tasks wait beyond the account's limit",
        habits=Habits(queue_places=1),
        limit=1,
        capacity=2,
        before=1,
        creates=2,
        tasks=2,
    ),
    Cell(
        what="a site that is full because of others",
        rules=(Rule(faults=Faults(hold="queued")),),
        habits=Habits(site_tasks_max=1),
        capacity=2,
        before=1,
        act=let_the_first_end_once_the_second_was_refused,
        rest_seconds=400,
        attempts=2,
        creates=3,
        tasks=2,
    ),
    Cell(
        what="a webhook that comes after that of a later task",
        rules=(Rule(faults=Faults(webhook_out_of_order=True)),),
        capacity=2,
        act=another_one_follows,
        creates=2,
        tasks=2,
    ),
    *[
        Cell(
            what=f"a key of the other site, which says {code}",
            habits=Habits(foreign_key_code=code),
            foreign_key=True,
            state="failed",
            category="provider",
            creates=0,
            tasks=0,
        )
        for code in ("802", "806", "1002")
    ],
    Cell(
        what="a key of the other site, which says 401, as it sometimes says of a good key",
        habits=Habits(foreign_key_code="401"),
        foreign_key=True,
        rest_seconds=400,
        rests=2,
        state="failed",
        category="provider",
        attempts=3,
        creates=0,
        tasks=0,
    ),
    *[
        Cell(
            what=f"cancelled before the site knows the task, {code}",
            rules=(Rule(faults=Faults(hold="queued", unseen_seconds=0.5)),),
            habits=Habits(cancel_unknown_code=code),
            act=cancelling("queued"),
            state="cancelled",
            paid=False,
        )
        for code in ("807", "423")
    ],
    Cell(what="a task that is over before the create reply", rules=(Rule(faults=Faults(at_once=True)),)),
]


@pytest.mark.parametrize("cell", CELLS, ids=str)
async def test_a_site(cell: Cell, database: str, tmp_path: Path, advance: Advance) -> None:
    await play(cell, database, tmp_path, advance)
