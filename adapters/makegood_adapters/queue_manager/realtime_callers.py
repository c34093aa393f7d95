"""Who may open a socket, and whose a token is that comes on it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from makegood_adapters.http.addresses import FORWARDED_FOR, limited_as
from makegood_adapters.http.application import Refused
from makegood_adapters.http.callers import Caller, CallerKind, Gate, joined, same_secret
from makegood_adapters.http.problems import ApiProblem
from makegood_adapters.queue_manager.callers import refuse_forwarded


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """Who has shown a token that is good until `expires_at`, in seconds since 1970.

    `owner` is whose jobs are told, None: those of all, where no users are known.
    """

    owner: str | None
    expires_at: float = math.inf


class Bearers(Protocol):
    """Tells whose the tokens are that come on one socket."""

    async def know(self, token: str) -> Bearer | None:
        """Return whose the token is, None for one that stands for no user: none, or the publishable key.
        Raises ApiProblem("unauthenticated") for one that is not valid."""

    async def admit(self, bearer: Bearer) -> None:
        """Count a read of a row. Raises ApiProblem("rate_limited")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Who may open a socket: see `Options` for `gate`, `public_key` and `origins`."""

    gate: Gate | None
    public_key: str | None
    origins: Sequence[str]

    async def let_in(self, request: web.Request) -> str:
        """Return by which address the caller is bounded. Raise Refused without the publishable key, or for a
        page of an origin that is not configured.

        A socket brings no cookie and no token: whoever opens it hears nothing until a token is in a
        message. So this keeps other people's pages away, and nobody's secrets.
        """
        origin = request.headers.get("Origin")
        if origin is not None and "*" not in self.origins and origin not in self.origins:
            raise Refused(403, "This page may not call the service.")
        offered, peer = request.query.get("apikey", ""), request.remote or ""
        if self.gate is None:
            refuse_forwarded(request)
            if self.public_key is not None and not same_secret(offered, self.public_key):
                raise Refused(401, "The publishable key is missing or not ours.")
            return limited_as(peer)
        headers = _forwarded(request)
        if self.public_key is not None:
            headers["apikey"] = offered
        try:
            return limited_as((await self.gate.identify(headers, peer)).address)
        except ApiProblem as problem:
            told = problem.detail or problem.title
            raise Refused(problem.status, told, headers=problem.headers) from None

    def bearers_of(self, request: web.Request) -> Bearers:
        """Return what tells whose the tokens are that come on the socket of this request."""
        if self.gate is None:
            return _Anybody()
        return _Tokens(self.gate, _forwarded(request), request.remote or "")


class _Tokens:
    """Asks the gate."""

    def __init__(self, gate: Gate, headers: Mapping[str, str], address: str) -> None:
        self._gate, self._headers, self._address = gate, headers, address

    async def know(self, token: str) -> Bearer | None:
        if not token:
            return None
        headers = {**self._headers, "authorization": f"Bearer {token}"}
        caller = await self._gate.identify(headers, self._address)
        if caller.kind is not CallerKind.USER or caller.owner is None:
            return None
        return Bearer(owner=caller.owner, expires_at=caller.expires_at or math.inf)

    async def admit(self, bearer: Bearer) -> None:
        await self._gate.admit(Caller(kind=CallerKind.USER, owner=bearer.owner), "requests")


class _Anybody:
    """Where no users are known, a page hears of every job whose id it knows."""

    async def know(self, token: str) -> Bearer | None:
        return Bearer(owner=None)

    async def admit(self, bearer: Bearer) -> None:
        """Nothing is counted there."""


def _forwarded(request: web.Request) -> dict[str, str]:
    """Return the header by which proxies tell where the call comes from."""
    headers = joined(request.headers.items())
    return {FORWARDED_FOR: headers[FORWARDED_FOR]} if FORWARDED_FOR in headers else {}
