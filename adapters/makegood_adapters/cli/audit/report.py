"""An audit for people and for programs: tables, one closing line, or one JSON object."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from makegood.audit import INVARIANTS, Audit, Totals, Violation
from makegood.outcome import JSON

_COLUMNS = ("issued", "remaining", "held", "captured", "expired")


def report(audit: Audit, owner: str | None = None) -> RenderableType:
    """Return the whole report; *owner* is whose credits were asked for."""
    return Group(_invariants(audit), Text(), *_violations(audit), *_credits(audit, owner), closing(audit))


def page(audit: Audit, owner: str | None = None) -> RenderableType:
    """Return the report with the most important lines first: a small terminal shows only those."""
    return Group(closing(audit), Text(), *_violations(audit), *_credits(audit, owner), _invariants(audit))


def closing(audit: Audit) -> Text:
    """Return the line that says it all."""
    broken = [f"{code} {n:,}" for code, n in audit.counts.items() if n]
    line = f"{len(audit.counts)} invariants, {_count(audit.broken, 'violation')}"
    return Text(f"{line}: {', '.join(broken)}" if broken else line, "bold red" if broken else "green")


def to_json(audit: Audit) -> JSON:
    """Return the audit as plain values."""
    return {
        "at": audit.at.isoformat(),
        "violations": audit.broken,
        "invariants": dict(audit.counts),
        "found": [_found(violation) for violation in audit.violations],
        "total": {"owners": audit.owners, **_amounts(audit.total)},
        "owners": [{"owner": totals.owner, **_amounts(totals)} for totals in audit.totals],
    }


def _found(violation: Violation) -> JSON:
    return {
        "code": violation.code,
        "invariant": violation.invariant,
        "subject": violation.subject,
        "owner": violation.owner,
        "job": str(violation.job_id) if violation.job_id else None,
    }


def _amounts(totals: Totals) -> JSON:
    amounts = {name: getattr(totals, name) for name in _COLUMNS}
    return {**amounts, "difference": totals.difference}


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")


def _invariants(audit: Audit) -> Table:
    table = _table()
    table.add_column("invariant", no_wrap=True)
    table.add_column("found", justify="right", no_wrap=True)
    table.add_column("broken when")
    for code, n in audit.counts.items():
        style = "bold red" if n else ""
        table.add_row(code, f"{n:,}", Text(INVARIANTS[code], style or "dim"), style=style)
    return table


def _violations(audit: Audit) -> list[RenderableType]:
    """Tell what is broken; whose it is stands behind it, where the line does not say so already."""
    lines: list[RenderableType] = []
    for code, n in audit.counts.items():
        shown = [violation for violation in audit.violations if violation.code == code]
        for violation in shown:
            line = Text(f"{code}  {violation.subject}")
            if violation.owner and violation.owner != violation.subject.split(" ")[0]:
                line.append(f"  owner {violation.owner}", "dim")
            lines.append(line)
        if n > len(shown):
            lines.append(Text(f"{code}  and {n - len(shown):,} more", "dim"))
    return [*lines, Text()] if lines else []


def _credits(audit: Audit, owner: str | None) -> list[RenderableType]:
    table = _table()
    table.add_column("credits of", overflow="fold")
    for name in _COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    lost = any(totals.difference for totals in (audit.total, *audit.totals))
    if lost:
        table.add_column("difference", justify="right", no_wrap=True)
    for totals in audit.totals:
        _add(table, str(totals.owner), totals, lost)
    _add(table, f"all {_count(audit.owners, 'owner')}", audit.total, lost, "bold")
    left = audit.owners - len(audit.totals)
    if owner is not None and not audit.totals:
        return [table, Text(f"{owner!r} has no credits and never had any", "yellow"), Text()]
    if owner is None and left:
        more = f"and {_count(left, 'more owner')}: --owner NAME shows one, --owners N more"
        return [table, Text(more, "dim"), Text()]
    return [table, Text()]


def _add(table: Table, name: str, totals: Totals, lost: bool, style: str = "") -> None:
    cells = [f"{getattr(totals, column):,}" for column in _COLUMNS]
    if lost:
        cells.append(f"{totals.difference:,}")
    table.add_row(Text(name), *cells, style="bold red" if totals.difference else style)


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
