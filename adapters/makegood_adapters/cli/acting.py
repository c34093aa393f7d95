"""What a person is shown before a job is ended by hand, and the question that comes then."""

import sys
from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console
from rich.prompt import Confirm
from rich.text import Text

from makegood import BaseJob, Event, InvalidRequest
from makegood.statement import plain
from makegood_adapters.cli.audit.dossier import Dossier
from makegood_adapters.cli.audit.explain import of_plan


def agreement(told: Iterable[str], *, yes: bool, json: bool) -> Console:
    """Show what will happen and return where to go on, if the person agrees, or has (*yes*); else end with
    status 1. With *json* it is not shown: the output is one document. Raises InvalidRequest where nobody is
    there to agree."""
    console = Console(highlight=False, soft_wrap=True)
    if json and not yes:
        raise InvalidRequest("--json asks nothing: give --yes too. Nothing was changed.")
    if not json:
        for line in told:
            console.print(Text(line))
    if not (yes or _agreed(console)):
        console.print("Nothing was changed.")
        sys.exit(1)
    return console


def _agreed(console: Console) -> bool:
    if not sys.stdin.isatty():
        raise InvalidRequest("Nobody is there to say yes: give --yes. Nothing was changed.")
    return Confirm.ask("Go on?", console=console, default=False)


def heading(found: Dossier) -> str:
    """Return which job it is."""
    job = found.job
    return f"Job {job.id}: {job.type} for {job.owner}, {plain(job.state)}"


def already_over(found: Dossier) -> str:
    """Say of a job that is over what its credits did."""
    job, money = found.job, found.money
    paid = (
        f"Of its {job.price:,} credits {money.captured:,} were paid and {money.released:,} came back."
        if found.lines
        else "It cost nothing."
    )
    return f"Job {job.id} is {plain(job.state)} already. {paid}"


def outlook(found: Dossier, event: Event[Any]) -> Iterator[str]:
    """Yield what will happen to credits and slot when a person ends the job, before it does."""
    job, held = found.job, found.money.held
    if event is BaseJob.complete:
        yield f"It becomes completed: {held:,} of {held:,} held credits are paid."
    else:
        end = "failed" if event is BaseJob.fail else "cancelled"
        yield f"It becomes {end}: {back(found)}."
    attempt = next((a for a in found.attempts if a.number == job.attempt and a.closed_at is None), None)
    if attempt is None:
        return
    if attempt.intent_at is None:
        yield f"Attempt {attempt.number} was not sent: its slot of {attempt.account} is free at once."
        return
    task = f"task {attempt.task_id}" if attempt.task_id else "its task, if there is one,"
    yield (
        f"Attempt {attempt.number} keeps its slot of {attempt.account} until the provider is done; {task} is "
        "asked to stop."
    )


def back(found: Dossier) -> str:
    """Say that all that is held comes back, but for what an unlimited plan covers."""
    held = found.money.held - of_plan(found, "hold")
    if not held:
        return (
            "nothing is held, nothing comes back" if not found.money.held else "nothing is taken of its plan"
        )
    return f"{held:,} held credits come back to {found.job.owner}"
