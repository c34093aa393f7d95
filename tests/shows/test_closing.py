"""How the demo closes: on one line, which no terminal breaks in the middle."""

from io import StringIO
from uuid import UUID

import pytest
from rich.console import Console

from makegood_adapters.cli.demo.closing import print_closing
from makegood_adapters.cli.demo.reconcile import Findings
from makegood_adapters.cli.demo.script import Part
from makegood_adapters.cli.demo.show import Show, Ticket

JOBS = "40 jobs · 37 completed · 2 failed · 1 cancelled"
CREDITS = "captured 2500 · refunded 200 · held 0 · difference 0"


@pytest.mark.parametrize(
    ("terminal", "width", "told"),
    [
        (True, 80, f"{JOBS}\n{CREDITS}\n"),
        (True, 120, f"{JOBS} · {CREDITS}\n"),
        (False, 80, f"{JOBS} · {CREDITS}\n"),
    ],
    ids=["a narrow terminal", "a wide one", "a file"],
)
def test_the_last_line_is_one_or_fits(terminal: bool, width: int, told: str) -> None:
    show = Show(lambda line, style, job: None)
    for number, state in enumerate(["completed"] * 37 + ["failed"] * 2 + ["cancelled"]):
        part = Part(number, "ana", "upscaler", (), {}, 0.0)
        show.tickets[UUID(int=number)] = Ticket(part, UUID(int=number), 60, "", state=state)
    shown = StringIO()
    console = Console(file=shown, width=width, force_terminal=terminal, no_color=True, highlight=False)
    print_closing(console, show, Findings(captured=2500, refunded=200), "default")
    assert shown.getvalue() == told
