"""Problems have a code, a place and a shortest way; the page that explains them tells the truth."""

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from makegood import BaseJob, DeclarationError, Event, Machine, Money, State
from makegood.machine import Problem
from makegood.machine.definitions import collecting
from makegood.machine.problem import TITLES
from makegood_adapters.cli.targets import examine
from tests.engine.test_machine_mistakes import Sale

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "problems.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Section:
    """What the page says of one code."""

    code: str
    title: str
    kind: str
    example: str
    told: str
    remedy: bool


def sections() -> list[Section]:
    found = []
    for text in PAGE.read_text("utf-8").split("\n### ")[1:]:
        code, title = text.splitlines()[0].split(": ", 1)
        (kind, example), (_, told), *_ = BLOCK.findall(text)
        found.append(Section(code, title, kind, example, told, "\nRemedy: " in text))
    return found


def the_first(kind: str) -> str:
    return next(str(text) for name, text in BLOCK.findall(PAGE.read_text("utf-8")) if name == kind)


def test_the_page_explains_every_code_and_no_other() -> None:
    assert {section.code: section.title for section in sections()} == TITLES
    assert all(section.remedy for section in sections())


@pytest.mark.parametrize("section", sections(), ids=lambda section: section.code)
def test_the_example_of_a_code_makes_the_problem_that_the_page_shows(
    section: Section, tmp_path: Path
) -> None:
    if section.kind == "py":
        target = tmp_path / "jobs.py"
        target.write_text(section.example)
        (tmp_path / "sale.py").write_text(the_first("python"))
    else:
        target = tmp_path / "tools"
        target.mkdir()
        for name in ("sharpen.toml", "sharper.toml")[: 2 if section.code == "MG511" else 1]:
            # A key stands once: an example with a price of its own has it in place of the usual one.
            usual = "" if "[price]" in section.example else "price = 20\n"
            first = the_first("toml").replace("price = 20\n", usual)
            (target / name).write_text(f"{first}\n{section.example}")
    found = examine([str(target)])
    assert found.unreadable == []
    assert {finding.problem.code for finding in found.findings} == {section.code}
    assert [str(finding.problem) for finding in found.findings] == section.told.splitlines()


def test_the_machine_that_the_examples_change_is_right(tmp_path: Path) -> None:
    (tmp_path / "right_sale.py").write_text(the_first("python"))
    found = examine([str(tmp_path / "right_sale.py")])
    assert (len(found.subjects), found.findings, found.unreadable) == (1, [], [])


class TestText:
    def test_a_problem_reads_as_a_line(self) -> None:
        problem = Problem("MG201", "credits still held in 'back'", ("pay", "refund"), "/home/me/jobs.py:12")
        assert str(problem) == "MG201 credits still held in 'back' after pay > refund (jobs.py:12)"
        assert (problem.file, problem.line) == ("/home/me/jobs.py", 12)

    def test_the_way_stands_before_the_explanation(self) -> None:
        assert str(Problem("MG107", "it stays: why", ("a", "b"))) == "MG107 it stays after a > b: why"

    def test_a_place_may_have_no_line_or_be_unknown(self) -> None:
        assert str(Problem("MG502", "x", where="tools/a.toml")) == "MG502 x (a.toml)"
        assert (Problem("MG502", "x", where="a.toml").file, Problem("MG502", "x").file) == ("a.toml", None)
        assert Problem("MG502", "x", where="a.toml").line is Problem("MG502", "x").line is None

    def test_a_code_that_nobody_explains_is_refused(self) -> None:
        with pytest.raises(ValueError, match="MG999"):
            Problem("MG999", "x")


class TestPlace:
    def test_a_problem_names_the_line_of_the_event_or_state(self) -> None:
        with pytest.raises(DeclarationError) as refused:

            class Wrong(Machine):
                new = State(initial=True, deadline=DAY)
                parked = State(deadline=DAY)  # line 3
                old = State(final=True)
                age = Event(new >> old)
                reopen = Event(  # line 6
                    old >> new,
                )

        [reopens, unreachable] = refused.value.problems
        assert isinstance(reopens, Problem)
        assert isinstance(unreachable, Problem)
        assert (reopens.code, unreachable.code) == ("MG105", "MG108")
        assert reopens.file == unreachable.file == __file__
        assert reopens.line is not None
        assert unreachable.line == reopens.line - 3

    def test_what_is_inherited_from_another_file_is_told_of_the_class(self) -> None:
        with pytest.raises(DeclarationError) as refused:

            class Wrong(BaseJob, drop=[(BaseJob.refuse, BaseJob.pending), (BaseJob.cancel, BaseJob.pending)]):
                """Nothing here declares `pending`, and no deadline can end it any more."""

        [problem] = refused.value.problems
        assert isinstance(problem, Problem)
        assert (problem.code, problem.file) == ("MG112", __file__)

    def test_where_something_was_declared_changes_neither_equality_nor_digest(self) -> None:
        class One(Sale):
            paid = State(deadline=DAY)

        class Two(Sale):
            paid = State(deadline=DAY)

        assert One.spec.state["paid"].where != Two.spec.state["paid"].where
        assert (One.spec.states, One.spec.edges) == (Two.spec.states, Two.spec.edges)
        assert One.spec.digest == Two.spec.digest


class TestCollecting:
    def test_wrong_classes_are_noted_and_the_next_one_is_refused_again(self) -> None:
        with collecting() as found:

            class Wrong(Sale):
                refund = Event(Sale.paid >> Sale.back)

            class AlsoWrong(Sale):
                pay = Event(Sale.new >> Sale.paid, money=Money.RELEASE)

            class Right(Sale):
                pass

        assert [[p.code for p in each.problems] for each in found] == [
            ["MG201"],
            ["MG204"],
            [],
        ]
        assert [each.declared for each in found] == [Wrong, AlsoWrong, Right]
        with pytest.raises(DeclarationError):

            class StillWrong(Sale):
                refund = Event(Sale.paid >> Sale.back)
