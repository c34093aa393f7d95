"""The two pages that say which test stands for which incident; they are written from the tests' names.

`.venv/bin/python -m tests.incidents.pages` rewrites the last column of both. What must never happen again is
told in docs/reference/incidents.md; tests/scenarios/README.md has each id, and why some have no test.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

HOUSE = Path(__file__).resolve().parents[2]
PAGE = HOUSE / "docs" / "reference" / "incidents.md"
README = HOUSE / "tests" / "scenarios" / "README.md"
#: The incidents that every service of this kind has to answer for; those of other programs are in PAGE alone.
NUMBERS = {"D": 51, "M": 13, "S": 10, "C": 15, "F": 12}
EVERY_ID = [f"{letter}{number}" for letter, last in NUMBERS.items() for number in range(1, last + 1)]
#: Where incidents are played over the wire of the existing page; OVER_WIRE says why the others are not.
PLAYED = ("incidents/test_over_wire_*.py", "adapters/queue_manager/test_strangers.py")
OVER_WIRE = HOUSE / "tests" / "incidents" / "README.md"
_NAMED = re.compile(r"^\s*(?:async )?def (test_((?:[cdfmps]\d+_)+)\w+)\(", re.MULTILINE)
_ROW = re.compile(r"^\| ([A-Z]\d+) \| (\S.+\.) \| (.+) \|$", re.MULTILINE)


class Row(NamedTuple):
    """One line of a table: `shown` names tests, or says why there are none."""

    id: str
    text: str
    shown: str

    @property
    def tests(self) -> list[str]:
        """The tests that the row names."""
        return re.findall(r"`(test_\w+)`", self.shown)


def named_after_incidents(places: Iterable[str] = ("**/*.py",)) -> dict[str, list[str]]:
    """Return the tests that carry an incident's id at the front of their name, sorted, of these *places*."""
    found: dict[str, set[str]] = {}
    for path in {path for place in places for path in (HOUSE / "tests").glob(place)}:
        for name, ids in _NAMED.findall(path.read_text("utf-8")):
            for incident in ids.upper().strip("_").split("_"):
                found.setdefault(incident, set()).add(name)
    return {incident: sorted(names) for incident, names in found.items()}


def rows(page: Path) -> list[Row]:
    """Return the rows of a page's table, in order."""
    return [Row(*found) for found in _ROW.findall(page.read_text("utf-8"))]


def _rewritten(page: Path, texts: dict[str, str]) -> str:
    """Return the page with the tests that there are, and with the words of *texts* where there are any."""
    named = named_after_incidents()

    def line(match: re.Match[str]) -> str:
        row = Row(*match.groups())
        tests = ", ".join(f"`{name}`" for name in named.get(row.id, []))
        return f"| {row.id} | {texts.get(row.id, row.text)} | {tests or row.shown} |"

    return _ROW.sub(line, page.read_text("utf-8"))


if __name__ == "__main__":
    PAGE.write_text(_rewritten(PAGE, {}), "utf-8")
    README.write_text(_rewritten(README, {row.id: row.text for row in rows(PAGE)}), "utf-8")
