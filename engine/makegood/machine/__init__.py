"""Declaring machines: states, events, money, and the proof that no path loses credits."""

from makegood.machine.declare import Arrow, Empty, Event, Machine, State
from makegood.machine.spec import Edge, Holding, Money, Spec, StateSpec

__all__ = [
    "Arrow",
    "Edge",
    "Empty",
    "Event",
    "Holding",
    "Machine",
    "Money",
    "Spec",
    "State",
    "StateSpec",
]
