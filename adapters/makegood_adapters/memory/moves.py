"""A transition in memory: everything is checked before anything is written."""

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from typing import Any

from makegood.errors import GuardFailed, IllegalTransition
from makegood.job import Job, Phase, Transition
from makegood.machine import Edge, Money, Spec
from makegood.ports import Change
from makegood_adapters.memory import admission, evidence, ledger
from makegood_adapters.memory.tables import JobRow, OutboxRow, Tables


def apply(tables: Tables, change: Change) -> Job | None:
    """Make the transition, or return None if the job has moved; an operation is carried out once."""
    row = tables.jobs.get(change.job.id)
    if row is None or change.operation_id in tables.operations:
        return row.job if row else None
    edge = _checked(tables, row, change)
    return carry_out(tables, row, change, edge) if edge else None


def preview(tables: Tables, change: Change) -> Job | None:
    """Return the job as `apply` would make it, None where that would change nothing."""
    row = tables.jobs.get(change.job.id)
    if row is None or change.operation_id in tables.operations:
        return None
    row = copy(row)  # its place in the queue is not to be touched
    edge = _checked(tables, row, change)
    return _moved(tables, row, change, edge, ledger.settles(row.job, edge, change.settle)) if edge else None


def _checked(tables: Tables, row: JobRow, change: Change) -> Edge | None:
    """Return the edge that may be taken, None when the race is lost; refusals are raised."""
    if not change.is_of(row.job):
        return None
    edge = _edge(row.spec, change)
    if row.spec.opens_attempt(edge):
        why = "Only the dispatcher opens attempts, together with their slot."
        raise GuardFailed(edge.event, row.job.state, ["attempt"], why)
    evidence.check(tables, row.spec, row.job, edge, change.evidence)
    if edge.money is Money.HOLD:
        ledger.check_funds(tables, row.job)
    return edge


def carry_out(tables: Tables, row: JobRow, change: Change, edge: Edge, attempt: int | None = None) -> Job:
    """Write a checked transition with its money and its news; *attempt*: it opens this one."""
    settled = ledger.settles(row.job, edge, change.settle)
    if change.evidence:
        evidence.record(tables, change.evidence)
    # Here the last check has passed.
    if edge.money is Money.HOLD:
        ledger.hold(tables, row.job)
    elif settled is not None:
        ledger.settle(tables, row.job, settled)
    comes = row.queued_at is None
    row.job = _moved(tables, row, change, edge, settled, attempt)
    if comes and row.waits:
        admission.give_place(tables, row)
    elif not comes and not row.waits and row.job.attempt == 0:
        admission.take_place_back(tables, row)
    row.watched_until = None
    _leave_attempt(tables, row)
    announce(tables, row.job, change)
    return row.job


def _moved(
    tables: Tables, row: JobRow, change: Change, edge: Edge, settled: int | None, attempt: int | None = None
) -> Job:
    job, terminal = row.job, row.spec.state[edge.dest].terminal
    if terminal and settled is None:
        settled = job.settled or 0
    return replace(
        job,
        state=edge.dest,
        version=job.version + 1,
        attempt=job.attempt if attempt is None else attempt,
        intent_attempt=job.intent_attempt if attempt is None else None,
        settled=job.settled if settled is None else settled,
        output=job.output if change.output is None else change.output,
        error=change.error,
        data=change.data,
        reruns=job.reruns + _is_rerun(tables, row, edge),
        **_entering(tables, row, edge.dest, change.defer_seconds),
    )


def announce(tables: Tables, job: Job, change: Change, *, first: bool = False) -> None:
    """Write the history line of the transition that has made *job*, and its announcement."""
    transition = Transition(
        job_id=job.id,
        version=job.version,
        operation_id=change.operation_id,
        owner=job.owner,
        type=job.type,
        event=change.event,
        from_state=None if first else change.job.state,
        to_state=job.state,
        actor=change.actor,
        reason=change.reason,
        attempt=job.attempt,
        at=job.entered_at,
    )
    tables.operations.add(change.operation_id)
    tables.history.setdefault(job.id, []).append(transition)
    tables.outbox.append(OutboxRow(len(tables.outbox) + 1, transition))


def _edge(spec: Spec, change: Change) -> Edge:
    for edge in spec.leaving(change.job.state):
        if (edge.event, edge.dest) == (change.event, change.to_state):
            return edge
    allowed = [edge.event for edge in spec.leaving(change.job.state)]
    raise IllegalTransition(change.event, change.job.state, allowed)


def _entering(tables: Tables, row: JobRow, name: str, defer_seconds: float | None) -> Mapping[str, Any]:
    """Return the times of a job that enters the state *name* now."""
    state, now = row.spec.state[name], tables.now()
    if state.terminal:
        return {"entered_at": now, "finished_at": now, "deadline_at": None, "not_before": None}
    deadline_at = tables.later(state.deadline_seconds or 0)
    not_before = None if state.slot else row.job.not_before
    if name in row.spec.waiting:
        # Who comes back keeps the place and the last moment of the queue; who comes, the time it was given.
        row.queued_at = row.queued_at or now
        row.queue_deadline_at = deadline_at = row.queue_deadline_at or deadline_at
        if defer_seconds is not None:
            not_before = tables.later(defer_seconds)
    return {"entered_at": now, "deadline_at": deadline_at, "not_before": not_before}


def _is_rerun(tables: Tables, row: JobRow, edge: Edge) -> bool:
    """Whether the job waits again after the provider had accepted its task."""
    last = tables.current(row)
    back = row.in_slot and edge.dest in row.spec.waiting
    return back and last is not None and last.attempt.accepted_at is not None


def _leave_attempt(tables: Tables, row: JobRow) -> None:
    """Close or drain the attempt of a job that has left the slot states.

    Never sent: it is over at once. Sent, and the job is over: it drains until the provider is known
    to be done. Sent, and the job goes on: whoever proved that it may has said that nothing runs.
    """
    last = tables.current(row)
    if row.in_slot or last is None or not last.open:
        return
    if last.attempt.intent_at is not None and row.job.finished_at is not None:
        seconds = tables.accounts[last.attempt.account].account.draining_seconds
        last.attempt = replace(last.attempt, draining_until=tables.later(seconds))
    else:
        last.attempt = replace(last.attempt, phase=Phase.CLOSED, closed_at=tables.now())
