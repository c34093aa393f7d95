"""Carry out one operation: who calls, may it, what does it send; run it, and tell how it went."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from makegood.buckets import check_texts
from makegood_adapters.http.application import read_chunks
from makegood_adapters.http.callers import OWNER_HEADER, Caller, CallerKind, Gate, Scope
from makegood_adapters.http.local import is_local
from makegood_adapters.http.on_record import put_on_record, to_its_end
from makegood_adapters.http.operation import Access, Call, Op, Reply, Request
from makegood_adapters.http.problems import MEDIA_TYPE, ApiProblem, invalid, problem_of

#: So much of a part of an address is repeated to who asked for it.
_SHOWN_CHARS = 64


async def call(op: Op, api: Any, gate: Gate, request: Request) -> Reply:
    """Return the answer to *request*; it never raises but for a cancellation."""
    try:
        caller = await gate.identify(request.headers, request.address)
        if op.who is Scope.OBSERVE and caller.kind is CallerKind.NONE and api.page.open and is_local(request):
            caller = replace(caller, kind=CallerKind.LOCAL, scopes=frozenset({Scope.OBSERVE}))
        if op.is_act:
            return await to_its_end(_act(op, api, gate, caller, request))
        return await _carry_out(op, api, gate, caller, request, {})
    except Exception as error:
        return refusal(problem_of(error))


async def _carry_out(
    op: Op, api: Any, gate: Gate, caller: Caller, request: Request, arguments: dict[str, Any]
) -> Reply:
    """Run the operation and return its answer; *arguments* get what was sent."""
    owner = _admitted(op, caller, request)
    await gate.admit(replace(caller, owner=owner or caller.owner), op.cost)
    arguments |= _path(op, request.path)
    if op.query:
        arguments["query"] = _query(op.query, request.query)
    elif request.query:
        raise ApiProblem("invalid_query", "This operation takes no query.")
    if op.body:
        arguments["body"] = await _body(op, op.body, request)
    again = partial(gate.identify, request.headers, request.address)
    result = await op.run(api, Call(caller, request, owner, again), **arguments)
    if isinstance(result, Reply):
        return result
    return Reply(op.status, body=result.model_dump_json().encode() if result is not None else b"")


async def _act(op: Op, api: Any, gate: Gate, caller: Caller, request: Request) -> Reply:
    """Run an act and put on record how it went. Who is no operator has none on record, nor has a call too
    many, so that nobody can fill the record faster than the limits allow."""
    arguments: dict[str, Any] = {}
    may = isinstance(op.who, Scope) and caller.may(op.who)
    try:
        if not may and caller.kind is CallerKind.SERVICE:
            await gate.admit(caller, op.cost)
        reply, outcome = await _carry_out(op, api, gate, caller, request, arguments), "ok"
        api.acted()
    except Exception as error:
        problem = problem_of(error)
        reply, outcome = refusal(problem), problem.code
    if (may or caller.kind is CallerKind.SERVICE) and outcome != "rate_limited":
        body = arguments.get("body")
        await put_on_record(api.engine.keep_act, op, caller, request.path, body, outcome)
    return reply


def refusal(problem: ApiProblem) -> Reply:
    """Return the answer that tells *problem*."""
    return Reply(problem.status, MEDIA_TYPE, problem.document(), problem.headers)


def _admitted(op: Op, caller: Caller, request: Request) -> str | None:
    """Return the owner for whom the caller may call, None where the operation is for none."""
    if op.who is Access.OPEN:
        return None
    if caller.kind is CallerKind.NONE:
        raise ApiProblem(
            "unauthenticated",
            "This needs credentials: send them as `Authorization: Bearer …`.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    if op.who is Access.ANONYMOUS:
        return _known_owner(caller, request)
    if isinstance(op.who, Scope):
        if not caller.may(op.who):
            more = f" or `{Scope.OPERATIONS}`" if op.who is Scope.OBSERVE else ""
            raise ApiProblem("forbidden", f"This needs a service key with the scope `{op.who}`{more}.")
        return None
    if caller.kind is CallerKind.USER:
        return caller.owner
    if Scope.OWNERS not in caller.scopes:
        raise ApiProblem(
            "forbidden", "This needs the token of a user, or a service key with the scope `owners`."
        )
    owner = _known_owner(caller, request)
    if owner is None:
        raise ApiProblem("owner_required", "A service names the owner it acts for: `Makegood-Owner: …`.")
    return owner


def _known_owner(caller: Caller, request: Request) -> str | None:
    """Return the user, or whom a service names that may act for owners; None where there is nobody."""
    if Scope.OWNERS not in caller.scopes:
        return caller.owner
    owner = request.headers.get(OWNER_HEADER)
    check_texts(owner=owner)
    return owner


def _path(op: Op, given: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters of the path; what cannot be one leads nowhere."""
    found: dict[str, Any] = {}
    for name, text in given.items():
        try:
            found[name] = TypeAdapter(op.path_types.get(name, str)).validate_python(text)
        except ValidationError:
            what = name.removesuffix("_id")
            raise ApiProblem("not_found", f"There is no {what} {text[:_SHOWN_CHARS]!r}.") from None
    return found


def _query(model: type[BaseModel], given: Mapping[str, Any]) -> BaseModel:
    values: dict[str, Any] = {}
    for name, texts in given.items():
        field = model.model_fields.get(name)
        several = field is not None and get_origin(field.annotation) in (list, tuple)
        if not several and len(texts) > 1:
            raise ApiProblem("invalid_query", f"{name} is given {len(texts)} times; give it once.")
        values[name] = list(texts) if several else texts[0]
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise invalid(error, "invalid_query") from None


async def _body(op: Op, model: type[BaseModel], request: Request) -> BaseModel:
    """Return the body. What it is written as counts: "5" is no number."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise ApiProblem("unsupported_media", "Send the body as it is, without a Content-Encoding.")
    raw = await read_chunks(request.chunks)
    try:
        return model.model_validate_json(raw if raw or op.body_required else b"{}", strict=True)
    except ValidationError as error:
        raise invalid(error, "invalid_body") from None
