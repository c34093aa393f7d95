"""The job types of a deployment: those of its tool files and of plugins, with its deadlines."""

from datetime import timedelta

from makegood import Catalog
from makegood.lifecycle import BaseJob
from makegood_adapters.config import ConfigurationError, ServiceConfig
from makegood_adapters.plugins import Plugins
from makegood_adapters.toolfiles import default_tools_folder, usable_tools

TOOL_FILE, DEADLINE = "tool file", "deadline"


def load_catalog(config: ServiceConfig, plugins: Plugins) -> Catalog:
    """Read the job types, join those of *plugins*, and give them the configured deadlines.

    A tool file that cannot be used is left out and noted in `plugins.broken`, and so is the deadline of a
    state that nobody has, if it may be the state of what is left out. Else it is a mistake: DeclarationError.
    """
    tools, left_out = usable_tools(config.tools or default_tools_folder())
    for file, error in left_out.items():
        plugins.leave_out(TOOL_FILE, file, error)
    types = plugins.join(tools)
    deadlines = {state: timedelta(seconds=seconds) for state, seconds in config.deadlines.items()}
    shared = {state for t in types for state in t.states()}
    if plugins.broken:
        for state in sorted(deadlines.keys() - shared):
            del deadlines[state]
            plugins.leave_out(DEADLINE, state, ConfigurationError("no job type has such a state"))
    # A state that only some types have is theirs alone; one that none has is told by the first.
    own = [{s: d for s, d in deadlines.items() if s in t.states() or s not in shared} for t in types]
    return Catalog([_with(t, d) for t, d in zip(types, own, strict=True)])


def _with(job_type: type[BaseJob], deadlines: dict[str, timedelta]) -> type[BaseJob]:
    return job_type.with_deadlines(deadlines) if deadlines else job_type
