"""Find every mistake of a Spec that can be seen before a job runs."""

from collections import deque

from makegood.machine.money import prove
from makegood.machine.spec import Money, Spec


def lint(spec: Spec) -> list[str]:
    """Return all problems of *spec* as sentences; an empty list means it may be used."""
    return _names(spec) or _edges(spec) + _reach(spec) + _deadlines(spec) or prove(spec) + _exits(spec)


def _names(spec: Spec) -> list[str]:
    out = []
    if (n := sum(s.initial for s in spec.states)) != 1:
        out.append(f"there must be exactly one initial state, here are {n}")
    if not any(s.terminal for s in spec.states):
        out.append("there is no final state")
    known = {s.name for s in spec.states}
    for e in spec.edges:
        for name in (e.source, e.dest):
            if name not in known:
                out.append(f"event {e.event!r}: there is no state {name!r}")
    return out


def _edges(spec: Spec) -> list[str]:
    out: list[str] = []
    seen: set[tuple[str, str]] = set()
    money: dict[tuple[str, str], Money] = {}
    for e in spec.edges:
        where = f"{e.event!r} from {e.source!r} to {e.dest!r}"
        if e.source in spec.terminal:
            out.append(f"{where} leaves a final state")
        if (e.event, e.source) in seen:
            out.append(f"{where} can never be chosen: {e.event!r} leaves {e.source!r} already")
        seen.add((e.event, e.source))
        if e.source == e.dest:
            out.append(f"{where} stays where it is: only a change of state is a transition")
        if money.setdefault((e.source, e.dest), e.money) is not e.money:
            out.append(
                f"{where} means {e.money.value!r} for the credits, another event on the same way "
                f"means {money[e.source, e.dest].value!r}: a raw UPDATE could not tell them apart"
            )
    return out


def _reach(spec: Spec) -> list[str]:
    out = []
    reached = _reachable(spec, spec.initial)
    for s in spec.states:
        if s.name not in reached:
            out.append(f"state {s.name!r} cannot be reached")
        elif s.terminal:
            continue
        elif not spec.leaving(s.name):
            out.append(f"state {s.name!r} has no way out and is not final")
        elif not _reachable(spec, s.name) & spec.terminal:
            out.append(f"from state {s.name!r} no final state can be reached")
    return out


def _deadlines(spec: Spec) -> list[str]:
    return [
        f"state {s.name!r} is not final and has no deadline: a job could stay there for ever"
        for s in spec.states
        if not s.terminal and not (s.deadline_seconds and s.deadline_seconds > 0)
    ]


def _exits(spec: Spec) -> list[str]:
    return [
        f"state {s.name!r} has no way out for its deadline: it needs an event to a final state "
        "that gives the credits back, or leaves them as they are"
        for s in spec.states
        if not s.terminal and spec.on_deadline(s.name) is None
    ]


def _reachable(spec: Spec, start: str) -> set[str]:
    done: set[str] = set()
    todo = deque([start])
    while todo:
        state = todo.popleft()
        if state not in done:
            done.add(state)
            todo.extend(e.dest for e in spec.leaving(state))
    return done
