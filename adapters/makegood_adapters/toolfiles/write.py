"""Write a job type as a tool file; what a file cannot say is refused, never left out."""

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from makegood.errors import DeclarationError
from makegood.jobtype import JobType
from makegood.lifecycle import BaseJob
from makegood.machine import Empty, Event, Machine, Money, Spec, State
from makegood.outcome import Trouble
from makegood.reruns import RerunPolicy
from makegood_adapters.toolfiles.load import ToolJob, load_tool
from makegood_adapters.toolfiles.machines import PAYLOADS
from makegood_adapters.toolfiles.models import written

_ORDER = (
    *("name", "version", "label", "extends", "pool", "price", "exclusive_by", "request", "drop"),
    *("limits", "rerun", "states", "events", "wire", "inputs", "apps", "fallbacks"),
)
#: What is written as the file of a tool says it.
_KEPT = ("request", "rerun", "wire", "apps", "fallbacks")
#: All that a class may decide in Python; whatever is added to job types is among them.
_METHODS = (
    *(name for name, member in vars(JobType).items() if isinstance(member, classmethod)),
    *("hooks", "effects", "_unmet"),
)


def to_toml(job_type: type[Machine]) -> str:
    """Return *job_type* as a tool file that extends the base and makes the same machine.

    Guards are written by their names: `load_tools` wants them by those names. DeclarationError lists
    all that a file cannot say, each as a sentence.
    """
    subject = f"{job_type.__name__} ({job_type.name}@{job_type.version}), as a tool file,"
    if not issubclass(job_type, BaseJob):
        raise DeclarationError(subject, ["it is not a job type: a file extends the machine of BaseJob"])
    if refused := [*_in_python(job_type), *_hooked(job_type), *_of_machine(job_type)]:
        raise DeclarationError(subject, refused)
    inputs, refused = written(job_type)
    if refused:
        raise DeclarationError(subject, refused)
    tool = {**_sold(job_type), "inputs": inputs, **_machine(job_type)}
    text = _text(tool)
    if wrong := _differs(job_type, text):
        raise DeclarationError(subject, wrong)
    return text


def _in_python(job_type: type[BaseJob]) -> Iterator[str]:
    for name in _METHODS:
        method = getattr(job_type, name).__func__
        if method not in (getattr(BaseJob, name).__func__, getattr(ToolJob, name).__func__):
            yield f"{name} is computed in Python, and a file has no expressions"
    policy = job_type.rerun_policy
    if Trouble.REQUEST in policy.troubles:
        yield "rerun_policy runs again what its own request failed of, and a file has no key for that"
    if policy.larger and not issubclass(job_type, ToolJob):
        yield "rerun_policy changes the request, and a file has no key for that"
    if job_type.fetch_deadline != JobType.fetch_deadline:
        yield "fetch_deadline is another than that of all job types, and a file has no key for it"


def _hooked(job_type: type[BaseJob]) -> Iterator[str]:
    """Yield what hangs on states and events besides guards; that of the base comes with `extends`."""
    for kind, members, base in (
        ("event", job_type.events(), ToolJob.events()),
        ("state", job_type.states(), ToolJob.states()),
    ):
        for name, member in members.items():
            older: Any = base.get(name)
            for role in ("effects", "hooks", "leave_hooks", "enter_effects", "leave_effects"):
                of_base = getattr(older, role, ()) if older else ()
                for function in getattr(member, role, ()):
                    if function not in of_base:
                        called = getattr(function, "__name__", repr(function))
                        yield f"{kind} {name!r}: the function {called!r} is Python; a file has none"


