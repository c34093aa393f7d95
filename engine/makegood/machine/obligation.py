"""Obligations of one's own: what an event opens, another must close before the job ends, on every path."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from makegood.machine.problem import Problem, source_line
from makegood.machine.spec import Edge, ObligationSpec, Spec

if TYPE_CHECKING:
    from makegood.machine.elements import Event, State

    Trigger = Event[Any] | tuple[Event[Any], State]


@dataclass(frozen=True)
class Obligation:
    """Something that `opened_by` opens and that exactly one of `closed_by` closes again.

        obligations = [Obligation("lease", opened_by=begin, closed_by=[give_back, (fail, running)])]

    An event stands for all of its edges, a pair for the one out of that state. The proof is of the paths:
    a job that ends has closed what it opened, and nothing is closed that is not open.
    """

    name: str
    opened_by: Trigger | Sequence[Trigger]
    closed_by: Trigger | Sequence[Trigger]
    where: str = field(default_factory=source_line, compare=False, repr=False)

    def as_data(self) -> ObligationSpec:
        """Return it as a Spec holds it, by names; the events must belong to a class by then."""
        return ObligationSpec(self.name, _names(self.opened_by), _names(self.closed_by), self.where)


def _names(triggers: Trigger | Sequence[Trigger]) -> tuple[tuple[str, str | None], ...]:
    """Return (event, source) for each trigger, the source None for all of the event's edges."""
    match triggers:
        case (event, state) if hasattr(state, "final"):
            return ((_name(event), _name(state)),)
        case list() | tuple():
            return tuple(name for each in triggers for name in _names(each))
        case event:
            return ((_name(event), None),)


def _name(member: object) -> str:
    # What is no event has no name either; the proof then says that no edge is called so.
    return getattr(member, "name", None) or repr(member)


def prove_obligations(spec: Spec) -> list[Problem]:
    """Return every way in which a job of *spec* could break an obligation, with a shortest event path."""
    return [problem for obligation in spec.obligations for problem in _Walk(spec, obligation).problems]


class _Walk:
    """Breadth first over (state, open or not), so the first path to a problem is a shortest one."""

    def __init__(self, spec: Spec, obligation: ObligationSpec) -> None:
        self.spec, self.obligation = spec, obligation
        self.problems: list[Problem] = []
        opens = self._edges(obligation.opened_by)
        closes = self._edges(obligation.closed_by)
        for edge in opens & closes:
            self._report("MG305", f"is both opened and closed by {edge[0]!r} from {edge[1]!r}")
        if not self.problems:
            self._walk({**dict.fromkeys(opens, True), **dict.fromkeys(closes, False)})

    def _edges(self, named: Sequence[tuple[str, str | None]]) -> set[tuple[str, str]]:
        found = set()
        for event, source in named:
            edges = {
                (e.event, e.source)
                for e in self.spec.edges
                if e.event == event and source in (None, e.source)
            }
            if not edges:
                way = f"{event!r} from {source!r}" if source else f"{event!r}"
                self._report("MG304", f"names {way}, and there is no such edge")
            found |= edges
        if not named:
            self._report("MG304", "names no event that opens it, or none that closes it")
        return found

    def _walk(self, after: Mapping[tuple[str, str], bool]) -> None:
        seen = {(self.spec.initial, False)}
        queue: deque[tuple[str, bool, tuple[str, ...]]] = deque([(self.spec.initial, False, ())])
        while queue:
            state, is_open, path = queue.popleft()
            for edge in self.spec.leaving(state) if state not in self.spec.terminal else ():
                taken = (*path, edge.event)
                will = after.get((edge.event, edge.source), is_open)
                self._judge(edge, is_open, after.get((edge.event, edge.source)), taken)
                if (edge.dest, will) not in seen:
                    seen.add((edge.dest, will))
                    queue.append((edge.dest, will, taken))
                    if will and edge.dest in self.spec.terminal:
                        self._report("MG301", f"is still open in {edge.dest!r}", taken, edge)

    def _judge(self, edge: Edge, is_open: bool, after: bool | None, path: tuple[str, ...]) -> None:
        if after is True and is_open:
            self._report("MG303", f"is opened by {edge.event!r} and open already", path, edge)
        if after is False and not is_open:
            self._report(
                "MG302", f"is closed by {edge.event!r} from {edge.source!r} and not open", path, edge
            )

    def _report(self, code: str, text: str, path: tuple[str, ...] = (), edge: Edge | None = None) -> None:
        where = (edge.where if edge else "") or self.obligation.where
        self.problems.append(Problem(code, f"{self.obligation.name!r} {text}", path, where or None))
