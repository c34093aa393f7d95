"""The command `makegood dev`, without what it needs to run: a service may be installed without that."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


async def dev(
    file: Path,
    *,
    port: int | None = None,
    once: Annotated[bool, Parameter(negative="")] = False,
    dsn: str | None = None,
) -> None:
    """Run the job types of a Python file on this machine while you write them, and watch them on the page.

    It needs no database and no key: it brings a Postgres that goes with it, a simulated provider, and a user
    with credits. Each button of the page orders a job with the example input of its type. A change of the
    file starts the engine anew; a mistake is told, and what ran before goes on until it is repaired.

    Parameters
    ----------
    file
        The Python file that declares the job types.
    port
        Where the page is on 127.0.0.1, 0 for a free port; left out: 8077, or a free one.
    once
        Run one job of each type, print its steps, and end: with status 1 if one of them failed.
    dsn
        A Postgres of your own, 15 or newer: databases are made there and dropped. Left out: it brings one.

    Examples
    --------
    makegood dev myapp.py
    """
    from makegood_adapters.cli.dev.command import play, play_once  # needs more packages than the service

    sys.exit(await (play_once(file, dsn=dsn) if once else play(file, port=port, dsn=dsn)))
