"""The command `makegood watch`: what happens to jobs, line by line as it is committed."""

import asyncio
import json as as_json
import sys
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from makegood import Catalog, Engine, StoreUnavailable, Transition
from makegood.errors import InvalidRequest
from makegood_adapters.cli.database import find_dsn
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.postgres.wakeups import PostgresWakeups

#: How long the database is left alone after it did not answer.
_PAUSE_SECONDS = 1.0
_STYLES = {"completed": "green", "failed": "red", "cancelled": "yellow"}


async def watch(
    *,
    dsn: str | None = None,
    config: Annotated[Path | None, Parameter(name="--config")] = None,
    owner: str | None = None,
    after: int | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Print the steps of all jobs as they are committed, until Ctrl-C; none is left out.

    It only reads, so a role that may only read is enough. It goes on by itself when the database comes back.

    Parameters
    ----------
    dsn
        The address of the database; left out: DATABASE_URL.
    config
        The service's configuration file, to take the address from; left out: config/makegood.toml.
    owner
        Only what happens to the jobs of this owner.
    after
        Begin after this place of the stream, which every line tells first; 0 is the beginning. Left out: only
        what is new.
    json
        Tell each step as one line of JSON.

    Examples
    --------
    makegood watch --owner ana --after 0
    """
    if after is not None and after < 0:
        raise InvalidRequest(f"--after takes 0 or more, not {after}.")
    address, console = find_dsn(dsn, config), Console(highlight=False, soft_wrap=True)
    async with (
        PostgresStore.open(address, connections_max=1) as store,
        PostgresWakeups(address) as wakeups,
    ):
        engine = Engine(store, Catalog([]), blobs=MemoryBlobs(), wakeups=wakeups, run_loops=False)
        seq = await engine.last_seq() if after is None else after
        while True:
            try:
                async with aclosing(engine.watch(after=seq, owner=owner)) as steps:
                    async for step in steps:
                        _tell(console, step, json)
                        seq = step.seq or seq
            except StoreUnavailable as error:
                sys.stderr.write(f"makegood: {error} Going on after {seq} when it is back.\n")
                await asyncio.sleep(_PAUSE_SECONDS)


def _tell(console: Console, step: Transition, json: bool) -> None:
    if json:
        sys.stdout.write(as_json.dumps(asdict(step), default=str, ensure_ascii=False) + "\n")
        sys.stdout.flush()
        return
    line = Text(f"{step.seq:>8}  {step.at:%Y-%m-%d %H:%M:%S}  {step.job_id}  ")
    line.append(f"{step.event} to ")
    line.append(step.to_state, style=_STYLES.get(step.to_state, ""))
    line.append(f"  {step.type} of {step.owner}, by {step.actor}", style="dim")
    if step.reason:
        line.append(f": {step.reason}", style="dim")
    console.print(line)
