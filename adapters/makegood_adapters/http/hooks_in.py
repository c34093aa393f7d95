"""The provider's webhooks: kept first, answered then, believed never."""

import hashlib
import re
from collections.abc import Callable
from http import HTTPStatus

from aiohttp import web

from makegood.engine import Engine
from makegood.outcome import Hint
from makegood_adapters.http.application import BODY_SECONDS, Refused, read_body

# As long as 128 bits at least; the engine's own tokens have 43 characters.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22,128}")


def hook_routes(
    engine: Engine, parse_hint: Callable[[str], Hint], *, body_seconds: float = BODY_SECONDS
) -> list[web.RouteDef]:
    """Return the route `POST /hooks/{token}`, for an application that contains errors.

    *parse_hint* is that of the provider whose webhooks come here. The reply is 200 only after the
    message is committed, and 503 when the store is in trouble, so that the provider sends again. A
    token that nobody was given and one that cannot be a token get the same 404.
    """

    async def receive(request: web.Request) -> web.Response:
        token = request.match_info["token"]
        if not _TOKEN.fullmatch(token):
            raise _unknown()
        body = (await read_body(request, seconds=body_seconds)).decode(errors="replace")
        token_hash = hashlib.sha256(token.encode()).digest()
        if not await engine.receive_webhook(token_hash, body, _task_id(parse_hint, body)):
            raise _unknown()
        return web.json_response({"received": True})

    return [web.post("/hooks/{token}", receive)]


def _task_id(parse_hint: Callable[[str], Hint], body: str) -> str | None:
    """Return the task that the body claims to be about; a body about none is a hint all the same."""
    try:
        return parse_hint(body).task_id
    except ValueError:
        return None


def _unknown() -> Refused:
    return Refused(404, HTTPStatus.NOT_FOUND.phrase)  # as a path that leads nowhere
