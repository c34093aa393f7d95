"""The command `makegood settle`: a named person ends a job, or looks into an attempt, with a reason."""

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.prompt import Confirm
from rich.text import Text

from makegood import BaseJob, Catalog, Engine, Event, InvalidRequest
from makegood.statement import plain
from makegood_adapters.blobs import open_blobs
from makegood_adapters.cli.audit.dossier import Dossier, collect
from makegood_adapters.cli.audit.explain import explain, job_id_of
from makegood_adapters.cli.database import CONFIG, find_dsn
from makegood_adapters.config import load_config
from makegood_adapters.job_types import load_catalog
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.plugins import load_plugins
from makegood_adapters.postgres.store import PostgresStore


async def settle(
    job: str,
    /,
    *,
    actor: str,
    reason: str,
    fail: Annotated[bool, Parameter(negative="")] = False,
    cancel: Annotated[bool, Parameter(negative="")] = False,
    complete: list[str] | None = None,
    resolve: int | None = None,
    yes: Annotated[bool, Parameter(negative="")] = False,
    dsn: str | None = None,
    config: Annotated[Path | None, Parameter(name="--config")] = None,
) -> None:
    """End a job that is not over, as a person with a reason; what happens to its credits is shown before.

    Parameters
    ----------
    job
        The id of the job.
    actor
        Who decides: a name, which is kept.
    reason
        Why; it is kept with the job for good.
    fail
        End it as failed: all credits come back.
    cancel
        End it as cancelled: all credits come back, whatever the job type's policy says.
    complete
        End it as completed, paid, with this file of ours as its result; may be given several times.
    resolve
        Say of the attempt with this number that somebody has looked at the provider: one that is uncertain
        has no task there; one that was given up, or was late, is no longer counted.
    yes
        Do not ask.
    dsn
        The address of the database; left out: DATABASE_URL.
    config
        The service's configuration file, for the address, the job types and our files; left out:
        config/makegood.toml.
    """
    job_id = job_id_of(job)
    event = _act(fail=fail, cancel=cancel, files=complete or [], resolve=resolve)
    console = Console(highlight=False, soft_wrap=True)
    async with _engine(dsn, config, needs_files=bool(complete)) as (engine, store):
        found = await collect(store, job_id)
        if event is not None and found.job.finished_at is not None:
            raise InvalidRequest(
                f"Job {job_id} is {plain(found.job.state)} already. {_credits(found)} Nothing changed."
            )
        told = (
            _outlook(found, event)
            if event
            else [f"Attempt {resolve} is settled: nobody needs to look at it."]
        )
        for line in [
            f"Job {job_id}: {found.job.type} for {found.job.owner}, {plain(found.job.state)}",
            *told,
        ]:
            console.print(Text(line))
        if not (yes or _agreed(console)):
            console.print("Nothing was changed.")
            sys.exit(1)
        if event is not None:
            await engine.administer(job_id, event, actor=actor, reason=reason, files=complete or [])
        elif resolve is not None:
            await engine.resolve(job_id, resolve, actor=actor, reason=reason)
        console.print()
        for line in (await explain(store, job_id)).lines:
            console.print(Text(line))


def _act(*, fail: bool, cancel: bool, files: list[str], resolve: int | None) -> Event[Any] | None:
    """Return the event that is asked for, None to resolve an attempt."""
    asked = [fail, cancel, bool(files), resolve is not None]
    if sum(asked) != 1:
        raise InvalidRequest(
            "Say what becomes of the job: one of --fail, --cancel, --complete FILE, --resolve ATTEMPT."
        )
    if fail:
        return BaseJob.fail
    if cancel:
        return BaseJob.cancel
    return BaseJob.complete if files else None


def _agreed(console: Console) -> bool:
    if not sys.stdin.isatty():
        raise InvalidRequest("Nobody is there to say yes: give --yes. Nothing was changed.")
    return Confirm.ask("Go on?", console=console, default=False)


def _credits(found: Dossier) -> str:
    money = found.money
    if not found.lines:
        return "It cost nothing."
    return (
        f"Of its {found.job.price:,} credits {money.captured:,} were paid and {money.released:,} came back."
    )


def _outlook(found: Dossier, event: Event[Any]) -> Iterator[str]:
    """Yield what will happen to credits and slot, before it does."""
    job, held = found.job, found.money.held
    if event is BaseJob.complete:
        yield f"It becomes completed: {held:,} of {held:,} held credits are paid."
    else:
        end = "failed" if event is BaseJob.fail else "cancelled"
        back = (
            f"{held:,} held credits come back to {job.owner}"
            if held
            else "nothing is held, nothing comes back"
        )
        yield f"It becomes {end}: {back}."
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


@asynccontextmanager
async def _engine(
    dsn: str | None, config: Path | None, *, needs_files: bool
) -> AsyncIterator[tuple[Engine, PostgresStore]]:
    """Open the store, and an engine over it that runs no loops and declares no types."""
    path = config or (CONFIG if CONFIG.is_file() and dsn is None else None)
    read = load_config(path) if path else None
    if needs_files and read is None:
        raise InvalidRequest("--complete needs --config: it says where our files are.")
    # Without a configuration the stored rules of the job's type are enough to end it.
    catalog = load_catalog(read, load_plugins()) if read else Catalog([])
    blobs = await open_blobs(read) if read and needs_files else MemoryBlobs()
    async with PostgresStore.open(find_dsn(dsn, config), connections_max=2) as store:
        yield Engine(store, catalog, blobs=blobs, run_loops=False), store
