"""What differs between two machines is told by what it is about, with what it means for jobs under way."""

from dataclasses import replace
from datetime import timedelta

import pytest

from makegood import BaseJob, Event, Failure, Job, Machine, Money, Obligation, State
from makegood.lifecycle import Completion
from makegood.machine import Spec
from makegood.machine.diff import Difference, diff
from tests.engine.machines import SPECS

DAY = timedelta(days=1)


class Film(BaseJob):
    """The first version."""

    cutting = State(deadline=DAY)
    grading = State(deadline=DAY, label="colours")
    deliver = Event(BaseJob.running >> cutting)
    grade = Event(cutting >> grading)
    approve = Event(grading >> BaseJob.completed, money=Money.CAPTURE)
    decline = Event((cutting | grading) >> BaseJob.failed, money=Money.RELEASE)


def told(difference: Difference, section: str) -> list[str]:
    return [str(change) for change in difference.sections.get(section, [])]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_machine_does_not_differ_from_itself(spec: Spec) -> None:
    found = diff(spec, replace(spec))
    assert not found
    assert (found.sections, found.needs_new_version, found.for_live_jobs) == ({}, False, [])


def test_states_that_are_gone_keep_their_jobs_on_the_old_version() -> None:
    class Shorter(BaseJob):
        name, version = "film", 2
        cutting = State(deadline=DAY)
        deliver = Event(BaseJob.running >> cutting)
        approve = Event(cutting >> BaseJob.completed, money=Money.CAPTURE)
        decline = Event(cutting >> BaseJob.failed, money=Money.RELEASE)

    found = diff(Film.spec, Shorter.spec)
    assert told(found, "states") == ["- state 'grading': waiting"]
    assert told(found, "edges") == [
        "- 'grade' from 'cutting': grading",
        "- 'approve' from 'grading': completed, capture",
        "- 'decline' from 'grading': failed, release",
        "+ 'approve' from 'cutting': completed, capture",
    ]
    assert told(found, "words") == ["~ version: 1 -> 2"]
    assert found.needs_new_version
    assert found.for_live_jobs == [
        "1 state gone (grading): jobs in them keep version 1",
        "jobs under way keep the rules of version 1 to their end",
    ]


def test_the_same_version_with_other_rules_is_told_to_be_refused() -> None:
    class Changed(BaseJob, drop=[(BaseJob.cancel, BaseJob.running)]):
        name = "base_job"

    found = diff(BaseJob.spec, Changed.spec)
    assert told(found, "edges") == ["- 'cancel' from 'running': cancelled, policy"]
    assert found.for_live_jobs[-1] == (
        "under version 1 a store that knows the old rules refuses the new ones: raise the version"
    )


def test_deadlines_need_no_new_version() -> None:
    hasty = BaseJob.with_deadlines({"queued": timedelta(seconds=5)})
    found = diff(BaseJob.spec, hasty.spec)
    assert told(found, "deadlines") == ["~ state 'queued': 21600 s -> 5 s"]
    assert [*found.sections] == ["deadlines"]
    assert not found.needs_new_version
    assert found.for_live_jobs == ["a changed deadline holds for each job from the next state that it enters"]


def test_money_and_slots_change_the_evidence() -> None:
    class Kept(Film):
        name = "film"
        cutting = State(slot=True, deadline=DAY)
        cancel = Event(
            (BaseJob.pending >> BaseJob.cancelled)
            | ((BaseJob.queued | BaseJob.starting | BaseJob.running) >> BaseJob.cancelled).with_money(
                Money.RELEASE
            )
        )

    found = diff(Film.spec, Kept.spec)
    assert told(found, "slots") == ["~ state 'cutting': no slot -> slot"]
    assert told(found, "money") == [
        "~ 'cancel' from 'starting': policy -> release",
        "~ 'cancel' from 'running': policy -> release",
    ]
    evidence = told(found, "evidence")
    assert "~ 'deliver' from 'running': succeeded -> accepted, succeeded" in evidence
    assert "~ 'grade' from 'cutting': no evidence -> succeeded" in evidence
    assert any(change.startswith("~ 'cancel' from 'running': ") for change in evidence)
    assert found.needs_new_version


def test_a_destination_and_a_kind_change() -> None:
    class Turned(Film):
        name = "film"
        deliver = Event(BaseJob.running >> Film.grading)
        grade = Event(Film.grading >> Film.cutting)
        approve = Event(Film.cutting >> BaseJob.completed, money=Money.CAPTURE)

    found = diff(Film.spec, Turned.spec)
    assert "~ 'deliver' from 'running': cutting -> grading" in told(found, "edges")

    class Late(BaseJob):
        name = "base_job"
        starting = State(slot=True, deadline=DAY)

    late = replace(Late.spec, states=tuple(replace(s, initial=s.name == "queued") for s in Late.spec.states))
    assert told(diff(Late.spec, late), "states") == [
        "~ state 'pending': initial -> waiting",
        "~ state 'queued': waiting -> initial",
    ]


def test_order_alone_is_a_rule_because_the_first_way_out_ends_a_job() -> None:
    class Two(Machine):
        name = "sale"
        new = State(initial=True, deadline=DAY)
        one, two = State(final=True), State(final=True)
        left = Event(new >> one)
        right = Event(new >> two)

    turned = replace(Two.spec, edges=Two.spec.edges[::-1])
    found = diff(Two.spec, turned)
    assert told(found, "order") == ["~ the order of the edges: as before -> another"]
    assert told(found, "deadlines") == ["~ state 'new', taken at its deadline: left to one -> right to two"]
    assert found.needs_new_version


def test_words_and_obligations_are_told_and_need_no_version() -> None:
    class Owing(BaseJob):
        name = "base_job"
        queued = State(deadline=BaseJob.queued.deadline, label="in line", public="pending")
        rerun = Event(BaseJob.running >> BaseJob.queued, Failure, permission="jobs:rerun")
        obligations = (
            Obligation(
                "task",
                BaseJob.begin,
                [
                    (e, BaseJob.running)
                    for e in (BaseJob.rerun, BaseJob.complete, BaseJob.fail, BaseJob.cancel)
                ],
            ),
        )

    found = diff(BaseJob.spec, Owing.spec)
    assert told(found, "words") == [
        "~ label of 'queued': waiting for a slot -> in line",
        "~ public of 'queued': queued -> pending",
        "~ permission of 'rerun' from 'running': none -> jobs:rerun",
    ]
    assert told(found, "obligations") == [
        "+ obligation 'task': begin -> rerun@running, complete@running, fail@running, cancel@running"
    ]
    assert not found.needs_new_version


def test_another_name_is_another_type() -> None:
    found = diff(BaseJob.spec, Film.spec)
    assert not found.needs_new_version
    assert found.for_live_jobs == ["another job type: jobs of 'base_job' are not concerned"]


def test_a_version_that_was_not_needed_is_told() -> None:
    found = diff(BaseJob.spec, replace(BaseJob.spec, version=2))
    assert found.for_live_jobs == ["the rules are the same: a new version was not needed"]


def test_what_the_engine_reads_of_a_class_is_no_difference() -> None:
    class Guarded(BaseJob):
        name = "base_job"
        complete = Event(
            (BaseJob.starting | BaseJob.running) >> BaseJob.completed, Completion, money=Money.CAPTURE
        )

    @Guarded.accept.guard
    def is_paid(job: Job, _: object) -> bool:
        return job.price > 0

    assert not diff(BaseJob.spec, Guarded.spec)
