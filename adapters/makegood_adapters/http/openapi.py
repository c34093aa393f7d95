"""The table of operations as an OpenAPI 3.1 document."""

import re
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from makegood_adapters.http.callers import OWNER_HEADER
from makegood_adapters.http.operation import Access, Op, Sends
from makegood_adapters.http.problems import CODES, MEDIA_TYPE, Problem

_REF = "#/components/schemas/{model}"
_EVERYWHERE = ("unauthenticated", "forbidden", "invalid_query", "rate_limited", "internal", "unavailable")
_MEDIA = {
    Sends.JSON: "application/json",
    Sends.EVENTS: "text/event-stream",
    Sends.FILE: "*/*",
    Sends.TEXT: "text/plain",
}
_BODY = ("invalid_json", "invalid_body", "body_too_large", "body_too_slow", "body_unreadable")


def openapi(ops: Iterable[Op], *, title: str, version: str, server: str = "/v1") -> dict[str, Any]:
    """Return the document. *server* is where the operations are mounted."""
    ops = list(ops)
    wanted: list[tuple[type[BaseModel], Any]] = [(Problem, "serialization")]
    wanted += [(op.body, "validation") for op in ops if op.body]
    wanted += [(op.out, "serialization") for op in ops if op.out]
    refs, definitions = models_json_schema(list(dict.fromkeys(wanted)), ref_template=_REF)
    paths: dict[str, Any] = {}
    for op in ops:
        paths.setdefault(op.path, {})[op.method.lower()] = _operation(op, refs)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "servers": [{"url": server}],
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A user's token (JWT), a service key (`mgk_…`), or the publishable key.",
                }
            },
        },
    }


def _operation(op: Op, refs: Any) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": op.name,
        "summary": op.summary,
        "tags": [op.tag],
        "parameters": _parameters(op),
        "responses": {
            str(op.status): _success(op, refs),
            **({"204": {"description": op.nothing}} if op.nothing else {}),
            **_parts(op, refs),
            **_problems(op, refs),
        },
        "security": [] if op.who is Access.OPEN else [{"bearer": []}],
        "x-access": op.who.value,
    }
    if op.body:
        schema = refs[op.body, "validation"]
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    elif op.takes_file:
        binary = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
        operation["requestBody"] = {"required": True, "content": binary}
    return operation


def _success(op: Op, refs: Any) -> dict[str, Any]:
    if op.sends is Sends.JSON and op.out is None:
        return {"description": "Done"}
    schema = refs[op.out, "serialization"] if op.out else {"type": "string"}
    if op.sends is Sends.FILE:
        schema = {"type": "string", "format": "binary"}
    return {"description": "OK", "content": {_MEDIA[op.sends]: {"schema": schema}}}


def _parts(op: Op, refs: Any) -> dict[str, Any]:
    """Return what a file is answered with beside the whole of it."""
    if op.sends is not Sends.FILE:
        return {}
    return {"206": {**_success(op, refs), "description": "A part"}, "304": {"description": "Not changed"}}


def _problems(op: Op, refs: Any) -> dict[str, Any]:
    """Return one answer for each status that the operation's problems have."""
    codes = list(op.codes)
    codes += [code for code in _EVERYWHERE if op.who is not Access.OPEN or code != "forbidden"]
    codes += _BODY if op.body or op.takes_file else ()
    codes += ["not_found"] if "{" in op.path else []
    codes += ["owner_required"] if op.who is Access.OWNER else []
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        by_status.setdefault(CODES[code][0], []).append(code)
    content = {MEDIA_TYPE: {"schema": refs[Problem, "serialization"]}}
    return {
        str(status): {"description": "Problem: " + ", ".join(sorted(told)), "content": content}
        for status, told in sorted(by_status.items())
    }


def _parameters(op: Op) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in re.findall(r"{(\w+)}", op.path):
        kind = op.path_types.get(name, str)
        schema: dict[str, Any] = {"type": "integer"} if kind is int else {"type": "string"}
        if kind is UUID:
            schema["format"] = "uuid"
        found.append({"name": name, "in": "path", "required": True, "schema": schema})
    if op.query:
        query = op.query.model_json_schema()
        needed = query.get("required", ())
        for name, schema in query["properties"].items():
            found.append({"name": name, "in": "query", "required": name in needed, "schema": schema})
    if op.who is Access.OWNER:
        told = "The owner for whom a service key acts; without meaning for a user's token."
        found.append(_header(OWNER_HEADER.title(), told))
    if op.takes_key:
        found.append(_header("Idempotency-Key", "The same key gives the same job, however often it is sent."))
    if op.sends is Sends.FILE:
        found.append(_header("Range", "Which part of the file is wanted, such as `bytes=0-1023`."))
        found.append(_header("If-None-Match", "The ETag of what the client has already."))
    if op.sends is Sends.EVENTS:
        found.append(_header("Last-Event-ID", "The id of the last event that was received: go on after it."))
    return found


def _header(name: str, description: str) -> dict[str, Any]:
    schema = {"type": "string"}
    return {"name": name, "in": "header", "required": False, "schema": schema, "description": description}
