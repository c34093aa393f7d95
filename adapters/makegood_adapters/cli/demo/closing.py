"""The figures with which the demo closes: one line, or two where a terminal has no room for it."""

from rich.console import Console
from rich.text import Text

from makegood_adapters.cli.demo.reconcile import Findings
from makegood_adapters.cli.demo.show import Show

_BETWEEN = " · "


def figures(show: Show, findings: Findings) -> dict[str, int]:
    """Return what became of the jobs, and of the credits."""
    return {**_jobs(show), **_credits(findings)}


def closing(show: Show, findings: Findings) -> str:
    """Return the figures as one line."""
    return _BETWEEN.join(_halves(show, findings))


def print_closing(console: Console, show: Show, findings: Findings, style: str) -> None:
    """Print that line; a terminal that is too narrow gets the credits on one of their own."""
    line = closing(show, findings)
    if console.is_terminal and len(line) > console.width:
        line = "\n".join(_halves(show, findings))
    console.print(Text(line, style), soft_wrap=True)


def _jobs(show: Show) -> dict[str, int]:
    ends = ("completed", "failed", "cancelled")
    return {"jobs": len(show.tickets), **{state: show.count(state) for state in ends}}


def _credits(findings: Findings) -> dict[str, int]:
    return {name: getattr(findings, name) for name in ("captured", "refunded", "held", "difference")}


def _halves(show: Show, findings: Findings) -> tuple[str, str]:
    jobs = (f"{number} {name}" for name, number in _jobs(show).items())
    money = (f"{name} {amount}" for name, amount in _credits(findings).items())
    return _BETWEEN.join(jobs), _BETWEEN.join(money)
