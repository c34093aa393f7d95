"""The commands that rule the queues of a running service: `limit`, `pause`, `resume`, `rules`."""

import getpass
import re
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from makegood import Rule
from makegood.errors import InvalidRequest
from makegood.fairness import EVERYBODY, KEEP, OLDEST_EVERY, Keep
from makegood_adapters.cli.database import an_engine
from makegood_adapters.cli.told import Json, tell

_UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_NONE = "none"

Config = Annotated[Path | None, Parameter(name="--config")]


async def limit(
    *,
    owner: str | None = None,
    type: str | None = None,
    pool: str | None = None,
    running_max: str | None = None,
    weight: str | None = None,
    oldest_every: str | None = None,
    actor: str | None = None,
    json: Json = False,
    dsn: str | None = None,
    config: Config = None,
) -> None:
    """Set a limit or a share; every process obeys from its next dispatch.

    Parameters
    ----------
    owner
        Whose jobs; "*" sets what holds for every owner without a value of its own.
    type
        Of which job type; "*" for every type.
    pool
        Of which pool; "*" for every pool.
    running_max
        How many jobs of the owner or type may be in slots of a pool at one time, or "none".
    weight
        The owner's share, 1 at first: 2 is served twice as often; or "none".
    oldest_every
        Of how many slots of the pool one goes to the job that waits longest, 8 at first; or "none".
    actor
        Who decides it; left out: the user of this machine.
    json
        Tell what holds now as one JSON object.
    dsn
        The address of the database; left out: DATABASE_URL.
    config
        The service's configuration file, to take the address from; left out: config/makegood.toml.

    Examples
    --------
    makegood limit --owner ana --running-max 5
    """
    given = {"--running-max": running_max, "--weight": weight, "--oldest-every": oldest_every}
    named = [option for option, value in given.items() if value is not None]
    if sum(name is not None for name in (owner, type, pool)) != 1:
        raise InvalidRequest("Name one of --owner, --type and --pool. Nothing was changed.")
    fits = ["--oldest-every"] if pool is not None else ["--running-max"]
    if owner is not None:
        fits.append("--weight")
    if not named or set(named) - set(fits):
        raise InvalidRequest(f"Give {' or '.join(fits)} here, and nothing else. Nothing was changed.")
    by = actor or getpass.getuser()
    async with an_engine(dsn, config) as engine:
        if owner is not None:
            rule = await engine.limit_owner(
                owner, running_max=_whole("--running-max", running_max), weight=_number(weight), actor=by
            )
        elif type is not None:
            most = _whole("--running-max", running_max)
            rule = await engine.limit_type(
                type, running_max=None if isinstance(most, Keep) else most, actor=by
            )
        else:
            every = _whole("--oldest-every", oldest_every)
            assert not isinstance(every, Keep)
            rule = await engine.limit_pool(pool or EVERYBODY, oldest_every=every, actor=by)
    _tell(rule, json)


async def pause(
    *,
    reason: str,
    owner: str | None = None,
    type: str | None = None,
    pool: str | None = None,
    lasts: Annotated[str | None, Parameter(name="--for", metavar="TIME")] = None,
    actor: str | None = None,
    json: Json = False,
    dsn: str | None = None,
    config: Config = None,
) -> None:
    """Start no more jobs of a pool, a job type or an owner; what runs goes on to its end.

    Jobs are accepted and cancelled as always. The deadline of those that wait goes on: one that passes gives
    the credits back.

    Parameters
    ----------
    reason
        Why, for whoever looks at `makegood rules`.
    owner
        Whose jobs.
    type
        Of which job type.
    pool
        Of which pool.
    lasts
        How long, such as 90s, 20m, 2h or 1d; left out: until `makegood resume`.
    actor
        Who decides it; left out: the user of this machine.
    json
        Tell what holds now as one JSON object.
    dsn
        The address of the database; left out: DATABASE_URL.
    config
        The service's configuration file, to take the address from; left out: config/makegood.toml.

    Examples
    --------
    makegood pause --pool runninghub --reason "the provider is down" --for 20m
    """
    lasting = None if lasts is None else _duration(lasts)
    async with an_engine(dsn, config) as engine:
        rule = await engine.pause(
            pool=pool, type=type, owner=owner, reason=reason, actor=actor or getpass.getuser(), until=lasting
        )
    _tell(rule, json)


