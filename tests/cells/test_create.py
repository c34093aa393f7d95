"""The create call: every code and every broken reply, and what becomes of job, slot and credits."""

from pathlib import Path
from typing import Any

import pytest

from makegood.testing.drive import Advance
from makegood_adapters.runninghub.simulator import Faults, Match, Rule
from tests.cells.cell import Cell, play

#: What the documentation says of each code, and for those that it leaves open what our page promises.
FOR_GOOD = (301, 380, 412, 423, 433, 435, 803, 809, 810, 901, 1001, 1007, 1008, 1009, 1101, 1501, 1505)
ACCOUNT_UNFIT = (416, 436, 605, 801, 802, 806, 812, 1002, 1014, 1601)
FULL_OR_BUSY = (415, 421, 814, 1520, 1003, 1011)
KEY_REFUSED_ONCE = (-1, 401, 811)
UPLOAD_AGAIN = (808, 1013)
SAYS_NOTHING = (1, 500, 804, 805, 807, 813, 817, 1000, 1004, 1005, 1006, 1010, 1012, 1015, 1504)
MAY_HAVE_CREATED = (500, 1000, 1005, 1010, 1012)
BROKEN: dict[str, dict[str, Any]] = {
    "drops the connection": {"drop_reply": True},
    "HTTP 500": {"reply_status": 500},
    "HTTP 502": {"reply_status": 502},
    "HTTP 504": {"reply_status": 504},
    "a page with HTTP 200": {"reply": "html"},
    "an empty reply": {"reply": "empty"},
    "half of its JSON": {"reply": "truncated"},
    "a reply that is cut": {"reply": "cut"},
    "no JSON": {"reply": "not_json"},
    "success without a task id": {"reply": "no_task_id"},
}


def create(times: int | None = 1, **faults: Any) -> Rule:
    return Rule(faults=Faults(**faults), match=Match(call="create"), times=times)


CELLS = [
    *[
        Cell(
            what=f"{code} refuses the job for good",
            rules=(create(refuse=str(code)),),
            state="failed",
            category="rejected",
            tasks=0,
        )
        for code in FOR_GOOD
    ],
    *[
        Cell(
            what=f"{code} is about the account, and there is no other",
            rules=(create(refuse=str(code)),),
            state="failed",
            category="provider",
            tasks=0,
        )
        for code in ACCOUNT_UNFIT
    ],
    *[
        Cell(
            what=f"{code} lets the account rest, then the job runs",
            rules=(create(refuse=str(code)),),
            rest_seconds=400,
            attempts=2,
            creates=2,
        )
        for code in (*FULL_OR_BUSY, *KEY_REFUSED_ONCE, *UPLOAD_AGAIN)
    ],
    *[
        Cell(
            what=f"{code} three times in a row: the key is bad",
            rules=(create(times=3, refuse=str(code)),),
            rest_seconds=400,
            rests=2,
            state="failed",
            category="provider",
            attempts=3,
            creates=3,
            tasks=0,
        )
        for code in KEY_REFUSED_ONCE
    ],
    *[
        Cell(
            what=f"{code} and no task: nobody knows, so the deadline decides",
            rules=(create(refuse=str(code)),),
            deadline="starting",
            state="failed",
            category="timeout",
            draining=True,
            tasks=0,
        )
        for code in SAYS_NOTHING
    ],
    *[
        Cell(
            what=f"{code} although there is a task: its webhook names it",
            rules=(create(reply_code=str(code)),),
            accepted_by="webhook",
        )
        for code in MAY_HAVE_CREATED
    ],
    *[
        Cell(
            what=f"{what} although there is a task: its webhook names it",
            rules=(create(**faults),),
            accepted_by="webhook",
        )
        for what, faults in BROKEN.items()
    ],
    *[
        Cell(
            what=f"{what} although there is a task, and its webhook is lost: the deadline decides",
            rules=(create(**faults, webhooks=0),),
            deadline="starting",
            state="failed",
            category="timeout",
            draining=True,
            accepted_by=None,
        )
        for what, faults in BROKEN.items()
    ],
    *[
        Cell(
            what=f"{what} and there is no task: the deadline decides",
            rules=(create(**faults, no_task=True),),
            deadline="starting",
            state="failed",
            category="timeout",
            draining=True,
            tasks=0,
        )
        for what, faults in BROKEN.items()
    ],
    Cell(
        what="a redirect is no answer to a POST: refused for good, with what to change",
        rules=(create(reply="redirect", no_task=True),),
        state="failed",
        category="rejected",
        tasks=0,
    ),
    Cell(
        what="HTTP 429 lets the account rest as long as it asks",
        rules=(create(reply_status=429, retry_after_seconds=30, no_task=True),),
        rest_seconds=400,
        attempts=2,
        creates=2,
    ),
    Cell(
        what="HTTP 401 with code -1 is a key refused, once",
        rules=(create(refuse="-1", reply_status=401),),
        rest_seconds=400,
        attempts=2,
        creates=2,
    ),
    Cell(what="a reply with complaints and a task id is a task", rules=(create(node_errors=True),)),
    Cell(what="a reply that takes its time", rules=(create(reply_seconds=0.3),)),
]


@pytest.mark.parametrize("cell", CELLS, ids=str)
async def test_a_create_call(cell: Cell, database: str, tmp_path: Path, advance: Advance) -> None:
    await play(cell, database, tmp_path, advance)
