"""A server on loopback that behaves like RunningHub, does the work itself and fails on demand."""

from makegood_adapters.runninghub.simulator.apps import Worker, WorkOrder, default_apps
from makegood_adapters.runninghub.simulator.faults import Faults, Match, Rule
from makegood_adapters.runninghub.simulator.platform import Pace
from makegood_adapters.runninghub.simulator.request import Node, TaskRequest
from makegood_adapters.runninghub.simulator.server import Simulator, SimulatorError
from makegood_adapters.runninghub.simulator.tasks import Task

__all__ = [
    "Faults",
    "Match",
    "Node",
    "Pace",
    "Rule",
    "Simulator",
    "SimulatorError",
    "Task",
    "TaskRequest",
    "WorkOrder",
    "Worker",
    "default_apps",
]
