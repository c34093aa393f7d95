"""Declarations that could lose money or a job are refused when the class is defined."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from makegood import BaseJob, DeclarationError, Event, Failure, Machine, Money, State

DAY = timedelta(days=1)


class Sale(Machine):
    """The smallest machine that holds credits and settles them; every mistake is made to it."""

    new = State(initial=True, deadline=DAY)
    paid = State(deadline=DAY)
    done = State(final=True)
    back = State(final=True)
    gone = State(final=True)
    pay = Event(new >> paid, money=Money.HOLD)
    deliver = Event(paid >> done, money=Money.CAPTURE)
    refund = Event(paid >> back, money=Money.RELEASE)
    forget = Event(new >> gone)


class Elsewhere(Machine):
    """Has states that no Sale has."""

    far = State(initial=True, deadline=DAY)
    away = State(final=True)
    go = Event(far >> away)


def forgotten_refund() -> None:
    class Wrong(Sale):
        refund = Event(Sale.paid >> Sale.back)


def credits_held_twice() -> None:
    class Wrong(Sale):
        more = State(deadline=DAY)
        add = Event(Sale.paid >> more, money=Money.HOLD)
        finish = Event(more >> Sale.done, money=Money.CAPTURE)


def after_a_refund(money: Money) -> None:
    class Wrong(Sale):
        undone = State(deadline=DAY)
        undo = Event(Sale.paid >> undone, money=Money.RELEASE)
        again = Event(undone >> Sale.done, money=money)


def never_held(money: Money) -> None:
    class Wrong(Sale):
        skip = Event(Sale.new >> Sale.back, money=money)


def no_way_out_for_the_deadline() -> None:
    class Wrong(Sale):
        parked = State(deadline=DAY)
        park = Event(Sale.paid >> parked)
        sell = Event(parked >> Sale.done, money=Money.CAPTURE)


def two_holdings() -> None:
    class Wrong(Sale):
        parked = State(deadline=DAY)
        park = Event((Sale.new | Sale.paid) >> parked)
        leave = Event(parked >> Sale.back)


def unreachable() -> None:
    class Wrong(Sale):
        parked = State(deadline=DAY)
        unpark = Event(parked >> Sale.done)


def no_way_out() -> None:
    class Wrong(Sale):
        hole = State(deadline=DAY)
        fall = Event(Sale.new >> hole)


def round_for_ever() -> None:
    class Wrong(Sale):
        here = State(deadline=DAY)
        there = State(deadline=DAY)
        enter = Event(Sale.new >> here)
        turn = Event((here >> there) | (there >> here))


def out_of_a_final_state() -> None:
    class Wrong(Sale):
        reopen = Event(Sale.back >> Sale.new)


def shadowed() -> None:
    class Wrong(Sale):
        deliver = Event((Sale.paid >> Sale.done).with_money(Money.CAPTURE) | (Sale.paid >> Sale.back))


def two_meanings() -> None:
    class Wrong(Sale):
        give = Event(Sale.paid >> Sale.done, money=Money.RELEASE)


def no_deadline(deadline: timedelta | None) -> None:
    class Wrong(Sale):
        paid = State(deadline=deadline)


def unknown_source() -> None:
    class Wrong(Sale):
        come = Event(Elsewhere.far >> Sale.done)


def unknown_target() -> None:
    class Wrong(Sale):
        leave = Event(Sale.new >> Elsewhere.away)


def two_beginnings() -> None:
    class Wrong(Sale):
        other = State(initial=True, deadline=DAY)


def no_beginning() -> None:
    class Wrong(Sale):
        new = State(deadline=DAY)


def no_end() -> None:
    class Wrong(Machine):
        here = State(initial=True, deadline=DAY)
        stay = Event(here >> here)


def dropped_the_only_way_out() -> None:
    class Wrong(Sale, drop=[(Sale.deliver, Sale.paid), (Sale.refund, Sale.paid)]):
        pass


def dropped_what_is_not_there() -> None:
    class Wrong(Sale, drop=[(Sale.deliver, Sale.new)]):
        pass


MISTAKES: list[tuple[Callable[[], None], str]] = [
    (forgotten_refund, "MG201 credits still held in 'back' after pay > refund"),
    (credits_held_twice, "MG202 credits are held twice after pay > add"),
    (
        lambda: after_a_refund(Money.CAPTURE),
        "MG206 credits are captured that were settled already after pay > undo > again",
    ),
    (
        lambda: after_a_refund(Money.RELEASE),
        "MG207 credits are released that were settled already after pay > undo > again",
    ),
    (
        lambda: after_a_refund(Money.POLICY),
        "MG208 credits are settled by policy that were settled already after pay > undo > again",
    ),
    (
        lambda: after_a_refund(Money.HOLD),
        "MG209 credits are held again that were settled already after pay > undo > again",
    ),
    (lambda: never_held(Money.RELEASE), "MG204 credits are released that were never held after skip"),
    (lambda: never_held(Money.CAPTURE), "MG203 credits are captured that were never held after skip"),
    (lambda: never_held(Money.POLICY), "MG205 credits are settled by policy that were never held after skip"),
    (
        two_holdings,
        "MG210 state 'parked', elsewhere reached with credits none, is reached with credits held after pay",
    ),
    (unreachable, "MG108 state 'parked' cannot be reached"),
    (no_way_out, "MG109 state 'hole' has no way out and is not final after fall"),
    (round_for_ever, "MG110 from state 'here' no final state can be reached"),
    (
        out_of_a_final_state,
        "MG105 'reopen' from 'back' to 'new' leaves a final state after pay > refund > reopen",
    ),
    (
        shadowed,
        "MG106 'deliver' from 'paid' to 'back' can never be chosen after pay > deliver: 'deliver' leaves",
    ),
    (
        two_meanings,
        "MG113 'give' from 'paid' to 'done' means 'release' for the credits, another event on the same way",
    ),
    (lambda: no_deadline(None), "MG111 state 'paid' is not final and has no deadline"),
    (lambda: no_deadline(timedelta(0)), "MG111 state 'paid' is not final and has no deadline"),
    (unknown_source, "MG101 event 'come': there is no state 'far'"),
    (unknown_target, "MG101 event 'leave': there is no state 'away'"),
    (two_beginnings, "MG102 there must be exactly one initial state, here are 2: 'new', 'other'"),
    (no_beginning, "MG102 there must be exactly one initial state, here are 0"),
    (no_end, "MG104 there is no final state"),
    (dropped_the_only_way_out, "MG109 state 'paid' has no way out and is not final"),
    (no_way_out_for_the_deadline, "MG112 state 'parked' has no way out for its deadline"),
    (dropped_what_is_not_there, "MG114 drop: 'deliver' has no edge from 'new'"),
]


@pytest.mark.parametrize(("declare", "problem"), MISTAKES, ids=[problem for _, problem in MISTAKES])
def test_a_mistake_is_refused_when_the_class_is_defined(declare: Callable[[], None], problem: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        declare()
    assert any(str(told).startswith(problem) for told in refused.value.problems), refused.value.problems
    assert problem in str(refused.value)
    assert str(refused.value).startswith("Wrong (wrong@1) cannot be used:")


def test_the_proof_shows_the_shortest_way_to_a_loss() -> None:
    with pytest.raises(DeclarationError) as refused:

        class Wrong(Sale):
            """A loss by a detour of any length is also a loss by the straight way."""

            checked = State(deadline=DAY)
            packed = State(deadline=DAY)
            check = Event(Sale.paid >> checked)
            pack = Event(checked >> packed)
            lose = Event((packed | checked | Sale.paid) >> Sale.back)
            refund = Event(Sale.paid >> Sale.done, money=Money.CAPTURE)

    assert str(refused.value.problems[0]).startswith("MG201 credits still held in 'back' after pay > lose (")


def test_all_mistakes_of_a_declaration_are_told_at_once() -> None:
    with pytest.raises(DeclarationError) as refused:

        class Wrong(Sale):
            paid = State()
            hole = State(deadline=DAY)
            fall = Event(Sale.new >> hole)
            reopen = Event(Sale.done >> Sale.new)

    told = "\n".join(map(str, refused.value.problems))
    assert all(word in told for word in ("'paid'", "'hole'", "'reopen'"))


def test_m6_a_job_type_cannot_reopen_a_failed_job() -> None:
    with pytest.raises(DeclarationError, match="'retry' from 'failed' to 'queued' leaves a final state"):

        class Wrong(BaseJob):
            retry = Event(BaseJob.failed >> BaseJob.queued)


def test_d19_a_new_state_without_a_deadline_is_refused() -> None:
    with pytest.raises(DeclarationError, match="'uploading' is not final and has no deadline"):

        class Wrong(BaseJob):
            uploading = State()
            upload = Event(BaseJob.pending >> uploading)
            uploaded = Event(uploading >> BaseJob.queued, money=Money.HOLD)


def test_d16_a_job_type_cannot_fail_without_the_refund() -> None:
    with pytest.raises(DeclarationError, match="credits still held in 'failed' after accept > fail"):

        class Wrong(BaseJob):
            fail = Event((BaseJob.queued | BaseJob.starting | BaseJob.running) >> BaseJob.failed, Failure)


def test_the_machine_that_every_mistake_is_made_to_is_right() -> None:
    class Right(Sale):
        pass

    assert Right.spec.edges == Sale.spec.edges
    assert [e.money for e in Right.spec.edges] == [Money.HOLD, Money.CAPTURE, Money.RELEASE, Money.NONE]
