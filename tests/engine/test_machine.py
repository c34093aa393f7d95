"""Machines: inheritance, hooks of one type, and two engines that agree on every state and event."""

from datetime import timedelta

import pytest
import transitions

from makegood import BaseJob, DeclarationError, Empty, Event, Failure, Job, Machine, Money, State, Transition
from makegood.machine import Arrow
from tests.engine.world import a_job, moved

DAY = timedelta(days=1)


class Video(BaseJob):
    """More states than the base, a second guard, an edge less and an event declared anew."""

    uploading = State(deadline=DAY)
    awaiting_review = State(deadline=DAY)
    upload = Event(BaseJob.pending >> uploading)
    accept = Event((BaseJob.pending | uploading) >> BaseJob.queued, money=Money.HOLD)
    refuse = Event((BaseJob.pending | uploading) >> BaseJob.failed, Failure)
    deliver = Event(BaseJob.running >> awaiting_review)
    approve = Event(awaiting_review >> BaseJob.completed, money=Money.CAPTURE)
    decline = Event(awaiting_review >> BaseJob.failed, money=Money.RELEASE)


class Film(Video, drop=[(Video.cancel, BaseJob.running)]):
    """A film that runs can no longer be cancelled."""


@Video.approve.guard
def small(job: Job, _: Empty) -> bool:
    return job.price < 50


@Video.approve.guard
def urgent(job: Job, _: Empty) -> bool:
    return job.priority > 0


JOBS = [
    a_job(price=price, priority=priority, reruns=reruns)
    for price, priority, reruns in [(10, 1, 0), (10, 0, 2), (100, 1, 0), (100, 0, 2)]
]


class TestInheritance:
    def test_a_class_without_a_word_is_its_base_under_another_name(self) -> None:
        class Same(BaseJob):
            pass

        assert (Same.spec.states, Same.spec.edges) == (BaseJob.spec.states, BaseJob.spec.edges)
        assert (Same.name, Same.spec.name, Same.version) == ("same", "same", 1)

    def test_a_name_and_a_version_are_what_the_class_says(self) -> None:
        class SomeThing(BaseJob):
            name = "thing"
            version = 3

        class OtherThing(SomeThing):
            pass

        assert (SomeThing.spec.name, SomeThing.spec.version) == ("thing", 3)
        assert OtherThing.spec.name == "other_thing"

    def test_a_subclass_adds_states_and_events(self) -> None:
        assert set(Video.spec.state) - set(BaseJob.spec.state) == {"uploading", "awaiting_review"}
        assert set(Video.spec.events) - set(BaseJob.spec.events) == {
            "upload",
            "deliver",
            "approve",
            "decline",
        }
        assert Video.rules.table["uploading", "accept"].dest == "queued"

    def test_what_a_subclass_declares_leaves_its_base_alone(self) -> None:
        assert "uploading" not in BaseJob.spec.state
        assert ("uploading", "accept") not in BaseJob.rules.table
        assert len(BaseJob.spec.edges) == 15

    def test_an_event_declared_anew_has_only_its_new_edges(self) -> None:
        class Impatient(BaseJob):
            cancel = Event((BaseJob.queued >> BaseJob.cancelled), money=Money.RELEASE)

        assert [e.source for e in Impatient.spec.edges if e.event == "cancel"] == ["queued"]

    def test_a_state_declared_anew_has_only_its_new_settings(self) -> None:
        class Patient(BaseJob):
            queued = State(deadline=DAY, label="in line")

        assert Patient.spec.state["queued"].deadline_seconds == DAY.total_seconds()
        assert Patient.spec.state["queued"].label == "in line"
        assert Patient.spec.edges == BaseJob.spec.edges

    def test_a_dropped_edge_is_gone_and_its_event_stays(self) -> None:
        assert ("running", "cancel") not in Film.rules.table
        assert ("running", "cancel") in Video.rules.table
        assert ("starting", "cancel") in Film.rules.table

    def test_a_dropped_edge_stays_dropped_in_subclasses(self) -> None:
        class Short(Film):
            pass

        assert Short.spec.edges == Film.spec.edges

    def test_guards_are_inherited_and_those_of_a_subclass_are_its_own(self) -> None:
        class Strict(Video):
            pass

        @Strict.approve.guard
        def never(_: Job, __: Empty) -> bool:
            return False

        job = JOBS[0]
        assert Strict.rules.look_up("awaiting_review", "approve", job, Empty())[1] == ["never"]
        assert Video.rules.look_up("awaiting_review", "approve", job, Empty())[1] == []
        strict = Strict.rules.look_up("awaiting_review", "approve", JOBS[3], Empty())
        assert strict[1] == ["small", "urgent", "never"]

    def test_other_deadlines_change_neither_rules_nor_name(self) -> None:
        hasty = Video.with_deadlines({"queued": timedelta(seconds=5)})
        assert hasty.spec.state["queued"].deadline_seconds == 5
        assert (hasty.name, hasty.spec.digest) == (Video.name, Video.spec.digest)

    @pytest.mark.parametrize("state", ["failed", "nowhere"])
    def test_a_state_without_a_deadline_gets_none(self, state: str) -> None:
        with pytest.raises(DeclarationError, match=state):
            Video.with_deadlines({state: DAY})

    def test_arrows_keep_the_money_of_each_move(self) -> None:
        assert {e.source: e.money for e in BaseJob.spec.edges if e.event == "cancel"} == {
            "pending": Money.NONE,
            "queued": Money.RELEASE,
            "starting": Money.POLICY,
            "running": Money.POLICY,
        }

    def test_sources_can_be_joined(self) -> None:
        arrow = (BaseJob.pending | BaseJob.queued | BaseJob.running) >> BaseJob.failed
        assert isinstance(arrow, Arrow)
        assert [source.name for source, _, _ in arrow.moves] == ["pending", "queued", "running"]


