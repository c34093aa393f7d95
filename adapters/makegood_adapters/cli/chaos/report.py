"""What people read of a chaos run: how far it is, and how it ended."""

import json
import statistics
import textwrap
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from makegood_adapters.cli.chaos.books import Findings
from makegood_adapters.cli.chaos.crowd import Tally
from makegood_adapters.cli.chaos.plan import Plan
from makegood_adapters.cli.chaos.strikes import Strike

_EVERY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Result:
    """One run: what was planned, what the books say, and what the provider has counted."""

    plan: Plan
    findings: Findings
    tally: Tally
    strikes: Sequence[Strike]
    seconds: float
    live_max: list[int]
    allowed: list[int]
    creates: int
    webhooks: int
    coins: int
    habits: dict[str, Any]

    @property
    def good(self) -> bool:
        """Whether nothing disagrees and no limit was passed."""
        return not self.problems

    @property
    def problems(self) -> list[str]:
        """Every disagreement as a sentence."""
        found = list(self.findings.disagreements)
        for number, (most, allowed) in enumerate(zip(self.live_max, self.allowed, strict=True)):
            if most > allowed:
                found.append(f"account {number} had {most} tasks at one time, of {allowed} allowed")
        intents = self.findings.sent
        if self.creates > intents:
            found.append(f"{self.creates} create calls were made, and {intents} attempts meant one")
        over = sum(self.findings.jobs[state] for state in ("completed", "failed", "cancelled"))
        if over != self.plan.jobs:
            found.append(f"{self.plan.jobs - over} jobs are not over")
        if self.findings.held:
            found.append(f"{self.findings.held} credits are still held")
        return found


class Progress:
    """Tells every few seconds how far the run is."""

    def __init__(self, console: Console, plan: Plan) -> None:
        self._console, self._plan = console, plan
        self._began = self._told = time.monotonic()

    def tell(self, tally: Tally) -> None:
        """Print a line if it is time for one."""
        now = time.monotonic()
        if now - self._told < _EVERY_SECONDS:
            return
        self._told = now
        states = ", ".join(f"{tally.states[s]} {s}" for s in ("queued", "starting", "running"))
        rate = tally.over / (now - self._began)
        self._console.print(
            f"  {now - self._began:5.0f} s  {tally.over:>6,} of {self._plan.jobs:,} over  {rate:5.1f}/s  "
            f"({states}; {tally.struck} struck)",
            soft_wrap=True,
        )


def announce(console: Console, plan: Plan) -> None:
    """Say what is about to happen."""
    console.print(
        Text("makegood chaos", "bold"),
        Text(
            f"{plan.jobs:,} paid jobs, {plan.workers} engines, {plan.slots} slots, {plan.accounts} accounts, "
            f"odds {plan.odds:g} for each fault, seed {plan.seed}",
            "dim",
        ),
    )
    text = (
        "Replies are lost, cut, late, empty, or HTML; keys are refused now and then; webhooks come twice, "
        "early, late, never; files break off; users cancel and lie; engines are killed. At the end the "
        "database, the journal, the provider's own list and the files are held against each other."
    )
    console.print(textwrap.fill(text, min(console.width, 100), initial_indent="  ", subsequent_indent="  "))


def conclude(console: Console, result: Result) -> None:
    """Tell the figures and every disagreement."""
    found = result.findings
    for title, figures in _sections(result):
        console.print(Text(f"\n{title}", "bold"))
        width = max((len(name) for name in figures), default=0)
        for name, value in figures.items():
            shown = f"{value:,}" if isinstance(value, int) else value
            console.print(f"  {name:<{width}}  {shown}")
    console.print(Text("\nThe books", "bold"))
    if result.good:
        console.print(Text("  ✓ they agree, and no invariant of the database is broken", "green"))
    for problem in result.problems:
        console.print(Text(f"  ✗ {problem}", "bold red"), soft_wrap=True)
    closing = (
        f"{result.plan.jobs:,} jobs in {result.seconds:.0f} s ({result.plan.jobs / result.seconds:.1f}/s) · "
        f"{found.jobs['completed']:,} completed with {found.files:,} valid files · "
        f"{found.jobs['failed']:,} failed · {found.jobs['cancelled']:,} cancelled · "
        f"0 held · {len(found.wrong['violation'])} violations · "
        f"{len(found.wrong['created twice'])} created twice · {len(found.wrong['slot'])} slots leaked"
    ).replace("0 held", f"{found.held} held")
    console.print()
    console.print(Text(closing, "bold green" if result.good else "bold red"), soft_wrap=True)


def _sections(result: Result) -> list[tuple[str, Mapping[str, int | str]]]:
    found, tally = result.findings, result.tally
    return [
        ("Failed because of", dict(found.failures.most_common())),
        ("What was learned of attempts, and how", found.evidence),
        ("Events", found.events),
        ("The site's habits", {name: str(value) for name, value in result.habits.items()}),
        ("Done to jobs", {str(m): n for m, n in tally.meddled.items()}),
        ("Struck, and how soon it went on (median, worst, in seconds)", _recoveries(result.strikes)),
        (
            "At the provider",
            {
                "create calls": result.creates,
                "tasks created": found.tasks,
                "of them for a job that had one": found.again,
                "tasks at one time": ", ".join(
                    f"{most} of {allowed}"
                    for most, allowed in zip(result.live_max, result.allowed, strict=True)
                ),
                "webhooks": result.webhooks,
                "coins charged": result.coins,
            },
        ),
    ]


def _recoveries(strikes: Sequence[Strike]) -> dict[str, int | str]:
    told: dict[str, int | str] = {}
    for what, name in (("kill", "engines killed"), ("stop", "server stopped")):
        struck = [strike for strike in strikes if strike.what == what]
        told[name] = len(struck)
        if struck:
            told[f"{name}: the next job ended after"] = _spread([s.next_end for s in struck])
            told[f"{name}: all that was leased went on after"] = _spread([s.taken_over for s in struck])
    return told


def _spread(seconds: Sequence[float | None]) -> str:
    """Return median and worst; a strike from which nothing recovered is told beside them."""
    known = [each for each in seconds if each is not None]
    never = f", {len(seconds) - len(known)} never" if len(known) < len(seconds) else ""
    return f"{statistics.median(known):.1f}, {max(known):.1f}{never}" if known else "never"


def as_json(result: Result) -> str:
    """Return all figures as one line of JSON."""
    found = result.findings
    figures: dict[str, Any] = {
        "jobs": result.plan.jobs,
        "seed": result.plan.seed,
        "habits": result.habits,
        "odds": result.plan.odds,
        "seconds": round(result.seconds, 1),
        "jobs_per_second": round(result.plan.jobs / result.seconds, 2),
        "states": dict(found.jobs),
        "failures": dict(found.failures),
        "evidence": found.evidence,
        "events": found.events,
        "captured": found.captured,
        "released": found.released,
        "held": found.held,
        "valid_files": found.files,
        "paid_cancellations": found.paid_cancellations,
        "tasks": found.tasks,
        "tasks_again": found.again,
        "attempts": found.attempts,
        "creates": result.creates,
        "attempts_sent": found.sent,
        "live_max": result.live_max,
        "allowed": result.allowed,
        "webhooks": result.webhooks,
        "coins": result.coins,
        "kills": sum(strike.what == "kill" for strike in result.strikes),
        "stops": sum(strike.what == "stop" for strike in result.strikes),
        "strikes": [asdict(strike) for strike in result.strikes],
        "problems": result.problems,
    }
    return json.dumps(figures) + "\n"
