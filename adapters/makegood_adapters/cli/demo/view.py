"""The demo on a terminal: a live page while it runs, plain lines where there is no terminal."""

from collections import Counter, deque
from collections.abc import Sequence
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from makegood_adapters.cli.demo.show import Show, Ticket
from makegood_adapters.cli.staging.printing import print_line

_STYLES = {
    "pending": "dim",
    "queued": "white",
    "starting": "cyan",
    "running": "bold cyan",
    "completed": "green",
    "failed": "yellow",
    "cancelled": "blue",
}
_ORDER = ("running", "starting", "queued", "pending")


class View(Protocol):
    """Where the story is told."""

    def tell(self, line: str, style: str) -> None:
        """Add a line to the story."""

    def show(self, show: Show) -> None:
        """Begin to draw."""

    def close(self) -> None:
        """Stop drawing."""


class PlainView:
    """One line after the other."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def tell(self, line: str, style: str) -> None:
        """Print the line."""
        self._console.print(Text(f"  {line}", style), soft_wrap=True)

    def show(self, show: Show) -> None:
        """Nothing is drawn."""

    def close(self) -> None:
        """Nothing was drawn."""


class LiveView:
    """A page that is drawn again eight times a second."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lines: deque[Text] = deque(maxlen=200)
        self._live: Live | None = None
        self._closed = False

    def tell(self, line: str, style: str) -> None:
        """Keep the line for the page, or print it where the page is gone."""
        if self._closed:
            print_line(self._console, line, style)
            return
        self._lines.append(line_of(line, style))

    def show(self, show: Show) -> None:
        """Draw *show* until the view is closed."""
        self._live = Live(
            console=self._console,
            get_renderable=lambda: page(show, [*self._lines], max(self._console.size.height, 20)),
            refresh_per_second=8,
            transient=True,
        )
        self._live.start()

    def close(self) -> None:
        """Take the page away and leave the whole story in its place."""
        self._closed = True
        if self._live:
            self._live.stop()
            self._live = None
            for line in self._lines:
                self._console.print(Text("  ").append_text(line))


def page(show: Show, lines: Sequence[Text], height: int) -> RenderableType:
    """Return what a terminal of so many lines shows of *show*, and of the story the last ones."""
    # All fits with a line to spare: a page as high as the terminal moves up, and its first line stays.
    story_lines = max(4, min(10, height // 3, height - 17))
    top = Table.grid(expand=True, padding=(0, 1))
    top.add_column(width=30)  # a wallet's line needs no more, the states' line needs the rest
    top.add_column(ratio=1)
    top.add_row(_wallets(show), _site(show))
    rows = max(3, height - story_lines - 14)
    return Group(
        top,
        Panel(_jobs(show, rows), title="jobs", border_style="dim"),
        Panel(Group(*lines[-story_lines:]), title="what happens", border_style="dim", height=story_lines + 2),
    )


def line_of(line: str, style: str) -> Text:
    """Return a line of the story, cut where the page ends."""
    return Text(line, style, no_wrap=True, overflow="ellipsis")


def _wallets(show: Show) -> Panel:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(justify="right", style="cyan")
    table.add_row("wallet", "available", "held")
    for owner, (available, held) in sorted(show.balances.items()):
        table.add_row(owner, f"{available:,}", f"{held:,}")
    return Panel(table, title="credits", border_style="dim", height=7)


def _site(show: Show) -> Panel:
    used, capacity, draining = show.slots
    bar = Text("■" * used, "cyan") + Text("□" * max(0, capacity - used), "dim")
    counts = Counter(t.state for t in show.tickets.values())
    table = Table.grid(padding=(0, 2))
    table.add_row("slots", bar + Text(f"  {draining} draining" if draining else "", "yellow"))
    table.add_row("engine", Text(show.engine, "bold red" if show.engine == "killed" else "green"))
    states = Text("  ").join(Text(f"{counts[s]} {s}", _STYLES[s]) for s in _ORDER[:3])
    table.add_row("jobs", states)
    ends = ("completed", "failed", "cancelled")
    table.add_row("", Text("  ").join(Text(f"{counts[s]} {s}", _STYLES[s]) for s in ends))
    return Panel(table, title="provider account", border_style="dim", height=7)


def _jobs(show: Show, rows: int) -> Table:
    table = Table.grid(expand=True, padding=(0, 2))
    for justify in ("right", "left", "left", "right", "left", "left"):
        table.add_column(justify=justify, no_wrap=True)
    tickets = sorted(show.tickets.values(), key=_importance)
    for ticket in tickets[:rows]:
        table.add_row(
            f"#{ticket.part.number}",
            ticket.part.owner,
            ticket.part.job_type,
            f"{ticket.price} cr",
            Text(ticket.state, _STYLES[ticket.state]),
            Text(_note(ticket), "dim"),
        )
    if len(tickets) > rows:
        table.add_row("", "", f"and {len(tickets) - rows} more", "", "", "")
    return table


def _importance(ticket: Ticket) -> tuple[int, int]:
    active = _ORDER.index(ticket.state) if ticket.state in _ORDER else len(_ORDER)
    return (active, ticket.part.number if active < len(_ORDER) else -ticket.part.number)


def _note(ticket: Ticket) -> str:
    if ticket.state == "queued" and ticket.position:
        return f"position {ticket.position}"
    if ticket.over and ticket.state == "completed":
        return f"{ticket.money.captured} captured"
    if ticket.over:
        return f"{ticket.money.released} back"
    return f"attempt {ticket.attempts}" if ticket.attempts > 1 else ""
