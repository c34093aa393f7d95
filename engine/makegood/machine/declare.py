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

import copy
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Generic, Self, TypeVar, cast, overload

from pydantic import BaseModel

from makegood.errors import DeclarationError
from makegood.job import Job, Transition
from makegood.machine.lint import lint
from makegood.machine.rulebook import RuleBook, RuleMachine
from makegood.machine.spec import Edge, Money, Spec, StateSpec


class Empty(BaseModel):
    """The payload of an event that needs none."""


P = TypeVar("P", bound=BaseModel)
Guard = Callable[[Job, P], bool]
Hook = Callable[[Transition], Awaitable[None]]
H = TypeVar("H", bound=Hook)


class State:
    """A state; its name is the attribute's name.

    `deadline` is how long a job may stay, counted from entering; every state that is not final needs
    one. `slot` marks the states in which a job has an attempt at the provider.
    """

    name: str = ""

    def __init__(
        self,
        *,
        initial: bool = False,
        final: bool = False,
        slot: bool = False,
        deadline: timedelta | None = None,
        label: str = "",
    ) -> None:
        self.initial, self.final, self.slot = initial, final, slot
        self.deadline, self.label = deadline, label
        self._hooks: list[Hook] = []
        self._inherited: State | None = None

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __rshift__(self, dest: State) -> Arrow:
        return Arrow(((self, dest, None),))

    def __or__(self, other: State) -> Sources:
        return Sources((self, other))

    @property
    def hooks(self) -> tuple[Hook, ...]:
        """Hooks of this state, those of the type it was inherited from first."""
        return (*(self._inherited.hooks if self._inherited else ()), *self._hooks)

    def with_deadline(self, deadline: timedelta) -> State:
        """Return a state like this one with another deadline, to be declared in a subclass."""
        return State(
            initial=self.initial, final=self.final, slot=self.slot, deadline=deadline, label=self.label
        )

    def on_enter(self, hook: H) -> H:
        """Call *hook* after a job of this type has entered the state and that is committed.

        The relay calls it at least once for each transition, in the order of the job's life.
        """
        self._hooks.append(hook)
        return hook


@dataclass(frozen=True)
class Sources:
    """Several source states: `(a | b) >> c`."""

    states: tuple[State, ...]

    def __or__(self, other: State) -> Sources:
        return Sources((*self.states, other))

    def __rshift__(self, dest: State) -> Arrow:
        return Arrow(tuple((s, dest, None) for s in self.states))


@dataclass(frozen=True)
class Arrow:
    """Moves of one event: `(a >> b) | (c >> d)`; each may carry a money meaning of its own."""

    moves: tuple[tuple[State, State, Money | None], ...]

    def __or__(self, other: Arrow) -> Arrow:
        return Arrow((*self.moves, *other.moves))

    def with_money(self, money: Money) -> Arrow:
        """Say what these moves do to the credits, whatever the event's other moves do."""
        return Arrow(tuple((source, dest, money) for source, dest, _ in self.moves))


class Event(Generic[P]):
    """An event with its moves, the type of its payload and what it means for the credits."""

    name: str = ""

    @overload
    def __init__(self: Event[Empty], arrow: Arrow, *, money: Money = Money.NONE) -> None: ...
    @overload
    def __init__(self: Event[P], arrow: Arrow, payload: type[P], *, money: Money = Money.NONE) -> None: ...
    def __init__(self, arrow: Arrow, payload: type[BaseModel] = Empty, *, money: Money = Money.NONE) -> None:
        self.arrow, self.payload, self.money = arrow, payload, money
        self._guards: list[Guard[P]] = []
        self._hooks: list[Hook] = []
        self._inherited: Event[P] | None = None

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @property
    def guards(self) -> tuple[Guard[P], ...]:
        """Guards of this event, those of the type it was inherited from first."""
        return (*(self._inherited.guards if self._inherited else ()), *self._guards)

    @property
    def hooks(self) -> tuple[Hook, ...]:
        """After-commit hooks of this event, inherited ones first."""
        return (*(self._inherited.hooks if self._inherited else ()), *self._hooks)

    def guard(self, guard: Guard[P]) -> Guard[P]:
        """Hold the event back unless *guard* says yes; it is pure, synchronous and has a name."""
        self._guards.append(guard)
        return guard

    def after_commit(self, hook: H) -> H:
        """Call *hook* after the event is committed, at least once, in the order of the job's life."""
        self._hooks.append(hook)
        return hook


class Machine:
    """Base of every declaration; a class that has states is compiled, linted and proved at once."""

    spec: ClassVar[Spec]
    rules: ClassVar[RuleBook]
    name: ClassVar[str] = ""
    version: ClassVar[int] = 1
    _dropped: ClassVar[frozenset[tuple[str, str]]] = frozenset()

    def __init_subclass__(cls, *, drop: Sequence[tuple[Event[Any], State]] = (), **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        dropped = {(event.name, state.name) for event, state in drop}
        cls._dropped = cls._dropped | dropped
        cls._adopt()
        if not cls.states():
            return
        if "name" not in vars(cls):
            cls.name = _snake(cls.__name__)
        cls.spec = _compile(cls)
        if problems := _not_there(cls, dropped) + lint(cls.spec):
            raise DeclarationError(f"{cls.__name__} ({cls.spec.name}@{cls.spec.version})", problems)
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
        return {n: m for n, m in _members(cls.__mro__).items() if isinstance(m, State)}

    @classmethod
    def events(cls) -> dict[str, Event[Any]]:
        """Return the events by name, inherited ones first."""
        return {n: m for n, m in _members(cls.__mro__).items() if isinstance(m, Event)}

    @classmethod
    def hooks(cls, transition: Transition) -> list[tuple[str, Hook]]:
        """Return (key, hook) for all that wants to hear of *transition*; keys are unique in it."""
        event, state = cls.events().get(transition.event), cls.states().get(transition.to_state)
        found = [("after", h) for h in event.hooks] if event else []
        found += [("enter", h) for h in state.hooks] if state else []
        keys = [f"{when}:{h.__module__}.{h.__qualname__}" for when, h in found]
        # Hooks that one factory has made share their name; their place tells them apart.
        seen = [keys[:place].count(key) for place, key in enumerate(keys)]
        return [(f"{k}#{n + 1}" if n else k, h) for k, n, (_, h) in zip(keys, seen, found, strict=True)]

    @classmethod
    def _unmet(cls, event: str, job: Any, payload: Any) -> list[str]:
        guards = cls.events()[event].guards
        return [guard.__name__ for guard in guards if not guard(job, payload)]

    @classmethod
    def _adopt(cls) -> None:
        """Give the class its own copies of what it inherits, so that hooks belong to one type."""
        for name, member in _members(cls.__mro__[1:]).items():
            own = vars(cls).get(name)
            if own is None:
                own = copy.copy(member)
                own._hooks, own._inherited = [], member
                if isinstance(own, Event):
                    own._guards = []
                setattr(cls, name, own)
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
        Edge(e.name, source.name, dest.name, e.money if money is None else money)
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
        )
        for s in cls.states().values()
    )
    return Spec(cls.name, cls.version, states, edges)


def _not_there(cls: type[Machine], dropped: set[tuple[str, str]]) -> list[str]:
    moves = {(e.name, source.name) for e in cls.events().values() for source, _, _ in e.arrow.moves}
    return [f"drop: {event!r} has no edge from {state!r}" for event, state in sorted(dropped - moves)]


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
