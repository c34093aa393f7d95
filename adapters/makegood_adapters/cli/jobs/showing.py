"""One job for people: bars of where it was for how long, its attempts, and its money line by line."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from makegood import Engine
from makegood.telling import lasted
from makegood_adapters.cli.audit.dossier import collect
from makegood_adapters.cli.audit.explain import explain
from makegood_adapters.cli.audit.lines import print_lines
from makegood_adapters.cli.steps import STYLES
from makegood_adapters.cli.told import tell
from makegood_adapters.http.callers import Caller, CallerKind, Scope
from makegood_adapters.http.v1.api import Api
from makegood_adapters.http.v1.dossier import BarView, JobDossier, dossier_of
from makegood_adapters.http.v1.oversight import AttemptView
from makegood_adapters.postgres.store import PostgresStore

_BAR_MIN, _BAR_MAX = 10, 60
#: What stands beside a bar: the state, the time, the gaps.
_BESIDE = 34
#: Who reaches the database may do all that operators may.
_OPERATOR = Caller(kind=CallerKind.SERVICE, scopes=frozenset({Scope.OPERATIONS}))


async def print_job(engine: Engine, store: PostgresStore, job_id: UUID, *, json: bool) -> int:
    """Print the job and return the exit status: 1 if its books are broken. Raises UnknownJob, StoreError."""
    explained = await explain(store, job_id)
    told = await dossier_of(Api(engine=engine), job_id, _OPERATOR, types_known=False)
    if json:
        found, shown = await collect(store, job_id), told.model_dump(mode="json", exclude={"type_gone"})
        bars = [{**bar, "status": found.status_of(bar["state"])} for bar in shown["bars"]]
        tell({**shown, "status": found.public, "bars": bars, "explanation": explained.to_json()})
    else:
        console = Console(highlight=False)
        heading, *_ = explained.lines
        console.print(Text(heading, "bold"), Text(explained.title), Text(explained.summary), sep="\n")
        console.print(Group(Text(), _bars(told, console.width), Text(), _attempts(told.attempts)))
        print_lines(explained, console, first=3)
    return 1 if explained.faults else 0


def _bars(told: JobDossier, width: int) -> RenderableType:
    """Draw in which state the job was from when to when, on one scale from its order to its end, or now."""
    cells = max(_BAR_MIN, min(_BAR_MAX, width - _BESIDE))
    begun = told.bars[0].since
    whole = max(sum(bar.seconds for bar in told.bars), 0.001)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=16)
    table.add_column(no_wrap=True, width=cells)
    table.add_column(justify="right", no_wrap=True)
    for bar in told.bars:
        style = STYLES.get(bar.state, "cyan" if bar.until is None else "")
        drawn = Text(_drawn(bar, begun, whole, cells), style)
        table.add_row(Text(bar.state, style), drawn, "" if _is_end(bar) else _length(bar.seconds))
    return table


def _drawn(bar: BarView, begun: datetime, whole: float, cells: int) -> str:
    first = min(cells - 1, int((bar.since - begun).total_seconds() / whole * cells))
    length = min(cells - first, max(1, round(bar.seconds / whole * cells)))
    return " " * first + ("▏" if _is_end(bar) else "━" * length)


def _is_end(bar: BarView) -> bool:
    return bar.until == bar.since and not bar.seconds


def _length(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1_000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 10 else lasted(seconds)


def _attempts(attempts: Sequence[AttemptView]) -> RenderableType:
    if not attempts:
        return Text("It was never given to a provider.", "dim")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("attempt", "account", "task", "phase", "known of it", "slot"):
        table.add_column(name, overflow="fold")
    for each in attempts:
        end = each.closed_at
        slot = f"free after {_length((end - each.opened_at).total_seconds())}" if end else "taken"
        table.add_row(
            str(each.number),
            Text(each.account),
            Text(each.task_id or "-"),
            each.phase.value,
            each.verdict.value if each.verdict else "-",
            slot,
        )
    return table
