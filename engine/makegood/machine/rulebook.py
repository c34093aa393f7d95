"""The rule book on `transitions`: one synchronous machine per job type, and its flat table.

`transitions.Machine` states the rules; it has no models and runs no callbacks with effects. What
runs for every job is the flat table compiled from it. Both give the same answer for every state and
event, and a test asks them all.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

from transitions import EventData, MachineError, Transition
from transitions import Machine as RuleMachine
from transitions import State as RuleState

from makegood.machine.spec import Edge, EvidenceRule, Spec

__all__ = ["RuleBook", "RuleMachine"]

Unmet = Callable[[str, Any, Any], list[str]]


class _Planned(Transition):
    """Instead of changing a model, the last step notes which edge was chosen."""

    def __init__(self, *args: Any, edge: Edge, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.edge = edge

    def _change_state(self, event_data: EventData) -> None:
        cast(_Subject, event_data.model).edge = self.edge


class _Rules(RuleMachine):
    transition_cls = _Planned


class _Subject:
    """What a trigger needs: an object with a state; thrown away after the decision."""

    __slots__ = ("edge", "job", "payload", "state", "unmet")

    def __init__(self, state: str, job: Any, payload: Any) -> None:
        self.state, self.job, self.payload = state, job, payload
        self.edge: Edge | None = None
        self.unmet: list[str] = []


class Facts(NamedTuple):
    """What follows from an edge's place in its machine, asked for every decision."""

    opens_attempt: bool
    in_slot: bool
    carries_data: bool
    evidence: EvidenceRule | None


def _facts(spec: Spec, edge: Edge) -> Facts:
    return Facts(
        opens_attempt=spec.opens_attempt(edge),
        in_slot=spec.state[edge.source].slot,
        carries_data=bool(spec.state[edge.dest].data),
        evidence=spec.evidence(edge),
    )


class RuleBook:
    """A checked Spec with its `transitions.Machine` and the flat table compiled from it."""

    def __init__(self, spec: Spec, unmet: Unmet) -> None:
        self.spec, self._unmet = spec, unmet
        self.machine = _Rules(
            model=None,
            states=[RuleState(s.name, final=s.terminal) for s in spec.states],
            initial=spec.initial,
            auto_transitions=False,
            send_event=True,
        )
        for edge in spec.edges:
            condition = self._condition(edge)
            self.machine.add_transition(edge.event, edge.source, edge.dest, conditions=[condition], edge=edge)
        self.table: dict[tuple[str, str], Edge] = {
            (source, name): cast(_Planned, rules[0]).edge
            for name, event in self.machine.events.items()
            for source, rules in event.transitions.items()
        }

        self.facts = {key: _facts(spec, edge) for key, edge in self.table.items()}

    def look_up(self, state: str, event: str, job: Any, payload: Any) -> tuple[Edge | None, list[str]]:
        """Return the edge (None: no such edge) and the names of its unmet guards, by the table."""
        edge = self.table.get((state, event))
        return edge, self._unmet(event, job, payload) if edge else []

    def consult(self, state: str, event: str, job: Any, payload: Any) -> tuple[Edge | None, list[str]]:
        """Return what `look_up` returns, by triggering the event on the `transitions.Machine`."""
        rule = self.machine.events.get(event)
        subject = _Subject(state, job, payload)
        if rule is None or state not in self.machine.states:
            return None, []
        try:
            rule.trigger(subject)
        except MachineError:
            return None, []
        return subject.edge or self.table[state, event], subject.unmet

    def allowed(self, state: str) -> list[str]:
        """Return the events that have an edge out of *state*; guards are not asked."""
        return [event for source, event in self.table if source == state]

    def _condition(self, edge: Edge) -> Callable[[EventData], bool]:
        def met(event_data: EventData) -> bool:
            subject = cast(_Subject, event_data.model)
            subject.unmet = self._unmet(edge.event, subject.job, subject.payload)
            return not subject.unmet

        return met
