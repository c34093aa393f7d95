"""Who calls: the page by its publishable key, a user by a verified token, and whose rows each may touch."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeGuard

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from makegood.job import Job
from makegood_adapters.http.application import Refused
from makegood_adapters.http.callers import (
    OWNER_HEADER,
    Caller,
    CallerKind,
    Gate,
    Scope,
    joined,
    same_secret,
)
from makegood_adapters.http.problems import ApiProblem

_OWNER_LENGTH_MAX = 200
_FORWARDED = ("X-Forwarded-For", "X-Forwarded-Host", "Forwarded")
_CALLER = web.RequestKey("caller", Caller)


def inserting_owner(request: web.Request, row: Mapping[str, Any]) -> str:
    """Return the owner in whose name *row* is inserted: that of the verified token, and nothing else.

    Where no user can be known it is what the body's `user_id` says: whoever holds the publishable key may
    name any owner, so that a service of this kind listens on loopback alone.
    """
    caller: Caller | None = request.get(_CALLER)
    if caller is not None:
        if caller.owner is None:
            raise Refused(401, "A row is inserted by a user: the token of the user is missing.")
        if row.get("user_id") not in (None, caller.owner):
            told = "new row violates row-level security policy: user_id is not the user of the token"
            raise Refused(403, told, code="42501")
        return caller.owner
    owner = row.get("user_id")
    if not is_owner(owner):
        raise Refused(403, "The row names no user: user_id is missing or not a text.", code="42501")
    return owner


def caller_of(request: web.Request) -> Caller | None:
    """Return who calls, None where no users are known."""
    return request.get(_CALLER)


def owner_of(request: web.Request) -> str | None:
    """Return the user of the verified token, None for a caller without one and where no users are known."""
    caller: Caller | None = request.get(_CALLER)
    return caller.owner if caller else None


def storing_owner(request: web.Request, named: str) -> str:
    """Return the owner whose file is brought: that of the verified token; *named*, the one of the path, only
    where no user can be known."""
    caller: Caller | None = request.get(_CALLER)
    if caller is None:
        return named
    if caller.owner is None:
        raise Refused(401, "A file is brought by a user: the token of the user is missing.")
    return caller.owner


def may_read(request: web.Request, job: Job) -> bool:
    """Return whether the caller may see the row of *job*: its owner alone, where users are known."""
    caller = request.get(_CALLER)
    return caller is None or caller.owner == job.owner


def may_report(request: web.Request, job: Job) -> bool:
    """Return whether the caller may report about *job*: its owner, and the page without a user, whose word
    moves nothing that was submitted; never another user."""
    caller = request.get(_CALLER)
    return caller is None or caller.owner in (None, job.owner)


def acting_owner(request: web.Request) -> str | None:
    """Return the owner for whom a tool's function is called: that of the verified token, or whom a service
    key with the scope `owners` names; None where no users are known, and whoever calls is believed. Raises
    Refused for everybody else."""
    caller = caller_of(request)
    if caller is None:
        return None
    if caller.owner is not None:
        return caller.owner
    if caller.kind is CallerKind.SERVICE:
        named = request.headers.get(OWNER_HEADER, "")
        if Scope.OWNERS not in caller.scopes or not is_owner(named):
            told = "A service key runs tools with the scope `owners` and the header Makegood-Owner."
            raise Refused(401, told, code="UNAUTHORIZED")
        return named
    raise Refused(401, "Please sign in: the token of a user is missing.", code="AUTH_REQUIRED")


def actor_of(request: web.Request) -> str:
    """Return how history names the caller."""
    caller = caller_of(request)
    return "client" if caller is None else caller.actor


def caller_for(request: web.Request, owner: str | None) -> Caller | None:
    """Return the caller as one whose calls are counted for *owner*; None where no users are known."""
    caller = caller_of(request)
    return caller if caller is None or owner is None else replace(caller, owner=owner)


async def count(gate: Gate | None, request: web.Request, owner: str | None, cost: str) -> None:
    """Count the call for *owner*; Refused 429 where it is one too many. Nobody is counted where no users are
    known."""
    caller = caller_for(request, owner)
    if gate is None or caller is None:
        return
    try:
        await gate.admit(caller, cost)
    except ApiProblem as problem:
        raise Refused(problem.status, problem.detail or problem.title, headers=problem.headers) from None


def is_internal(request: web.Request) -> bool:
    """Return whether the caller is a service of ours, which may start, queue and settle jobs of anybody: by a
    service key with the scope `operations`. Where no keys are checked, nobody is."""
    caller = caller_of(request)
    return caller is not None and Scope.OPERATIONS in caller.scopes


def is_owner(name: object) -> TypeGuard[str]:
    """Return whether *name* can be that of an owner."""
    return isinstance(name, str) and name.isprintable() and 0 < len(name) <= _OWNER_LENGTH_MAX


def know_caller(gate: Gate, *, demand_key: bool, count: bool = True, code: str | None = None) -> Middleware:
    """Return a middleware that tells by *gate* who calls, and counts it; with *demand_key* nobody is not
    served. Without *count* whoever serves the call counts it. *code* is told with credentials that are not
    valid."""

    @web.middleware
    async def know(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            caller = await gate.identify(joined(request.headers.items()), request.remote or "")
            if demand_key and caller.kind is CallerKind.NONE:
                unknown = code and "AUTH_REQUIRED"
                raise Refused(401, "The publishable key is missing or not ours.", code=unknown)
            if count:
                await gate.admit(caller, "requests")
        except ApiProblem as problem:
            told = problem.detail or problem.title
            of_token = code if problem.code == "unauthenticated" else None
            raise Refused(problem.status, told, code=of_token, headers=problem.headers) from None
        request[_CALLER] = caller
        return await handler(request)

    return know


def refuse_forwarded(request: web.Request) -> None:
    """Raise Refused for what a proxy sends on, where no users are known and whoever calls is believed."""
    if any(name in request.headers for name in _FORWARDED):
        told = "This service knows no users, so that it serves none but the machine on which it runs."
        raise Refused(403, f"{told} To serve others it needs [auth] in its configuration.")


def demand_public_key(key: str | None) -> Middleware:
    """Return a middleware that lets nothing through without *key*; with None it lets all through.

    Direct calls of the page bring the key as bearer; calls of its library bring it as `apikey`, and
    as bearer then the token of whoever is signed in. What a proxy sends on is refused.
    """

    @web.middleware
    async def demand(request: web.Request, handler: Handler) -> web.StreamResponse:
        refuse_forwarded(request)
        if key is not None:
            scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
            offered = request.headers.get("apikey", "")
            by_bearer = scheme.lower() == "bearer" and same_secret(bearer.strip(), key)
            if not (same_secret(offered, key) or by_bearer):
                raise Refused(401, "The publishable key is missing or not ours.")
        return await handler(request)

    return demand
