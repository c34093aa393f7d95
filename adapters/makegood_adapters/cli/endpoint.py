"""The commands `makegood endpoint make|list|log|rotate|resend|remove`: who is told by webhooks."""

import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from uuid import UUID

from cyclopts import App, Parameter
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

from makegood import Engine
from makegood.errors import InvalidRequest
from makegood.notifying import RESENT_MAX
from makegood.ports import Delivery, Endpoint
from makegood_adapters.cli.database import CONFIG, an_engine
from makegood_adapters.cli.key import Config, duration
from makegood_adapters.cli.told import Json, tell
from makegood_adapters.config import load_config
from makegood_adapters.front import messenger_of
from makegood_adapters.http.v1.endpoints import DeliveryView, EndpointMade, EndpointView
from makegood_adapters.job_types import load_catalog
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.plugins import load_plugins
from makegood_adapters.postgres.store import PostgresStore

_EVENT = "job."
_PAGE = 100

endpoint = App(name="endpoint", help="Who is told by webhooks: make, list, rotate, remove; what was sent.")


@endpoint.command
async def make(
    url: str,
    /,
    *,
    owner: str | None = None,
    event: Annotated[list[str] | None, Parameter(name="--event", negative="")] = None,
    type: Annotated[list[str] | None, Parameter(name="--type", negative="")] = None,
    description: str = "",
    json: Json = False,
    config: Annotated[Path, Parameter(name="--config")] = CONFIG,
) -> None:
    """Make an endpoint. Its secret is shown once, here: the receiver checks signatures with it.

    Parameters
    ----------
    url
        Where messages are posted.
    owner
        Whose jobs it hears of; left out: everybody's.
    event
        What it hears of, such as job.completed; give it several times for several; left out: everything.
    type
        Of jobs of which type; give it several times for several; left out: all.
    description
        What it is for.
    json
        Tell it as JSON.
    config
        The service's configuration file: its database, its job types, and where messages may go.

    Examples
    --------
    makegood endpoint make https://shop.example/hooks --event job.completed
    """
    states = [_state(each) for each in event or ()]
    read = load_config(config)
    async with AsyncExitStack() as stack:
        dsn = read.database_url.get_secret_value()
        store = await stack.enter_async_context(PostgresStore.open(dsn, connections_max=1))
        engine = Engine(
            store,
            load_catalog(read, load_plugins()),
            blobs=MemoryBlobs(),
            run_loops=False,
            messenger=await stack.enter_async_context(messenger_of(read)),
        )
        made, secret = await engine.add_endpoint(
            url, owner=owner, states=states, types=type or (), description=description
        )
    _show(made, secret, f"{made.id} is told of {_hears(made)}.", json)


@endpoint.command(name="list")
async def show(
    *, owner: str | None = None, json: Json = False, dsn: str | None = None, config: Config = None
) -> None:
    """Show every endpoint, oldest first, without its secret.

    Parameters
    ----------
    owner
        Those of this owner alone.
    json
        Tell them as a JSON list.
    dsn
        The address of the database; left out: DATABASE_URL.
    config
        The service's configuration file, to take the address from; left out: config/makegood.toml.

    Examples
    --------
    makegood endpoint list --owner ana
    """
    found: list[Endpoint] = []
    async with an_engine(dsn, config) as engine:
        while page := await engine.endpoints(found[-1].id if found else None, _PAGE, owner=owner):
            found += page
    if json:
        _write([EndpointView.of(each) for each in found])
    elif not found:
        sys.stdout.write("No endpoints: `makegood endpoint make URL` makes one.\n")
    else:
        _print(("id", "address", "of", "hears of", "state"), [_row(each) for each in found])


@endpoint.command
async def log(
    id: UUID,
    /,
    *,
    failed: Annotated[bool, Parameter(negative="")] = False,
    limit: int = 20,
    json: Json = False,
    dsn: str | None = None,
    config: Config = None,
) -> None:
    """Show the last messages to an endpoint, the last one first, and what came of them.

    Parameters
    ----------
    id
        The id of the endpoint.
    failed
        Only those that were given up.
    limit
        How many at most.
    json
        Tell them as a JSON list.
    dsn
        The address of the database; left out: DATABASE_URL.
    config
        The service's configuration file, to take the address from; left out: config/makegood.toml.

    Examples
    --------
    makegood endpoint log 01a213bf-9421-7538-90e1-66c5d4082a84 --failed
    """
    if not 1 <= limit <= 1_000:
        raise InvalidRequest(f"--limit takes 1 to 1000, not {limit}.")
    async with an_engine(dsn, config) as engine:
        found = await engine.deliveries(id, limit=limit, failed=failed)
        last = {each.transition.seq: await engine.tries(id, each.transition.seq or 0) for each in found}
    if json:
        _write([DeliveryView.of(each) for each in found])
    elif not found:
        sys.stdout.write("No messages.\n")
    else:
        rows = []
        for each in found:
            tries = last[each.transition.seq]
            answer = (tries[-1].problem or str(tries[-1].status)) if tries else ""
            rows.append((*_line(each), answer))
        _print(("seq", "event", "job", "state", "tries", "next or end (UTC)", "last answer"), rows)


