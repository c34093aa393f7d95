"""A page of jobs: which are wanted, and how they are shown."""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from makegood import Engine, Job
from makegood.errors import InvalidRequest
from makegood_adapters.cli.ages import ago, read_duration
from makegood_adapters.cli.steps import STYLES
from makegood_adapters.http.v1.views import JobPageView, JobSummary
from makegood_adapters.postgres.overview import declared_states
from makegood_adapters.postgres.store import PostgresStore

#: An id is copied, so it is never cut; on a narrower terminal the other columns are.
_ID, _ROOMY = 36, 110
#: What the columns beside those of names take, and what a name takes at least.
_BESIDE, _BESIDE_ROOMY, _NAME_MIN = 61, 84, 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which jobs, as `Engine.list_jobs` takes it."""

    search: str | None
    owner: str | None
    states: Sequence[str]
    type: str | None
    active: bool | None
    since: datetime | None
    until: datetime | None
    after: str | None
    limit: int


async def find(engine: Engine, store: PostgresStore, wanted: Wanted) -> JobPageView:
    """Return the page, as the API tells it. Raises InvalidRequest, also of a state or type that none was ever
    declared with: an empty page would look as if there were no such jobs now."""
    if wanted.states or wanted.type is not None:
        _check_names(await declared_states(store), wanted)
    found = await engine.list_jobs(**asdict(wanted))
    kinds = {(job.type, job.type_version) for job in found.jobs}
    rules = {kind: await store.spec(*kind) for kind in kinds}

    def status(job: Job) -> str:
        spec = rules[job.type, job.type_version]
        state = spec.state.get(job.state) if spec else None
        return (state and state.public) or job.state

    shown = [JobSummary(**JobSummary.fields_of(job, status(job))) for job in found.jobs]
    return JobPageView(jobs=shown, next=found.next)


def only(*, active: bool, over: bool) -> bool | None:
    """Return what `Engine.list_jobs` takes as *active*. Raises InvalidRequest where both are asked for."""
    if active and over:
        raise InvalidRequest("--active and --over leave nothing; leave one out.")
    return True if active else False if over else None


def moment(option: str, text: str | None, now: datetime) -> datetime | None:
    """Read a time ago, such as 20m, or a moment with zone. InvalidRequest names the *option*."""
    if text is None:
        return None
    if (back := read_duration(text)) is not None:
        return now - back
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise InvalidRequest(
            f"{option} takes a time ago such as 20m, 12h or 7d, or a moment with its zone such as "
            f"2026-11-26T09:00Z, not {text!r}."
        )
    return found


def _check_names(declared: Sequence[tuple[str, str]], wanted: Wanted) -> None:
    types = sorted({type for type, _ in declared})
    if wanted.type is not None and wanted.type not in types:
        raise InvalidRequest(f"There is no job type {wanted.type!r}; {_there_are(types)}.")
    states = list(dict.fromkeys(state for type, state in declared if wanted.type in (None, type)))
    for state in wanted.states:
        if state not in states:
            of = "" if wanted.type is None else f" of {wanted.type}"
            raise InvalidRequest(f"There is no state {state!r}{of}; {_there_are(states)}.")


def _there_are(names: Sequence[str]) -> str:
    return f"there are: {', '.join(names)}" if names else "no job type is known before a worker has started"


def print_page(page: JobPageView, now: datetime) -> None:
    """Print the jobs as a table, and how to get the next page."""
    if not page.jobs:
        sys.stdout.write("No such jobs.\n")
        return
    console = Console(highlight=False)
    roomy = console.width >= _ROOMY
    name_max = max(_NAME_MIN, (console.width - (_BESIDE_ROOMY if roomy else _BESIDE)) // 2)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("id", no_wrap=True, min_width=_ID)
    table.add_column("state", no_wrap=True, overflow="ellipsis", max_width=16 if roomy else 10)
    for name in ("type", "owner"):
        table.add_column(name, no_wrap=True, overflow="ellipsis", max_width=name_max)
    if roomy:
        table.add_column("credits", justify="right", no_wrap=True)
    table.add_column("ordered", justify="right", no_wrap=True)
    for job in page.jobs:
        cells = [Text(job.state, STYLES.get(job.status, "")), Text(job.type), Text(job.owner)]
        price = [Text(f"{job.price:,}")] if roomy else []
        table.add_row(str(job.id), *cells, *price, ago(job.created_at, now, units=2 if roomy else 1))
    console.print(table)
    if page.next:
        console.print(Text(f"\nThere are more: give --after {page.next}", "dim"), soft_wrap=True)
