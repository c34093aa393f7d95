"""What becomes of a task: failures, odd results, cancellation, webhooks, uploads and files."""

from pathlib import Path
from typing import Any

import pytest

from makegood import Job
from makegood.testing.drive import Advance
from makegood_adapters.runninghub.simulator import Faults, Habits, Match, Pace, Rule
from tests.cells.cell import Act, Cell, play
from tests.scenarios.stage import FAST, PATIENCE_SECONDS, Stage

SILENT = Rule(faults=Faults(webhooks=0))
PERMANENT = {
    "an exception of a node": Faults(fail="SONIC_PreData.sampler_main() missing 2 arguments"),
    "no reason, an empty object": Faults(fail="x", failed_reason="empty"),
    "no reason, null": Faults(fail="x", failed_reason="null"),
    "no reason at all": Faults(fail="x", failed_reason="absent"),
    "moderation, 1501": Faults(fail="content", fail_code="1501"),
    "moderation, 1505": Faults(fail="real people", fail_code="1505"),
    "code 1000": Faults(fail="unknown error", fail_code="1000"),
}
PASSING = {
    "code 1006": Faults(fail="too long", fail_code="1006"),
    "code 1015": Faults(fail="generation failed", transient=True),
    "code 1504": Faults(fail="the model took too long", fail_code="1504"),
    "a stale file handle": Faults(fail="[Errno 116] Stale file handle", exception_type="OSError"),
    "an I/O error": Faults(fail="[Errno 5] Input/output error", exception_type="OSError"),
    "a broken pipe": Faults(fail="Broken pipe"),
    "a connection reset": Faults(fail="Connection reset by peer"),
}
WEBHOOKS = {
    "never": Faults(webhooks=0),
    "twice": Faults(webhooks=2),
    "three times": Faults(webhooks=3),
    "before the create reply": Faults(webhook_before_reply=True),
    "late": Faults(webhook_delay_seconds=0.5),
    "in the form of v1": Faults(webhook_shape="v1"),
    "in the form of v2": Faults(webhook_shape="v2"),
}
UPLOADS: dict[str, dict[str, Any]] = {
    "code 808": {"refuse": "808"},
    "code 1013": {"refuse": "1013"},
    "code 811": {"refuse": "811"},
    "HTTP 500": {"reply_status": 500},
    "a dropped connection": {"drop_reply": True},
    "a page": {"reply": "html"},
}
FILES: dict[str, dict[str, Any]] = {
    "an expired address": {"file": "expired"},
    "half a file": {"file": "truncated"},
    "a page in its place": {"file": "html"},
    "HTTP 503": {"file": "unavailable"},
    "a dropped connection": {"file": "dropped"},
}


def on(call: Any, times: int | None = 1, **faults: Any) -> Rule:
    return Rule(faults=Faults(**faults), match=Match(call=call), times=times)


def cancelling(stage_name: str) -> Act:
    """Return an act that cancels the job once its task is in the stage."""

    async def act(stage: Stage, job: Job) -> None:
        await stage.reached(job, "running")
        task = await stage.task_exists()
        if stage_name == "running":
            await stage.simulator.wait_for(lambda: task.started_at is not None, PATIENCE_SECONDS)
            await stage.seen_running(job)
        await stage.engine.cancel(job.id, actor="ada")

    return act


async def cancelled_too_late(stage: Stage, job: Job) -> None:
    """Cancel, and let the task succeed before the provider has come to it."""
    await cancelling("running")(stage, job)
    task = stage.simulator.tasks[0]
    await stage.simulator.wait_for(lambda: task.cancel_requested_at is not None, PATIENCE_SECONDS)
    stage.simulator.release(task.id)


async def cancelled_by_somebody_else(stage: Stage, job: Job) -> None:
    """Let the provider's own user interface cancel the task."""
    await stage.reached(job, "running")
    task = await stage.task_exists()
    await stage.session.post(
        f"{stage.simulator.url}/task/openapi/cancel", json={"apiKey": task.key, "taskId": task.id}
    )