def _of_machine(job_type: type[BaseJob]) -> Iterator[str]:
    for name in ToolJob.states():
        if name not in job_type.states():
            yield f"the state {name!r} of the base is missing, and a file can only add to the base"
    for name, state in job_type.states().items():
        if state.data is not None:
            yield f"state {name!r}: its data, {state.data.__name__}, is a model in Python"
    for obligation in job_type.spec.obligations:
        yield f"the obligation {obligation.name!r} has no key in a file"
    for name, event in job_type.events().items():
        names = [guard.__name__ for guard in event.guards]
        if unnamed := [n for n in names if not n.isidentifier() or names.count(n) > 1]:
            yield f"event {name!r}: guards are told apart by name, and one is called {unnamed[0]!r}"
        older = ToolJob.events().get(name)
        if event.payload not in PAYLOADS.values() and not (older and older.payload is event.payload):
            yield f"event {name!r}: its payload, {event.payload.__name__}, is a model in Python"


def _sold(job_type: type[BaseJob]) -> dict[str, Any]:
    """Return the keys about everything but the machine."""
    found: dict[str, Any] = {
        "name": job_type.name,
        "version": job_type.version,
        "label": job_type.label or job_type.name,
        "extends": "base@1",
        "pool": job_type.pool,
    }
    if job_type.exclusive_by:
        found["exclusive_by"] = job_type.exclusive_by
    limits = {"attempts_max": job_type.attempts_max} if job_type.attempts_max != 3 else {}
    if not issubclass(job_type, ToolJob):
        table, function = getattr(job_type, "table", ""), getattr(job_type, "function", "")
        columns = dict(getattr(job_type, "columns", {}))
        wire = {"wire": {"table": table, "function": function, "columns": columns}} if table else {}
        found |= {"price": job_type.price, "request": "inputs", "rerun": _rerun(job_type.rerun_policy)}
        return {**found, "limits": limits, **wire}
    said = job_type.tool.model_dump(mode="json", exclude_defaults=True)
    found["price"] = said["price"]["default"] if [*said["price"]] == ["default"] else said["price"]
    kept: dict[str, Any] = {key: said[key] for key in said if key in _KEPT}
    return {**found, **kept, "limits": limits}


def _rerun(policy: RerunPolicy) -> dict[str, Any]:
    usual = RerunPolicy()
    found: dict[str, Any] = {
        name: getattr(policy, name)
        for name in ("first_seconds", "factor", "seconds_max")
        if getattr(policy, name) != getattr(usual, name)
    }
    if policy.troubles != usual.troubles:
        found["troubles"] = sorted(trouble.value for trouble in policy.troubles)
    return found


def _machine(job_type: type[BaseJob]) -> dict[str, Any]:
    found: dict[str, Any] = {"states": {}, "events": {}, "drop": []}
    for name, state in job_type.states().items():
        if (table := _state(state, ToolJob.states().get(name))) is not None:
            found["states"][name] = table
    for name, event in job_type.events().items():
        moves = [m for m in event.arrow.moves if (name, m[0].name) not in job_type._dropped]
        older = ToolJob.events().get(name)
        if older is None or not _adds(event, moves, older):
            if moves:
                found["events"][name] = _event(event, moves, older)
            elif older:
                found["drop"] += [{"event": name, "from": m[0].name} for m in older.arrow.moves]
            continue
        left = {m[0].name for m in moves}
        gone = [m[0].name for m in older.arrow.moves if m[0].name not in left]
        found["drop"] += [{"event": name, "from": gone}] if gone else []
        if more := [g.__name__ for g in event.guards if g not in older.guards]:
            found["events"][name] = {"guards": more}
    gone = [n for n in ToolJob.events() if n not in job_type.events()]
    found["drop"] += [
        {"event": n, "from": [m[0].name for m in ToolJob.events()[n].arrow.moves]} for n in gone
    ]
    return {key: value for key, value in found.items() if value}


def _state(state: State, older: State | None) -> dict[str, Any] | None:
    """Return the keys by which a state differs from that of the base; None for no difference."""
    now, before = _said(state), _said(older) if older else _said(State())
    # A final state has no deadline, whatever the base gives it; a file need not say so.
    table = {key: value for key, value in now.items() if value != before[key] and value is not None}
    return table if table or older is None else None


