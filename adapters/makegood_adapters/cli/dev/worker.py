"""The engine of `makegood dev`: a child that runs the loops for one state of the file."""

import asyncio
import json
import os
import socket
import sys
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from aiohttp import web

from makegood import Catalog, Engine, MakegoodError, ProviderAccount, Settings
from makegood.lifecycle import BaseJob
from makegood.ports import WorkerName
from makegood_adapters.cli.dev.source import Source
from makegood_adapters.cli.dev.stand_in import open_stand_in
from makegood_adapters.cli.serve.signals import obey_signals
from makegood_adapters.cli.stage import SETTINGS, Child, keep_port
from makegood_adapters.folder import FolderBlobs
from makegood_adapters.http import application, health_route, hook_routes, runner
from makegood_adapters.http.release import release
from makegood_adapters.logs import set_up_logs
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.postgres.wakeups import PostgresWakeups

_ORDERS = "MAKEGOOD_DEV"
SLOTS = 3


@dataclass(frozen=True, slots=True)
class Orders:
    """What the child works with: the file, the database, where files are, and the provider's site."""

    file: str
    dsn: str
    blobs: str
    site: str
    port: int


def child_of(file: Path, *, dsn: str, blobs: Path, site: str, log: Path) -> Child:
    """Return the child for the file as it is when it starts."""
    kept = keep_port()
    orders = Orders(str(file), dsn, str(blobs), site, kept.getsockname()[1])
    environment = {_ORDERS: json.dumps(asdict(orders)), "PYTHONDONTWRITEBYTECODE": "1"}
    return Child(["makegood_adapters.cli.dev.worker"], log, environment, kept)


async def work(orders: Orders) -> None:
    """Run until SIGTERM. Raises StageError for a file that cannot be used."""
    types = await Source(Path(orders.file)).load()
    stopping = asyncio.Event()
    obey_signals(stopping)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(PostgresStore.open(orders.dsn))
        provider = await stack.enter_async_context(open_stand_in(orders.site))
        wakeups = await stack.enter_async_context(PostgresWakeups(orders.dsn))
        url = f"http://127.0.0.1:{orders.port}"
        engine = Engine(
            store,
            Catalog(types),
            blobs=FolderBlobs(Path(orders.blobs)),
            providers=dict.fromkeys(_accounts(types), provider),
            settings=Settings(webhook_base_url=url, **SETTINGS),  # type: ignore[arg-type]  # all are numbers
            wakeups=wakeups,
            worker=WorkerName(host=socket.gethostname(), pid=os.getpid(), version=release()),
        )
        await stack.enter_async_context(engine)
        app = application()
        app.add_routes([*hook_routes(engine), health_route(engine, wakeups)])
        serving = runner(app)
        await serving.setup()
        stack.push_async_callback(serving.cleanup)
        listener = socket.create_server(("127.0.0.1", orders.port))
        await web.SockSite(serving, listener).start()
        await stopping.wait()
        engine.stop()


def _accounts(types: list[type[BaseJob]]) -> list[ProviderAccount]:
    pools = dict.fromkeys(each.pool for each in types)
    return [ProviderAccount(name=pool, pool=pool, capacity=SLOTS, draining_seconds=6) for pool in pools]


if __name__ == "__main__":
    set_up_logs("text")
    try:
        asyncio.run(work(Orders(**json.loads(os.environ[_ORDERS]))))
    except MakegoodError as error:
        sys.exit(f"makegood: {error}")
