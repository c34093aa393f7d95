"""Decisions: every state with every event, every verdict, and every amount that may be settled."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from pydantic import BaseModel

from makegood import (
    BaseJob,
    Completion,
    Empty,
    Event,
    Evidence,
    Failure,
    GuardFailed,
    IllegalTransition,
    Job,
    Money,
    Verdict,
)
from makegood.decide import decide
from tests.engine.world import PRICE, a_job

STATES = ("pending", "queued", "starting", "running", "completed", "failed", "cancelled")
EVENTS = ("accept", "refuse", "dispatch", "defer", "begin", "rerun", "complete", "fail", "cancel")

# What decides about each pair, in the order of EVENTS:
#   .       there is no such edge
#   yes     allowed, nothing is asked about an attempt
#   slot    only the dispatcher, which opens the attempt, takes it
#   always  allowed with fitting evidence about the attempt
#   sent    the same once the attempt was submitted; before that nothing is asked
TABLE = {
    "pending":   "yes yes .    .    .      .    .      .    yes",
    "queued":    ".   .   slot .    .      .    .      yes  yes",
    "starting":  ".   .   .    sent always .    always sent sent",
    "running":   ".   .   .    .    .      sent always sent sent",
    "completed": ".   .   .    .    .      .    .      .    .",
    "failed":    ".   .   .    .    .      .    .      .    .",
    "cancelled": ".   .   .    .    .      .    .      .    .",
}  # fmt: skip
FITTING = {
    "defer": {"rejected", "failed", "absent"},
    "begin": {"accepted", "succeeded"},
    "rerun": {"rejected", "failed", "absent"},
    "complete": {"succeeded", "administrator"},
    "fail": {"rejected", "failed", "absent", "cancelled", "deadline", "administrator"},
    "cancel": {"cancelled", "rejected", "absent", "administrator"},
}
PAYLOADS: dict[str, BaseModel] = {
    "refuse": Failure(),
    "rerun": Failure(),
    "fail": Failure(),
    "complete": Completion(),
}
PAIRS = [
    (state, event, rule) for state in STATES for event, rule in zip(EVENTS, TABLE[state].split(), strict=True)
]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def fact(job: Job, verdict: Verdict) -> Evidence:
    return Evidence(job_id=job.id, attempt=job.attempt, verdict=verdict, source="test")


def outcome(job: Job, event: str, evidence: Evidence | None = None) -> str:
    """Return the state to which the event leads, or what holds it back."""
    try:
        return decide(BaseJob, job, event, PAYLOADS.get(event, Empty()), evidence=evidence).edge.dest
    except IllegalTransition:
        return "illegal"
    except GuardFailed as refused:
        return " ".join(refused.unmet)


def reached(state: str, event: str) -> str:
    """Return where the event leads from the state, by the names of things."""
    ends = {"refuse": "failed", "fail": "failed", "cancel": "cancelled", "complete": "completed"}
    ways = {"accept": "queued", "defer": "queued", "rerun": "queued", "begin": "running"}
    return (ends | ways)[event]


def test_the_table_covers_the_base_machine() -> None:
    assert (tuple(BaseJob.spec.state), BaseJob.spec.events) == (STATES, EVENTS)
    assert len(PAIRS) == 63
    assert sum(rule != "." for *_, rule in PAIRS) == len(BaseJob.spec.edges) == 15


@pytest.mark.parametrize("submitted", [False, True], ids=["never submitted", "submitted"])
@pytest.mark.parametrize(("state", "event", "rule"), PAIRS, ids=[f"{s}-{e}" for s, e, _ in PAIRS])
def test_every_event_in_every_state(state: str, event: str, rule: str, submitted: bool) -> None:
    job = a_job(state, intent_attempt=1 if submitted else None, cancel_requested_at=NOW)
    without = outcome(job, event)
    with_each = {verdict: outcome(job, event, fact(job, verdict)) for verdict in Verdict}
    match rule:
        case ".":
            assert {without, *with_each.values()} == {"illegal"}
        case "slot":
            assert {without, *with_each.values()} == {"attempt"}
        case "yes":
            # Where no attempt is under way, evidence about one is a mistake.
            assert without == reached(state, event)
            assert set(with_each.values()) == {"evidence"}
        case "sent" if not submitted:
            assert {without, *with_each.values()} == {reached(state, event)}
        case _:
            assert without == "evidence"
            passed = {verdict.value for verdict, told in with_each.items() if told == reached(state, event)}
            held = {told for verdict, told in with_each.items() if verdict.value not in passed}
            assert (passed, held) == (FITTING[event], {"evidence"})


@pytest.mark.parametrize("other", [{"attempt": 2}, {"attempt": 0}, {"job_id": uuid4()}])
@pytest.mark.parametrize(
    ("state", "event", "verdict"),
    [
        ("starting", "begin", Verdict.ACCEPTED),
        ("running", "complete", Verdict.SUCCEEDED),
        ("running", "fail", Verdict.FAILED),
        ("running", "cancel", Verdict.CANCELLED),
        ("starting", "defer", Verdict.REJECTED),
        ("running", "rerun", Verdict.FAILED),
    ],
)
def test_evidence_of_one_attempt_does_not_move_another(
    state: str, event: str, verdict: Verdict, other: dict[str, Any]
) -> None:
    job = a_job(state, intent_attempt=1, cancel_requested_at=NOW)
    assert outcome(job, event, fact(job, verdict)) == reached(state, event)
    assert outcome(job, event, replace(fact(job, verdict), **other)) == "evidence"


def test_a_cancel_that_nobody_asked_for_is_no_cancellation() -> None:
    job = a_job("running", intent_attempt=1)
    assert outcome(job, "cancel", fact(job, Verdict.CANCELLED)) == "cancel_requested"
    assert outcome(job, "cancel", fact(job, Verdict.ABSENT)) == "cancelled"
    assert outcome(job, "fail", fact(job, Verdict.CANCELLED)) == "failed"


@pytest.mark.parametrize(("reruns", "told"), [(0, "queued"), (1, "queued"), (2, "attempts_left")])
def test_the_provider_is_tried_as_often_as_the_type_says(reruns: int, told: str) -> None:
    job = a_job("running", intent_attempt=1, reruns=reruns, attempts_max=3)
    assert outcome(job, "rerun", fact(job, Verdict.FAILED)) == told


def test_p4_waiting_is_not_a_try() -> None:
    job = a_job("running", attempt=20, intent_attempt=20, reruns=0, attempts_max=3)
    assert outcome(job, "rerun", fact(job, Verdict.FAILED)) == "queued"


@pytest.mark.parametrize("state", STATES)
def test_a_refusal_lists_what_is_allowed(state: str) -> None:
    with pytest.raises(IllegalTransition) as refused:
        decide(BaseJob, a_job(state), "no_such_event", Empty())
    allowed = {event for s, event, rule in PAIRS if s == state and rule != "."}
    assert (set(refused.value.allowed), refused.value.state) == (allowed, state)
    assert all(event in str(refused.value) for event in allowed)


class Halved(BaseJob):
    """Says what a cancelled run costs, and says it wrongly for free jobs."""

    @classmethod
    def cancellation_price(cls, job: Job, ran: bool) -> int:
        return job.price // 2 if ran else -7


class Greedy(BaseJob):
    @classmethod
    def cancellation_price(cls, job: Job, ran: bool) -> int:
        return job.price * 3


def settled(
    event: str, payload: BaseModel, verdict: Verdict, job_type: type[BaseJob] = BaseJob, **given: Any
) -> int | None:
    ran = given.pop("ran", False)
    job = a_job("running", **{"intent_attempt": 1, "cancel_requested_at": NOW, **given})
    return decide(job_type, job, event, payload, evidence=fact(job, verdict), ran=ran).settle


@pytest.mark.parametrize(
    ("earned", "captured"),
    [
        (None, PRICE),
        (0, 0),
        (1, 1),
        (PRICE - 1, PRICE - 1),
        (PRICE, PRICE),
        (PRICE + 1, PRICE),
        (10**9, PRICE),
    ],
)
def test_a_result_costs_what_it_earned_and_never_more_than_the_price(
    earned: int | None, captured: int
) -> None:
    assert settled("complete", Completion(earned=earned), Verdict.SUCCEEDED) == captured


@pytest.mark.parametrize(
    "verdict", [Verdict.FAILED, Verdict.DEADLINE, Verdict.CANCELLED, Verdict.ADMINISTRATOR]
)
def test_a_failure_costs_nothing_whatever_it_was(verdict: Verdict) -> None:
    assert settled("fail", Failure(), verdict, ran=True) == 0


@pytest.mark.parametrize(
    ("job_type", "ran", "captured"),
    [
        (BaseJob, True, PRICE),
        (BaseJob, False, 0),
        (Halved, True, PRICE // 2),
        (Halved, False, 0),
        (Greedy, True, PRICE),
        (Greedy, False, PRICE),
    ],
)
def test_a_cancelled_run_costs_what_its_type_says_within_the_price(
    job_type: type[BaseJob], ran: bool, captured: int
) -> None:
    assert settled("cancel", Empty(), Verdict.CANCELLED, job_type, ran=ran) == captured


@pytest.mark.parametrize("job_type", [BaseJob, Halved, Greedy])
def test_a_cancelled_job_that_was_never_submitted_costs_nothing(job_type: type[BaseJob]) -> None:
    assert settled("cancel", Empty(), Verdict.ABSENT, job_type, intent_attempt=None, ran=True) == 0


@pytest.mark.parametrize(
    ("state", "event", "verdict"),
    [
        ("pending", "accept", None),
        ("pending", "refuse", None),
        ("pending", "cancel", None),
        ("starting", "begin", Verdict.ACCEPTED),
        ("starting", "defer", Verdict.REJECTED),
        ("running", "rerun", Verdict.FAILED),
    ],
)
def test_an_edge_that_settles_nothing_has_no_amount(state: str, event: str, verdict: Verdict | None) -> None:
    job = a_job(state, intent_attempt=1)
    evidence = fact(job, verdict) if verdict else None
    assert decide(BaseJob, job, event, PAYLOADS.get(event, Empty()), evidence=evidence).settle is None


def test_a_decision_carries_the_result_or_the_reason() -> None:
    job = a_job("running", intent_attempt=1)
    done = decide(
        BaseJob, job, "complete", Completion(output={"files": 1}), evidence=fact(job, Verdict.SUCCEEDED)
    )
    assert (done.output, done.error) == ({"files": 1}, None)
    failure = Failure(category="provider", message="No.", detail={"code": 7})
    lost = decide(BaseJob, job, "fail", failure, evidence=fact(job, Verdict.FAILED))
    assert lost.output is None
    assert lost.error == {"category": "provider", "message": "No.", "detail": {"code": 7}}


def test_a_decision_changes_nothing() -> None:
    job = a_job("running", intent_attempt=1)
    before = replace(job)
    decide(BaseJob, job, "fail", Failure(), evidence=fact(job, Verdict.FAILED))
    assert job == before


def test_guards_of_a_type_hold_its_events_back_before_the_attempt_is_looked_at() -> None:
    class Guarded(BaseJob):
        give = Event(BaseJob.queued >> BaseJob.completed, Completion, money=Money.CAPTURE)

    @Guarded.give.guard
    def is_cheap(job: Job, _: Completion) -> bool:
        return job.price < PRICE

    with pytest.raises(GuardFailed) as refused:
        decide(Guarded, a_job("queued"), "give", Completion())
    assert refused.value.unmet == ("is_cheap",)
    assert decide(Guarded, a_job("queued", price=1), "give", Completion()).settle == 1
