"""Declaring machines: states, events, money, and the proof that no path loses credits."""

from makegood.machine.declare import Machine
from makegood.machine.elements import Arrow, Empty, Event, Sources, State
from makegood.machine.obligation import Obligation
from makegood.machine.problem import Problem
from makegood.machine.spec import PUBLIC, Edge, Holding, Money, ObligationSpec, Spec, StateSpec

__all__ = [
    "PUBLIC",
    "Arrow",
    "Edge",
    "Empty",
    "Event",
    "Holding",
    "Machine",
    "Money",
    "Obligation",
    "ObligationSpec",
    "Problem",
    "Sources",
    "Spec",
    "State",
    "StateSpec",
]
