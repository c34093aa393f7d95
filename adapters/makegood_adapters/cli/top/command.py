"""The command `makegood top`: look again and again, or once."""

import asyncio
import json as as_json
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from makegood.audit import Audit
from makegood.errors import InvalidRequest, StoreError
from makegood_adapters.cli.database import find_dsn
from makegood_adapters.cli.top.report import fitted, report, to_json
from makegood_adapters.postgres.overview import Overview, overview
from makegood_adapters.postgres.store import PostgresStore

_SECONDS_MIN, _SECONDS_MAX = 0.5, 3_600


async def top(
    *,
    dsn: str | None = None,
    config: Annotated[Path | None, Parameter(name="--config")] = None,
    every: float = 2.0,
    once: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
    audit: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Show who works on this database, what waits, and how fast it goes, until Ctrl-C.

    It only reads, so a role that may only read is enough. Where the output is no terminal, it looks once.

    Parameters
    ----------
    dsn
        The address of the database; left out: DATABASE_URL. A password is better there: others see arguments.
    config
        The service's configuration file, to take the address from; left out: config/makegood.toml.
    every
        Look again after so many seconds.
    once
        Look once.
    json
        Look once, and tell what was found as one JSON object.
    audit
        Check the invariants of the books at each look, too; that reads every job.

    Examples
    --------
    makegood top
    makegood top --once --audit
    """
    if not _SECONDS_MIN <= every <= _SECONDS_MAX:
        raise InvalidRequest(f"--every takes {_SECONDS_MIN:g} to {_SECONDS_MAX:g} seconds, not {every:g}.")
    console = Console(highlight=False)
    async with PostgresStore.open(find_dsn(dsn, config), connections_max=1) as store:
        if once or json or not console.is_terminal:
            found, books = await _look(store, audit)
            if json:
                sys.stdout.write(as_json.dumps(to_json(found, books), indent=2, ensure_ascii=False) + "\n")
            else:
                console.print(report(found, books))
            return
        await _page(store, console, every, audit)


async def _look(store: PostgresStore, audit: bool) -> tuple[Overview, Audit | None]:
    found = await overview(store)
    return found, await store.audit(owners_max=0, rows_max=1) if audit else None


async def _page(store: PostgresStore, console: Console, every: float, audit: bool) -> None:
    """Draw the page in place until a signal comes; a database that is away is told above the last one."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    last: RenderableType = Text("")
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while not stopping.is_set():
            problem: list[RenderableType] = []
            looking = asyncio.ensure_future(_look(store, audit))
            stop = asyncio.ensure_future(stopping.wait())
            try:
                await asyncio.wait({looking, stop}, return_when=asyncio.FIRST_COMPLETED)
                if not looking.done():
                    break
                found, books = looking.result()
                head = Text(
                    f"makegood · {found.at:%Y-%m-%d %H:%M:%S %Z} · every {every:g} s, Ctrl-C ends", "dim"
                )
                last = Group(head, Text(), fitted(console, found, books, lines_beside=3))
            except StoreError as error:
                problem = [Text(str(error), "bold red")]
            finally:
                for task in (looking, stop):
                    task.cancel()
                await asyncio.gather(looking, stop, return_exceptions=True)
            live.update(Group(*problem, last), refresh=True)
            with suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await stopping.wait()
    console.print(last)
