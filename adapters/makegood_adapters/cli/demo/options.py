"""The command `makegood demo`, without what it needs to play: a service may be installed without that."""

import sys
from typing import Annotated

from cyclopts import Parameter

from makegood.errors import InvalidRequest
from makegood_adapters.cli.told import Json


async def demo(
    *,
    jobs: int = 40,
    seed: int = 1,
    headless: Annotated[bool, Parameter(negative="")] = False,
    dsn: str | None = None,
    page: bool | None = None,
    port: int | None = None,
    json: Json = False,
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
    json
        Tell how it ended as one JSON object; the story goes to the standard error, and there is no page.

    Examples
    --------
    makegood demo --jobs 20 --seed 7
    """
    from makegood_adapters.cli.demo.command import play  # needs more packages than the service

    if json and page:
        raise InvalidRequest("--json ends with the story and --page goes on after it: leave one out.")
    quiet, wanted = headless or json, False if json else page
    status = await play(jobs=jobs, seed=seed, headless=quiet, dsn=dsn, page=wanted, port=port, json=json)
    sys.exit(status)
