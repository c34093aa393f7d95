"""Reading RunningHub's webhooks, which are unsigned: a claim about a task, never an answer."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from makegood.outcome import Hint

# With a digit: "null" and "undefined" are no ids.
_TASK_ID: Final = re.compile(r"(?=[^0-9]*[0-9])[A-Za-z0-9_-]{1,128}")


def task_id_of(value: Any) -> str | None:
    """Return a task id as text, None if *value* is none.

    RunningHub's ids are 19-digit numbers, sent as string or as integer; they do not fit into a
    float, so that a float has already lost the id.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**30:
        return str(value)
    if isinstance(value, str) and _TASK_ID.fullmatch(value):
        return value
    return None


def parse_hint(body: str) -> Hint:
    """Read a TASK_END message in any shape: `eventData` as string (v1) or object (v2), or none.

    A task id in the envelope counts before one inside. Raises ValueError when there is neither.
    """
    try:
        message = json.loads(body)
    except RecursionError:
        raise ValueError("The webhook's body is nested too deeply.") from None
    if not isinstance(message, dict):
        raise ValueError("The webhook's body is no JSON object.")
    for place in (None, "eventData", "data"):
        part = message if place is None else _inner(message.get(place))
        task_id = task_id_of(part.get("taskId"))
        if task_id is not None:
            event = message.get("event")
            return Hint(task_id, event[:100] if isinstance(event, str) else None)
    raise ValueError("The webhook's body names no task.")


def _inner(value: Any) -> Mapping[str, Any]:
    """Return the inner object, empty if it cannot be read: the envelope alone is hint enough."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}
