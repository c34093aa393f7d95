"""What a machine is declared with: states, events, and the moves between them."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar, overload

from pydantic import BaseModel

from makegood.job import Job, Transition
from makegood.machine.problem import source_line
from makegood.machine.spec import Money


class Empty(BaseModel):
    """The payload of an event that needs none."""


P = TypeVar("P", bound=BaseModel)
Guard = Callable[[Job, P], bool]
Hook = Callable[[Transition], Awaitable[None]]
Effect = Callable[[Any, Job, P], Awaitable[None]]
H = TypeVar("H", bound=Hook)


class State:
    """A state; its name is the attribute's name.

    `deadline` is how long a job may stay, counted from entering; every state that is not final needs
    one. `slot` marks the states in which a job has an attempt at the provider. `public` is the status that
    the outside sees, one of the seven of `BaseJob`; left out, the state's own name if it is one of them, else
    `running`, or for a final state what its credits say. `data` is the model of what a job carries while it
    stays: the payload of every event that leads here is one.
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
        public: str = "",
        data: type[BaseModel] | None = None,
    ) -> None:
        self.initial, self.final, self.slot = initial, final, slot
        self.deadline, self.label, self.public, self.data = deadline, label, public, data
        self._hooks: list[Hook] = []
        self._leave_hooks: list[Hook] = []
        self._enter_effects: list[Effect[Any]] = []
        self._leave_effects: list[Effect[Any]] = []
        self._inherited: State | None = None
        self.where = source_line()

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

    @property
    def leave_hooks(self) -> tuple[Hook, ...]:
        """Hooks that hear when a job has left this state."""
        return (*(self._inherited.leave_hooks if self._inherited else ()), *self._leave_hooks)

    @property
    def enter_effects(self) -> tuple[Effect[Any], ...]:
        """Effects inside the transaction that enters this state."""
        return (*(self._inherited.enter_effects if self._inherited else ()), *self._enter_effects)

    @property
    def leave_effects(self) -> tuple[Effect[Any], ...]:
        """Effects inside the transaction that leaves this state."""
        return (*(self._inherited.leave_effects if self._inherited else ()), *self._leave_effects)

    def with_deadline(self, deadline: timedelta) -> State:
        """Return a state like this one with another deadline, to be declared in a subclass."""
        return State(
            initial=self.initial,
            final=self.final,
            slot=self.slot,
            deadline=deadline,
            label=self.label,
            public=self.public,
            data=self.data,
        )

    def on_enter(self, hook: H) -> H:
        """Call *hook* after a job of this type has entered the state and that is committed.

        The relay calls it at least once for each transition, in the order of the job's life.
        """
        self._hooks.append(hook)
        return hook

    def on_leave(self, hook: H) -> H:
        """Call *hook* after a job of this type has left the state, as `on_enter` does."""
        self._leave_hooks.append(hook)
        return hook

    def effect_on_enter(self, effect: Effect[Any]) -> Effect[Any]:
        """Run *effect* inside the transaction by which a job enters the state; see `Event.effect`."""
        self._enter_effects.append(effect)
        return effect

    def effect_on_leave(self, effect: Effect[Any]) -> Effect[Any]:
        """Run *effect* inside the transaction by which a job leaves the state; see `Event.effect`."""
        self._leave_effects.append(effect)
        return effect

    def clone(self) -> State:
        """Return the state as a subclass has it: alike, heard by this one's hooks, with none of its own."""
        own = copy.copy(self)
        own._hooks, own._leave_hooks, own._enter_effects, own._leave_effects = [], [], [], []
        own._inherited = self
        return own


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
    def __init__(
        self: Event[Empty], arrow: Arrow, *, money: Money = Money.NONE, permission: str = ""
    ) -> None: ...
    @overload
    def __init__(
        self: Event[P], arrow: Arrow, payload: type[P], *, money: Money = Money.NONE, permission: str = ""
    ) -> None: ...
    def __init__(
        self,
        arrow: Arrow,
        payload: type[BaseModel] = Empty,
        *,
        money: Money = Money.NONE,
        permission: str = "",
    ) -> None:
        self.arrow, self.payload, self.money, self.permission = arrow, payload, money, permission
        self._effects: list[Effect[P]] = []
        self._guards: list[Guard[P]] = []
        self._hooks: list[Hook] = []
        self._inherited: Event[P] | None = None
        self.where = source_line()

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @property
    def guards(self) -> tuple[Guard[P], ...]:
        """Guards of this event, those of the type it was inherited from first."""
        inherited = self._inherited.guards if self._inherited else ()
        return (*inherited, *self._guards) if self._guards else inherited

    @property
    def hooks(self) -> tuple[Hook, ...]:
        """After-commit hooks of this event, inherited ones first."""
        return (*(self._inherited.hooks if self._inherited else ()), *self._hooks)

    def guard(self, guard: Guard[P]) -> Guard[P]:
        """Hold the event back unless *guard* says yes; it is pure, synchronous and has a name."""
        self._guards.append(guard)
        return guard

    @property
    def effects(self) -> tuple[Effect[P], ...]:
        """Effects of this event inside its transaction, inherited ones first."""
        return (*(self._inherited.effects if self._inherited else ()), *self._effects)

    def effect(self, effect: Effect[P]) -> Effect[P]:
        """Run *effect* inside the transaction of the event, after the job has moved.

        It gets the store's transaction (with Postgres its connection), the moved job and the payload,
        and awaits nothing else: it holds the job and its wallet. If it raises, nothing of the transition
        stays. A raw UPDATE does not run it; the dispatcher's event cannot have one.
        """
        self._effects.append(effect)
        return effect

    def clone(self) -> Event[P]:
        """Return the event as a subclass has it: with this one's guards and hooks, and none of its own."""
        own = copy.copy(self)
        own._guards, own._hooks, own._effects, own._inherited = [], [], [], self
        return own

    def after_commit(self, hook: H) -> H:
        """Call *hook* after the event is committed, at least once, in the order of the job's life."""
        self._hooks.append(hook)
        return hook