async def resume(
    *,
    owner: str | None = None,
    type: str | None = None,
    pool: str | None = None,
    actor: str | None = None,
    json: Json = False,
    dsn: str | None = None,
    config: Config = None,
) -> None:
    """End a pause.

    Parameters
    ----------
    owner
        Whose jobs.
    type
        Of which job type.
    pool
        Of which pool.
    actor
        Who decides it; left out: the user of this machine.
    json
        Tell whether there was a pause as one JSON object.
    dsn
        The address of the database; left out: DATABASE_URL.
    config
        The service's configuration file, to take the address from; left out: config/makegood.toml.

    Examples
    --------
    makegood resume --pool runninghub
    """
    async with an_engine(dsn, config) as engine:
        resumed = await engine.resume(pool=pool, type=type, owner=owner, actor=actor or getpass.getuser())
    if json:
        tell({"resumed": resumed})
        return
    [name] = [f"{scope} {name}" for scope, name in (("owner", owner), ("type", type), ("pool", pool)) if name]
    sys.stdout.write(f"{name}: resumed\n" if resumed else f"{name}: was not paused\n")


async def rules(*, json: Json = False, dsn: str | None = None, config: Config = None) -> None:
    """Show every limit, share and pause.

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
    makegood rules
    """
    async with an_engine(dsn, config) as engine:
        found = await engine.rules()
    if json:
        tell([asdict(rule) for rule in found])
    elif not found:
        sys.stdout.write(
            "No limits, shares or pauses: every owner has the same share, and one of "
            f"{OLDEST_EVERY} slots goes to the job that waits longest.\n"
        )
    else:
        Console(highlight=False).print(_table(found))


def _tell(rule: Rule, json: bool) -> None:
    """Say what holds now."""
    if json:
        tell(asdict(rule))
    else:
        sys.stdout.write(f"{_said(rule)}\n")


def _table(found: list[Rule]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("scope")
    table.add_column("name", overflow="fold")
    for name in ("running", "weight", "oldest"):
        table.add_column(name, justify="right")
    for name in ("by", "paused (UTC)", "until", "because"):
        table.add_column(name)
    for rule in found:
        values = (rule.running_max, rule.weight, rule.oldest_every)
        numbers = ("" if value is None else f"{value:,g}" for value in values)
        since = _time(rule.paused_at) if rule.paused_at else ""
        until = _time(rule.paused_until) if rule.paused_until else "resumed" if rule.paused_at else ""
        until += ", closed" if rule.closed else ""
        # what somebody has chosen may have brackets, which are no markup
        by, because = Text(rule.actor), Text(rule.reason or "")
        table.add_row(rule.scope, Text(rule.name), *numbers, by, since, until, because)
    return table


def _said(rule: Rule) -> str:
    """Say in one line what holds now."""
    values = {"running_max": rule.running_max, "weight": rule.weight, "oldest_every": rule.oldest_every}
    told = [f"{name} {value:,g}" for name, value in values.items() if value is not None]
    if rule.paused_at:
        until = f"{_time(rule.paused_until)} UTC" if rule.paused_until else "it is resumed"
        told.append(f"{'closed' if rule.closed else 'paused'} until {until}: {rule.reason}")
    return f"{rule.scope} {rule.name}: {', '.join(told) or f'as every {rule.scope}'}"


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def _whole(option: str, text: str | None) -> int | Keep | None:
    if text is None:
        return KEEP
    if text == _NONE:
        return None
    if not text.isdecimal():
        raise InvalidRequest(f"{option} takes a whole number or {_NONE!r}, not {text!r}.")
    return int(text)


def _number(text: str | None) -> float | Keep | None:
    if text is None:
        return KEEP
    if text == _NONE:
        return None
    try:
        return float(text)
    except ValueError:
        raise InvalidRequest(f"--weight takes a number or {_NONE!r}, not {text!r}.") from None


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if found is None or int(found[1]) == 0:
        raise InvalidRequest(f"--for takes a time such as 90s, 20m, 2h or 1d, not {text!r}.")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])
