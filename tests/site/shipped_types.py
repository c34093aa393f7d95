"""The page of the job types that come with makegood: what each takes, costs, and which machine it runs by."""

from makegood import BaseJob
from makegood.machine.projections import event_table, state_table
from makegood_adapters.toolfiles import default_tools_folder, load_tools


def shipped_types_page() -> str:
    """Return what follows the head of the page."""
    types = load_tools(default_tools_folder())
    page = "\n| name | people see | pool | inputs | runs | deadlines |\n|---|---|---|---|---|---|\n"
    own = ""
    for tool in types:
        inputs = ", ".join(
            f"`{name}`" + ("" if field.is_required() else "?")
            for name, field in tool.Input.model_fields.items()
        )
        deadlines = ", ".join(
            f"`{state.name}` {_span(state.deadline_seconds)}"
            for state in tool.spec.states
            if state.deadline_seconds is not None
        )
        page += f"| `{tool.name}` | {tool.label} | `{tool.pool}` | {inputs} | {tool.attempts_max} "
        page += f"| {deadlines} |\n"
        if tool.spec.digest != BaseJob.spec.digest:
            own += f"\n## `{tool.name}`\n\n{state_table(tool.spec)}\n\n{event_table(tool.spec)}\n"
    return page + own


def _span(seconds: float) -> str:
    return f"{seconds / 3600:g} h" if seconds >= 3600 else f"{seconds / 60:g} min"
