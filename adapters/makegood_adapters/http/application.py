"""What all routes share: refusals as JSON, bounded bodies, and logs without secrets."""

import asyncio
import json
import logging
import math
import sys
from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping
from typing import Any, NoReturn

from aiohttp import ClientError, web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware

from makegood.errors import StorageError, StoreError

log = logging.getLogger("makegood.http")

BODY_BYTES_MAX = 256 * 1024
BODY_SECONDS = 10.0
#: Lists, objects and commas of a body that is larger than usual, which has a file in it as one long text:
#: millions of empty lists would take seconds to read, in which nobody is served, and most of the memory.
_VALUES_MAX = 10_000
#: Longest time for the answers to requests under way when the service ends.
_ANSWER_SECONDS = 15.0
#: Of a head of a request: the first line and each header (tokens are long), and how many headers.
_LINE_BYTES_MAX, _HEADERS_MAX = 8_190, 100
#: Longer than proxies keep a connection without a request, so that it is they who close it.
IDLE_SECONDS = 75.0
RETRY_AFTER_SECONDS = 5
#: How aiohttp tells that a body cannot be read to its end.
_BROKEN = (web.RequestPayloadError, HttpProcessingError, ClientError, ConnectionError)


class Refused(Exception):
    """A request that is not served; the text is written for the client and tells no internals."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        details: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status, self.message, self.code, self.details = status, message, code, details
        self.headers = headers or {}
        super().__init__(message)


class BodyRefused(Refused):
    """A body that is not taken; `problem` is its code in the API's table of problems."""

    def __init__(self, status: int, problem: str, message: str) -> None:
        self.problem = problem
        super().__init__(status, message)


Shape = Callable[[Refused], web.Response]


def error_object(refused: Refused) -> web.Response:
    """Return the refusal as `{"error": ..., "code"?: ...}`."""
    body = {"error": refused.message}
    if refused.code is not None:
        body["code"] = refused.code
    return web.json_response(body, status=refused.status)


