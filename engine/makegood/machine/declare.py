"""Declare a machine as a class: attributes that are State and Event objects, checked at once.

    class Parcel(Machine):
        packed = State(initial=True, deadline=timedelta(days=1))
        sent = State(deadline=timedelta(days=9))
        arrived = State(final=True)
        send = Event(packed >> sent)
        arrive = Event(sent >> arrived)

A subclass inherits states and events, adds its own, replaces by name, and cuts edges with
`drop=[(event, source)]`. Guards and hooks are registered after the class, on its own events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Self, cast

from makegood.errors import DeclarationError
from makegood.job import Transition
from makegood.machine.definitions import stands
from makegood.machine.elements import Effect, Event, Hook, State
from makegood.machine.kinds import misnamed, misuses
from makegood.machine.lint import lint
from makegood.machine.obligation import Obligation
from makegood.machine.problem import Problem, source_line, told_at
from makegood.machine.rulebook import RuleBook, RuleMachine
from makegood.machine.spec import PUBLIC, Edge, Money, Spec, StateSpec


class Machine:
    """Base of every declaration; a class that has states is compiled, linted and proved at once."""

    spec: ClassVar[Spec]
    rules: ClassVar[RuleBook]
    name: ClassVar[str] = ""
    version: ClassVar[int] = 1
    obligations: ClassVar[Sequence[Obligation]] = ()
    declared_at: ClassVar[str] = ""
    _dropped: ClassVar[frozenset[tuple[str, str]]] = frozenset()
    _states: ClassVar[dict[str, State]] = {}
    _events: ClassVar[dict[str, Event[Any]]] = {}

    def __init_subclass__(cls, *, drop: Sequence[tuple[Event[Any], State]] = (), **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        dropped = {(event.name, state.name) for event, state in drop}
        # an event that is declared anew begins with all of its moves
        cls._dropped = frozenset(d for d in cls._dropped if d[0] not in vars(cls)) | dropped
        cls._adopt()
        members = _members(cls.__mro__)
        cls._states = {n: m for n, m in members.items() if isinstance(m, State)}
        cls._events = {n: m for n, m in members.items() if isinstance(m, Event)}
        if not cls._states:
            return
        if "name" not in vars(cls):
            cls.name = _snake(cls.__name__)
        if "declared_at" not in vars(cls):
            cls.declared_at = source_line()
        problems = misnamed(cls.name, cls.version) + misuses(cls.states(), cls.events()) + cls._misuses()
        if not problems:
            cls.spec = _compile(cls)
            problems = _not_there(cls, dropped) + _without_data(cls) + lint(cls.spec)
        subject = f"{cls.__name__} ({cls.name}@{cls.version})"
        if stands(cls, subject, told_at(problems, cls.declared_at)):
            cls.rules = RuleBook(cls.spec, cls._unmet)

    @classmethod
    def machine(cls) -> RuleMachine:
        """Return the type's rule book: a `transitions.Machine` without models and callbacks."""
        return cls.rules.machine

    @classmethod
    def with_deadlines(cls, deadlines: Mapping[str, timedelta]) -> type[Self]:
        """Return this type with other deadlines for some of its states, as configuration sets them.

        Raises DeclarationError for a state that it does not have, or that is final.
        """
        states = cls.states()
        wrong = [n for n in deadlines if n not in states or states[n].final]
        if wrong:
            known = ", ".join(n for n, s in states.items() if not s.final)
            raise DeclarationError(
                cls.name, [f"{n!r} is not a state with a deadline; those are {known}" for n in wrong]
            )
        members: dict[str, Any] = {"name": cls.name, "__module__": cls.__module__, "__doc__": cls.__doc__}
        members |= {n: states[n].with_deadline(d) for n, d in deadlines.items()}
        return cast(type[Self], type(cls.__name__, (cls,), members))

    @classmethod
    def states(cls) -> dict[str, State]:
        """Return the states by name, inherited ones first."""
        return dict(cls._states)

    @classmethod
    def events(cls) -> dict[str, Event[Any]]:
        """Return the events by name, inherited ones first."""
        return dict(cls._events)

    @classmethod
    def hooks(cls, transition: Transition) -> list[tuple[str, Hook]]:
        """Return (key, hook) for all that wants to hear of *transition*; keys are unique in it."""
        event, states = cls._events.get(transition.event), cls._states
        left, entered = states.get(transition.from_state or ""), states.get(transition.to_state)
        found = [("leave", h) for h in left.leave_hooks] if left else []
        found += [("after", h) for h in event.hooks] if event else []
        found += [("enter", h) for h in entered.hooks] if entered else []
        keys = [f"{when}:{h.__module__}.{h.__qualname__}" for when, h in found]
        # Hooks that one factory has made share their name; their place tells them apart.
        seen = [keys[:place].count(key) for place, key in enumerate(keys)]
        return [(f"{k}#{n + 1}" if n else k, h) for k, n, (_, h) in zip(keys, seen, found, strict=True)]

    @classmethod
    def effects(cls, edge: Edge) -> list[Effect[Any]]:
        """Return what runs inside the transaction of *edge*, in order: leaving, the event, entering."""
        states = cls._states
        return [
            *states[edge.source].leave_effects,
            *cls._events[edge.event].effects,
            *states[edge.dest].enter_effects,
        ]

    @classmethod
    def _misuses(cls) -> list[Problem]:
        """Return the values of the wrong kind in what a subclass adds to the machine."""
        return []

    @classmethod
    def _unmet(cls, event: str, job: Any, payload: Any) -> list[str]:
        guards = cls._events[event].guards  # asked for every decision, so not copied
        return [guard.__name__ for guard in guards if not guard(job, payload)] if guards else []

    @classmethod
    def _adopt(cls) -> None:
        """Give the class its own copies of what it inherits, so that hooks belong to one type."""
        for name, member in _members(cls.__mro__[1:]).items():
            own = vars(cls).get(name)
            if own is None:
                setattr(cls, name, member.clone())
            elif isinstance(own, State) and isinstance(member, State):
                own._inherited = member  # declared anew, still heard by the hooks of the base


