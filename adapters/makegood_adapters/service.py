"""The composition root: one process that runs the loops and answers over HTTP.

Reads like a start: database, job types, provider accounts, engine, routes, listen; and the way back
in the opposite order. Nothing else in the project knows all of these at once.
"""

import asyncio
import errno
import logging
from contextlib import AsyncExitStack
from datetime import timedelta

from aiohttp import web

from makegood import Catalog, Engine, MakegoodError, ProviderAccount
from makegood.ports import Provider
from makegood_adapters.config import ServiceConfig
from makegood_adapters.folder import FolderBlobs
from makegood_adapters.http import application, health_route, hook_routes, runner
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.queue_manager import Options, mount
from makegood_adapters.runninghub import RunningHub, RunningHubClient, open_session, parse_hint
from makegood_adapters.toolfiles import default_tools_folder, load_tools

log = logging.getLogger("makegood.service")


class ServiceError(MakegoodError):
    """The service cannot start; the message says what to do."""


def load_catalog(config: ServiceConfig) -> Catalog:
    """Read the job types and give them the configured deadlines."""
    types = load_tools(config.tools or default_tools_folder())
    deadlines = {state: timedelta(seconds=seconds) for state, seconds in config.deadlines.items()}
    return Catalog([t.with_deadlines(deadlines) if deadlines else t for t in types])


async def serve(config: ServiceConfig, stopping: asyncio.Event) -> None:
    """Run until *stopping* is set, then end in order. Raises ServiceError, StoreUnavailable."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(
            PostgresStore.open(
                config.database_url.get_secret_value(),
                connections_max=config.database_connections_max,
                update_schema=True,
            )
        )
        blobs = FolderBlobs(config.blobs)
        blobs.prepare()
        session = await stack.enter_async_context(open_session())
        providers: dict[ProviderAccount, Provider] = {}
        for account in config.accounts:
            try:
                client = RunningHubClient(session, account.base_url, account.api_key.get_secret_value())
            except ValueError as error:
                raise ServiceError(f"Account {account.name!r} cannot be used: {error}") from None
            known = ProviderAccount(
                name=account.name,
                pool=account.pool,
                capacity=account.capacity,
                draining_seconds=account.draining_seconds,
            )
            providers[known] = RunningHub(client)
        engine = await stack.enter_async_context(
            Engine(
                store,
                load_catalog(config),
                blobs=blobs,
                providers=providers,
                settings=config.engine,
            )
        )
        await _listen(stack, config, engine)
        if not providers:
            log.warning("no provider account is configured: jobs are accepted and wait, nothing is run")
        await stopping.wait()
        log.info("stopping")


async def _listen(stack: AsyncExitStack, config: ServiceConfig, engine: Engine) -> None:
    app = application()
    app.add_routes(hook_routes(engine, parse_hint))
    app.add_routes([health_route(engine)])
    key = config.public_key.get_secret_value() if config.public_key else None
    options = Options(public_key=key, finish_queued=config.finish_queued)
    mount(app, engine, options)
    server = runner(app)
    await server.setup()
    stack.push_async_callback(server.cleanup)
    try:
        await web.TCPSite(server, config.host, config.port).start()
    except OSError as error:
        what = f"{error.strerror}. Check `host` and `port` in the configuration."
        if error.errno == errno.EADDRINUSE:
            what = "the port is in use. Stop the other program, or set another `port` in the configuration."
        raise ServiceError(f"Cannot listen on {config.host}:{config.port}: {what}") from None
    log.info("listening on http://%s:%d", config.host, server.addresses[0][1])
