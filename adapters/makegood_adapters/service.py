"""The composition root: one process that runs the loops and answers over HTTP.

Reads like a start: database, files, job types, provider accounts, wake-ups, engine, front; and the way back
in the opposite order. Nothing else in the project knows all of these at once.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack

from prometheus_client import disable_created_metrics

from makegood import Engine
from makegood.ports import WorkerName
from makegood_adapters.accounts import open_accounts
from makegood_adapters.blobs import open_blobs
from makegood_adapters.config import ServiceConfig
from makegood_adapters.front import Front, gate_of, look_at_hooks, messenger_of, refuse_unsafe
from makegood_adapters.job_types import load_catalog
from makegood_adapters.plugins import load_plugins
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.postgres.wakeups import PostgresWakeups
from makegood_adapters.telemetry import EngineMetrics, Lives, MeasuredBlobs, watch_lag
from makegood_adapters.tracing import open_traces

log = logging.getLogger("makegood.service")


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
    are answered, *worker* tells people which process this is. A tool file, an account or a plugin that cannot
    be loaded disables only itself.
    """
    refuse_unsafe(config)
    for warning in config.warnings if worker is None or worker.number <= 1 else ():
        log.warning("%s", warning)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(_store(config))
        disable_created_metrics()  # type: ignore[no-untyped-call]  # one more series each, unasked for
        metrics = EngineMetrics()
        blobs = MeasuredBlobs(await open_blobs(config), metrics)
        plugins = load_plugins()
        catalog = load_catalog(config, plugins)
        providers = await stack.enter_async_context(open_accounts(config.accounts, plugins))
        wakeups = None  # those of the engine's own, inside this process
        if config.wakeups:
            address = config.wakeups_database_url or config.database_url
            wakeups = await stack.enter_async_context(PostgresWakeups(address.get_secret_value()))
        traces = open_traces(config)
        lives = Lives(store, [metrics, *traces], wholly=bool(traces))
        engine = Engine(
            store,
            catalog,
            blobs=blobs,
            providers=providers,
            settings=config.engine,
            wakeups=wakeups,
            messenger=await stack.enter_async_context(messenger_of(config)),
            worker=worker,
            observers=[metrics, lives, *traces],
            served_only=True,
        )
        await stack.enter_async_context(watch_lag(metrics.loop_lag))
        await stack.enter_async_context(lives.reading())
        await stack.enter_async_context(engine)
        front = Front(
            config=config,
            engine=engine,
            store=store,
            wakeups=wakeups,
            worker=worker,
            left_out=plugins.broken,
            gate=await stack.enter_async_context(gate_of(config, engine)),
            metrics=metrics,
        )
        await stack.enter_async_context(front.open(listener))
        listening()
        if config.engine.webhook_base_url and providers:
            looking = asyncio.create_task(look_at_hooks(config.engine.webhook_base_url))
            stack.callback(looking.cancel)
        if not providers:
            log.warning("no provider account can be used: this process runs no jobs")
        await stopping.wait()
        log.info("stopping")
        front.leaving = True
        engine.stop()  # at once: requests that are under way may take a while to be answered
        await asyncio.sleep(config.http.leave_seconds)


def _store(config: ServiceConfig) -> AbstractAsyncContextManager[PostgresStore]:
    pooled = config.database_transaction_pooler
    return PostgresStore.open(
        config.database_url.get_secret_value(),
        connections_max=config.database_connections_max,
        commit_batch_max=config.database_commit_batch_max,
        update_schema=config.database_update_schema and not pooled,
        transaction_pooler=pooled,
    )
