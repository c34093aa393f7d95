"""A Spec as OpenAPI 3.1: the states as an enum, a job as a union of one object for each state."""

from typing import Any

from makegood.machine.money import holdings
from makegood.machine.projections.wording import duration, pascal
from makegood.machine.spec import Holding, Spec, StateSpec

JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema"

_CREDITS = {"type": "integer", "minimum": 0, "description": "Whole credits."}
_MOMENT = {"type": "string", "format": "date-time"}


def openapi(spec: Spec) -> dict[str, Any]:
    """Return a document that has no paths and is made to be referred to.

    `<Type>State` is the enum, `<Type>` the union, discriminated by `state`; `<Type>_<state>` is a job in
    one state, with the events that may leave it and what is held.
    """
    # The keys of components are ASCII.
    name = pascal(spec.name) if spec.name.isascii() else "Job"
    jobs = {s.name: f"{name}_{s.name if s.name.isascii() else i}" for i, s in enumerate(spec.states)}
    held = holdings(spec)
    schemas: dict[str, Any] = {
        f"{name}State": {"type": "string", "enum": [s.name for s in spec.states]},
        f"{name}Event": {"type": "string", "enum": list(spec.events)},
        name: {
            "description": f"A job of type {spec.name}; `state` says which of these it is.",
            "oneOf": [{"$ref": _ref(schema)} for schema in jobs.values()],
            "discriminator": {
                "propertyName": "state",
                "mapping": {state: _ref(schema) for state, schema in jobs.items()},
            },
        },
    }
    for s in spec.states:
        schemas[jobs[s.name]] = _job(spec, s, held[s.name])
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": JSON_SCHEMA,
        "info": {
            "title": f"Jobs of type {spec.name}",
            "version": str(spec.version),
            "description": f"Generated from the rules {spec.digest}.",
        },
        "components": {"schemas": schemas},
    }


def _job(spec: Spec, state: StateSpec, held: Holding) -> dict[str, Any]:
    events = list(dict.fromkeys(e.event for e in spec.leaving(state.name)))
    properties: dict[str, Any] = {
        "id": {"type": "string", "format": "uuid"},
        "type": {"const": spec.name},
        "type_version": {"const": spec.version},
        "state": {"const": state.name},
        "status": {"const": state.public or state.name, "description": "What the outside sees of the state."},
        "version": {"type": "integer", "minimum": 0, "description": "Counts transitions."},
        "price": _CREDITS,
        "holding": {"const": held.value, "description": "Where the credits are."},
        "allowed": _allowed(events),
        "created_at": _MOMENT,
        "entered_at": _MOMENT,
    }
    if state.terminal:
        properties["finished_at"] = _MOMENT
        properties["settled"] = {**_CREDITS, "description": "Credits that were captured; the rest came back."}
    else:
        properties["deadline_at"] = {**_MOMENT, "description": _deadline(spec, state)}
    optional: dict[str, Any] = {}
    if state.data:
        optional["data"] = {"type": "object", "title": state.data}
    return {
        "type": "object",
        "title": state.label or state.name,
        "properties": {**properties, **optional},
        "required": list(properties),
    }


def _allowed(events: list[str]) -> dict[str, Any]:
    """Return the schema of the events that are offered, of which guards may hold some back."""
    if not events:
        return {"type": "array", "maxItems": 0}
    return {"type": "array", "items": {"enum": events}, "uniqueItems": True}


def _deadline(spec: Spec, state: StateSpec) -> str:
    limit = f"At most {duration(state.deadline_seconds)}" if state.deadline_seconds else "No limit"
    edge = spec.on_deadline(state.name)
    return f"{limit}; then {edge.event} leads to {edge.dest}." if edge else f"{limit}."


def _ref(schema: str) -> str:
    return f"#/components/schemas/{schema}"
