"""Obligations of one's own: what is opened is closed on every path, and only then."""

from datetime import timedelta
from typing import Any

import pytest

from makegood import BaseJob, DeclarationError, Event, Machine, Obligation, State
from makegood.machine import ObligationSpec, Problem, Spec

DAY = timedelta(days=1)

ENDS = [(event, BaseJob.running) for event in (BaseJob.complete, BaseJob.fail, BaseJob.cancel)]
CLOSED_BY: list[Event[Any] | tuple[Event[Any], State]] = [BaseJob.rerun, *ENDS]


class Leased(BaseJob):
    """Holds a lease exactly while it runs, whatever ends that."""

    obligations = (Obligation("lease", opened_by=BaseJob.begin, closed_by=CLOSED_BY),)


def declare(*obligations: Obligation, **members: Any) -> list[str]:
    """Return the problems of a Leased with more obligations, without their places."""
    try:
        type("Wrong", (Leased,), {"obligations": obligations, **members})
    except DeclarationError as error:
        problems = [p for p in error.problems if isinstance(p, Problem)]
        return [f"{p.code} {p.sentence}" for p in problems]
    return []


def test_an_obligation_is_data_of_the_spec_and_no_rule() -> None:
    assert Leased.spec.obligations == (
        ObligationSpec(
            "lease",
            (("begin", None),),
            (("rerun", None), ("complete", "running"), ("fail", "running"), ("cancel", "running")),
        ),
    )
    assert Leased.spec.digest == BaseJob.spec.digest


def test_the_proof_shows_a_shortest_way_on_which_it_stays_open() -> None:
    assert declare(Obligation("box", opened_by=BaseJob.accept, closed_by=BaseJob.complete)) == [
        "MG301 'box' is still open in 'failed' after accept > fail",
        "MG301 'box' is still open in 'cancelled' after accept > cancel",
    ]


def test_an_event_closes_only_where_it_is_open() -> None:
    wrong = Obligation("box", opened_by=BaseJob.begin, closed_by=[*CLOSED_BY, BaseJob.defer])
    assert declare(wrong) == [
        "MG302 'box' is closed by 'defer' from 'starting' and not open after accept > dispatch > defer"
    ]


def test_it_is_opened_once() -> None:
    found = declare(Obligation("box", opened_by=BaseJob.begin, closed_by=ENDS))
    again = "MG303 'box' is opened by 'begin' and open already after"
    assert f"{again} accept > dispatch > begin > rerun > dispatch > begin" in found


def test_both_at_once_is_neither() -> None:
    both = Obligation("box", opened_by=BaseJob.begin, closed_by=BaseJob.begin)
    assert declare(both) == ["MG305 'box' is both opened and closed by 'begin' from 'starting'"]


def test_names_must_be_there() -> None:
    class Other(Machine):
        far = State(initial=True, deadline=DAY)
        away = State(final=True)
        go = Event(far >> away)

    def wrong(opened_by: Any, closed_by: Any = BaseJob.fail) -> list[str]:
        return declare(Obligation("box", opened_by=opened_by, closed_by=closed_by))

    assert wrong(Other.go) == ["MG304 'box' names 'go', and there is no such edge"]
    assert wrong((BaseJob.accept, BaseJob.failed)) == [
        "MG304 'box' names 'accept' from 'failed', and there is no such edge"
    ]
    assert wrong("begin") == ["MG304 'box' names \"'begin'\", and there is no such edge"]
    assert wrong([]) == ["MG304 'box' names no event that opens it, or none that closes it"]


def test_a_subclass_keeps_the_obligations_of_its_base() -> None:
    assert [o.name for o in type("Longer", (Leased,), {}).spec.obligations] == ["lease"]  # type: ignore[attr-defined]  # made here
    with pytest.raises(DeclarationError, match="MG301 'lease' is still open in 'failed' after"):

        class Wrong(Leased):
            lose = Event(BaseJob.running >> BaseJob.failed, money=BaseJob.fail.money)


def test_one_of_the_same_name_takes_its_place() -> None:
    shorter = Obligation("lease", opened_by=BaseJob.dispatch, closed_by=CLOSED_BY)
    assert any("MG301 'lease' is still open in 'failed'" in told for told in declare(shorter))


def test_a_problem_names_the_line_that_leaves_it_open_or_that_of_the_obligation() -> None:
    for obligation in (
        Obligation("box", opened_by=BaseJob.accept, closed_by=BaseJob.complete),
        Obligation("box", opened_by=(BaseJob.accept, BaseJob.failed), closed_by=BaseJob.complete),
    ):
        with pytest.raises(DeclarationError) as refused:
            type("Wrong", (BaseJob,), {"obligations": (obligation,)})
        [problem, *_] = refused.value.problems
        assert isinstance(problem, Problem)
        assert problem.file == __file__


def test_a_spec_without_obligations_is_made_as_before() -> None:
    assert Spec("x", 1, BaseJob.spec.states, BaseJob.spec.edges).obligations == ()
