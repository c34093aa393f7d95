"""One frozen Spec per job type and version; everything else is a projection of it."""

import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import assert_never

from makegood.job import Verdict


class Money(StrEnum):
    """What taking an edge does to the credits of the job."""

    NONE = "none"
    HOLD = "hold"  # reserve the price
    CAPTURE = "capture"  # spend what is held, or the part that was earned
    RELEASE = "release"  # give all of it back
    POLICY = "policy"  # spend what the type's cancellation policy says, give the rest back


class Holding(StrEnum):
    """Where the money of a job is while it stays in a state."""

    NONE = "none"  # nothing is held
    HELD = "held"  # the whole price is held
    SETTLED = "settled"  # captured or given back
    OVER = "over"  # a terminal state: settled, or nothing was ever held


#: What the outside ever sees of a job, whatever states its type has.
PUBLIC = ("pending", "queued", "starting", "running", "completed", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class StateSpec:
    """A state: `deadline_seconds` counts from entering it, `slot` says an attempt lives in it.

    `public` is the one of the seven public statuses under which the outside sees the state; `data` names
    the model of what a job carries while it stays in it, empty for nothing. `where` is the file and line of
    the declaration, here and below.
    """

    name: str
    initial: bool = False
    terminal: bool = False
    slot: bool = False
    deadline_seconds: float | None = None
    label: str = ""
    public: str = ""
    data: str = ""
    where: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Edge:
    """One legal move; `permission` names what a person needs who asks for it, empty for no name."""

    event: str
    source: str
    dest: str
    money: Money = Money.NONE
    permission: str = ""
    where: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ObligationSpec:
    """What must be closed again; `opened_by` and `closed_by` hold (event, source), None: every source."""

    name: str
    opened_by: tuple[tuple[str, str | None], ...]
    closed_by: tuple[tuple[str, str | None], ...]
    where: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class EvidenceRule:
    """Which verdicts about the current attempt let an edge be taken.

    `always` is False where a job whose attempt was never submitted may pass without evidence.
    """

    verdicts: frozenset[Verdict]
    always: bool


_ADMINISTRATOR = Verdict.ADMINISTRATOR
_SUCCEEDED = frozenset({Verdict.SUCCEEDED})
_HAS_RESULT = frozenset({Verdict.SUCCEEDED, _ADMINISTRATOR})
_HAS_TASK = frozenset({Verdict.ACCEPTED, Verdict.SUCCEEDED})
_HAS_NO_TASK = frozenset({Verdict.REJECTED, Verdict.FAILED, Verdict.ABSENT})
_MAY_REFUND = _HAS_NO_TASK | {Verdict.CANCELLED, Verdict.DEADLINE, _ADMINISTRATOR}
_MAY_CANCEL = frozenset({Verdict.CANCELLED, Verdict.REJECTED, Verdict.ABSENT, _ADMINISTRATOR})


@dataclass(frozen=True)
class Spec:
    """The whole machine as data."""

    name: str
    version: int
    states: tuple[StateSpec, ...]
    edges: tuple[Edge, ...]
    obligations: tuple[ObligationSpec, ...] = ()

    @cached_property
    def state(self) -> dict[str, StateSpec]:
        """States by name."""
        return {s.name: s for s in self.states}

    @cached_property
    def initial(self) -> str:
        """The state in which a job begins."""
        return next(s.name for s in self.states if s.initial)

    @cached_property
    def terminal(self) -> frozenset[str]:
        """States without exits."""
        return frozenset(s.name for s in self.states if s.terminal)

    @cached_property
    def events(self) -> tuple[str, ...]:
        """Event names in the order of declaration."""
        return tuple(dict.fromkeys(e.event for e in self.edges))

    @cached_property
    def waiting(self) -> frozenset[str]:
        """States in which a job waits for a slot: an edge without an attempt leads to one with."""
        return frozenset(
            e.source for e in self.edges if not self.state[e.source].slot and self.state[e.dest].slot
        )

    @cached_property
    def digest(self) -> str:
        """Hash of the rules; deadlines and obligations are not among them, they may change in a version."""
        states = [(s.name, s.initial, s.terminal, s.slot) for s in self.states]
        edges = [(e.event, e.source, e.dest, e.money.value) for e in self.edges]
        body = json.dumps([states, edges], separators=(",", ":"))
        return hashlib.sha256(body.encode()).hexdigest()[:16]

    def leaving(self, state: str) -> list[Edge]:
        """Return the edges out of *state*, in the order of declaration."""
        return [e for e in self.edges if e.source == state]

    def opens_attempt(self, edge: Edge) -> bool:
        """Whether taking *edge* needs a new open attempt, that is, a slot."""
        return not self.state[edge.source].slot and self.state[edge.dest].slot

    def evidence(self, edge: Edge) -> EvidenceRule | None:
        """Return what must be known about the attempt before *edge*, None where nothing need be.

        Only edges out of the states in which an attempt lives are concerned.
        """
        if not self.state[edge.source].slot:
            return None
        match edge.money:
            case Money.CAPTURE:
                over = edge.dest in self.terminal
                return EvidenceRule(_HAS_RESULT if over else _SUCCEEDED, always=True)
            case Money.RELEASE:
                return EvidenceRule(_MAY_REFUND, always=False)
            case Money.POLICY:
                return EvidenceRule(_MAY_CANCEL, always=False)
            case Money.NONE | Money.HOLD:
                if self.state[edge.dest].slot:
                    return EvidenceRule(_HAS_TASK, always=True)
                if edge.dest in self.waiting:
                    return EvidenceRule(_HAS_NO_TASK, always=False)
                if edge.dest in self.terminal:
                    return EvidenceRule(_MAY_REFUND | _HAS_RESULT, always=False)
                return EvidenceRule(_SUCCEEDED, always=True)
            case _:
                assert_never(edge.money)

    def on_deadline(self, state: str) -> Edge | None:
        """Return the edge that a job takes when it has stayed in *state* for too long: the first one that
        gives the credits back, or else that ends the job without touching them."""
        ends = [e for e in self.leaving(state) if e.dest in self.terminal]
        for money in (Money.RELEASE, Money.NONE):
            for edge in ends:
                if edge.money is money:
                    return edge
        return None
