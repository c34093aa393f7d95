"""The command `makegood settle`: a named person ends a job, or looks into an attempt, with a reason."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from makegood import BaseJob, Event, InvalidRequest
from makegood_adapters.cli.acting import agreement, already_over, heading, outlook
from makegood_adapters.cli.audit.dossier import Dossier, collect
from makegood_adapters.cli.audit.explain import explain, job_id_of
from makegood_adapters.cli.audit.lines import print_lines
from makegood_adapters.cli.database import an_informed_engine
from makegood_adapters.cli.told import Json, tell


async def settle(
    job: str,
    /,
    *,
    actor: str,
    reason: str,
    fail: Annotated[bool, Parameter(negative="")] = False,
    cancel: Annotated[bool, Parameter(negative="")] = False,
    complete: Annotated[list[str] | None, Parameter(negative="")] = None,
    resolve: int | None = None,
    yes: Annotated[bool, Parameter(negative="")] = False,
    json: Json = False,
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
        End it as failed: all that it holds comes back.
    cancel
        End it as cancelled: all that it holds comes back, whatever the job type's policy says.
    complete
        End it as completed, paid, with this file of ours as its result; may be given several times.
    resolve
        Say of the attempt with this number that somebody has looked at the provider: one that is uncertain
        has no task there; one that was given up, or was late, is no longer counted.
    yes
        Do not ask.
    json
        Tell what became of the job's money as one JSON object, as `makegood audit --job` does; needs --yes.
    dsn
        The address of the database; left out: DATABASE_URL.
    config
        The service's configuration file, for the address, the job types and our files; left out:
        config/makegood.toml.

    Examples
    --------
    makegood settle 01a213bf-9421-7538-90e1-66c5d4082a84 --fail --actor bo --reason "the customer called"
    """
    job_id, files = job_id_of(job), complete or []
    act = _Act(_event(fail=fail, cancel=cancel, files=files, resolve=resolve), files, resolve)
    async with an_informed_engine(dsn, config, needs_files=bool(files)) as (engine, store):
        found = await collect(store, job_id)
        console = agreement(_told(found, act), yes=yes, json=json)
        if act.event is not None:
            await engine.administer(job_id, act.event, actor=actor, reason=reason, files=act.files)
        elif resolve is not None:
            await engine.resolve(job_id, resolve, actor=actor, reason=reason)
        explained = await explain(store, job_id)
    if json:
        tell(explained.to_json())
        return
    console.print()
    print_lines(explained, console)


@dataclass(frozen=True, slots=True)
class _Act:
    """What is to become of the job; without an event, of its attempt *resolve*."""

    event: Event[Any] | None
    files: list[str]
    resolve: int | None


def _told(found: Dossier, act: _Act) -> list[str]:
    """Return what will happen, line by line; InvalidRequest where the job is over."""
    job = found.job
    if act.event is not None and job.finished_at is not None:
        raise InvalidRequest(f"{already_over(found)} Nothing changed.")
    told = (
        outlook(found, act.event)
        if act.event
        else [f"Attempt {act.resolve} is settled: nobody needs to look at it."]
    )
    return [heading(found), *told]


def _event(*, fail: bool, cancel: bool, files: list[str], resolve: int | None) -> Event[Any] | None:
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
