"""The command `makegood audit`: are the books in order? The exit status says it too."""

import asyncio
import json as as_json
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated
from uuid import UUID

from cyclopts import Parameter
from rich.console import Console

from makegood.audit import Audit
from makegood.errors import InvalidRequest
from makegood_adapters.cli.audit.explain import explain, job_id_of
from makegood_adapters.cli.audit.lines import print_lines
from makegood_adapters.cli.audit.report import report, to_json
from makegood_adapters.cli.audit.watch import Lines, Page, watch
from makegood_adapters.cli.database import find_dsn
from makegood_adapters.postgres.store import PostgresStore

_SECONDS, _SECONDS_MIN, _SECONDS_MAX = 10.0, 0.1, 86_400
_ROWS_MAX, _ROWS_MAX_JSON = 10, 1_000


async def audit(
    *,
    dsn: str | None = None,
    config: Annotated[Path | None, Parameter(name="--config")] = None,
    job: str | None = None,
    owner: str | None = None,
    owners: int = 20,
    json: Annotated[bool, Parameter(negative="")] = False,
    watch: Annotated[
        list[float] | None, Parameter(consume_multiple=(0, 1), negative="", metavar="[SECONDS]")
    ] = None,
) -> None:
    """Check every invariant of the books; the exit status is 1 if one is broken.

    It only reads, so a role that may only read is enough.

    Parameters
    ----------
    dsn
        The address of the database; left out: DATABASE_URL.
    config
        The service's configuration file, to take the address from; left out: config/makegood.toml.
    job
        Explain the money of the job with this id, line by line; the exit status is 1 if its books are broken.
    owner
        Show the credits of this owner only; the invariants are checked for all.
    owners
        Show the credits of at most so many owners.
    json
        Tell what was found as one JSON object.
    watch
        Look again every so many seconds, 10 if none are given, until Ctrl-C.

    Examples
    --------
    makegood audit --owner ana
    makegood audit --job 01a213bf-9421-7538-90e1-66c5d4082a84
    """
    if job is not None:
        if owner is not None or watch is not None:
            raise InvalidRequest("--job explains one job, once: leave out --owner and --watch.")
        sys.exit(await _explain(find_dsn(dsn, config), job_id_of(job), json))
    if owners < 0:
        raise InvalidRequest(f"--owners takes 0 or more, not {owners}.")
    if json and watch is not None:
        raise InvalidRequest("--json is one object and --watch goes on for ever; leave one out.")
    seconds = None if watch is None else watch[0] if watch else _SECONDS
    if seconds is not None and not _SECONDS_MIN <= seconds <= _SECONDS_MAX:
        raise InvalidRequest(f"--watch takes {_SECONDS_MIN} to {_SECONDS_MAX} seconds, not {seconds:g}.")
    async with PostgresStore.open(find_dsn(dsn, config), connections_max=1) as store:
        rows_max = _ROWS_MAX_JSON if json else _ROWS_MAX

        async def look() -> Audit:
            return await store.audit(owner=owner, owners_max=owners, rows_max=rows_max)

        console = Console(highlight=False)
        if seconds is not None:
            screen = Page(console, owner, seconds) if console.is_terminal else Lines(console)
            status = await _watch(look, screen, seconds)
        else:
            found = await look()
            status = 1 if found.broken else 0
            if json:
                sys.stdout.write(as_json.dumps(to_json(found), indent=2, ensure_ascii=False) + "\n")
            else:
                console.print(report(found, owner))
    sys.exit(status)


async def _explain(dsn: str, job_id: UUID, json: bool) -> int:
    async with PostgresStore.open(dsn, connections_max=1) as store:
        explained = await explain(store, job_id)
    if json:
        sys.stdout.write(as_json.dumps(explained.to_json(), indent=2, ensure_ascii=False) + "\n")
    else:
        print_lines(explained, Console(highlight=False))
    return 1 if explained.faults else 0


async def _watch(look: Callable[[], Awaitable[Audit]], screen: Page | Lines, seconds: float) -> int:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)

    async def pause() -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await stopping.wait()
        return stopping.is_set()

    with screen:
        return await watch(look, screen, pause, stopping)
