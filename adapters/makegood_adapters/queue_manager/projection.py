"""A job as a row of its old table: our facts under the page's column names."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from makegood.engine import Engine
from makegood.job import Job, JobMoney, Transition
from makegood.lifecycle import BaseJob
from makegood_adapters.queue_manager.addresses import Addresses
from makegood_adapters.queue_manager.former import as_it_was
from makegood_adapters.queue_manager.tables import Table
from makegood_adapters.queue_manager.wording import told

#: The step of a row whose page brings a file: seeing one, the page is patient with it.
UPLOADING = "uploading"
# Less than this is no file, but the time that the insert took.
_SECONDS = 0.5
_PUBLIC = frozenset(state.name for state in BaseJob.spec.states)
_MONEY = frozenset({"credits_charged", "credits_refunded", "error_message"})
_HISTORY = frozenset(
    {"started_at", "waited_in_queue", "queue_wait_seconds", "step_history", "failed_at_step"}
)
# The page shows one result: the first video, else the first image, else the first file.
_VIDEO = frozenset({"mp4", "webm", "mov"})
_IMAGE = frozenset({"png", "jpg", "jpeg", "webp", "gif"})


async def to_row(
    engine: Engine, table: Table, job: Job, columns: Sequence[str], addresses: Addresses
) -> dict[str, Any]:
    """Return the *columns* of the job's row; what we do not keep or do not show is null.

    The provider's names of task and account, its bodies and its costs are not shown. `task_id` is our own
    reference once the job has left `pending`: the page only looks whether there is one, and then leaves the
    job alone.
    """
    state, wanted = status(job), set(columns)
    money = await engine.money(job.id) if _MONEY & wanted else JobMoney()
    steps = await engine.history(job.id) if _HISTORY & wanted else []
    waits = "position" in wanted and state == BaseJob.queued.name
    row: dict[str, Any] = {
        **_own(table, job),
        "id": str(job.id),
        "user_id": job.owner,
        "session_id": job.session,
        "status": state,
        "task_id": None if state == BaseJob.pending.name else str(job.id),
        "position": await engine.position(job.id) if waits else 0,
        "created_at": _time(job.created_at),
        "completed_at": _time(job.finished_at),
        "output_url": _output_url(job, addresses),
        "error_message": told(job, money),
        "user_credit_cost": None if job.draft else job.price,
        "credits_charged": bool(money.held or money.captured or money.released),
        "credits_refunded": money.released > 0,
        "job_payload": None if job.draft else dict(job.input),
        "current_step": UPLOADING if _comes(engine, job) else state,
        **_way(job, steps),
        **as_it_was(job),
    }
    return {column: row.get(column) for column in columns}


def status(job: Job) -> str:
    """Return one of the seven states that the page knows; states that a type adds are `running`."""
    if job.state in _PUBLIC:
        return job.state
    if job.finished_at is None:
        return BaseJob.running.name
    return BaseJob.failed.name if job.output is None else BaseJob.completed.name


def _comes(engine: Engine, job: Job) -> bool:
    """Return whether files of the owner have come since the row was inserted: its end was put off then."""
    job_type = engine.catalog.of(job) if job.draft and job.deadline_at else None
    patience = job_type.spec.state[job.state].deadline_seconds if job_type else None
    if patience is None or job.deadline_at is None:
        return False
    return (job.deadline_at - job.created_at).total_seconds() > patience + _SECONDS


def _own(table: Table, job: Job) -> dict[str, Any]:
    """Return what stands in the columns of this tool: as the page has written it, else as the job has it."""
    tool = table.tool(job.type)
    if tool is None:
        return dict(job.metadata)
    asked = {column: job.input.get(name) for column, name in tool.columns.items()}
    return {**tool.fixed, **asked, **job.metadata}


def _way(job: Job, steps: Sequence[Transition]) -> dict[str, Any]:
    """Return what the job's history says in the page's words. A job that is only there has made no step."""
    began = next((step.at for step in steps if step.to_state == BaseJob.starting.name), None)
    came = next((step.at for step in steps if step.to_state == BaseJob.queued.name), None)
    waited = int(((began or job.finished_at or came) - came).total_seconds()) if came and steps else None
    failed = steps[-1] if steps and status(job) == BaseJob.failed.name else None
    return {
        "started_at": _time(began),
        "waited_in_queue": bool(waited),
        "queue_wait_seconds": waited,
        "step_history": [_step(step) for step in steps if step.from_state is not None],
        "failed_at_step": failed.from_state if failed else None,
    }


def _step(step: Transition) -> dict[str, Any]:
    again = step.to_state == BaseJob.queued.name and step.from_state == BaseJob.running.name
    return {"step": "auto_retry" if again else step.to_state, "timestamp": _time(step.at)}


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _output_url(job: Job, addresses: Addresses) -> str | None:
    if job.finished_at is None:
        return None
    output: object = job.output  # of a job that another program has ended it may be any JSON
    files = output.get("files") if isinstance(output, Mapping) else None
    if not isinstance(files, (list, tuple)) or not files:
        return None
    kinds = [file.get("kind") if isinstance(file, Mapping) else None for file in files]
    best = next((n for wanted in (_VIDEO, _IMAGE) for n, kind in enumerate(kinds) if kind in wanted), 0)
    return addresses.of_result(job, best)
