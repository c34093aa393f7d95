"""Catch values of the wrong kind in a declaration, for those who run no type checker."""

import inspect
import typing
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, get_origin

from pydantic import BaseModel

from makegood.machine.elements import Arrow, Event, State
from makegood.machine.problem import Problem
from makegood.machine.spec import Money


def misuses(states: Mapping[str, State], events: Mapping[str, Event[Any]]) -> list[Problem]:
    """Return what was given to a State or Event that cannot be compiled."""
    found = [*_of_states(states.values()), *_of_events(events.values())]
    return [Problem("MG116", message, where=where or None) for message, where in found]


def misnamed(name: object, version: object) -> list[Problem]:
    """Return what is wrong with the words by which stores know the type."""
    found = []
    if not isinstance(name, str) or not name:
        found.append(f"name: {name!r} is no name; write a text")
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version < 2**31:
        found.append(f"version: {version!r} is no version; write a whole number, 1 or more")
    return [Problem("MG116", told) for told in found]


def _of_states(states: Iterable[State]) -> Iterator[tuple[str, str]]:
    for s in states:
        if not isinstance(s.deadline, timedelta | None):
            yield f"state {s.name!r}: a deadline is a timedelta, not {s.deadline!r}", s.where
        if s.data is not None and not _is_model(s.data):
            yield f"state {s.name!r}: data is a pydantic model class, not {s.data!r}", s.where


def _of_events(events: Iterable[Event[Any]]) -> Iterator[tuple[str, str]]:
    for e in events:
        if not _is_model(e.payload):
            yield f"event {e.name!r}: a payload is a pydantic model class, not {e.payload!r}", e.where
        if not isinstance(e.arrow, Arrow):
            told = f"event {e.name!r} takes moves, (a | b) >> c, not {type(e.arrow).__name__}"
            yield told, e.where
            continue
        for source, dest, money in e.arrow.moves:
            for end in (source, dest):
                if not isinstance(end, State):
                    yield f"event {e.name!r}: a move joins two states, {end!r} is none", e.where
            if not isinstance(e.money if money is None else money, Money):
                yield f"event {e.name!r}: money is a member of Money, not {money or e.money!r}", e.where


def _is_model(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)


def registered(states: Mapping[str, State], events: Mapping[str, Event[Any]]) -> list[Problem]:
    """Return what is wrong with the guards, hooks and effects that the elements have by now.

    They come after the class, so its definition cannot judge them.
    """
    problems: list[Problem] = []
    for e in events.values():
        payload = e.payload if _is_model(e.payload) else None
        for guard in e.guards:
            problems += _told("MG118", f"a guard of {e.name!r}", guard, _guard(guard, payload))
        for effect in e.effects:
            problems += _told("MG119", f"an effect of {e.name!r}", effect, _awaited(effect, 3, payload))
        for hook in e.hooks:
            problems += _told("MG119", f"a hook of {e.name!r}", hook, _awaited(hook, 1))
    for s in states.values():
        for hook in (*s.hooks, *s.leave_hooks):
            problems += _told("MG119", f"a hook of {s.name!r}", hook, _awaited(hook, 1))
        for effect in (*s.enter_effects, *s.leave_effects):
            problems += _told("MG119", f"an effect of {s.name!r}", effect, _awaited(effect, 3))
    return problems


def _told(code: str, role: str, function: Callable[..., Any], wrong: Iterable[str]) -> list[Problem]:
    code_object = getattr(inspect.unwrap(function), "__code__", None)
    where = f"{code_object.co_filename}:{code_object.co_firstlineno}" if code_object else None
    name = getattr(function, "__name__", repr(function))
    return [Problem(code, f"{name!r}, {role}, {text}", where=where) for text in wrong]


def _guard(guard: Callable[..., Any], payload: type[BaseModel] | None) -> Iterator[str]:
    if not callable(guard):
        yield "is no function"
        return
    if inspect.iscoroutinefunction(inspect.unwrap(guard)):
        yield "is async, and an answer that nobody awaits counts as yes; decide from the job and the payload"
    yield from _arguments(guard, 2, payload)


def _awaited(
    function: Callable[..., Any], count: int, payload: type[BaseModel] | None = None
) -> Iterator[str]:
    if not callable(function):
        yield "is no function"
        return
    inner = inspect.unwrap(function)
    # An object or a partial may return something to await; a plain function without a word of it does not.
    if inspect.isfunction(inner) and not inspect.iscoroutinefunction(inner):
        answer = _hints(inner).get("return")
        kind = get_origin(answer) or answer
        if answer is not Any and not (isinstance(kind, type) and issubclass(kind, Awaitable)):
            yield "is not async; write `async def`"
    yield from _arguments(function, count, payload)


def _arguments(function: Callable[..., Any], count: int, payload: type[BaseModel] | None) -> Iterator[str]:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # a callable of C tells nothing
    try:
        signature.bind(*range(count))
    except TypeError:
        yield f"is called with {count} argument{'s' if count > 1 else ''}, and takes {signature}"
        return
    last = list(signature.parameters.values())[:count][-1]
    wanted = _hints(function).get(last.name)
    if payload and isinstance(wanted, type) and not issubclass(payload, wanted):
        yield f"wants {wanted.__name__} as payload, the event brings {payload.__name__}"


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError):
        return {}  # names that only a type checker imports
