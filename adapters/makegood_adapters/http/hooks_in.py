"""The providers' webhooks: read by the provider they are for, kept, answered then, believed never."""

import hashlib
import logging
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from http import HTTPStatus

from aiohttp import web
from multidict import CIMultiDict

from makegood.engine import Engine
from makegood.errors import AccountElsewhere, WebhookRefused
from makegood_adapters.http.application import BODY_SECONDS, RETRY_AFTER_SECONDS, Refused, read_body

log = logging.getLogger("makegood.http")

_RECEIVED, _JSON = b'{"received": true}', CIMultiDict({"Content-Type": "application/json"})
# As long as 128 bits at least; the engine's own tokens have 43 characters.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22,128}")


def hook_routes(engine: Engine, *, body_seconds: float = BODY_SECONDS) -> list[web.RouteDef]:
    """Return the route `POST /hooks/{token}`, for an application that contains errors.

    The reply is 200 only after the message is committed. It is 401 when the provider signs and has not
    signed this, and 503 when the store is in trouble or this process does not have the provider of the
    account: then the provider sends again. A token that nobody was given and one that cannot be a token
    get the same 404.
    """

    async def receive(request: web.Request) -> web.StreamResponse:
        token = request.match_info["token"]
        if not _TOKEN.fullmatch(token):
            raise _unknown()
        raw = await read_body(request, seconds=body_seconds)
        try:
            token_hash = hashlib.sha256(token.encode()).digest()
            known = await engine.receive_webhook(token_hash, _Headers(request.headers), raw)
        except WebhookRefused as error:
            log.warning("a webhook is refused: %s", error)
            raise Refused(HTTPStatus.UNAUTHORIZED, "The signature of this message is not right.") from None
        except AccountElsewhere as error:
            log.error("a webhook cannot be read: %s", error, exc_info=error)
            reply = web.json_response({"error": "This message cannot be read here now."}, status=503)
            reply.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
            return reply
        if not known:
            raise _unknown()
        return web.Response(body=_RECEIVED, headers=_JSON)

    return [web.post("/hooks/{token}", receive)]


class _Headers(Mapping[str, str]):
    """Headers by their names in lower case, of which none is read where a provider signs nothing."""

    def __init__(self, sent: Mapping[str, str]) -> None:
        self._sent = sent

    @cached_property
    def _lower(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self._sent.items()}

    def __getitem__(self, name: str) -> str:
        return self._lower[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._lower)

    def __len__(self) -> int:
        return len(self._lower)


def _unknown() -> Refused:
    return Refused(404, HTTPStatus.NOT_FOUND.phrase)  # as a path that leads nowhere