@endpoint.command
async def rotate(
    id: UUID,
    /,
    *,
    grace: Annotated[str, Parameter(name="--grace", metavar="TIME")] = "1d",
    json: Json = False,
    dsn: str | None = None,
    config: Config = None,
) -> None:
    """Give an endpoint another secret, which is shown once; the one before signs too for a while.

    Parameters
    ----------
    id
        The id of the endpoint.
    grace
        How long the old secret signs too, such as 20m, 12h or 7d; 0s lets go of one that has leaked.
    json
        Tell it as JSON.
    dsn
        The address of the database; left out: DATABASE_URL.
    config
        The service's configuration file, to take the address from; left out: config/makegood.toml.

    Examples
    --------
    makegood endpoint rotate 01a213bf-9421-7538-90e1-66c5d4082a84 --grace 7d
    """
    seconds = duration("--grace", grace).total_seconds()
    async with an_engine(dsn, config) as engine:
        secret = await engine.rotate_secret(id, seconds)
        rotated = await engine.endpoint(id)
    _show(rotated, secret, f"{id}: the secret before this one signs too for {grace}.", json)


@endpoint.command
async def resend(
    id: UUID,
    /,
    *,
    seq: Annotated[list[int] | None, Parameter(name="--seq", negative="")] = None,
    since: Annotated[str | None, Parameter(name="--failed-for", metavar="TIME")] = None,
    json: Json = False,
    dsn: str | None = None,
    config: Config = None,
) -> None:
    """Send messages again: some by their `seq`, or what was given up lately. The service does it.

    Parameters
    ----------
    id
        The id of the endpoint.
    seq
        A message, as `makegood endpoint log` shows it; give it several times for several.
    since
        All that was given up in this time, such as 12h or 3d.
    json
        Tell how many as one JSON object.
    dsn
        The address of the database; left out: DATABASE_URL.
    config
        The service's configuration file, to take the address from; left out: config/makegood.toml.

    Examples
    --------
    makegood endpoint resend 01a213bf-9421-7538-90e1-66c5d4082a84 --failed-for 12h
    """
    if (seq is None) == (since is None):
        raise InvalidRequest("Name messages with --seq, or a time with --failed-for, and not both.")
    back = None if since is None else duration("--failed-for", since)
    async with an_engine(dsn, config) as engine:
        count = await engine.resend(id, seq or ()) if back is None else await _resend_all(engine, id, back)
    if json:
        tell({"resent": count})
        return
    sys.stdout.write(f"{count} {'message is' if count == 1 else 'messages are'} sent again.\n")


@endpoint.command
async def remove(id: UUID, /, *, json: Json = False, dsn: str | None = None, config: Config = None) -> None:
    """Forget an endpoint with its log; it is told nothing more.

    Parameters
    ----------
    id
        The id of the endpoint.
    json
        Tell it as one JSON object.
    dsn
        The address of the database; left out: DATABASE_URL.
    config
        The service's configuration file, to take the address from; left out: config/makegood.toml.

    Examples
    --------
    makegood endpoint remove 01a213bf-9421-7538-90e1-66c5d4082a84
    """
    async with an_engine(dsn, config) as engine:
        await engine.remove_endpoint(id)
    if json:
        tell({"removed": id})
        return
    sys.stdout.write(f"{id}: removed, with its log.\n")


async def _resend_all(engine: Engine, endpoint_id: UUID, back: timedelta) -> int:
    total, since = 0, await engine.now() - back
    while count := await engine.resend_failed(endpoint_id, since):
        total += count
        if count < RESENT_MAX:
            break
    return total


def _state(event: str) -> str:
    if not event.startswith(_EVENT):
        raise InvalidRequest(f"--event takes an event such as job.completed, not {event!r}.")
    return event.removeprefix(_EVENT)


def _show(of: Endpoint, secret: str, told: str, json: bool) -> None:
    """Show a secret, once; it goes to the standard output alone, so that a script can take it from there."""
    if json:
        _write(EndpointMade(endpoint=EndpointView.of(of), secret=secret))
        return
    sys.stderr.write(f"{told}\nThis secret is shown once:\n")
    sys.stderr.flush()
    sys.stdout.write(f"{secret}\n")


def _write(told: BaseModel | Sequence[BaseModel]) -> None:
    plain = (
        told.model_dump(mode="json")
        if isinstance(told, BaseModel)
        else [each.model_dump(mode="json") for each in told]
    )
    tell(plain)


def _print(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, overflow="fold", no_wrap=name == "id")  # ids are copied
    for row in rows:
        table.add_row(*map(Text, row))  # what somebody has chosen may have brackets, which are no markup
    Console(highlight=False).print(table)


def _row(each: Endpoint) -> tuple[str, ...]:
    state = "hears"
    if each.disabled_at:
        state = f"disabled {_time(each.disabled_at)}: {each.disabled_why}"
    elif each.failing_since:
        state = f"fails since {_time(each.failing_since)}"
    return (str(each.id), each.url, each.owner or "all", _hears(each), state)


def _hears(of: Endpoint) -> str:
    events = ", ".join(_EVENT + state for state in of.states) or "every event"
    return f"{events} of {', '.join(of.types)}" if of.types else events


def _line(each: Delivery) -> tuple[str, ...]:
    step, when = each.transition, each.due_at or each.delivered_at or each.failed_at
    event, at = f"{_EVENT}{step.to_state}", _time(when) if when else ""
    return (str(step.seq), event, str(step.job_id), each.state, str(each.tries), at)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
