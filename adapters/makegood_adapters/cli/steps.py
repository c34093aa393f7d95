"""Steps of jobs as they are committed, for people or for programs; a database that is away is waited for."""

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.text import Text

from makegood import Catalog, Engine, StoreUnavailable, Transition
from makegood_adapters.cli.database import find_dsn
from makegood_adapters.cli.told import tell_line
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.postgres.wakeups import PostgresWakeups

#: How long the database is left alone after it did not answer.
_PAUSE_SECONDS = 1.0
STYLES = {"completed": "green", "failed": "red", "cancelled": "yellow"}

Watch = Callable[[int | None], AsyncGenerator[Transition, None]]
#: Where a step stands in what is watched: the stream of all jobs, or the life of one.
Place = Callable[[Transition], int | None]


@asynccontextmanager
async def listening(dsn: str | None, config: Path | None) -> AsyncIterator[tuple[Engine, PostgresStore]]:
    """Yield an engine that hears at once of what others commit, and its store; it declares nothing and runs
    no loop."""
    address = find_dsn(dsn, config)
    async with (
        PostgresStore.open(address, connections_max=1) as store,
        PostgresWakeups(address) as wakeups,
    ):
        yield Engine(store, Catalog([]), blobs=MemoryBlobs(), wakeups=wakeups, run_loops=False), store


async def follow(watch: Watch, after: int | None, place: Place, *, json: bool) -> None:
    """Write every step that *watch* yields after the place *after*, until it ends; where the database does
    not answer, go on after the last one when it is back."""
    console = Console(highlight=False, soft_wrap=True)
    while True:
        try:
            async with aclosing(watch(after)) as steps:
                async for step in steps:
                    _tell(console, step, place(step), json=json)
                    after = after if (seen := place(step)) is None else seen
            return
        except StoreUnavailable as error:
            begun = "when it is back" if after is None else f"after {after} when it is back"
            sys.stderr.write(f"makegood: {error} Going on {begun}.\n")
            await asyncio.sleep(_PAUSE_SECONDS)


def _tell(console: Console, step: Transition, place: int | None, *, json: bool) -> None:
    if json:
        tell_line(asdict(step))
        return
    line = Text(f"{place or 0:>8}  {step.at:%Y-%m-%d %H:%M:%S}  {step.job_id}  ")
    line.append(f"{step.event} to ")
    line.append(step.to_state, style=STYLES.get(step.to_state, ""))
    line.append(f"  {step.type} of {step.owner}, by {step.actor}", style="dim")
    if step.reason:
        line.append(f": {step.reason}", style="dim")
    console.print(line)
