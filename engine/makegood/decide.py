"""Decide what an event does to a job: pure, in memory, nothing is touched."""

from typing import NamedTuple

from pydantic import BaseModel

from makegood.errors import GuardFailed, IllegalTransition
from makegood.job import Evidence, Job, Verdict
from makegood.lifecycle import BaseJob, Completion, Failure
from makegood.machine import Edge, Money
from makegood.outcome import JSON


class Decision(NamedTuple):
    """What will happen if the job is still as it was: `settle` is what will be captured."""

    edge: Edge
    settle: int | None = None
    output: JSON | None = None
    error: JSON | None = None
    data: JSON | None = None


def decide(
    job_type: type[BaseJob],
    job: Job,
    event: str,
    payload: BaseModel,
    *,
    evidence: Evidence | None = None,
    ran: bool = False,
) -> Decision:
    """Return the decision for *event*, or raise IllegalTransition or GuardFailed.

    *evidence* is what was learned about the job's attempt; *ran* tells whether the provider had
    begun, which is what a cancellation may be charged for.
    """
    edge = permitted(job_type, job, event, payload)
    if job.draft and edge.dest not in job_type.spec.terminal:
        raise GuardFailed(event, job.state, ["input"], "Its input is not complete yet: prepare it first.")
    _check_attempt(job_type, job, edge, evidence)
    return Decision(
        edge=edge,
        settle=_settle(job_type, job, edge, payload, ran, evidence),
        output=payload.output if isinstance(payload, Completion) else None,
        error=payload.model_dump(mode="json") if isinstance(payload, Failure) else None,
        data=payload.model_dump(mode="json") if job_type.rules.facts[job.state, event].carries_data else None,
    )


def permitted(job_type: type[BaseJob], job: Job, event: str, payload: BaseModel) -> Edge:
    """Return the edge of *event* if table and guards allow it; the attempt is not looked at."""
    edge, unmet = job_type.rules.look_up(job.state, event, job, payload)
    if edge is None:
        raise IllegalTransition(event, job.state, job_type.rules.allowed(job.state))
    if unmet:
        raise GuardFailed(event, job.state, unmet)
    return edge


def _check_attempt(job_type: type[BaseJob], job: Job, edge: Edge, evidence: Evidence | None) -> None:
    facts = job_type.rules.facts[edge.source, edge.event]
    if facts.opens_attempt:
        why = "Only the dispatcher opens attempts, together with their slot."
        raise GuardFailed(edge.event, job.state, ["attempt"], why)
    if evidence is not None and not (
        facts.in_slot and (evidence.job_id, evidence.attempt) == (job.id, job.attempt)
    ):
        why = f"The evidence is about attempt {evidence.attempt}, which is not under way."
        raise GuardFailed(edge.event, job.state, ["evidence"], why)
    rule = facts.evidence
    if rule is None or not (rule.always or job.submitted):
        return
    if evidence is None or evidence.verdict not in rule.verdicts:
        wanted = ", ".join(sorted(v.value for v in rule.verdicts))
        why = f"Attempt {job.attempt} needs evidence that it is one of: {wanted}."
        raise GuardFailed(edge.event, job.state, ["evidence"], why)
    cancelled = evidence.verdict is Verdict.CANCELLED
    if edge.money is Money.POLICY and cancelled and job.cancel_requested_at is None:
        why = "Nobody asked to cancel: what the provider cancelled by itself is a failure."
        raise GuardFailed(edge.event, job.state, ["cancel_requested"], why)


def _settle(
    job_type: type[BaseJob], job: Job, edge: Edge, payload: BaseModel, ran: bool, evidence: Evidence | None
) -> int | None:
    match edge.money:
        case Money.CAPTURE:
            earned = payload.earned if isinstance(payload, Completion) else None
            return job.price if earned is None else min(earned, job.price)
        case Money.RELEASE:
            return 0
        case Money.POLICY:
            # A person who cancels somebody's job has not found it worth its price.
            by_a_person = evidence is not None and evidence.verdict is Verdict.ADMINISTRATOR
            if by_a_person or not job.submitted:
                return 0
            return max(0, min(job_type.cancellation_price(job, ran), job.price))
        case _:
            return None