OUTCOMES = [
    *[
        Cell(what=f"fails with {what}", rules=(Rule(faults=faults),), state="failed", category="provider")
        for what, faults in PERMANENT.items()
    ],
    *[
        Cell(
            what=f"fails with {what} and runs again",
            rules=(Rule(faults=faults),),
            rest_seconds=10,
            attempts=2,
            creates=2,
            tasks=2,
        )
        for what, faults in PASSING.items()
    ],
    *[
        Cell(
            what=f"fails with {what} as often as it may be tried",
            rules=(Rule(faults=faults, times=None),),
            state="failed",
            category="provider",
            rest_seconds=100,
            rests=2,
            attempts=3,
            creates=3,
            tasks=3,
        )
        for what, faults in list(PASSING.items())[:2]
    ],
    Cell(
        what="succeeds without any output",
        rules=(Rule(faults=Faults(no_outputs=True)),),
        state="failed",
        category="no_output",
    ),
    Cell(what="waits for long", rules=(Rule(faults=Faults(queued_seconds=0.5)),)),
    Cell(what="runs for long", rules=(Rule(faults=Faults(running_seconds=0.5)),)),
    Cell(
        what="runs for ever: the deadline decides, the provider is asked to cancel",
        rules=(Rule(faults=Faults(hold="running")),),
        deadline="running",
        state="failed",
        category="timeout",
    ),
    Cell(
        what="runs for ever and ignores the cancellation: the slot drains",
        rules=(Rule(faults=Faults(hold="running", cancel="ignored")),),
        deadline="running",
        state="failed",
        category="timeout",
        draining=True,
    ),
]
SIGNALS = [Cell(what=f"a webhook {what}", rules=(Rule(faults=faults),)) for what, faults in WEBHOOKS.items()]
INPUTS = [
    *[
        Cell(what=f"an upload meets {what}", rules=(on("upload", **faults),))
        for what, faults in UPLOADS.items()
    ],
    *[
        Cell(
            what=f"an upload is refused as too large, {code}",
            rules=(on("upload", refuse=code),),
            state="failed",
            category="input",
            creates=0,
            tasks=0,
        )
        for code in ("809", "1008")
    ],
]
RESULTS = [
    *[
        Cell(what=f"a result meets {what}, twice", rules=(on("download", 2, **faults),))
        for what, faults in FILES.items()
    ],
    *[
        Cell(
            what=f"a result meets {what} for ever",
            rules=(on("download", None, **faults),),
            deadline="fetch",
            state="failed",
            category="result",
        )
        for what, faults in FILES.items()
    ],
    Cell(what="a result that comes slowly", rules=(on("download", file_seconds=0.3),)),
    Cell(
        what="an address that has expired",
        habits=Habits(url_seconds=0),
        deadline="fetch",
        state="failed",
        category="result",
    ),
]
HELD, WAITING = Faults(hold="running"), Faults(hold="queued")
CANCELS = [
    *[
        Cell(
            what=f"cancelled while running, told as {word}",
            rules=(Rule(faults=HELD),),
            habits=Habits(cancel_word=word),
            act=cancelling("running"),
            state="cancelled",
            paid=True,
        )
        for word in ("CANCEL", "CANCELED", "CANCELLED")
    ],
    *[
        Cell(
            what=f"cancelled while waiting there, told as {word}",
            rules=(Rule(faults=WAITING),),
            habits=Habits(cancel_word=word, webhook_on_cancel=True),
            act=cancelling("queued"),
            state="cancelled",
            paid=False,
        )
        for word in ("CANCEL", "CANCELED", "CANCELLED")
    ],
    Cell(
        what="cancelled when it had all but succeeded",
        rules=(Rule(faults=HELD),),
        pace=Pace(queued_seconds=0, running_seconds=0.02, cancel_seconds=60),
        act=cancelled_too_late,
    ),
    Cell(
        what="cancelled, which takes a while",
        rules=(Rule(faults=Faults(hold="running", cancel_seconds=0.4)),),
        act=cancelling("running"),
        state="cancelled",
        paid=True,
    ),
    Cell(
        what="cancelled, and the request meets HTTP 502 at first",
        rules=(Rule(faults=HELD), on("cancel", 2, reply_status=502)),
        act=cancelling("running"),
        state="cancelled",
        paid=True,
    ),
    Cell(
        what="cancelled by somebody else at the provider",
        rules=(Rule(faults=HELD),),
        pace=FAST,
        act=cancelled_by_somebody_else,
        state="failed",
        category="provider",
    ),
]


@pytest.mark.parametrize("cell", OUTCOMES, ids=str)
async def test_a_task(cell: Cell, database: str, tmp_path: Path, advance: Advance) -> None:
    await play(cell, database, tmp_path, advance)


@pytest.mark.parametrize("cell", [*SIGNALS, *CANCELS], ids=str)
async def test_a_signal(cell: Cell, database: str, tmp_path: Path, advance: Advance) -> None:
    await play(cell, database, tmp_path, advance)


@pytest.mark.parametrize("cell", [*INPUTS, *RESULTS], ids=str)
async def test_a_file(cell: Cell, database: str, tmp_path: Path, advance: Advance) -> None:
    await play(cell, database, tmp_path, advance)
