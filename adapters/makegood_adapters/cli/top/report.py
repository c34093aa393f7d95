"""One look at everything, as tables for people or as plain values for programs."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from makegood.audit import Audit
from makegood.job import Occupancy
from makegood.outcome import JSON
from makegood.ports import Worker
from makegood.telling import Tone, count, joined, of_ills, of_pace, of_process, of_worker
from makegood_adapters.cli.ages import ago as _ago
from makegood_adapters.postgres.overview import Overview

T = TypeVar("T")
#: Lines of a page that are no rows, and how many rows a table has at least.
_LINES_BESIDE, _ROWS_MIN = 9, 4
#: Columns of names, which may be long.
_NAMES = ("process", "works on", "account", "pool", "queue", "open jobs")

_STYLES = {Tone.PLAIN: "", Tone.GOOD: "dim", Tone.WARN: "yellow", Tone.BAD: "bold red"}


def report(found: Overview, audit: Audit | None = None) -> RenderableType:
    """Return the whole page; *audit* adds whether the books are in order."""
    return _page(found, audit)


def fitted(
    console: Console, found: Overview, audit: Audit | None = None, lines_beside: int = 0
) -> RenderableType:
    """Return the page of `report` for a terminal that shows *lines_beside* lines more: rows that are well are
    counted where not all have room, and where that is not enough, a row is cut to one line."""
    lines_max = console.height - lines_beside
    rows = max(_ROWS_MIN, (lines_max - _LINES_BESIDE) // 3)
    page = _page(found, audit, rows)
    fits = len(console.render_lines(page)) <= lines_max
    return page if fits else _page(found, audit, rows, cut=True)


def _page(
    found: Overview, audit: Audit | None, rows: int | None = None, *, cut: bool = False
) -> RenderableType:
    parts = [part(found, rows) for part in (_processes, _accounts, _queue, _states)]
    if cut:
        _cut(parts)
    processes, accounts, queue, states = parts
    return Group(_closing(found, audit), Text(), processes, Text(), accounts, Text(), _beside(queue, states))


def _cut(parts: Iterable[RenderableType]) -> None:
    """Let no row of the tables have a second line."""
    columns = (column for part in parts if isinstance(part, Table) for column in part.columns)
    for cell in (cell for column in columns for cell in column.cells):
        if isinstance(cell, Text):
            cell.no_wrap, cell.overflow = True, "ellipsis"


def _chosen(rows: Sequence[T], rows_max: int | None, is_well: Callable[[T], bool]) -> tuple[Sequence[T], int]:
    """Return which rows are shown, those with trouble first if not all are, and how many are not."""
    if rows_max is None or len(rows) <= rows_max:
        return rows, 0
    return sorted(rows, key=is_well)[: rows_max - 1], len(rows) - rows_max + 1


def _more(table: Table, left: int) -> Table:
    if left:
        table.add_row(Text(f"and {left:,} more", "dim"))
    return table


def to_json(found: Overview, audit: Audit | None = None) -> JSON:
    """Return the look as plain values."""
    told: dict[str, Any] = {
        "at": found.at.isoformat(),
        "workers": [_worker_json(worker, found.at) for worker in found.workers],
        "accounts": [_account_json(use) for use in found.accounts],
        "queue": [
            {
                "pool": lane.pool,
                "priority": lane.priority,
                "waiting": lane.waiting,
                "parked": lane.parked,
                "oldest_seconds": _since(lane.oldest, found.at),
            }
            for lane in found.lanes
        ],
        "states": {
            state: {"jobs": jobs, "oldest_seconds": _since(oldest, found.at)}
            for state, (jobs, oldest) in found.states.items()
        },
        "jobs_per_minute": found.rates,
    }
    if audit is not None:
        told["violations"] = audit.broken
    return told


def _beside(left: RenderableType, right: RenderableType) -> RenderableType:
    """Put two small tables side by side: a page has few lines."""
    grid = Table.grid(padding=(0, 4, 0, 0))
    grid.add_row(left, right)
    return grid


def unhealthy(worker: Worker) -> list[str]:
    """Return the loops of a process that fail, hang, or are over while it does not end."""
    return [loop.name for loop in worker.loops if not loop.healthy]


def _closing(found: Overview, audit: Audit | None) -> Text:
    """Return the line that says most."""
    alive = sum(not worker.is_lost(found.at) for worker in found.workers)
    waiting = sum(lane.waiting for lane in found.lanes)
    line = Text(
        f"{count(alive, 'process', 'processes')} · {count(waiting, 'job waits', 'jobs wait')}",
        "bold",
    )
    if audit is not None:
        style = "bold red" if audit.broken else "bold green"
        line.append(f" · {count(audit.broken, 'violation')}", style)
    return line.append(f"\n{of_pace(found.rates)}", "not bold")


def _processes(found: Overview, rows: int | None) -> RenderableType:
    if not found.workers:
        return Text("no process works on this database", "bold yellow")
    table = _table("process", "since", "seen", "state", "works on", "loops")
    shown, left = _chosen(
        found.workers, rows, lambda worker: not (worker.is_lost(found.at) or unhealthy(worker))
    )
    for worker in shown:
        lost, told = worker.is_lost(found.at), of_worker(worker, found.at)
        table.add_row(
            Text(of_process(worker.name)),
            _ago(worker.started_at, found.at, units=1),
            Text(_ago(worker.seen_at, found.at, units=1), "bold red" if lost else ""),
            Text(told.text, "bold red")
            if lost
            else Text(worker.state, "yellow" if worker.state != "running" else ""),
            Text(", ".join(worker.accounts) or "-"),
            Text("-", "dim") if lost else Text(told.text, _STYLES[told.level]),
        )
    return _more(table, left)


def _accounts(found: Overview, rows: int | None) -> RenderableType:
    if not found.accounts:
        return Text("no provider account is known", "yellow")
    table = _table(
        "account",
        "pool",
        "open",
        "of",
        "draining",
        "waiting",
        "rests",
        "problem",
        right="open of draining waiting",
    )
    shown, left = _chosen(found.accounts, rows, lambda use: not (of_ills(use) or use.rests_until))
    for use in shown:
        ills = of_ills(use)
        full = "yellow" if use.open >= use.capacity else ""
        table.add_row(
            Text(use.account),
            Text(use.pool),
            Text(f"{use.open:,}", full),
            f"{use.capacity:,}",
            Text(f"{use.draining:,}", "yellow" if use.draining else ""),
            f"{use.waiting:,}",
            _ago(found.at, use.rests_until) if use.rests_until else "-",
            Text(joined(ills) or "-", _STYLES[ills[0].level] if ills else "dim"),
        )
    return _more(table, left)


def _queue(found: Overview, rows: int | None) -> RenderableType:
    if not found.lanes:
        return Text("nothing waits", "dim")
    table = _table("queue", "priority", "waiting", "parked", "oldest", right="priority waiting parked")
    shown, left = _chosen(found.lanes, rows, lambda lane: not lane.parked)
    for lane in shown:
        table.add_row(
            Text(lane.pool),
            str(lane.priority),
            f"{lane.waiting:,}",
            Text(f"{lane.parked:,}", "yellow" if lane.parked else ""),
            _ago(lane.oldest, found.at),
        )
    return _more(table, left)


def _states(found: Overview, rows: int | None) -> RenderableType:
    if not found.states:
        return Text("no job is open", "dim")
    table = _table("open jobs", "jobs", "oldest", right="jobs")
    shown, left = _chosen(list(found.states.items()), rows, lambda _: True)
    for state, (jobs, oldest) in shown:
        table.add_row(Text(state), f"{jobs:,}", _ago(oldest, found.at))
    return _more(table, left)


def _table(*columns: str, right: str = "") -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in columns:
        wraps = name == columns[-1] or name in _NAMES  # else a long name would push others off a narrow page
        table.add_column(name, justify="right" if name in right.split() else "left", no_wrap=not wraps)
    return table


def _since(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else round((now - moment).total_seconds(), 1)


def _worker_json(worker: Worker, now: datetime) -> JSON:
    return {
        "id": str(worker.id),
        "host": worker.name.host,
        "pid": worker.name.pid,
        "number": worker.name.number,
        "version": worker.name.version,
        "state": "lost" if worker.is_lost(now) else worker.state.value,
        "accounts": list(worker.accounts),
        "started_seconds_ago": _since(worker.started_at, now),
        "seen_seconds_ago": _since(worker.seen_at, now),
        "unhealthy": unhealthy(worker),
        "loops": worker.health,
    }


def _account_json(use: Occupancy) -> JSON:
    names: Iterable[str] = ("account", "pool", "open", "capacity", "draining", "waiting", "problem")
    told: dict[str, Any] = {name: getattr(use, name) for name in names}
    return {**told, "rests_until": use.rests_until.isoformat() if use.rests_until else None}
