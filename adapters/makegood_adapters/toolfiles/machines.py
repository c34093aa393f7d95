"""Make the machine of a tool file: states, events and guards, as members of a class that extends another."""

import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import BaseModel

from makegood.errors import DeclarationError
from makegood.job import Job
from makegood.lifecycle import BaseJob, Completion, Failure
from makegood.machine import Arrow, Empty, Event, Money, Problem, State
from makegood.machine.kinds import registered
from makegood_adapters.toolfiles.elements import EventTable, StateTable
from makegood_adapters.toolfiles.format import Tool
from makegood_adapters.toolfiles.lines import Lines
from makegood_adapters.toolfiles.words import nearest

Guards = Mapping[str, Callable[[Job, Any], bool]]
T = TypeVar("T", bound=BaseJob)

#: The payloads that a file may name; they are what the engine reads of one.
PAYLOADS: dict[str, type[BaseModel]] = {"none": Empty, "failure": Failure, "completion": Completion}


def extend(base: type[T], tool: Tool, lines: Lines, guards: Guards, members: dict[str, Any]) -> type[T]:
    """Return the job type: *base* with *members* and what the file says of its machine, proved.

    DeclarationError tells the problems with the lines of the file.
    """
    known = {**_guards_of(base.events()), **guards}
    if problems := [*_names(base, tool), *_events(base, tool, known)]:
        raise DeclarationError(lines.file, lines.told(problems))
    states = _states(base, tool, lines)
    events = _declared(base, tool, lines, {**base.states(), **states})
    dropped = [(d.event, source) for d in tool.drop for source in d.sources]
    # An event that is only added to stays without the edges that the extended type has dropped.
    dropped += [way for way in base._dropped if way[0] in events and not tool.events[way[0]].begins_anew]
    drop = [(_named(Event(Arrow(())), event), _named(State(), source)) for event, source in dropped]
    body = {**members, **states, **events}
    try:
        made: type[T] = types.new_class(tool.class_name, (base,), {"drop": drop}, lambda ns: ns.update(body))
    except DeclarationError as error:
        raise DeclarationError(lines.file, [_placed(p, lines) for p in error.problems]) from None
    for name, table in tool.events.items():
        event = made.events()[name]
        for guard in (known[g] for g in dict.fromkeys(table.guards)):
            if guard not in event.guards:
                event.guard(guard)
    if problems := registered(made.states(), made.events()):
        raise DeclarationError(lines.file, problems)
    return made


def _named(member: Any, name: str) -> Any:
    member.name = name
    return member


def _placed(problem: object, lines: Lines) -> object:
    """Give a problem of the whole class the line of the key that its message begins with, if any."""
    if isinstance(problem, Problem) and problem.line is None:
        return lines.told([problem])[0]
    return problem


def _guards_of(events: Mapping[str, Event[Any]]) -> dict[str, Callable[[Job, Any], bool]]:
    return {guard.__name__: guard for event in events.values() for guard in event.guards}


def _names(base: type[BaseJob], tool: Tool) -> Iterator[Problem]:
    states, events = base.states(), base.events()
    for kind, own, same, others in (
        ("states", tool.states, states, {**events, **tool.events}),
        ("events", tool.events, events, {**states, **tool.states}),
    ):
        for name in own:
            # A class has one attribute of a name; its own methods and fields must stay what they are.
            if name in others or (name not in same and hasattr(base, name)):
                told = f"{kind}.{name}: {name!r} has another meaning already; use another word"
                yield Problem("MG502", told)
    for name in tool.limits.seconds:
        table = tool.states.get(name)
        if table and table.deadline_seconds is not None:
            told = f"states.{name}.deadline_seconds: limits.{name}_seconds says it already; remove one"
            yield Problem("MG502", told)
        elif name not in states:
            yield Problem("MG502", f"limits.{name}_seconds: the type has no state {name!r}; remove it")


def _events(base: type[BaseJob], tool: Tool, guards: Iterable[str]) -> Iterator[Problem]:
    names = sorted(guards)
    for name, table in tool.events.items():
        where, short = f"events.{name}", table.sources is not None or table.to is not None
        if table.edges is not None and short:
            yield Problem("MG502", f"{where}: `edges` stands beside `from` and `to`; use one of the ways")
        elif short and (table.sources is None or table.to is None):
            missing = "to" if table.to is None else "from"
            yield Problem("MG502", f"{where}.{missing}: is missing; add it")
        elif not table.begins_anew and name not in base.events():
            told = f"there is no event {name!r} to add to; give `edges`, or {nearest(name, base.events())}"
            yield Problem("MG502", f"{where}: {told}")
        elif not table.begins_anew and table.payload is not None:
            told = "the payload belongs to an event that says its edges; add them, or remove it"
            yield Problem("MG502", f"{where}.payload: {told}")
        for guard in table.guards:
            if guard not in names:
                told = f"there is no guard {guard!r}; {nearest(guard, names)}"
                yield Problem("MG103", f"{where}.guards: {told}")


def _states(base: type[BaseJob], tool: Tool, lines: Lines) -> dict[str, State]:
    made = {}
    for name, seconds in tool.limits.seconds.items():
        made[name] = base.states()[name].with_deadline(timedelta(seconds=seconds))
        made[name].where = lines.where(f"limits.{name}_seconds")
    for name, table in tool.states.items():
        made[name] = _state(table, made.get(name) or base.states().get(name))
        made[name].where = lines.where(f"states.{name}")
    return made


def _state(table: StateTable, older: State | None) -> State:
    said: dict[str, Any] = {name: getattr(table, name) for name in table.model_fields_set}
    if "deadline_seconds" in said:
        said["deadline"] = timedelta(seconds=said.pop("deadline_seconds"))
    elif table.final:
        said["deadline"] = None
    keys = ("initial", "final", "slot", "deadline", "label", "public", "data")
    kept = {key: getattr(older, key) for key in keys} if older else {}
    return State(**{**kept, **said})


def _declared(
    base: type[BaseJob], tool: Tool, lines: Lines, states: Mapping[str, State]
) -> dict[str, Event[Any]]:
    # `>>` and the class find states by name, and those of this file get theirs only with the class.
    by_name = {name: _named(state, name) for name, state in states.items()}
    made = {}
    for name, table in tool.events.items():
        older = base.events().get(name)
        if table.begins_anew:
            made[name] = _event(table, older, by_name)
        elif older:
            made[name] = older.clone()
            made[name].money = Money(table.money) if table.money else older.money
            made[name].permission = older.permission if table.permission is None else table.permission
        made[name].where = lines.where(f"events.{name}")
    return made


def _event(table: EventTable, older: Event[Any] | None, states: Mapping[str, State]) -> Event[Any]:
    # A state that is not there gets a stand-in, so that the lint tells it with all other problems.
    moves = tuple(
        (states.get(source) or _named(State(), source), states.get(dest) or _named(State(), dest), money)
        for source, dest, money in table.moves
    )
    payload = PAYLOADS[table.payload] if table.payload else older.payload if older else Empty
    money = Money(table.money) if table.money else Money.NONE
    return Event(Arrow(moves), payload, money=money, permission=table.permission or "")
