"""Questions about a task: a broken answer changes nothing, an answer in any of its forms is understood."""

from pathlib import Path
from typing import Any

import pytest

from makegood.testing.drive import Advance
from makegood_adapters.runninghub.simulator import Faults, Habits, Match, Rule
from tests.cells.cell import Cell, play

#: What is no answer: asked again, and nothing has changed meanwhile.
NO_ANSWER: dict[str, dict[str, Any]] = {
    "HTTP 429": {"reply_status": 429, "retry_after_seconds": 0},
    "HTTP 500": {"reply_status": 500},
    "HTTP 502": {"reply_status": 502},
    "HTTP 503": {"reply_status": 503},
    "HTTP 401 with code -1": {"refuse": "-1", "reply_status": 401},
    **{
        f"code {code}": {"refuse": code}
        for code in ["401", "811", "1003", "1005", "1010", "1011", "1012", "500", "1000", "412", "1001"]
    },
    "a dropped connection": {"drop_reply": True},
    "a page with HTTP 200": {"reply": "html"},
    "an empty reply": {"reply": "empty"},
    "half of its JSON": {"reply": "truncated"},
    "a reply that is cut": {"reply": "cut"},
    "no JSON": {"reply": "not_json"},
    "a redirect": {"reply": "redirect"},
}
FORMS = {
    "task ids as numbers": Habits(ids="number"),
    "codes as text": Habits(codes="text"),
    "codes as numbers": Habits(codes="number"),
    "msg in lower case": Habits(msg="lower"),
    "msg in upper case": Habits(msg="upper"),
    "msg empty": Habits(msg="empty"),
    "durations as numbers": Habits(numbers="number"),
    "a task that begins as CREATE": Habits(first_state="CREATE"),
    "a task that runs at once": Habits(first_state="RUNNING"),
    "a task that is not seen at first, 1004": Habits(unseen_seconds=0.3),
    "a task that is not seen at first, 1007": Habits(unseen_seconds=0.3, unknown_code="1007"),
    "an upload told with code 200": Habits(upload_code=200),
    "an upload told as filename": Habits(upload_name="filename"),
    "a site that reports another limit": Habits(reported_limit=1),
    "a site that takes files in slowly": Habits(upload_bytes_per_second=20_000),
}


def query(times: int | None = 1, **faults: Any) -> Rule:
    return Rule(faults=Faults(**faults), match=Match(call="query"), times=times)


def outputs(**faults: Any) -> Rule:
    return Rule(faults=Faults(**faults), match=Match(call="outputs"), times=None)


#: Without webhooks the poll alone has to find out.
SILENT = Rule(faults=Faults(webhooks=0))

CELLS = [
    *[
        Cell(what=f"{what} as an answer to a question, five times", rules=(SILENT, query(5, **faults)))
        for what, faults in NO_ANSWER.items()
    ],
    *[Cell(what=what, rules=(SILENT,), habits=habits) for what, habits in FORMS.items()],
    Cell(
        what="a question that is never answered: the deadline decides, and the slot drains",
        rules=(
            SILENT,
            query(None, reply_status=502),
            outputs(reply_status=502),
        ),
        deadline="running",
        state="failed",
        category="timeout",
        draining=True,
        settings={"ask_timeout_seconds": 1},
    ),
    Cell(
        what="a task that the provider has forgotten",
        rules=(
            SILENT,
            query(None, refuse="807"),
            outputs(refuse="807"),
        ),
        settings={"absent_after_seconds": 0.5},
        state="failed",
        category="provider",
    ),
    *[
        Cell(
            what=f"v2 cannot be asked (code {code}); v1 is, where pending is told by {pending}",
            rules=(SILENT, query(None, refuse=code)),
            habits=Habits(pending=pending),
        )
        for code in ("1001", "1009")
        for pending in ("codes", "msg_only", "null_data")
    ],
]


@pytest.mark.parametrize("cell", CELLS, ids=str)
async def test_a_question(cell: Cell, database: str, tmp_path: Path, advance: Advance) -> None:
    await play(cell, database, tmp_path, advance)
