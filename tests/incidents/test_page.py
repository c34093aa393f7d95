"""The pages of incidents name every test that stands for one, and no other; none of the ids is forgotten."""

import re

from tests.incidents.pages import EVERY_ID, OVER_WIRE, PAGE, PLAYED, README, named_after_incidents, rows

REWRITE = "\nrewrite both pages with: .venv/bin/python -m tests.incidents.pages"


def test_every_row_names_the_tests_that_there_are() -> None:
    found = {row.id: row.tests for row in rows(PAGE)}
    wanted = named_after_incidents()
    assert len(found) == len(rows(PAGE)), "an incident has two rows"
    assert found.keys() == wanted.keys(), "rows that lack, or have no test"
    assert found == wanted, REWRITE


def test_the_readme_has_every_incident_once_and_in_order() -> None:
    assert [row.id for row in rows(README)] == EVERY_ID


def test_the_readme_says_the_same_as_the_page_and_why_an_incident_has_no_test() -> None:
    told = {row.id: row for row in rows(PAGE)}
    for row in rows(README):
        if row.id in told:
            assert row == told[row.id], REWRITE
        else:
            assert not row.tests
            assert row.shown.endswith("."), f"{row.id} has neither a test nor a reason"


def test_every_incident_is_played_over_the_pages_wire_or_there_is_a_reason_why_not() -> None:
    played = set(named_after_incidents(PLAYED)) & set(EVERY_ID)
    lines = re.findall(r"^\| ((?:[A-Z]\d+(?:, )?)+) \| .+\. \|$", OVER_WIRE.read_text("utf-8"), re.MULTILINE)
    excused = [incident for line in lines for incident in line.split(", ")]
    assert len(excused) == len(set(excused))
    assert sorted(excused) == sorted(set(EVERY_ID) - played)
