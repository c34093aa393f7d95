"""The command `makegood import`: what it would do, and with --apply that."""

import os
import sys
from contextlib import aclosing
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from makegood.audit import Audit
from makegood.errors import InvalidRequest
from makegood_adapters.cli.database import CONFIG
from makegood_adapters.cli.imports.carry import Carrier
from makegood_adapters.cli.imports.here import open_here
from makegood_adapters.cli.imports.old import STATEMENTS, OldRows, open_old, read_old_side, shipped
from makegood_adapters.cli.imports.plan import Plan, Survey
from makegood_adapters.cli.imports.report import books, report, to_json
from makegood_adapters.cli.imports.types import Types
from makegood_adapters.cli.told import Json, tell
from makegood_adapters.config import load_config
from makegood_adapters.postgres.imports import granted_before

_FROM = "OLD_DATABASE_URL"


async def bring_in(
    old: Path | None = None,
    /,
    *,
    source: Annotated[str | None, Parameter(name="--from", metavar="DSN")] = None,
    apply: Annotated[bool, Parameter(negative="")] = False,
    adopt: Annotated[bool, Parameter(negative="")] = False,
    leave_out: Annotated[
        list[str] | None, Parameter(name="--leave-out", negative="", metavar="TABLE")
    ] = None,
    json: Json = False,
    write_sql: Annotated[Path | None, Parameter(name="--write-sql", metavar="FOLDER")] = None,
    dsn: str | None = None,
    config: Annotated[Path, Parameter(name="--config")] = CONFIG,
) -> None:
    """Bring in balances and jobs of an old job system, as the owner of the schema.

    Without --apply it only tells what it would do:
    `makegood import --from postgresql://reader@localhost/old`, and then the same with --apply.

    The old database is only read. What is here already is left alone, so it may be run again, also after
    it was ended half-way. The exit status is 1 if something is wrong, and is left out, or if jobs are under
    way and --adopt is not given.

    Parameters
    ----------
    old
        A TOML file that says more of the old side: its address, statements of your own, and what its accounts
        and tables are called here; left out: what --from says, and the statements that come with makegood.
    source
        The address of the old database; left out: OLD_DATABASE_URL, or database_url in the file.
    apply
        Do it.
    adopt
        Take over jobs under way by the provider's task id. Those that are not at the provider become failed,
        and their credits come back.
    leave_out
        An old table whose jobs stay behind; may be given several times.
    json
        Tell it as one JSON object.
    write_sql
        Only write the statements that read the old side to files in this folder, to be adapted.
    dsn
        The address of this service's database as its owner, where the service connects as somebody else.
    config
        The service's configuration file: its database, its job types and its accounts.

    Examples
    --------
    makegood import --from postgresql://reader@localhost/old --adopt
    """
    if write_sql is not None:
        _write(write_sql, json)
        return
    sys.exit(await _bring_in(old, source, dsn, config, leave_out or [], apply=apply, adopt=adopt, json=json))


async def _bring_in(
    old: Path | None,
    source: str | None,
    dsn: str | None,
    config: Path,
    leave_out: list[str],
    *,
    apply: bool,
    adopt: bool,
    json: bool,
) -> int:
    side = read_old_side(old)
    given = side.database_url.get_secret_value() if side.database_url else None
    address = source or os.environ.get(_FROM) or given
    if not address:
        raise InvalidRequest(
            f"No old database is named: give --from, set {_FROM}, or put it into the old side's file."
        )
    console = Console(highlight=False, soft_wrap=True)
    read = load_config(config)
    side = side.model_copy(update={"leave_out": [*side.leave_out, *leave_out]})
    ours = dsn or read.database_url.get_secret_value()
    async with open_here(ours, read) as here, open_old(address, side) as rows:
        types, now = Types(here.engine.catalog, side.types), await here.engine.now()
        plan = await Survey(side, types, sorted(here.accounts), now).take(rows, here.connection)
        refused = bool(plan.live) and not adopt
        audit = None
        if apply and not refused:
            audit = await _apply(plan, Carrier(plan, side, types, here), rows)
    if json:
        told = to_json(plan, applied=audit is not None, audit=audit)
        tell(told)
    else:
        console.print(report(plan, applied=audit is not None))
        console.print()
        console.print(_closing(plan, refused=refused, audit=audit))
    wrong = any(sums.difference for sums in plan.sums.values()) or bool(audit and audit.broken)
    return int(bool(plan.problems or plan.undone or refused or wrong))


def _write(folder: Path, json: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in STATEMENTS:
        try:
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write(shipped(name))
        except FileExistsError:
            raise InvalidRequest(f"{folder / name} is there already, and is not overwritten.") from None
        if not json:
            sys.stdout.write(f"wrote {folder / name}\n")
    if json:
        tell({"written": [folder / name for name in STATEMENTS]})


def _closing(plan: Plan, *, refused: bool, audit: Audit | None) -> Text:
    if refused:
        return Text(
            f"{len(plan.live):,} jobs are under way. Let them end and run this again, or give --adopt: then "
            "this is what becomes of them. Nothing was changed.",
            "bold red",
        )
    if audit is not None:
        return books(audit)
    if plan.empty:
        return Text("Everything is here already: there is nothing to bring in.")
    return Text("Nothing was changed: give --apply to do it.")


async def _apply(plan: Plan, carrier: Carrier, rows: OldRows) -> Audit:
    """Carry the plan out, put what the ledger has in place of what was planned, and check the books."""
    here = carrier.here
    async with here.engine, aclosing(carrier.carry(rows)) as steps:
        async for problem in steps:
            if problem is not None:
                plan.undone.append(problem)
    issued = await granted_before(here.connection)
    for sums in plan.sums.values():
        sums.new = -sums.here
    for key, pot in plan.expected.items():
        plan.sums[pot].new += issued.get(key, 0)
    return await here.store.audit()