def _members(classes: Sequence[type]) -> dict[str, State | Event[Any]]:
    found: dict[str, State | Event[Any]] = {}
    for base in reversed(classes):
        for name, value in vars(base).items():
            if isinstance(value, (State, Event)):
                found[name] = value
            elif name in found:
                del found[name]
    return found


def _compile(cls: type[Machine]) -> Spec:
    edges = tuple(
        Edge(e.name, source.name, dest.name, e.money if money is None else money, e.permission, e.where)
        for e in cls.events().values()
        for source, dest, money in e.arrow.moves
        if (e.name, source.name) not in cls._dropped
    )
    states = tuple(
        StateSpec(
            name=s.name,
            initial=s.initial,
            terminal=s.final,
            slot=s.slot,
            deadline_seconds=s.deadline.total_seconds() if s.deadline else None,
            label=s.label,
            public=s.public or _public(s, edges),
            data=s.data.__name__ if s.data else "",
            where=s.where,
        )
        for s in cls.states().values()
    )
    # A subclass keeps the obligations of its bases; one of the same name takes the older one's place.
    owed = {o.name: o for base in reversed(cls.__mro__) for o in vars(base).get("obligations", ())}
    return Spec(cls.name, cls.version, states, edges, tuple(o.as_data() for o in owed.values()))


def _public(state: State, edges: Sequence[Edge]) -> str:
    if state.name in PUBLIC:
        return state.name
    if not state.final:
        return "running"
    captured = any(e.dest == state.name and e.money is Money.CAPTURE for e in edges)
    return "completed" if captured else "failed"


def _not_there(cls: type[Machine], dropped: set[tuple[str, str]]) -> list[Problem]:
    moves = {(e.name, source.name) for e in cls.events().values() for source, _, _ in e.arrow.moves}
    return [
        Problem("MG114", f"drop: {event!r} has no edge from {state!r}")
        for event, state in sorted(dropped - moves)
    ]


def _without_data(cls: type[Machine]) -> list[Problem]:
    """Return the moves into a state with data whose event does not bring them."""
    return [
        Problem(
            "MG115",
            f"{event.name!r} leads to {dest.name!r}, which carries {dest.data.__name__}, and brings "
            f"{event.payload.__name__}",
            where=event.where,
        )
        for event in cls.events().values()
        for source, dest, _ in event.arrow.moves
        if dest.data and (event.name, source.name) not in cls._dropped
        if not issubclass(event.payload, dest.data)
    ]


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
