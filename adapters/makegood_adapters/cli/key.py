"""The commands `makegood key make|list|rotate|revoke`: keys of programs that call the API."""

import getpass
import re
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from makegood import Engine
from makegood.errors import InvalidRequest, UnknownKey
from makegood.keyring import NewSecret
from makegood.ports import ServiceKey
from makegood_adapters.cli.database import an_engine
from makegood_adapters.cli.told import Json, tell
from makegood_adapters.http.callers import Scope

_UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}

Config = Annotated[Path | None, Parameter(name="--config")]

key = App(name="key", help="Keys of programs that call the API: make, list, rotate and revoke them.")


@key.command
async def make(
    name: str,
    /,
    *,
    scope: Annotated[list[Scope], Parameter(name="--scope", negative="")],
    lasts: Annotated[str | None, Parameter(name="--for", metavar="TIME")] = None,
    actor: str | None = None,
    json: Json = False,
    dsn: str | None = None,
    config: Config = None,
) -> None:
    """Make a key. Its secret is shown once, here: put it where the program that calls finds it.

    Parameters
    ----------
    name
        What the history calls the program: its changes are those of `key:NAME`.
    scope
        What it may do; give it several times for several.
    lasts
        How long the key is good, such as 12h or 90d; left out: until it is revoked.
    actor
        Who decides it; left out: the user of this machine.
    json
        Tell it as JSON.
    dsn
        The address of the database; left out: DATABASE_URL.
    config
        The service's configuration file, to take the address from; left out: config/makegood.toml.

    Examples
    --------
    makegood key make shop --scope owners --scope credits
    """
    until = None if lasts is None else duration("--for", lasts)
    async with an_engine(dsn, config) as engine:
        made = await engine.make_key(name, scope, actor=actor or getpass.getuser(), expires_at=until)
    _show(made, json)


@key.command(name="list")
async def show(*, json: Json = False, dsn: str | None = None, config: Config = None) -> None:
    """Show every key, oldest first; secrets are not kept and cannot be shown.

    Parameters
    ----------
    json
        Tell them as a JSON list.
    dsn
        The address of the database; left out: DATABASE_URL.
    config
        The service's configuration file, to take the address from; left out: config/makegood.toml.

    Examples
    --------
    makegood key list
    """
    async with an_engine(dsn, config) as engine:
        found = await engine.service_keys()
    if json:
        tell([_plain(each) for each in found])
    elif not found:
        sys.stdout.write("No keys: `makegood key make NAME --scope SCOPE` makes one.\n")
    else:
        Console(highlight=False).print(_table(found))


@key.command
async def rotate(
    key: str,
    /,
    *,
    grace: Annotated[str, Parameter(name="--grace", metavar="TIME")] = "1d",
    json: Json = False,
    dsn: str | None = None,
    config: Config = None,
) -> None:
    """Give a key another secret, which is shown once; the one before is taken for a while beside it.

    Parameters
    ----------
    key
        The id of the key, or its name.
    grace
        How long the old secret is taken, such as 0s, 20m, 12h or 7d.
    json
        Tell it as JSON.
    dsn
        The address of the database; left out: DATABASE_URL.
    config
        The service's configuration file, to take the address from; left out: config/makegood.toml.

    Examples
    --------
    makegood key rotate shop --grace 7d
    """
    seconds = duration("--grace", grace).total_seconds()
    async with an_engine(dsn, config) as engine:
        key_id = await _id(engine, key)
        _show(await engine.rotate_key(key_id, grace_seconds=seconds), json)


@key.command
async def revoke(
    key: str,
    /,
    *,
    actor: str | None = None,
    json: Json = False,
    dsn: str | None = None,
    config: Config = None,
) -> None:
    """End a key with all its secrets, for ever. Every process refuses it within 5 seconds.

    Parameters
    ----------
    key
        The id of the key, or its name.
    actor
        Who decides it; left out: the user of this machine.
    json
        Tell it as JSON.
    dsn
        The address of the database; left out: DATABASE_URL.
    config
        The service's configuration file, to take the address from; left out: config/makegood.toml.

    Examples
    --------
    makegood key revoke shop
    """
    async with an_engine(dsn, config) as engine:
        ended = await engine.revoke_key(await _id(engine, key), actor=actor or getpass.getuser())
    if json:
        tell(_plain(ended))
        return
    by = f" by {ended.revoked_by}" if ended.revoked_by else ""
    sys.stdout.write(f"{ended.name} ({ended.id}): revoked{by}; every process refuses it within 5 seconds\n")


async def _id(engine: Engine, key: str) -> str:
    """Return the id of the key that is called so, or has this id."""
    found = await engine.service_keys()
    named = [each.id for each in found if each.name == key and each.revoked_at is None]
    if not named and all(each.id != key for each in found):
        raise UnknownKey(key)
    return named[0] if named else key


def _show(made: NewSecret, json: bool) -> None:
    """Show a secret, once; it goes to the standard output alone, so that a script can take it from there."""
    if json:
        tell({**_plain(made.key), "secret": made.secret})
        return
    given = made.key
    until = f"until {_time(given.expires_at)} UTC" if given.expires_at else "until it is revoked"
    lines = [f"{given.name} ({given.id}) may {', '.join(given.scopes)}, {until}."]
    if given.previous_until:
        lines.append(f"The secret before this one is taken until {_time(given.previous_until)} UTC.")
    lines.append("This secret is shown once, and kept nowhere:")
    sys.stderr.write("\n".join(lines) + "\n")
    sys.stderr.flush()
    sys.stdout.write(f"{made.secret}\n")


def _table(found: list[ServiceKey]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "name", "scopes", "made by", "made (UTC)", "last used", "good until"):
        table.add_column(name, overflow="fold")
    for each in found:
        used = _time(each.last_used_at) if each.last_used_at else "never"
        # what somebody has chosen may have brackets, which are no markup
        by, called = Text(each.created_by), Text(each.name)
        table.add_row(each.id, called, " ".join(each.scopes), by, _time(each.created_at), used, _end(each))
    return table


def _end(each: ServiceKey) -> str | Text:
    if each.revoked_at:
        return Text(f"revoked {_time(each.revoked_at)} by {each.revoked_by}")
    if each.expires_at is None:
        return "no end"
    return _time(each.expires_at)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def _plain(each: ServiceKey) -> dict[str, object]:
    values = asdict(each).items()
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values}


def duration(option: str, text: str) -> timedelta:
    """Return the time that *text* says. Raises InvalidRequest, which names the *option*."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if found is None:
        raise InvalidRequest(f"{option} takes a time such as 90s, 20m, 12h or 90d, not {text!r}.")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])