def _said(state: State) -> dict[str, Any]:
    seconds = state.deadline.total_seconds() if state.deadline else None
    return {
        "initial": state.initial,
        "final": state.final,
        "slot": state.slot,
        "deadline_seconds": seconds,
        "label": state.label,
        "public": state.public,
    }


def _adds(event: Event[Any], moves: list[Any], older: Event[Any]) -> bool:
    """Whether the event is that of the base without some edges, or with more guards."""
    ways, all_ways = _ways(event, moves), _ways(older, older.arrow.moves)
    sources = {source for source, _, _ in ways}
    return (
        bool(ways)
        and ways == [way for way in all_ways if way[0] in sources]
        and (event.payload, event.permission) == (older.payload, older.permission)
        and event.guards[: len(older.guards)] == older.guards
    )


def _ways(event: Event[Any], moves: Any) -> list[tuple[str, str, Money]]:
    return [(s.name, d.name, event.money if money is None else money) for s, d, money in moves]


def _event(event: Event[Any], moves: list[Any], older: Event[Any] | None) -> dict[str, Any]:
    edges: list[dict[str, Any]] = []
    for source, dest, money in _ways(event, moves):
        edge = {"from": source, "to": dest}
        edges.append(edge if money is Money.NONE else {**edge, "money": money.value})
    table: dict[str, Any] = {"edges": edges}
    if event.permission:
        table["permission"] = event.permission
    if event.payload is not (older.payload if older else Empty):
        table["payload"] = next(name for name, payload in PAYLOADS.items() if payload is event.payload)
    if event.guards:
        table["guards"] = [guard.__name__ for guard in event.guards]
    return table


def _differs(job_type: type[BaseJob], text: str) -> list[object]:
    """Read the text back; whatever comes out otherwise is refused rather than believed."""
    guards = {g.__name__: g for event in job_type.events().values() for g in event.guards}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{job_type.name}.toml"
        path.write_text(text, encoding="utf-8")
        try:
            read = load_tool(path, guards)
        except DeclarationError as error:
            return [*error.problems]
    if read.spec.digest != job_type.spec.digest:
        return ["its states or events stand in an order that a file which extends the base cannot have"]
    return [] if _rules(read.spec) == _rules(job_type.spec) else ["its machine would not be the same"]


def _rules(spec: Spec) -> tuple[object, ...]:
    return (spec.name, spec.version, spec.states, spec.edges)


def _text(tool: Mapping[str, Any]) -> str:
    """Lay the keys out as a person would: plain ones first, then a table each, then the apps."""
    plain, tables = [], []
    for key in sorted(tool, key=_ORDER.index):
        value = tool[key]
        if key in ("apps", "fallbacks"):
            tables += ["\n".join([f"[[{key}]]", *_lines(app)]) for app in value]
        elif not isinstance(value, dict) or (key == "inputs" and not value):
            plain.append(f"{key} = {_value(value, in_lines=True)}")
        elif key in ("inputs", "states", "events"):
            tables += ["\n".join([f"[{key}.{_key(n)}]", *_lines(table)]) for n, table in value.items()]
        elif value:
            tables.append("\n".join([f"[{key}]", *_lines(value)]))
    return "\n\n".join(["\n".join(plain), *tables]) + "\n"


def _lines(table: Mapping[str, Any]) -> list[str]:
    return [f"{_key(key)} = {_value(value, in_lines=True)}" for key, value in table.items()]


def _value(value: Any, in_lines: bool = False) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case float() if value.is_integer() and abs(value) < 2**53:
            return str(int(value))
        case int() | float():
            return repr(value)
        case dict():
            keys = ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items())
            return f"{{ {keys} }}" if keys else "{}"
        case [dict(), *_] if in_lines:
            return "[\n" + "".join(f"    {_value(item)},\n" for item in value) + "]"
        case _:
            return "[" + ", ".join(_value(item) for item in value) + "]"


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _value(key)
