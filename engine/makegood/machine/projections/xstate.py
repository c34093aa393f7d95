"""A Spec as an XState (version 5) machine configuration, for its tools and for simulations in a front-end."""

from typing import Any

from makegood.machine.money import holdings
from makegood.machine.spec import Edge, Money, Spec


def xstate(spec: Spec) -> dict[str, Any]:
    """Return the configuration: `createMachine(JSON.parse(text))` takes it as it is.

    Money, permissions and deadlines are `meta`, which XState carries along and does not act upon: a
    front-end must not move a job when its own clock says so.
    """
    held = holdings(spec)
    states: dict[str, Any] = {}
    for s in spec.states:
        meta: dict[str, Any] = {"public": s.public or s.name, "holding": held[s.name].value}
        if s.deadline_seconds is not None:
            meta["deadline_seconds"] = s.deadline_seconds
        if s.data:
            meta["data"] = s.data
        node: dict[str, Any] = {"type": "final"} if s.terminal else {"on": _on(spec.leaving(s.name))}
        node["tags"] = ["slot"] if s.slot else []
        node["meta"] = meta
        if s.label:
            node["description"] = s.label
        states[s.name] = node
    return {
        "id": spec.name,
        "version": str(spec.version),
        "initial": spec.initial,
        "meta": {"digest": spec.digest},
        "states": states,
    }


def _on(edges: list[Edge]) -> dict[str, Any]:
    on: dict[str, Any] = {}
    for e in edges:
        meta = {} if e.money is Money.NONE else {"money": e.money.value}
        if e.permission:
            meta["permission"] = e.permission
        on[e.event] = {"target": e.dest, "meta": meta} if meta else {"target": e.dest}
    return on