class TestHooks:
    """Hooks are looked at through `Type.hooks`, which is what the relay asks."""

    def test_a_hook_of_one_type_is_not_called_for_its_base_or_its_siblings(self) -> None:
        class Mine(BaseJob):
            pass

        class Other(BaseJob):
            pass

        @Mine.failed.on_enter
        async def refunded(_: Transition) -> None: ...

        @Mine.complete.after_commit
        async def delivered(_: Transition) -> None: ...

        assert hooked(Mine, "fail", "failed") == [refunded]
        assert hooked(Mine, "complete", "completed") == [delivered]
        for other in (BaseJob, Other):
            assert hooked(other, "fail", "failed") == hooked(other, "complete", "completed") == []

    def test_a_hook_of_a_base_is_called_for_its_subclasses_also_when_it_comes_later(self) -> None:
        class House(BaseJob):
            pass

        class Room(House):
            pass

        @House.failed.on_enter
        async def first(_: Transition) -> None: ...

        @Room.failed.on_enter
        async def second(_: Transition) -> None: ...

        assert hooked(Room, "fail", "failed") == [first, second]
        assert hooked(House, "fail", "failed") == [first]

    def test_a_hook_of_a_base_is_called_for_a_state_with_another_deadline(self) -> None:
        class House(BaseJob):
            pass

        @House.queued.on_enter
        async def waits(_: Transition) -> None: ...

        class Room(House):
            queued = State(deadline=DAY)

        assert hooked(Room, "accept", "queued") == [waits]
        assert hooked(House.with_deadlines({"queued": DAY}), "accept", "queued") == [waits]

    def test_event_hooks_come_before_state_hooks(self) -> None:
        class Mine(BaseJob):
            pass

        @Mine.failed.on_enter
        async def entered(_: Transition) -> None: ...

        @Mine.fail.after_commit
        async def fired(_: Transition) -> None: ...

        assert hooked(Mine, "fail", "failed") == [fired, entered]
        assert hooked(Mine, "refuse", "failed") == [entered]

    def test_every_hook_of_a_transition_has_a_key_of_its_own(self) -> None:
        class Mine(BaseJob):
            pass

        def hook() -> None:
            @Mine.fail.after_commit
            @Mine.failed.on_enter
            async def tell(_: Transition) -> None: ...

        hook()
        hook()
        hooks = Mine.hooks(moved("fail", "failed", Mine))
        assert len({key for key, _ in hooks}) == len(hooks) == 4

    def test_a_transition_of_rules_that_are_gone_has_no_hooks(self) -> None:
        assert Video.hooks(moved("submit", "pending", Video)) == []
        assert Video.hooks(moved("no_such_event", "no_such_state", Video)) == []


