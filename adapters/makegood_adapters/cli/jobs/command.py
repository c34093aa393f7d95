"""The commands `makegood jobs list|show|cancel|watch`."""

import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from makegood import InvalidRequest, Transition
from makegood_adapters.cli.acting import agreement, already_over, heading
from makegood_adapters.cli.audit.dossier import collect
from makegood_adapters.cli.audit.explain import explain, job_id_of
from makegood_adapters.cli.audit.lines import print_lines
from makegood_adapters.cli.database import an_engine_over, an_informed_engine
from makegood_adapters.cli.jobs.listing import Wanted, find, moment, only, print_page
from makegood_adapters.cli.jobs.showing import print_job
from makegood_adapters.cli.jobs.stopping import needs_a_name, outlook
from makegood_adapters.cli.steps import follow, listening
from makegood_adapters.cli.told import Json, tell

Config = Annotated[Path | None, Parameter(name="--config")]
Flag = Annotated[bool, Parameter(negative="")]

jobs = App(name="jobs", help="List jobs, show one with its money, cancel it, follow it to its end.")


@jobs.command(name="list")
async def list_jobs(
    *,
    search: str | None = None,
    owner: str | None = None,
    state: Annotated[list[str] | None, Parameter(name="--state", negative="")] = None,
    type: str | None = None,
    active: Flag = False,
    over: Flag = False,
    since: Annotated[str | None, Parameter(name="--since", metavar="TIME")] = None,
    until: Annotated[str | None, Parameter(name="--until", metavar="TIME")] = None,
    after: str | None = None,
    limit: int = 20,
    json: Json = False,
    dsn: str | None = None,
    config: Config = None,
) -> None:
    """List jobs, newest first, page by page; with a million jobs a page costs what it costs with ten.

    Parameters
    ----------
    search
        The id of a job or its beginning, of a task at the provider, an idempotency key, or an owner.
    owner
        Whose jobs; left out: everybody's.
    state
        In this state; give it several times for several.
    type
        Of this job type.
    active
        Only those that are not over.
    over
        Only those that are over.
    since
        Ordered from then on: a time ago, such as 20m, 12h or 7d, or a moment, such as 2026-11-26T09:00Z.
    until
        Ordered before then.
    after
        Go on behind the page before, which tells this word at its end.
    limit
        How many at most, 1 to 200.
    json
        Tell them as one JSON object, with the word for `--after` as `next`.
    dsn
        The address of the database; left out: DATABASE_URL.
    config
        The service's configuration file, to take the address from; left out: config/makegood.toml.

    Examples
    --------
    makegood jobs list --state running --since 1h
    makegood jobs list --owner ana --active --json
    """
    unfinished = only(active=active, over=over)
    async with an_engine_over(dsn, config) as (engine, store):
        now = await engine.now()
        wanted = Wanted(
            search=search,
            owner=owner,
            states=tuple(state or ()),
            type=type,
            active=unfinished,
            since=moment("--since", since, now),
            until=moment("--until", until, now),
            after=after,
            limit=limit,
        )
        page = await find(engine, store, wanted)
    tell(page.model_dump(mode="json")) if json else print_page(page, now)


@jobs.command
async def show(job: str, /, *, json: Json = False, dsn: str | None = None, config: Config = None) -> None:
    """Show one job: how long it was where, its attempts, and its money line by line.

    The exit status is 1 if the books of the job are broken.

    Parameters
    ----------
    job
        The id of the job.
    json
        Tell it as one JSON object: what the API tells operators, and under `explanation` what
        `makegood audit --job` does.
    dsn
        The address of the database; left out: DATABASE_URL.
    config
        The service's configuration file, to take the address from; left out: config/makegood.toml.

    Examples
    --------
    makegood jobs show 01a213bf-9421-7538-90e1-66c5d4082a84
    """
    job_id = job_id_of(job)
    async with an_engine_over(dsn, config) as (engine, store):
        sys.exit(await print_job(engine, store, job_id, json=json))


@jobs.command
async def cancel(
    job: str,
    /,
    *,
    actor: str,
    reason: str,
    yes: Flag = False,
    json: Json = False,
    dsn: str | None = None,
    config: Config = None,
) -> None:
    """Cancel a job as a person with a reason; what happens to its credits is shown before.

    A job that is not at the provider ends at once, and all that it holds comes back. Else the provider is
    asked to stop, and its answer decides by the policy of the job type, as when the owner cancels: to end
    such a job at once and give back all that it holds is what `makegood settle --cancel` does.

    Parameters
    ----------
    job
        The id of the job.
    actor
        Who decides: a name, which is kept.
    reason
        Why.
    yes
        Do not ask.
    json
        Tell what became of the job's money as one JSON object, as `makegood audit --job` does; needs --yes.
    dsn
        The address of the database; left out: DATABASE_URL.
    config
        The service's configuration file, for the address and the job types, whose policy says what a
        cancellation costs; left out: config/makegood.toml.

    Examples
    --------
    makegood jobs cancel 01a213bf-9421-7538-90e1-66c5d4082a84 --actor bo --reason "ordered twice" --yes
    """
    job_id, who = job_id_of(job), needs_a_name(actor)
    async with an_informed_engine(dsn, config) as (engine, store):
        found = await collect(store, job_id)
        if found.job.finished_at is not None:
            raise InvalidRequest(f"{already_over(found)} Nothing changed.")
        told = [heading(found), *outlook(found, engine.catalog.of(found.job))]
        console = agreement(told, yes=yes, json=json)
        await engine.cancel(job_id, actor=who, reason=reason)
        explained = await explain(store, job_id)
    if json:
        tell(explained.to_json())
        return
    console.print()
    print_lines(explained, console)


@jobs.command
async def watch(
    job: str,
    /,
    *,
    after: int | None = None,
    json: Json = False,
    dsn: str | None = None,
    config: Config = None,
) -> None:
    """Follow one job to its end: print its steps, those that were and those that come.

    The exit status is 0 if it completed, and 1 if it ended otherwise. `makegood watch` follows all jobs.

    Parameters
    ----------
    job
        The id of the job.
    after
        Begin after this step, which every line tells first; left out: with the first one, 0.
    json
        Tell each step as one line of JSON.
    dsn
        The address of the database; left out: DATABASE_URL.
    config
        The service's configuration file, to take the address from; left out: config/makegood.toml.

    Examples
    --------
    makegood jobs watch 01a213bf-9421-7538-90e1-66c5d4082a84 && echo done
    """
    if after is not None and after < 0:
        raise InvalidRequest(f"--after takes 0 or more, not {after}.")
    job_id = job_id_of(job)
    async with listening(dsn, config) as (engine, store):

        def steps(version: int | None) -> AsyncGenerator[Transition, None]:
            return engine.watch(job_id, version)

        await follow(steps, after, lambda step: step.version, json=json)
        ended = (await collect(store, job_id)).public
    sys.exit(0 if ended == "completed" else 1)
