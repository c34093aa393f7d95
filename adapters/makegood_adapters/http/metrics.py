"""What is measured of requests, and `GET /metrics` in the format of Prometheus."""

import math
import time
from collections.abc import Awaitable, Callable
from functools import cache

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from makegood_adapters.http.application import route_of
from makegood_adapters.http.callers import Gate, Scope
from makegood_adapters.http.calling import refusal
from makegood_adapters.http.problems import ApiProblem, problem_of
from makegood_adapters.telemetry.table import counter, gauge, histogram

#: The rest of the time is for the way, and for writing the answer.
_PATIENCE_PART = 0.6
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestMeasures:
    """Requests by method, route and status, in a registry of its own. Whatever callers send, the number of
    series is bounded: a route is a pattern, never a path."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        answered = counter("makegood_http_requests_total", self.registry)
        seconds = histogram("makegood_http_request_seconds", self.registry)
        in_progress = gauge("makegood_http_requests_in_progress", self.registry)
        # A series is looked up under a lock; there are few, and three for every request.
        self._answered, self._seconds = cache(answered.labels), cache(seconds.labels)
        self._open = cache(in_progress.labels)

    def middleware(self) -> Middleware:
        """Return a middleware that measures what stands inside of it."""

        @web.middleware
        async def measure(request: web.Request, handler: Handler) -> web.StreamResponse:
            method = request.method if request.method in _METHODS else "other"
            labels, began, status = (method, route_of(request)), time.perf_counter(), "cut off"
            self._open(*labels).inc()
            try:
                reply = await handler(request)
                status = str(reply.status)
                return reply
            finally:
                self._open(*labels).dec()
                self._seconds(*labels).observe(time.perf_counter() - began)
                self._answered(*labels, status).inc()

        return measure

    def add(self, collector: Collector) -> None:
        """Tell what *collector* collects, too."""
        self.registry.register(collector)


def metrics_route(
    measures: RequestMeasures, gate: Gate, *, public: bool, refresh: Callable[[float], Awaitable[None]]
) -> web.RouteDef:
    """Return the route `GET /metrics`: for a service key with the scope `metrics`, or for all if *public*.

    *refresh* reads anew what is told of the store, in at most so many seconds.
    """

    async def tell(request: web.Request) -> web.Response:
        if not public and (problem := await _refused(gate, request)):
            reply = refusal(problem)
            body = reply.body if isinstance(reply.body, bytes) else b""
            headers = {"Content-Type": reply.media_type, **reply.headers}
            return web.Response(status=reply.status, body=body, headers=headers)
        await refresh(_patience_seconds(request))
        return web.Response(
            body=generate_latest(measures.registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    return web.get("/metrics", tell)


def _patience_seconds(request: web.Request) -> float:
    """Return how long who scrapes can wait. Too late an answer is none: nobody would hear that
    the database is away. Prometheus tells its `scrape_timeout` in this header."""
    try:
        told = float(request.headers.get("X-Prometheus-Scrape-Timeout-Seconds", ""))
    except ValueError:
        return math.inf
    return told * _PATIENCE_PART if told > 0 else math.inf


async def _refused(gate: Gate, request: web.Request) -> ApiProblem | None:
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        caller = await gate.identify(headers, request.remote or "")
        if not caller.scopes and "authorization" not in headers:
            raise ApiProblem(
                "unauthenticated",
                f"Send a service key with the scope `{Scope.METRICS}`.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if Scope.METRICS not in caller.scopes:
            raise ApiProblem("forbidden", f"This needs a service key with the scope `{Scope.METRICS}`.")
        await gate.admit(caller, "requests")
    except Exception as error:
        return problem_of(error)
    return None
