"""The page of incidents names every test that stands for one, and no other."""

import re
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2]
PAGE = HOUSE / "docs" / "reference" / "incidents.md"
NAMED = re.compile(r"^\s*(?:async )?def (test_((?:[cdfmps]\d+_)+)\w+)\(", re.MULTILINE)
ROW = re.compile(r"^\| ([A-Z]\d+) \| (\S.+\.) \| (.+) \|$", re.MULTILINE)


def named_after_incidents() -> dict[str, set[str]]:
    """Return the tests that carry an incident's id at the front of their name."""
    found: dict[str, set[str]] = {}
    for path in (HOUSE / "tests").rglob("*.py"):
        for name, ids in NAMED.findall(path.read_text("utf-8")):
            for incident in ids.upper().strip("_").split("_"):
                found.setdefault(incident, set()).add(name)
    return found


def test_every_row_names_the_tests_that_there_are() -> None:
    rows = [
        (incident, sorted(re.findall(r"`(\w+)`", cell)))
        for incident, _, cell in ROW.findall(PAGE.read_text())
    ]
    told = dict(rows)
    assert len(told) == len(rows), "an incident has two rows"
    wanted = {incident: sorted(names) for incident, names in named_after_incidents().items()}
    wrong = [
        f"| {incident} | ... | {', '.join(f'`{name}`' for name in wanted.get(incident, []))} |"
        for incident in sorted(told.keys() | wanted.keys())
        if told.get(incident) != wanted.get(incident)
    ]
    assert not wrong, "rows of docs/reference/incidents.md should be:\n" + "\n".join(wrong)
