"""Which pages of other origins a browser lets call us, and what it lets them send and read."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler

#: What pages send to the API, and what of its answers they may read beside what is always theirs.
API_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
API_HEADERS = (
    "authorization",
    "apikey",
    "content-type",
    "idempotency-key",
    "if-none-match",
    "if-range",
    "last-event-id",
    "makegood-owner",
    "range",
    "x-request-id",
)
API_EXPOSED = (
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Range",
    "ETag",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "WWW-Authenticate",
    "X-Request-Id",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cors:
    """Which pages may call, from a browser; `origins` is `("*",)` or a list of exact origins.

    `headers` are those that they may send, `exposed` those that they may read. Cookies are never let through:
    whoever calls says who it is in a header, which no foreign page can make a browser do.
    """

    origins: Sequence[str] = ("*",)
    methods: Sequence[str] = ("GET", "POST", "PATCH", "OPTIONS")
    headers: Sequence[str] = ()
    exposed: Sequence[str] = ()
    age_seconds: int = 86_400

    def install(self, app: web.Application) -> None:
        """Let *app* answer every preflight, also to a path that leads nowhere, and mark every other reply."""
        app.middlewares.insert(0, self._preflights)
        app.on_response_prepare.append(self._mark)  # a stream is marked too: it begins inside its handler

    @property
    def _preflights(self):  # type: ignore[no-untyped-def]  # what aiohttp takes as a middleware
        @web.middleware
        async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.method != "OPTIONS":
                return await handler(request)
            allowed = {
                "Access-Control-Allow-Methods": ", ".join(self.methods),
                "Access-Control-Allow-Headers": ", ".join(self.headers),
                "Access-Control-Max-Age": str(self.age_seconds),
            }
            return web.Response(headers=allowed)

        return answer

    async def _mark(self, request: web.Request, reply: web.StreamResponse) -> None:
        if self.exposed and request.method != "OPTIONS":
            reply.headers["Access-Control-Expose-Headers"] = ", ".join(self.exposed)
        if "*" in self.origins:
            reply.headers["Access-Control-Allow-Origin"] = "*"
            return
        others = reply.headers.get("Vary")
        reply.headers["Vary"] = f"{others}, Origin" if others else "Origin"
        origin = request.headers.get("Origin", "")
        if origin in self.origins:
            reply.headers["Access-Control-Allow-Origin"] = origin


def api_cors(origins: Sequence[str]) -> Cors | None:
    """Return what lets pages of these *origins* call the API; None where there are none."""
    if not origins:
        return None
    return Cors(origins=origins, methods=API_METHODS, headers=API_HEADERS, exposed=API_EXPOSED)
