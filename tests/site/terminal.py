"""Pictures of what the commands draw on a terminal; `python -m tests.site.terminal` writes them anew."""

import re
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from uuid import UUID

from rich.console import Console, RenderableType
from rich.terminal_theme import TerminalTheme

from makegood.audit import Audit, Totals
from makegood.job import Occupancy
from makegood.ports import Lane, Worker, WorkerName, WorkerState
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


PICTURES = {"top.svg": top}

if __name__ == "__main__":
    for name, drawn_anew in PICTURES.items():
        (ASSETS / name).write_text(drawn_anew(), encoding="utf-8")
