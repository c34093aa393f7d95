"""The command `makegood demo`, without what it needs to play: a service may be installed without that."""

import sys
from typing import Annotated

from cyclopts import Parameter


async def demo(
    *,
    jobs: int = 40,
    seed: int = 1,
    headless: Annotated[bool, Parameter(negative="")] = False,
    dsn: str | None = None,
    page: bool | None = None,
    port: int | None = None,
) -> None:
    """Watch paid jobs run, fail, get lost and be found on this machine, with every credit accounted for.

    Parameters
    ----------
    jobs
        How many jobs.
    seed
        Another seed is another story; the same seed is the same one.
    headless
        Plain lines, also on a terminal.
    dsn
        A Postgres of your own, 15 or newer (DATABASE_URL does the same); the demo makes a database of
        its own there and drops it. Left out: it brings a Postgres with it.
    page
        Whether to serve the live page, whose buttons work until Ctrl-C; left out: on a terminal that is not
        headless.
    port
        Where the page is on 127.0.0.1, 0 for a free port; left out: 8077, or a free one.

    Examples
    --------
    makegood demo --jobs 20 --seed 7
    """
    from makegood_adapters.cli.demo.command import play  # needs more packages than the service

    sys.exit(await play(jobs=jobs, seed=seed, headless=headless, dsn=dsn, page=page, port=port))
