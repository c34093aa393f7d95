"""What the service answers over HTTP: API, webhooks, the front-end's wire, probes and measures, guarded."""

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler

from makegood import Engine, MakegoodError
from makegood.errors import StoreError
from makegood.ports import WorkerName
from makegood_adapters.config import ServiceConfig, secrets_of
from makegood_adapters.http import (
    Bounds,
    Guard,
    GuardedSite,
    RequestMeasures,
    aiohttp_app,
    api_cors,
    application,
    health_route,
    hook_routes,
    metrics_route,
    probe_routes,
    problem_of_hooks,
    request_ids,
    runner,
    tell_id,
)
from makegood_adapters.http.callers import Gate
from makegood_adapters.http.gatekeeper import open_gate
from makegood_adapters.http.hooks_out import WebhookMessenger
from makegood_adapters.http.hub import StreamLimits
from makegood_adapters.http.page.serving import page_routes, to_page
from makegood_adapters.http.release import release
from makegood_adapters.http.v1.api import Api, PageRules
from makegood_adapters.http.v1.links import FileRules
from makegood_adapters.http.v1.table import OPERATIONS
from makegood_adapters.measures import Measures
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.postgres.wakeups import PostgresWakeups
from makegood_adapters.queue_manager import Options, mount
from makegood_adapters.redaction import Redaction
from makegood_adapters.safety import problems_of
from makegood_adapters.telemetry import EngineMetrics

log = logging.getLogger("makegood.service")

#: How long the store may take to answer before this process is not ready.
_READY_SECONDS = 2.0
_PORT_MAX = 65_535


class ServiceError(MakegoodError):
    """The service cannot start; the message says what to do."""


@dataclass(slots=True, kw_only=True)
class Front:
    """The parts of the service that its routes speak to. `leaving` is set when its end begins."""

    config: ServiceConfig
    engine: Engine
    store: PostgresStore
    wakeups: PostgresWakeups | None
    worker: WorkerName | None
    left_out: Mapping[str, str]
    gate: Gate
    metrics: EngineMetrics | None = None
    leaving: bool = False

    @asynccontextmanager
    async def open(self, listener: socket.socket | None) -> AsyncIterator[None]:
        """Listen on *listener*, or on a socket of its own, and answer; at the end requests under way are
        still answered, and streams end. Raises ServiceError."""
        guard, measures = Guard(_bounds(self.config)), RequestMeasures()
        api = Api(
            engine=self.engine,
            files=_file_rules(self.config),
            stream_limits=StreamLimits(**self.config.streams.model_dump()),
            redaction=Redaction(secrets_of(self.config)),
            page=PageRules(open=self.config.page_open),
        )
        reading = Measures(
            self.engine,
            self.store,
            guard,
            api.hub,
            self.wakeups,
            self.left_out,
            release=release(),
            audit_seconds=self.config.metrics_audit_seconds,
        )
        measures.add(reading)
        if self.metrics is not None:
            measures.add(self.metrics)
        app = self._application(guard, measures, reading, api)
        server = runner(app, idle_seconds=self.config.http.idle_seconds)
        beside = runner(self._measured(guard, measures, reading), idle_seconds=self.config.http.idle_seconds)
        await server.setup()
        await beside.setup()
        try:
            port = self.config.metrics_port
            if port is not None:  # the first process of several has the number 1, a single one 0
                await _listen_beside(beside, guard, self.config, port + max(0, self._number - 1))
            await _listen(server, guard, self.config, listener)
            yield
        finally:
            await server.cleanup()
            await beside.cleanup()
            await reading.close()

    @property
    def _number(self) -> int:
        return self.worker.number if self.worker else 0

    def _measured(self, guard: Guard, measures: RequestMeasures, reading: Measures) -> web.Application:
        """Return what answers where a process has its measures to itself."""
        app = application(guard.middleware(), request_ids())
        app.on_response_prepare.append(tell_id)
        public = self.config.metrics_public
        app.add_routes([metrics_route(measures, self.gate, public=public, refresh=reading.refresh)])
        return app

    def _application(
        self, guard: Guard, measures: RequestMeasures, reading: Measures, api: Api
    ) -> web.Application:
        config, engine = self.config, self.engine
        app = application(guard.middleware(), request_ids(), measures.middleware())
        app.on_response_prepare.append(tell_id)
        app.add_routes(page_routes(api="../v1") if config.page.serve else [])
        app.add_routes([web.get("/", _index(page=config.page.serve))])
        app.add_routes(probe_routes(engine, self.not_ready, lambda: self.leaving))
        app.add_routes([health_route(engine, self.wakeups, self.worker, self.left_out)])
        public = config.metrics_public
        app.add_routes([metrics_route(measures, self.gate, public=public, refresh=reading.refresh)])
        app.add_routes(hook_routes(engine))
        cors, write_seconds = api_cors(config.http.origins), config.http.write_seconds
        app.add_subapp("/v1", aiohttp_app(OPERATIONS, api, self.gate, write_seconds=write_seconds, cors=cors))
        # Where no users are known, the page is believed about its user, and is on this machine alone.
        gate = self.gate if config.auth.knows_users else None
        options = Options(
            gate=gate,
            public_key=_public_key(config),
            finish_queued=config.finish_queued,
            origins=config.http.origins or ("*",),
            base_url=config.address_of_pages,
            buckets=config.buckets,
            files=api.files,
            write_seconds=write_seconds,
        )
        mount(app, engine, options, hub=api.hub)
        return app

    async def not_ready(self) -> list[str]:
        """Return why no requests should be sent here, nothing if they may."""
        if self.leaving:
            return ["the service is being ended"]
        try:
            async with asyncio.timeout(_READY_SECONDS):
                problem = await self.store.schema_problem()
        except (StoreError, TimeoutError) as error:
            log.warning("the store does not answer: %r", error)
            return ["the store does not answer"]
        return ["the schema of the database is older than this release"] if problem else []