def contain_errors(shape: Shape = error_object) -> Middleware:
    """Return a middleware that turns every error into a reply of this *shape*.

    A store or storage in trouble is a 503, so that the caller sends again. What nobody expected is logged and
    answered with a sentence that says nothing about it.
    """

    @web.middleware
    async def contain(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refused as refused:
            reply = shape(refused)
            reply.headers.update(refused.headers)
            return reply
        except web.HTTPException as error:
            if error.status < 400:
                raise
            reply = shape(Refused(error.status, error.reason))
            if isinstance(error, web.HTTPMethodNotAllowed):
                reply.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
            return reply
        except (StoreError, StorageError) as error:
            log.warning("%s %s: %s", request.method, route_of(request), error)
            reply = shape(Refused(503, "The service cannot keep this now; please send it again."))
            reply.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
            return reply
        except Exception:
            log.exception("%s %s failed", request.method, route_of(request))
            return shape(Refused(500, "Something went wrong on our side."))

    return contain


async def read_chunks(
    chunks: AsyncIterator[bytes], *, bytes_max: int = BODY_BYTES_MAX, seconds: float = BODY_SECONDS
) -> bytes:
    """Return the whole body; BodyRefused when it is larger, or slower."""
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in chunks:
                body += chunk
                if len(body) > bytes_max:
                    raise _too_large(bytes_max)
    except TimeoutError:
        message = f"The body did not arrive within {seconds:g} seconds."
        raise BodyRefused(408, "body_too_slow", message) from None
    return bytes(body)


async def chunks_of(request: web.Request) -> AsyncIterator[bytes]:
    """Yield the body as it comes; BodyRefused when it is broken."""
    try:
        async for chunk in request.content.iter_any():
            yield chunk
    except _BROKEN:
        raise unreadable() from None


async def read_body(
    request: web.Request, *, bytes_max: int = BODY_BYTES_MAX, seconds: float = BODY_SECONDS
) -> bytes:
    """Return the whole body; BodyRefused when it is larger, slower or broken.

    The bound counts what comes out of a compressed body, so that a small one cannot grow large.
    """
    content = request.content
    if (request.content_length or 0) > bytes_max:
        raise _too_large(bytes_max)
    if not content.is_eof():
        return await read_chunks(chunks_of(request), bytes_max=bytes_max, seconds=seconds)
    try:  # it came with its head, as short ones do: there is nothing to wait for
        body = content.read_nowait()
    except _BROKEN:
        raise unreadable() from None
    if len(body) > bytes_max:
        raise _too_large(bytes_max)
    return body


def _too_large(bytes_max: int) -> BodyRefused:
    return BodyRefused(413, "body_too_large", f"The body is larger than {bytes_max:,} bytes.")


def unreadable() -> BodyRefused:
    """Return the refusal of a body that breaks off or cannot be unpacked."""
    return BodyRefused(400, "body_unreadable", "The body could not be read.")


async def read_json(
    request: web.Request, *, bytes_max: int = BODY_BYTES_MAX, seconds: float = BODY_SECONDS
) -> Any:
    """Return the body as JSON: UTF-8, numbers finite, nesting and the number of values bounded; Refused
    otherwise."""
    body = await read_body(request, bytes_max=bytes_max, seconds=seconds)
    if len(body) > BODY_BYTES_MAX and sum(map(body.count, (b",", b"[", b"{"))) > _VALUES_MAX:
        raise BodyRefused(413, "body_too_large", f"The body has more than {_VALUES_MAX:,} values in it.")
    try:
        return from_json(body.decode())
    except ValueError:
        raise Refused(400, "The body is not valid JSON.") from None


def from_json(text: str) -> Any:
    """Return what *text* says as JSON; ValueError where it is none, holds a number that is not finite, or is
    nested too deep."""
    try:
        return json.loads(text, parse_constant=_not_json, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _not_json(constant: str) -> NoReturn:
    raise ValueError(constant)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def application(*outer: Middleware) -> web.Application:
    """Return an application without routes whose every reply, also to an unknown path, is JSON; *outer*
    middlewares, the outermost first, see only replies."""
    return web.Application(middlewares=[*outer, contain_errors()])


def runner(app: web.Application, *, idle_seconds: float = IDLE_SECONDS) -> web.AppRunner:
    """Return a runner for *app* that writes no address of a request into a log.

    Addresses hold webhook tokens, and some clients put keys into the query. aiohttp's own access log
    would write them, and so would its report of a request that it cannot parse. At the end, requests under
    way have longer to be answered than a body has to arrive. A connection on which nothing comes for
    *idle_seconds* is closed; heads of requests are bounded.
    """
    return web.AppRunner(
        app,
        access_log_class=AccessLog,
        logger=_ServerLog(log),
        shutdown_timeout=_ANSWER_SECONDS,
        keepalive_timeout=idle_seconds,
        max_line_size=_LINE_BYTES_MAX,
        max_field_size=_LINE_BYTES_MAX,
        max_headers=_HEADERS_MAX,
    )


def route_of(request: web.BaseRequest) -> str:
    """Return the route's pattern, such as `/hooks/{token}`; never the path that was asked for."""
    if not isinstance(request, web.Request):
        return "unreadable"
    try:
        resource = request.match_info.route.resource
    except (AssertionError, AttributeError):  # aiohttp could not parse it, and has looked for no route
        return "unreadable"
    return resource.canonical if resource else "unknown path"


class AccessLog(AbstractAccessLogger):
    """One line for each request with the route's pattern in place of the address."""

    @property
    def enabled(self) -> bool:
        """Whether lines are written at all; asked once for each connection."""
        return self.logger.isEnabledFor(logging.INFO)

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Write the line; *time* is in seconds."""
        self.logger.info(
            "%s %s %s %d %.1f ms",
            request.remote,
            request.method,
            route_of(request),
            response.status,
            1000 * time,
        )


class _ServerLog(logging.LoggerAdapter[logging.Logger]):
    """Leaves out the text of requests that could not be parsed, for it may hold a token, and the trace:
    whoever sends rubbish writes a line, not a page."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        error = kwargs.get("exc_info")
        if error is True:
            error = sys.exc_info()[1]
        if isinstance(error, (HttpProcessingError, web.RequestPayloadError)):
            kwargs["exc_info"] = None
            msg = f"{msg}: {type(error).__name__}"
        return msg, kwargs
