"""The commands, and how every error of ours ends: one sentence, exit status 2."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from stamina.instrumentation import set_on_retry_hooks

from makegood.errors import MakegoodError
from makegood_adapters.cli.audit.command import audit
from makegood_adapters.cli.bench.command import bench
from makegood_adapters.cli.chaos.command import chaos
from makegood_adapters.cli.check import check
from makegood_adapters.cli.configuration import configuration
from makegood_adapters.cli.diff import diff
from makegood_adapters.cli.doctor.command import doctor
from makegood_adapters.cli.endpoint import endpoint
from makegood_adapters.cli.graph import graph
from makegood_adapters.cli.imports.command import bring_in
from makegood_adapters.cli.init.command import init
from makegood_adapters.cli.key import key
from makegood_adapters.cli.openapi import openapi
from makegood_adapters.cli.rules import limit, pause, resume, rules
from makegood_adapters.cli.schema import schema
from makegood_adapters.cli.serve.command import serve
from makegood_adapters.cli.settle import settle
from makegood_adapters.cli.simulate import simulate
from makegood_adapters.cli.top.command import top
from makegood_adapters.cli.watch import watch
from makegood_adapters.config import load_config
from makegood_adapters.front import release
from makegood_adapters.postgres.store import bring_up_to_date

app = App(name="makegood", version=release, help="Paid AI jobs that either deliver or give the money back.")
app.command(check)
app.command(graph)
app.command(openapi)
app.command(diff)
app.command(schema)
app.command(bench)
app.command(chaos)
app.command(audit)
app.command(settle)
app.command(init)
app.command(serve)
app.command(configuration, name="config")
app.command(top)
app.command(simulate)
app.command(doctor)
app.command(watch)
app.command(limit)
app.command(pause)
app.command(resume)
app.command(rules)
app.command(key)
app.command(endpoint)
app.command(bring_in, name="import")


def run() -> None:
    """Run the command line of this process."""
    # The library's own lines say that something is asked again, not what and why; ours do.
    set_on_retry_hooks([])
    try:
        app()
    except MakegoodError as error:
        sys.stderr.write(f"makegood: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


@app.command
async def demo(
    *,
    jobs: int = 40,
    seed: int = 1,
    headless: Annotated[bool, Parameter(negative="")] = False,
    dsn: str | None = None,
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
    """
    from makegood_adapters.cli.demo.command import play  # needs more packages than the service

    sys.exit(await play(jobs=jobs, seed=seed, headless=headless, dsn=dsn))


@app.command
async def migrate(
    *,
    config: Annotated[Path, Parameter(name="--config")] = Path("config/makegood.toml"),
    dsn: str | None = None,
) -> None:
    """Bring the schema `makegood` of a database up to date, as its owner, and renew the rights of roles.

    Parameters
    ----------
    config
        The configuration file whose `database_url` is used.
    dsn
        The address of the owner, where the service connects as somebody else.
    """
    address = dsn or load_config(config).database_url.get_secret_value()
    applied = await bring_up_to_date(address)
    lines = [*(f"applied {name}" for name in applied), "The schema makegood is up to date."]
    sys.stdout.write("\n".join(lines) + "\n")
