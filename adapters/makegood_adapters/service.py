"""The composition root: one process that runs the loops and answers over HTTP.

Reads like a start: database, job types, provider accounts, wake-ups, engine, routes, listen; and the way back
in the opposite order. Nothing else in the project knows all of these at once.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta

from aiohttp import web

from makegood import Catalog, Engine, MakegoodError
from makegood.ports import WorkerName
from makegood_adapters.accounts import open_accounts
from makegood_adapters.blobs import open_blobs
from makegood_adapters.config import ServiceConfig
from makegood_adapters.http import application, health_route, hook_routes, problem_of_hooks, runner
from makegood_adapters.http.hooks_out import WebhookMessenger
from makegood_adapters.plugins import Plugins, load_plugins
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.postgres.wakeups import PostgresWakeups
from makegood_adapters.queue_manager import Options, mount
from makegood_adapters.toolfiles import default_tools_folder, load_tools

log = logging.getLogger("makegood.service")


class ServiceError(MakegoodError):
    """The service cannot start; the message says what to do."""


def load_catalog(config: ServiceConfig, plugins: Plugins) -> Catalog:
    """Read the job types, join those of *plugins*, and give them the configured deadlines."""
    types = plugins.join(load_tools(config.tools or default_tools_folder()))
    deadlines = {state: timedelta(seconds=seconds) for state, seconds in config.deadlines.items()}
    # A state that only some types have is theirs alone; one that none has is told by the first.
    shared = {state for t in types for state in t.states()}
    own = [{s: d for s, d in deadlines.items() if s in t.states() or s not in shared} for t in types]
    return Catalog([t.with_deadlines(d) if d else t for t, d in zip(types, own, strict=True)])


async def serve(
    config: ServiceConfig,
    stopping: asyncio.Event,
    *,
    worker: WorkerName | None = None,
    listener: socket.socket | None = None,
    listening: Callable[[], None] = lambda: None,
) -> None:
    """Run until *stopping* is set, then end in order. Raises ServiceError, StoreUnavailable.

    *listener* is a socket that siblings share; left out: one of its own. *listening* is called once requests
    are answered, *worker* tells people which process this is.
    """
    pooled = config.database_transaction_pooler
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(
            PostgresStore.open(
                config.database_url.get_secret_value(),
                connections_max=config.database_connections_max,
                commit_batch_max=config.database_commit_batch_max,
                update_schema=config.database_update_schema and not pooled,
                transaction_pooler=pooled,
            )
        )
        blobs = await open_blobs(config)
        plugins = load_plugins()
        providers = await stack.enter_async_context(open_accounts(config.accounts, plugins))
        wakeups = None  # those of the engine's own, inside this process
        if config.wakeups:
            address = config.wakeups_database_url or config.database_url
            wakeups = await stack.enter_async_context(PostgresWakeups(address.get_secret_value()))
        messenger = None
        if config.webhooks.send:
            seconds, private = config.engine.webhook_timeout_seconds, config.webhooks.allow_private
            opened = WebhookMessenger.open(private=private, timeout_seconds=seconds)
            messenger = await stack.enter_async_context(opened)
        engine = await stack.enter_async_context(
            Engine(
                store,
                load_catalog(config, plugins),
                blobs=blobs,
                providers=providers,
                settings=config.engine,
                wakeups=wakeups,
                messenger=messenger,
                worker=worker,
            )
        )
        app = application()
        app.add_routes(hook_routes(engine))
        app.add_routes([health_route(engine, wakeups, worker)])
        key = config.public_key.get_secret_value() if config.public_key else None
        mount(app, engine, Options(public_key=key, finish_queued=config.finish_queued))
        await _listen(stack, app, config, listener)
        listening()
        if config.engine.webhook_base_url and providers:
            looking = asyncio.create_task(_look_at_hooks(config.engine.webhook_base_url))
            stack.callback(looking.cancel)
        if not providers:
            log.warning("no provider account is configured: jobs are accepted and wait, nothing is run")
        await stopping.wait()
        log.info("stopping")
        engine.stop()  # at once: requests that are under way may take a while to be answered


async def _look_at_hooks(base_url: str) -> None:
    """Say whether webhooks reach us; whether they do or not, the poll finds every result."""
    if problem := await problem_of_hooks(base_url):
        log.error(
            "webhooks do not reach this service under %s: %s. Results are found by asking, which takes "
            "longer. Check webhook_base_url and what stands before the service.",
            base_url,
            problem,
        )
    else:
        log.info("webhooks reach this service under %s", base_url)


def bind(config: ServiceConfig) -> socket.socket:
    """Return a socket that listens where the service is to answer, for several processes to share."""
    try:
        family, *_, address = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address, family=family, backlog=128)
    except OSError as error:
        raise _cannot_listen(config, error) from None


async def _listen(
    stack: AsyncExitStack, app: web.Application, config: ServiceConfig, listener: socket.socket | None
) -> None:
    server = runner(app)
    await server.setup()
    stack.push_async_callback(server.cleanup)
    try:
        if listener:
            await web.SockSite(server, listener).start()
        else:
            await web.TCPSite(server, config.host, config.port).start()
    except OSError as error:
        raise _cannot_listen(config, error) from None
    log.info("listening on http://%s:%d", config.host, server.addresses[0][1])


def _cannot_listen(config: ServiceConfig, error: OSError) -> ServiceError:
    what = f"{error.strerror}. Check `host` and `port` in the configuration."
    if error.errno == errno.EADDRINUSE:
        what = "the port is in use. Stop the other program, or set another `port` in the configuration."
    return ServiceError(f"Cannot listen on {config.host}:{config.port}: {what}")
