"""Pictures of what the commands draw on a terminal; `python -m tests.site.terminal` writes them anew."""

import re
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from uuid import UUID

from rich.console import Console, RenderableType
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from makegood import JobMoney
from makegood.audit import Audit, Totals
from makegood.job import Occupancy
from makegood.ports import Lane, Worker, WorkerName, WorkerState
from makegood_adapters.cli.demo.script import USERS, write
from makegood_adapters.cli.demo.show import Show, Ticket
from makegood_adapters.cli.demo.view import line_of, page
from makegood_adapters.cli.top.report import report
from makegood_adapters.postgres.overview import Overview

ASSETS = Path(__file__).resolve().parents[2] / "docs" / "assets"
AT = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
#: Calm colours that can be read on the page's light and dark ground alike.
THEME = TerminalTheme(
    (18, 22, 28),
    (214, 219, 226),
    [
        (18, 22, 28),
        (240, 113, 120),
        (127, 200, 140),
        (229, 192, 105),
        (110, 170, 235),
        (198, 140, 220),
        (95, 200, 205),
        (214, 219, 226),
    ],
)
#: What each user of the demo begins with.
BUCKETS = (300, 9_000)
_HAPPENED = (
    ("ana       job 4 is failed: 60 credits back", "yellow"),
    ("browser   inserts job 34 as 'queued'; it lands as 'pending'", ""),
    ("chloe     cancels job 36 at position 29 of the queue", ""),
    ("chloe     job 36 is cancelled: 60 credits back", "yellow"),
    ("psql      writes state = 'failed' into the row of job 38: UPDATE 1", "magenta"),
    ("ben       job 38 is failed: 80 credits back", "yellow"),
    ("provider  the webhook comes before the create reply (job 9)", "red"),
    ("provider  the create reply is lost after the task was accepted (job 10)", "red"),
    ("kill -9   ends the engine (pid 4711); 3 tasks are at the provider", "bold red"),
    ("start     the engine is back and picks up what it finds in the database", "green"),
)
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def drawn(shown: RenderableType, *, width: int, title: str) -> str:
    """Return an SVG of what a terminal of this width shows."""
    console = Console(file=StringIO(), record=True, width=width, force_terminal=True, highlight=False)
    console.print(shown)
    picture = console.export_svg(title=title, theme=THEME, unique_id="makegood")
    return _FONTS.sub("", picture)  # it would be asked of somebody else; what a reader has will do


def a_busy_service() -> tuple[Overview, Audit]:
    """Return a look at a service with something of everything: full, resting, unfit, draining, lost."""
    fine = {"turns": 400, "failures": 0, "lag_seconds": 0.0}
    loops = dict.fromkeys(
        ("dispatcher", "submitter", "poller", "collector", "watchdog", "relay", "sequencer"), fine
    )
    ill = {**loops, "poller": {**fine, "failures": 4, "last_error": "ProviderUnavailable"}}

    def worker(number: int, health: dict[str, object], seen: float, state: WorkerState) -> Worker:
        return Worker(
            id=UUID(int=number),
            name=WorkerName(host="gpu-host", pid=4_100 + number, number=number, version="0.1.0"),
            state=state,
            accounts=("main", "overflow"),
            health=health,
            started_at=AT - timedelta(hours=26, minutes=number),
            seen_at=AT - timedelta(seconds=seen),
        )

    workers = (
        worker(1, {**loops}, 1, WorkerState.RUNNING),
        worker(2, ill, 2, WorkerState.RUNNING),
        worker(3, {**loops}, 1, WorkerState.DRAINING),
        worker(4, {**loops}, 410, WorkerState.RUNNING),
    )
    accounts = (
        Occupancy(account="main", pool="runninghub", capacity=50, open=50, draining=2, waiting=131),
        Occupancy(
            account="overflow",
            pool="runninghub",
            capacity=20,
            open=7,
            draining=0,
            waiting=131,
            rests_until=AT + timedelta(seconds=40),
        ),
        Occupancy(
            account="films",
            pool="cinema",
            capacity=4,
            open=0,
            draining=0,
            waiting=3,
            problem="The account has no money left: pay at the provider.",
        ),
    )
    overview = Overview(
        at=AT,
        workers=workers,
        accounts=accounts,
        lanes=[
            Lane(pool="runninghub", priority=5, waiting=12, parked=0, oldest=AT - timedelta(seconds=9)),
            Lane(pool="runninghub", priority=0, waiting=119, parked=30, oldest=AT - timedelta(minutes=6)),
            Lane(pool="cinema", priority=0, waiting=3, parked=0, oldest=AT - timedelta(minutes=21)),
        ],
        states={
            "queued": (134, AT - timedelta(minutes=21)),
            "starting": (6, AT - timedelta(seconds=3)),
            "running": (51, AT - timedelta(minutes=4)),
        },
        rates={"accepted": 64.0, "completed": 61.0, "failed": 2.0, "cancelled": 1.0},
    )
    none = Totals(owner=None, issued=0, remaining=0, held=0, captured=0, expired=0)
    return overview, Audit(at=AT, counts={}, violations=(), totals=(), total=none, owners=0)


def top() -> str:
    """Draw `makegood top`."""
    overview, audit = a_busy_service()
    return drawn(report(overview, audit), width=96, title="makegood top --audit")


def a_story() -> tuple[Show, list[Text]]:
    """Return the story that `make demo` tells, as it stands when the engine is back, and its lines so far."""
    show = Show(lambda line, style, job: None)
    show.engine, show.slots = "running", (3, 3, 0)
    ends = {4: "failed", 36: "cancelled", 38: "failed"}
    for part in write(jobs=40, seed=1).parts:
        over = part.number <= 14 or part.number in ends
        state = ends.get(part.number, "completed" if over else "running" if part.number <= 17 else "queued")
        price = 80 if part.options.get("version") == "pro" else 60
        paid = price if state == "completed" else 0
        money = JobMoney(held=0 if over else price, captured=paid, released=price - paid if over else 0)
        ticket = Ticket(part, UUID(int=part.number), price, "", state=state, over=over, money=money)
        ticket.position = sum(t.state == "queued" for t in show.tickets.values()) + 1
        show.tickets[ticket.job_id] = ticket
    for owner in USERS:
        own = [ticket.money for ticket in show.tickets.values() if ticket.part.owner == owner]
        held = sum(money.held for money in own)
        show.balances[owner] = (sum(BUCKETS) - held - sum(money.captured for money in own), held)
    return show, [line_of(line, style) for line, style in _HAPPENED]


def demo() -> str:
    """Draw `makegood demo` in the middle of its story."""
    return drawn(page(*a_story(), height=34), width=96, title="make demo")


PICTURES = {"top.svg": top, "demo.svg": demo}

if __name__ == "__main__":
    for name, drawn_anew in PICTURES.items():
        (ASSETS / name).write_text(drawn_anew(), encoding="utf-8")