def refuse_unsafe(config: ServiceConfig) -> None:
    """Raise ServiceError for a configuration that is not safe to serve with."""
    if problems := problems_of(config):
        raise ServiceError("The configuration is not safe to serve with. " + " ".join(problems))


def gate_of(config: ServiceConfig, engine: Engine) -> AbstractAsyncContextManager[Gate]:
    """Open the gate that knows users and keys."""
    return open_gate(
        engine,
        config.auth,
        public_key=_public_key(config),
        limits=config.limits,
        proxies=config.limits.trusted_proxies,
    )


def messenger_of(config: ServiceConfig) -> AbstractAsyncContextManager[WebhookMessenger | None]:
    """Open what sends webhooks to endpoints; None where this service shall send none."""
    if not config.webhooks.send:
        return nullcontext()
    seconds, private = config.engine.webhook_timeout_seconds, config.webhooks.allow_private
    return WebhookMessenger.open(private=private, timeout_seconds=seconds)


def _public_key(config: ServiceConfig) -> str | None:
    return config.public_key.get_secret_value() if config.public_key else None


def _file_rules(config: ServiceConfig) -> FileRules:
    secret = config.link_secret
    return FileRules(
        upload_bytes_max=config.upload_bytes_max,
        day_bytes_max=config.upload_day_bytes_max,
        link_secret=secret.get_secret_value().encode() if secret else None,
    )


def _bounds(config: ServiceConfig) -> Bounds:
    return Bounds(
        connections_max=config.http.connections_max,
        connections_per_address_max=config.http.connections_per_address_max,
        proxies=config.limits.trusted_proxies,
        head_seconds=config.http.head_seconds,
        idle_seconds=config.http.idle_seconds,
        write_seconds=config.http.write_seconds,
    )


def _index(*, page: bool) -> Handler:
    """Return what tells whoever opens the address what this is; a browser is shown the page."""
    links = {"api": "/v1/openapi.json", "job_types": "/v1/job-types", "health": "/health", "ready": "/readyz"}
    links |= {"page": "/page/"} if page else {}

    async def index(request: web.Request) -> web.StreamResponse:
        if page and (way := to_page(request)):
            return way
        return web.json_response({"service": "makegood", "version": release(), "links": links})

    return index


async def look_at_hooks(base_url: str) -> None:
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


def bind(config: ServiceConfig, port: int | None = None, key: str = "port") -> socket.socket:
    """Return a socket that listens where the service is to answer, for several processes to share; at *port*,
    which *key* of the configuration names, in place of its own. Raises ServiceError."""
    port = config.port if port is None else port
    try:
        family, *_, address = socket.getaddrinfo(config.host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address, family=family, backlog=128)
    except OSError as error:
        raise _cannot_listen(config, error, port, key) from None


async def _listen(
    server: web.AppRunner, guard: Guard, config: ServiceConfig, listener: socket.socket | None
) -> None:
    where = {"sock": listener} if listener else {"host": config.host, "port": config.port}
    try:
        await GuardedSite(server, guard, **where).start()
    except OSError as error:
        raise _cannot_listen(config, error, config.port, "port") from None
    log.info("listening on http://%s:%d", config.host, server.addresses[0][1])
    if config.page_open:
        log.info(
            "whoever is on this machine may look at all jobs without a key, and so may all who come through "
            "a proxy on it that adds no X-Forwarded-For: let it add that, or set `open = false` in [page]"
        )


def try_metrics_ports(config: ServiceConfig, count: int) -> None:
    """Raise ServiceError where one of *count* processes could not have a port for its measures."""
    if config.metrics_port is None:
        return
    for port in range(config.metrics_port, config.metrics_port + count):
        if port > _PORT_MAX:
            raise ServiceError(
                f"metrics_port: {count} processes take the ports from {config.metrics_port} on, and "
                f"{_PORT_MAX} is the last there is. Set a smaller one."
            )
        bind(config, port, "metrics_port").close()


async def _listen_beside(server: web.AppRunner, guard: Guard, config: ServiceConfig, port: int) -> None:
    try:
        await GuardedSite(server, guard, host=config.host, port=port).start()
    except OSError as error:
        raise _cannot_listen(config, error, port, "metrics_port") from None
    log.info("measures of this process alone are at http://%s:%d/metrics", config.host, port)


def _cannot_listen(config: ServiceConfig, error: OSError, port: int, key: str) -> ServiceError:
    what = f"{error.strerror}. Check `host` and `{key}` in the configuration."
    if error.errno == errno.EADDRINUSE:
        what = f"the port is in use. Stop the other program, or set another `{key}` in the configuration."
    return ServiceError(f"Cannot listen on {config.host}:{port}: {what}")
