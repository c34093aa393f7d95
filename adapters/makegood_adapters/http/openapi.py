"""The table of operations as an OpenAPI 3.1 document."""

import re
from collections.abc import Iterable, Sequence
from importlib.metadata import version as distribution_version
from inspect import cleandoc
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from makegood.lifecycle import BaseJob
from makegood.machine import Spec
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
_FILE = ("unsupported_media", "body_too_large", "body_too_slow", "body_unreadable")
_BODY = ("invalid_json", "invalid_body", *_FILE)
#: Statuses after which the same request may go well later.
_AGAIN = (409, 429, 503)
_ABOUT = (
    "Paid AI jobs that deliver or give the money back. Credits are whole numbers, times have a zone, ids are "
    "strings. Whatever goes wrong is answered with a problem document (RFC 9457), whose `code` never changes "
    "its meaning."
)
_VERSION = distribution_version("makegood")


#: What a view writes in place of a schema that the job types declare: the name of its component.
DECLARED = "x-declared"
_BASE = (BaseJob.spec,)


def openapi(
    ops: Iterable[Op],
    *,
    title: str = "makegood",
    version: str = _VERSION,
    server: str = "/v1",
    specs: Sequence[Spec] = (),
) -> dict[str, Any]:
    """Return the document. *server* is where the operations are mounted, relative to the document or not;
    *specs* are the machines of the job types on offer, whose states a job may have."""
    ops = list(ops)
    wanted: list[tuple[type[BaseModel], Any]] = [(Problem, "serialization")]
    wanted += [(op.body, "validation") for op in ops if op.body]
    wanted += [(op.out, "serialization") for op in ops if op.out]
    refs, definitions = models_json_schema(list(dict.fromkeys(wanted)), ref_template=_REF)
    paths: dict[str, Any] = {}
    for op in ops:
        paths.setdefault(op.path, {})[op.method.lower()] = _operation(op, refs)
    schemas = {**definitions["$defs"], **_declared((*_BASE, *specs))}
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": _ABOUT},
        "servers": [{"url": server}],
        "paths": _referring(paths),
        "components": {
            "schemas": _referring(dict(sorted(schemas.items()))),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A user's token (JWT), a service key (`mgk_…`), or the publishable key.",
                }
            },
        },
    }


def _declared(specs: Sequence[Spec]) -> dict[str, Any]:
    """Return the schemas that the machines declare: of states, and of what the outside sees of them."""
    states = [state for spec in specs for state in spec.states]
    told = {
        "JobState": (
            "The state of a job, as its type declares it.",
            [state.name for state in states],
        ),
        "JobStatus": (
            "What the outside sees of a state: types of your own have more states than statuses.",
            [state.public or state.name for state in states],
        ),
    }
    return {
        name: {"type": "string", "description": description, "enum": list(dict.fromkeys(names))}
        for name, (description, names) in told.items()
    }


def _referring(schema: Any) -> Any:
    """Return *schema* with a reference wherever a view has named a component that the job types declare."""
    if isinstance(schema, dict):
        if name := schema.get(DECLARED):
            return {"$ref": _REF.format(model=name)}
        return {key: _referring(value) for key, value in schema.items()}
    return [_referring(item) for item in schema] if isinstance(schema, list) else schema


def _operation(op: Op, refs: Any) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": op.name,
        "summary": op.summary,
        "description": cleandoc(op.run.__doc__ or op.summary).replace("\n", " "),
        "tags": [op.tag],
        "parameters": _parameters(op),
        "responses": {
            str(op.status): {**_success(op, refs), **_headers(op)},
            **({"204": {"description": op.nothing}} if op.nothing else {}),
            **_parts(op, refs),
            **_problems(op, refs),
        },
        "security": [] if op.who is Access.OPEN else [{"bearer": []}],
        "x-access": op.who.value,
    }
    if op.body:
        schema = refs[op.body, "validation"]
        media = {"schema": schema} if op.example is None else {"schema": schema, "example": op.example}
        operation["requestBody"] = {
            "required": op.body_required,
            "content": {"application/json": media},
        }
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


def _headers(op: Op) -> dict[str, Any]:
    told = {name: _told(description) for name, description in op.headers.items()}
    return {"headers": told} if told else {}


def _told(description: str, *, required: bool = True, kind: str = "string") -> dict[str, Any]:
    return {"description": description, "required": required, "schema": {"type": kind}}


def usual_codes(op: Op) -> list[str]:
    """Return the codes of the problems that follow from what an operation takes, and who may call it."""
    codes = [code for code in _EVERYWHERE if op.who is not Access.OPEN or code != "forbidden"]
    codes += _BODY if op.body else _FILE if op.takes_file else ()
    codes += ["not_found"] if "{" in op.path else []
    return codes + (["owner_required", "invalid_request"] if op.who is Access.OWNER else [])


def _problems(op: Op, refs: Any) -> dict[str, Any]:
    """Return one answer for each status that the operation's problems have."""
    codes = [*op.codes, *usual_codes(op)]
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        by_status.setdefault(CODES[code][0], []).append(code)
    content = {MEDIA_TYPE: {"schema": refs[Problem, "serialization"]}}
    again = _told("In how many seconds to come again.", required=False, kind="integer")
    return {
        str(status): {
            "description": "Problem: " + ", ".join(sorted(told)),
            "content": content,
            **({"headers": {"Retry-After": again}} if status in _AGAIN else {}),
        }
        for status, told in sorted(by_status.items())
    }


def _parameters(op: Op) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in re.findall(r"{(\w+)}", op.path):
        schema = TypeAdapter(op.path_types.get(name, str)).json_schema()
        found.append({"name": name, "in": "path", "required": True, "schema": schema})
    if op.query:
        query = op.query.model_json_schema()
        needed = query.get("required", ())
        for name, schema in query["properties"].items():
            found.append(
                {"name": name, "in": "query", "required": name in needed, "schema": _without_null(schema)}
            )
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


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter of a query, where nothing can be null: it is left out."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    return {**kinds[0], **rest}


def _header(name: str, description: str) -> dict[str, Any]:
    schema = {"type": "string"}
    return {"name": name, "in": "header", "required": False, "schema": schema, "description": description}
