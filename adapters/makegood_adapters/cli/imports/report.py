"""What an import would do, or has done, for people and for programs."""

from collections import Counter
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from makegood.audit import Audit
from makegood.outcome import JSON
from makegood_adapters.cli.audit.report import closing
from makegood_adapters.cli.audit.report import to_json as audit_json
from makegood_adapters.cli.imports.plan import Fate, Plan, Problem
from makegood_adapters.cli.imports.rows import Pot

_SHOWN_MAX = 50


def report(plan: Plan, *, applied: bool) -> RenderableType:
    """Return what is done, or would be: credits, jobs, jobs under way, and what is wrong."""
    parts: list[RenderableType] = [_credits(plan, applied=applied), Text(), _jobs(plan)]
    parts += [Text(), *_live(plan)] if plan.live else []
    left_out = "Wrong, and nothing of these owners is brought in"
    parts += [Text(), *_problems(left_out, plan.problems)] if plan.problems else []
    parts += [Text(), *_problems("Left undone", plan.undone)] if plan.undone else []
    return Group(*parts)


def to_json(plan: Plan, *, applied: bool, audit: Audit | None) -> JSON:
    """Return the same as plain values."""
    sums = plan.sums
    return {
        "applied": applied,
        "owners": plan.owners,
        "credits": {
            pot.value: {
                "old": sums[pot].old,
                "here": sums[pot].here,
                "new": sums[pot].new,
                "expired": sums[pot].expired,
                "left_out": sums[pot].left_out,
                "difference": sums[pot].difference,
            }
            for pot in Pot
        },
        "jobs": {
            "history": dict(plan.history),
            "here": plan.here,
            "left_out": plan.left_out,
            "left_behind": dict(plan.left_behind),
            "live": [
                {
                    "job": str(live.id),
                    "table": live.job.table,
                    "owner": live.owner,
                    "status": live.job.status,
                    "task_id": live.job.task_id,
                    "account": live.account if live.fate is Fate.ADOPT else None,
                    "credits": live.job.paid,
                    "becomes": live.fate.value,
                }
                for live in plan.live
            ],
        },
        "problems": [_plain(problem) for problem in plan.problems],
        "undone": [_plain(problem) for problem in plan.undone],
        "audit": audit_json(audit) if audit else None,
    }


def _plain(problem: Problem) -> JSON:
    return {"owner": problem.owner, "where": problem.place, "what": problem.text}


def books(audit: Audit) -> Text:
    """Return the line that says whether the books are in order."""
    return closing(audit).append(f", ledger difference {audit.total.difference:,}")


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(names[0], no_wrap=True)
    for name in names[1:]:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _credits(plan: Plan, *, applied: bool) -> Table:
    now = "brought in" if applied else "to bring in"
    table = _table("credits", "old side", "here before", now, "expired", "left out", "difference")
    for pot, sums in plan.sums.items():
        amounts = (sums.old, sums.here, sums.new, sums.expired, sums.left_out, sums.difference)
        table.add_row(
            pot.value, *(f"{amount:,}" for amount in amounts), style="bold red" if sums.difference else ""
        )
    return table


def _jobs(plan: Plan) -> Table:
    table = _table("jobs", "count")
    for status, count in sorted(plan.history.items()):
        table.add_row(f"{status}, as history", f"{count:,}")
    for fate, count in Counter(live.fate for live in plan.live).items():
        table.add_row(f"under way, {fate.value}", f"{count:,}")
    if plan.here:
        table.add_row("here before", f"{plan.here:,}")
    if plan.left_out:
        table.add_row("over, of owners left out", f"{plan.left_out:,}")
    for name, count in sorted(plan.left_behind.items()):
        table.add_row(f"{name}, left behind", f"{count:,}")
    if not table.rows:
        table.add_row("none", "0")
    return table


def _live(plan: Plan) -> Iterator[Text]:
    """Yield a line for each job under way: what becomes of it and of what was paid for it."""
    for live in plan.live[:_SHOWN_MAX]:
        what = f"{live.job.place}  {live.job.status}, {live.job.paid:,} credits of {live.owner}: "
        if live.fate is Fate.ADOPT:
            what += f"taken over as task {live.job.task_id} of {live.account}"
        else:
            what += "becomes failed, and the credits come back"
        yield Text(what)
    yield from _rest(len(plan.live))


def _problems(heading: str, problems: list[Problem]) -> Iterator[Text]:
    yield Text(f"{heading} ({len(problems):,}):", "bold red")
    for problem in problems[:_SHOWN_MAX]:
        owner = f"  owner {problem.owner}" if problem.owner else ""
        yield Text(f"{problem.place}{owner}: {problem.text}")
    yield from _rest(len(problems))


def _rest(count: int) -> Iterator[Text]:
    if count > _SHOWN_MAX:
        yield Text(f"and {count - _SHOWN_MAX:,} more: --json tells all", "dim")
