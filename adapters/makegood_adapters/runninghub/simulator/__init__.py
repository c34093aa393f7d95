"""A server on loopback that behaves like RunningHub, does the work itself and fails on demand."""

from makegood_adapters.runninghub.simulator.apps import Worker, Workflow, WorkOrder, default_apps
from makegood_adapters.runninghub.simulator.clock import Clock, RealClock, VirtualClock
from makegood_adapters.runninghub.simulator.counters import Counters
from makegood_adapters.runninghub.simulator.faults import Call, Faults, Match, Rule
from makegood_adapters.runninghub.simulator.habits import CancelWord, Habits
from makegood_adapters.runninghub.simulator.keys import Account, Site
from makegood_adapters.runninghub.simulator.odds import Odds
from makegood_adapters.runninghub.simulator.pace import Pace
from makegood_adapters.runninghub.simulator.request import Node, TaskRequest
from makegood_adapters.runninghub.simulator.server import Simulator, SimulatorError
from makegood_adapters.runninghub.simulator.tasks import Task

__all__ = [
    "Account",
    "Call",
    "CancelWord",
    "Clock",
    "Counters",
    "Faults",
    "Habits",
    "Match",
    "Node",
    "Odds",
    "Pace",
    "RealClock",
    "Rule",
    "Simulator",
    "SimulatorError",
    "Site",
    "Task",
    "TaskRequest",
    "VirtualClock",
    "WorkOrder",
    "Worker",
    "Workflow",
    "default_apps",
]
