"""A Spec as SQL text, to read and to compare: the rows that the database referees by, and what follows."""

import json
from collections.abc import Iterable, Sequence

from makegood.machine.money import holdings
from makegood.machine.spec import Spec

Value = str | float | bool | Sequence[str] | None


def sql(spec: Spec) -> str:
    """Return the rows of the machine and the constraints on its jobs; PostgreSQL accepts the text.

    The store writes the same rows by itself; the triggers read them, and do not need the constraints.
    """
    # As JSON, so that no name can end the comment.
    title = json.dumps(f"{spec.name}@{spec.version}")
    parts = [
        f"-- The machine {title}, rules {spec.digest}: what is legal, and what it does to the credits.",
        "-- In one transaction: once it is committed, nothing is added to a machine.",
        "begin;",
        _insert("machine", ("type", "version", "digest"), [(spec.name, spec.version, spec.digest)]),
        _insert("machine_state", _STATE, _states(spec)),
        _insert("machine_edge", _EDGE, _edges(spec)),
        "-- What holds for every job of this machine because of these rows.",
        *_constraints(spec),
        "commit;",
    ]
    return "\n\n".join(parts) + "\n"


_STATE = (
    "type", "version", "name", "is_initial", "is_terminal", "is_slot", "is_waiting", "holding",
    "deadline_seconds", "deadline_event", "place", "public_status",
)  # fmt: skip  # as wide as the rows below it
_EDGE = (
    "type", "version", "event", "from_state", "to_state", "place", "money", "opens_attempt", "verdicts",
    "evidence_always",
)  # fmt: skip  # as above


def _states(spec: Spec) -> list[tuple[Value, ...]]:
    held = holdings(spec)
    rows: list[tuple[Value, ...]] = []
    for place, s in enumerate(spec.states, 1):
        waits, leaves = s.name in spec.waiting, spec.on_deadline(s.name)
        row = (spec.name, spec.version, s.name, s.initial, s.terminal, s.slot, waits, held[s.name].value)
        rows.append((*row, s.deadline_seconds, leaves.event if leaves else None, place, s.public or None))
    return rows


def _edges(spec: Spec) -> list[tuple[Value, ...]]:
    rows: list[tuple[Value, ...]] = []
    for place, e in enumerate(spec.edges):
        rule = spec.evidence(e)
        verdicts = sorted(v.value for v in rule.verdicts) if rule else None
        always = rule.always if rule else False
        opens = spec.opens_attempt(e)
        row = (spec.name, spec.version, e.event, e.source, e.dest, place, e.money.value, opens)
        rows.append((*row, verdicts, always))
    return rows


def _constraints(spec: Spec) -> list[str]:
    own = f"type <> {_value(spec.name)} or type_version <> {spec.version}"
    states = ", ".join(_value(s.name) for s in spec.states)
    ends = ", ".join(_value(s.name) for s in spec.states if s.terminal)
    moves = ",\n    ".join(_row((e.source, e.event, e.dest)) for e in spec.edges)
    rules = {
        "state": f"state in ({states})",
        "move": f"previous_state is null or (previous_state, event, state) in (\n    {moves})",
        "end": f"(state in ({ends})) = (finished_at is not null)",
    }
    return [
        f"alter table makegood.job add constraint {_name(f'{spec.name}_{spec.version}_{kind}')}\n"
        f"  check ({own} or {rule});"
        for kind, rule in rules.items()
    ]


def _insert(table: str, columns: Iterable[str], rows: Iterable[Sequence[Value]]) -> str:
    listed = ",\n  ".join(_row(row) for row in rows)
    return f"insert into makegood.{table} ({', '.join(columns)}) values\n  {listed};"


def _row(values: Iterable[Value]) -> str:
    return f"({', '.join(_value(value) for value in values)})"


def _value(value: Value) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:.12g}"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"array[{', '.join(_value(item) for item in value)}]"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
