"""Who calls: the publishable key of the page, and in whose name a row is inserted."""

import hmac
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from makegood_adapters.http.application import Refused

_OWNER_LENGTH_MAX = 200


def caller(request: web.Request, row: Mapping[str, Any]) -> str:
    """Return the owner in whose name *row* is inserted.

    For now this is what the body's `user_id` says: whoever holds the publishable key may name any
    owner. A verified user token of *request* takes its place, here and nowhere else.
    """
    owner = row.get("user_id")
    if not isinstance(owner, str) or not owner.isprintable() or not 0 < len(owner) <= _OWNER_LENGTH_MAX:
        raise Refused(403, "The row names no user: user_id is missing or not a text.", code="42501")
    return owner


def demand_public_key(key: str | None) -> Middleware:
    """Return a middleware that lets nothing through without *key*; with None it lets all through.

    Direct calls of the page bring the key as bearer; calls of its library bring it as `apikey`, and
    as bearer then the token of whoever is signed in.
    """

    @web.middleware
    async def demand(request: web.Request, handler: Handler) -> web.StreamResponse:
        if key is not None:
            scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
            offered = request.headers.get("apikey", "")
            if not (_same(offered, key) or (scheme.lower() == "bearer" and _same(bearer.strip(), key))):
                raise Refused(401, "The publishable key is missing or not ours.")
        return await handler(request)

    return demand


def _same(offered: str, key: str) -> bool:
    # Headers may hold bytes that are no UTF-8; they arrive as lone surrogates.
    return hmac.compare_digest(offered.encode(errors="surrogateescape"), key.encode())
