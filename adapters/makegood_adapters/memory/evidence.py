"""What is known about attempts, and whether it is enough for an edge."""

from dataclasses import replace

from makegood.errors import GuardFailed, StoreError, UnknownJob
from makegood.job import FINAL_VERDICTS, Attempt, Evidence, Job, Phase, Verdict
from makegood.machine import Edge, Money, Spec
from makegood_adapters.memory import parked
from makegood_adapters.memory.accounts import accepts
from makegood_adapters.memory.asking import first_pause
from makegood_adapters.memory.tables import AttemptRow, Tables

#: Verdicts that the provider has no part in.
_OURS = frozenset({Verdict.DEADLINE, Verdict.ADMINISTRATOR})


def check(tables: Tables, spec: Spec, job: Job, edge: Edge, given: Evidence | None) -> None:
    """Raise GuardFailed unless enough is known about the current attempt to take *edge*."""
    rule = spec.evidence(edge)
    if rule is None or not (rule.always or job.submitted):
        return
    row = tables.attempts.get((job.id, job.attempt))
    known = set(row.evidence) if row else set()
    if (
        given
        and row
        and (given.job_id, given.attempt) == (job.id, job.attempt)
        and _counts(tables, row, given)
    ):
        known.add(given.verdict)
    if edge.money is Money.POLICY and job.cancel_requested_at is None:
        # What the provider cancelled by itself is a failure, not a cancellation with a price.
        known.discard(Verdict.CANCELLED)
    if not known & rule.verdicts:
        wanted = ", ".join(sorted(v.value for v in rule.verdicts))
        why = f"Attempt {job.attempt} needs evidence that it is one of: {wanted}."
        raise GuardFailed(edge.event, job.state, ["evidence"], why)


def record(tables: Tables, evidence: Evidence) -> Attempt:
    """Keep the evidence and bring its attempt up to it; what contradicts a known end is not kept."""
    row = tables.attempts.get((evidence.job_id, evidence.attempt))
    if row is None:
        raise UnknownJob(evidence.job_id)
    if row.attempt.intent_at is None and evidence.verdict not in _OURS:
        raise StoreError(
            f"Attempt {evidence.attempt} of job {evidence.job_id} was never submitted: the provider cannot "
            f"have said {evidence.verdict.value!r}."
        )
    if evidence.verdict in row.evidence or not _counts(tables, row, evidence):
        return row.attempt
    attempt, now = row.attempt, tables.now()
    if evidence.verdict is Verdict.ACCEPTED:
        if evidence.task_id is None:
            raise ValueError("evidence that a task was accepted names the task")
        phase = Phase.ACCEPTED if row.open else Phase.CLOSED
        task_id = attempt.task_id or evidence.task_id
        row.attempt = replace(attempt, phase=phase, task_id=task_id, accepted_at=now)
        if row.next_ask_at is None or not tables.passed(row.next_ask_at):  # else somebody has hinted at it
            row.next_ask_at = tables.later(first_pause(tables, attempt))
        if row.open:
            accepts(tables, attempt)
    elif evidence.verdict in FINAL_VERDICTS:
        row.attempt = replace(
            attempt,
            phase=Phase.CLOSED,
            closed_at=attempt.closed_at or now,
            verdict=evidence.verdict,
            outputs=evidence.outputs,
            task_id=attempt.task_id or evidence.task_id,
        )
        row.next_fetch_at = now if evidence.verdict is Verdict.SUCCEEDED else None
    if evidence.verdict is Verdict.ACCEPTED:
        tables.refused.pop(tables.jobs[evidence.job_id].job.type, None)
    elif evidence.verdict is Verdict.REJECTED and (type := evidence.detail.get("job_type")):
        tables.refused[type].append(now)
    row.evidence[evidence.verdict] = replace(evidence, at=now)
    if row.attempt.task_id is not None:
        parked.adopt(tables, row.attempt)
    return row.attempt


def _counts(tables: Tables, row: AttemptRow, evidence: Evidence) -> bool:
    """Whether the evidence may stand beside what is known: the first final verdict wins, and a webhook or a
    task that came meanwhile knows better than a count, and than a person who found no task."""
    settled, by_person = row.attempt.verdict, evidence.source == "administrator"
    if settled is None and (
        evidence.source == "count" or (by_person and evidence.verdict is Verdict.REJECTED)
    ):
        return row.attempt.accepted_at is None and not tables.heard_of(row.attempt, unread=by_person)
    return settled is None or evidence.verdict is settled or evidence.verdict not in FINAL_VERDICTS
