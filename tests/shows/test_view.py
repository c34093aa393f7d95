"""What the terminal says of each job of the demo while it plays: where its credits are by the ledger."""

from io import StringIO
from uuid import UUID

from rich.console import Console

from makegood import JobMoney
from makegood_adapters.cli.demo.script import Part
from makegood_adapters.cli.demo.show import Show, Ticket
from makegood_adapters.cli.demo.view import page


def test_each_job_is_told_with_what_was_paid_and_what_came_back() -> None:
    """A cancelled job may have cost a part of its price, so that neither figure follows from the other."""
    show = Show(lambda line, style, job: None)
    show.balances["ana"] = (9_240, 60)
    for number, (state, over, money, position, attempts) in enumerate(
        (
            ("completed", True, JobMoney(captured=70, released=10), 0, 1),
            ("failed", True, JobMoney(released=80), 0, 1),
            ("cancelled", True, JobMoney(captured=20, released=60), 0, 1),
            ("completed", False, JobMoney(held=80), 0, 1),  # its user is told in a moment
            ("queued", False, JobMoney(held=80), 3, 0),
            ("running", False, JobMoney(held=80), 0, 2),
        ),
        1,
    ):
        part = Part(number, "ana", "upscaler", (), {}, 0.0)
        show.tickets[UUID(int=number)] = Ticket(
            part, UUID(int=number), 80, "", state, position, [], attempts, over, money
        )
    console = Console(file=StringIO(), width=100, record=True)
    console.print(page(show, [], height=34))
    lines = [line.strip("│ ").split() for line in console.export_text().splitlines()]
    jobs = {words[0]: " ".join(words[5:]) for words in lines if words and words[0].startswith("#")}
    assert jobs == {
        "#1": "completed 70 captured",
        "#2": "failed 80 back",
        "#3": "cancelled 60 back",
        "#4": "completed",
        "#5": "queued position 3",
        "#6": "running attempt 2",
    }
    assert ["ana", "9,240", "60"] in [words[:3] for words in lines]
