"""Find every mistake of a Spec that can be seen before a job runs."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace

from makegood.machine.money import prove
from makegood.machine.obligation import prove_obligations
from makegood.machine.problem import Problem
from makegood.machine.spec import PUBLIC, Edge, Money, Spec, StateSpec

Paths = Mapping[str, tuple[str, ...]]


def lint(spec: Spec) -> list[Problem]:
    """Return all problems of *spec*; an empty list means it may be used."""
    if problems := _names(spec):
        return problems  # without its states there is nothing to walk through
    spec, shadowed = _without_shadowed(spec)
    paths = _shortest(spec)
    lost = _reach(spec, paths)
    return [
        *(
            _at_edge(e, paths, "MG106", f"can never be chosen: {e.event!r} leaves {e.source!r} already")
            for e in shadowed
        ),
        *_edges(spec, paths),
        *lost.values(),
        *_deadlines(spec, paths),
        *prove(spec),
        *_exits(spec, paths, lost),
        *prove_obligations(spec),
    ]


def unknown_guards(event: str, named: Iterable[str], known: Iterable[str], where: str = "") -> list[Problem]:
    """Return a problem for each guard that a file has *named* for *event* and that is not *known*."""
    there = sorted(known)
    offer = f"known are {', '.join(there)}" if there else "none is known"
    return [
        Problem("MG103", f"event {event!r}: there is no guard {name!r}; {offer}", where=where or None)
        for name in named
        if name not in there
    ]


def _names(spec: Spec) -> list[Problem]:
    out = []
    initial = [s for s in spec.states if s.initial]
    if len(initial) != 1:
        where = initial[-1].where if initial else None
        named = ": " + ", ".join(repr(s.name) for s in initial) if initial else ""
        message = f"there must be exactly one initial state, here are {len(initial)}{named}"
        out.append(Problem("MG102", message, where=where or None))
    if not any(s.terminal for s in spec.states):
        out.append(Problem("MG104", "there is no final state"))
    known, offer = {s.name for s in spec.states}, ", ".join(PUBLIC)
    for e in spec.edges:
        out += [
            Problem("MG101", f"event {e.event!r}: there is no state {name!r}", where=e.where or None)
            for name in (e.source, e.dest)
            if name not in known
        ]
    out += [
        _of(s, "MG117", f"state {s.name!r}: there is no public status {s.public!r}; those are {offer}", ())
        for s in spec.states
        if s.public and s.public not in PUBLIC
    ]
    return out


def _without_shadowed(spec: Spec) -> tuple[Spec, list[Edge]]:
    """Split off the edges that no job takes, so that nothing else is said of them."""
    taken: dict[tuple[str, str], Edge] = {}
    shadowed = [e for e in spec.edges if taken.setdefault((e.event, e.source), e) is not e]
    return (replace(spec, edges=tuple(taken.values())) if shadowed else spec), shadowed


def _edges(spec: Spec, paths: Paths) -> list[Problem]:
    out: list[Problem] = []
    money: dict[tuple[str, str], Money] = {}
    for e in spec.edges:
        if e.source in spec.terminal:
            out.append(_at_edge(e, paths, "MG105", "leaves a final state"))
        if e.source == e.dest:
            told = "stays where it is: only a change of state is a transition"
            out.append(_at_edge(e, paths, "MG107", told))
        if e.money is Money.HOLD and spec.opens_attempt(e):
            told = "holds credits while it takes a slot: one empty wallet would stop the whole queue"
            out.append(_at_edge(e, paths, "MG120", told))
        if money.setdefault((e.source, e.dest), e.money) is not e.money:
            told = (
                f"means {e.money.value!r} for the credits, another event on the same way means "
                f"{money[e.source, e.dest].value!r}: a raw UPDATE could not tell them apart"
            )
            out.append(_at_edge(e, paths, "MG113", told))
    return out


def _reach(spec: Spec, paths: Paths) -> dict[str, Problem]:
    """Return the problem of each state that a job cannot get into, or not out of."""
    out, ending = {}, _ending(spec)
    for s in spec.states:
        if s.name not in paths:
            out[s.name] = _of(s, "MG108", f"state {s.name!r} cannot be reached", ())
        elif s.terminal:
            continue
        elif not spec.leaving(s.name):
            message = f"state {s.name!r} has no way out and is not final"
            out[s.name] = _of(s, "MG109", message, paths[s.name])
        elif s.name not in ending:
            message = f"from state {s.name!r} no final state can be reached"
            out[s.name] = _of(s, "MG110", message, paths[s.name])
    return out


def _deadlines(spec: Spec, paths: Paths) -> list[Problem]:
    return [
        _of(
            s,
            "MG111",
            f"state {s.name!r} is not final and has no deadline: a job could stay there for ever",
            paths.get(s.name, ()),
        )
        for s in spec.states
        if not s.terminal and not (s.deadline_seconds and s.deadline_seconds > 0)
    ]


def _exits(spec: Spec, paths: Paths, lost: Mapping[str, Problem]) -> list[Problem]:
    """Return the states that a deadline could not end, but for those with a problem that is the cause."""
    return [
        _of(
            s,
            "MG112",
            f"state {s.name!r} has no way out for its deadline: it needs an event to a final state "
            "that gives the credits back, or leaves them as they are",
            paths[s.name],
        )
        for s in spec.states
        if not s.terminal and s.name not in lost and spec.on_deadline(s.name) is None
    ]


def _of(state: StateSpec, code: str, message: str, path: tuple[str, ...]) -> Problem:
    return Problem(code, message, path, state.where or None)


def _at_edge(edge: Edge, paths: Paths, code: str, text: str) -> Problem:
    path = (*paths[edge.source], edge.event) if edge.source in paths else ()
    message = f"{edge.event!r} from {edge.source!r} to {edge.dest!r} {text}"
    return Problem(code, message, path, edge.where or None)


def _shortest(spec: Spec) -> Paths:
    """Return the events of a shortest way to each state that a job can get into."""
    paths: dict[str, tuple[str, ...]] = {spec.initial: ()}
    todo = deque([spec.initial])
    while todo:
        state = todo.popleft()
        for edge in spec.leaving(state):
            if edge.dest not in paths:
                paths[edge.dest] = (*paths[state], edge.event)
                todo.append(edge.dest)
    return paths


def _ending(spec: Spec) -> set[str]:
    """Return the states from which a final state can be reached."""
    found, before = set(spec.terminal), 0
    while len(found) > before:
        before = len(found)
        found |= {e.source for e in spec.edges if e.dest in found}
    return found
