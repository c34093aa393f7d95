"""One id for each request, `X-Request-Id`, in the answer and in every line of the log."""

import re
import secrets

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from makegood_adapters.logs import REQUEST_ID

HEADER = "X-Request-Id"
#: Ids come from outside and go into logs: letters and digits, and what common makers of ids put between them.
_VALID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


def request_ids() -> Middleware:
    """Return a middleware that gives each request its id; one that the caller sends is kept if it has at most
    128 letters, digits and `._:-`."""

    @web.middleware
    async def identify(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get(HEADER, "")
        # A request has a task and a context of its own, to which its line in the access log belongs.
        REQUEST_ID.set(given if _VALID.fullmatch(given) else secrets.token_hex(8))
        return await handler(request)

    return identify


async def tell_id(_: web.Request, response: web.StreamResponse) -> None:
    """Put the id into an answer: for `on_response_prepare`, since a stream begins inside its handler."""
    if request_id := REQUEST_ID.get():
        response.headers[HEADER] = request_id
