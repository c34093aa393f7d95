"""Acts of operators, put on record: who did what to what, why, and how it went, also when it was refused."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from makegood import MakegoodError
from makegood.ports import NewAct
from makegood_adapters.http.callers import Caller
from makegood_adapters.http.operation import Op

log = logging.getLogger("makegood.http")

T = TypeVar("T")

#: So much of a subject is kept, and of each value in it.
_SUBJECT_MAX, _VALUE_MAX = 500, 120
#: What the parts of paths are called to people.
_THINGS = {
    "job_id": "job",
    "number": "attempt",
    "owner": "owner",
    "key_id": "key",
    "endpoint_id": "endpoint",
    "seq": "message",
}
#: What of a body tells what was done, beside who signed it; addresses may hold secrets.
_TELLING = (
    *("event", "files", "earned", "amount", "source_ref", "kind", "plan", "cycle", "ends_at", "expires_at"),
    *("running_max", "weight", "oldest_every", "until", "name", "scopes", "grace_seconds", "enabled"),
)
_RUNNING: set["asyncio.Task[Any]"] = set()


async def to_its_end(work: Awaitable[T]) -> T:
    """Return what *work* does, which goes on to its end also when the caller leaves: what was done must come
    on record."""

    async def run() -> T:
        return await work

    task = asyncio.create_task(run())
    _RUNNING.add(task)
    task.add_done_callback(_RUNNING.discard)
    return await asyncio.shield(task)


async def put_on_record(
    keep: Callable[[NewAct], Awaitable[None]],
    op: Op,
    caller: Caller,
    path: Mapping[str, str],
    body: BaseModel | None,
    outcome: str,
) -> None:
    """Keep the act. What was done stays done when it cannot be kept: that is an error for the log alone."""
    by, reason = getattr(body, "by", None), getattr(body, "reason", None)
    subject = _subject(path, body)
    act = NewAct(key=caller.actor, by=by, act=op.name, subject=subject, reason=reason, outcome=outcome)
    try:
        await keep(act)
    except MakegoodError as error:
        log.error("an act is not on record, the next line tells it: %s", error)
        log.warning("%s", act)  # it names owners, which an error tracker does not hear


def _subject(path: Mapping[str, str], body: BaseModel | None) -> str:
    """Say to what an act was done, and what of the body tells about it."""
    told = [f"{_THINGS.get(name, name)} {_short(value)}" for name, value in path.items()]
    given = body.model_fields_set if body else set()
    if "scope" in given and "name" in given:
        told.append(f"{_value(body, 'scope')} {_short(_value(body, 'name'))}")
        given = given - {"scope", "name"}
    more = [f"{name} {_short(_value(body, name))}" for name in _TELLING if name in given]
    text = ", ".join(told) + (f" ({', '.join(more)})" if more and told else ", ".join(more))
    return text[:_SUBJECT_MAX]


def _value(body: BaseModel | None, name: str) -> str:
    value = getattr(body, name)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _short(text: str) -> str:
    return text if len(text) <= _VALUE_MAX else text[:_VALUE_MAX] + "…"
