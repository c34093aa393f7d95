"""A job as a row of its old table: our facts under the page's column names."""

from collections.abc import Mapping, Sequence
from typing import Any

from makegood.engine import Engine
from makegood.job import Job, JobMoney
from makegood.lifecycle import BaseJob
from makegood_adapters.queue_manager.addresses import Addresses
from makegood_adapters.queue_manager.tables import Table

_PUBLIC = frozenset(state.name for state in BaseJob.spec.states)
_MONEY = frozenset({"credits_charged", "credits_refunded"})
# The page shows one result: the first video, else the first image, else the first file.
_VIDEO = frozenset({"mp4", "webm", "mov"})
_IMAGE = frozenset({"png", "jpg", "jpeg", "webp", "gif"})


async def to_row(
    engine: Engine, table: Table, job: Job, columns: Sequence[str], addresses: Addresses
) -> dict[str, Any]:
    """Return the *columns* of the job's row; what we do not keep or do not show is null.

    The provider's names of task and account are not shown. `task_id` is our own reference once the
    job has left `pending`: the page only looks whether there is one, and then leaves the job alone.
    """
    state = status(job)
    money = await engine.money(job.id) if _MONEY & set(columns) else JobMoney()
    waits = "position" in columns and state == BaseJob.queued.name
    row: dict[str, Any] = {
        "id": str(job.id),
        "user_id": job.owner,
        "status": state,
        "task_id": None if state == BaseJob.pending.name else str(job.id),
        "position": await engine.position(job.id) if waits else 0,
        "created_at": job.created_at.isoformat(),
        "completed_at": job.finished_at.isoformat() if job.finished_at else None,
        "output_url": _output_url(job, addresses),
        "error_message": _error_message(job),
        "user_credit_cost": job.price,
        "credits_charged": money != JobMoney(),
        "credits_refunded": money.released > 0,
        "current_step": job.state,
        "step_history": [],
        **{column: job.input.get(name) for column, name in table.columns.items()},
    }
    return {column: row.get(column) for column in columns}


def status(job: Job) -> str:
    """Return one of the seven states that the page knows; states that a type adds are `running`."""
    if job.state in _PUBLIC:
        return job.state
    if job.finished_at is None:
        return BaseJob.running.name
    return BaseJob.failed.name if job.output is None else BaseJob.completed.name


def _output_url(job: Job, addresses: Addresses) -> str | None:
    files: Sequence[Mapping[str, Any]] = (job.output or {}).get("files", ())
    for kinds in (_VIDEO, _IMAGE):
        for number, file in enumerate(files):
            if file.get("kind") in kinds:
                return addresses.of_result(job, number)
    return addresses.of_result(job, 0) if files else None


def _error_message(job: Job) -> str | None:
    """Return the reason of a failure; what a page wrote about it is kept, not shown as our word.

    Anybody may send such a text, and the existing pages promise refunds in it.
    """
    error = job.error or {}
    if error.get("category") == "client_report":
        return "The page reported that the job failed before it was submitted."
    message = error.get("message")
    return message if isinstance(message, str) else None