def hooked(job_type: type[BaseJob], event: str, state: str) -> list[object]:
    return [hook for _, hook in job_type.hooks(moved(event, state, job_type))]


class TestRuleBook:
    @pytest.mark.parametrize("job_type", [BaseJob, Video, Film])
    def test_a_type_has_a_real_machine_of_transitions(self, job_type: type[BaseJob]) -> None:
        machine = job_type.machine()
        assert isinstance(machine, transitions.Machine)
        assert list(machine.states) == list(job_type.spec.state)
        assert set(machine.events) == set(job_type.spec.events)
        assert machine.initial == "pending"
        assert machine.models == []
        assert {name for name, state in machine.states.items() if state.final} == job_type.spec.terminal

    @pytest.mark.parametrize("job_type", [BaseJob, Video, Film])
    def test_the_table_allows_what_the_machine_allows(self, job_type: type[BaseJob]) -> None:
        for state in job_type.spec.state:
            assert set(job_type.machine().get_triggers(state)) == set(job_type.rules.allowed(state))

    @pytest.mark.parametrize("job_type", [BaseJob, Video, Film])
    def test_both_give_one_answer_for_every_state_and_event(self, job_type: type[BaseJob]) -> None:
        """With guards met, guards unmet, and with names that the machine does not know."""
        rules, answers = job_type.rules, []
        for state in [*job_type.spec.state, "no_such_state"]:
            for event in [*job_type.spec.events, "no_such_event"]:
                for job in JOBS:
                    payload = Failure() if event == "rerun" else Empty()
                    asked = state, event, job, payload
                    assert rules.look_up(*asked) == rules.consult(*asked), asked
                    answers.append(rules.look_up(*asked))
        edges = {edge for edge, _ in answers if edge}
        assert edges == set(job_type.spec.edges)
        assert any(unmet for _, unmet in answers)

    def test_guards_are_named_when_they_say_no(self) -> None:
        for rules in (Video.rules.look_up, Video.rules.consult):
            assert [rules("awaiting_review", "approve", job, Empty())[1] for job in JOBS] == [
                [],
                ["urgent"],
                ["small"],
                ["small", "urgent"],
            ]

    def test_the_machine_itself_refuses_what_a_guard_holds_back(self) -> None:
        class Asked:
            """What a rule needs to see of a job; a model of `transitions` is not needed."""

            def __init__(self, job: Job) -> None:
                self.state, self.job, self.payload = "awaiting_review", job, Empty()
                self.edge: object = None

        asked = [Asked(job) for job in JOBS]
        told = [Video.machine().events["approve"].trigger(each) for each in asked]
        assert told == [True, False, False, False]
        assert [each.edge for each in asked] == [
            Video.rules.table["awaiting_review", "approve"],
            None,
            None,
            None,
        ]

    def test_asking_the_machine_leaves_nothing_behind(self) -> None:
        before = {name: dict(event.transitions) for name, event in Video.machine().events.items()}
        Video.rules.consult("no_such_state", "accept", a_job(), Empty())
        Video.rules.consult("pending", "accept", a_job(), Empty())
        assert {name: dict(event.transitions) for name, event in Video.machine().events.items()} == before
        assert Video.machine().models == []

    def test_the_digest_follows_the_rules_and_not_the_deadlines(self) -> None:
        class Hasty(BaseJob):
            queued = State(deadline=timedelta(seconds=1))

        assert Hasty.spec.digest == BaseJob.spec.digest
        assert Film.spec.digest != Video.spec.digest != BaseJob.spec.digest


def test_a_class_without_states_is_no_machine_yet() -> None:
    class Nothing(Machine):
        pass

    assert not hasattr(Nothing, "spec")
