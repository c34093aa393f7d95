"""The table of measures, the page that explains them, the dashboard and the alerts say the same."""

import re
from typing import Any

import pytest

from makegood_adapters.telemetry import METRICS, Kind, Measure
from tests.telemetry.expressions import HOUSE, PANELS, RULES, asked, expressions, panel_expressions

TABLE = {each.name: each for each in METRICS}
#: Added by Prometheus, and by a histogram.
FOREIGN = {"instance", "job", "le"}


def row_of(name: str) -> str:
    """Return the measure of a series: a histogram has three."""
    return name if name in TABLE else re.sub(r"_(bucket|sum|count)$", "", name)


@pytest.mark.parametrize("row", METRICS, ids=lambda row: row.name)
def test_a_name_is_as_prometheus_wants_it(row: Measure) -> None:
    """Base units at the end, `_total` for what counts and nothing else, no kind in a name."""
    assert re.fullmatch(r"makegood_[a-z]+(_[a-z]+)*", row.name)
    assert row.told.endswith(".")
    assert row.name.endswith("_total") == (row.kind is Kind.COUNTER)
    stem = row.name.removesuffix("_total")
    for unit in ("seconds", "bytes", "credits"):
        assert stem.endswith(f"_{unit}") == (row.unit == unit)
    words = set(stem.split("_"))
    assert not words & {"gauge", "counter", "histogram", "summary", "milliseconds", "minutes", "ms", "kb"}
    assert (row.kind is Kind.HISTOGRAM) == bool(row.buckets)
    assert not set(row.labels) & {"owner", "job_id", "path", *FOREIGN}


def test_no_name_stands_twice() -> None:
    assert len(TABLE) == len(METRICS)


def test_the_page_explains_each_as_the_table_does() -> None:
    page = (HOUSE / "docs" / "reference" / "metrics.md").read_text("utf-8")
    rows = re.findall(r"^\| `(makegood_\w+)` \| (\w+) \| (\w+) \| (.*?) \| (.*?) \|$", page, re.MULTILINE)
    expected = [
        (
            each.name,
            each.kind.value,
            each.of.value,
            ", ".join(f"`{label}`" for label in each.labels),
            each.told,
        )
        for each in METRICS
    ]
    assert rows == expected


@pytest.mark.parametrize("expression", expressions())
def test_dashboard_and_alerts_ask_for_series_that_there_are(expression: str) -> None:
    series, grouped = asked(expression)
    assert series
    known = set(FOREIGN)
    for each in series:
        row = TABLE[row_of(each.name)]
        assert (row.kind is Kind.HISTOGRAM) == (each.name != row.name), each
        assert each.labels <= {*row.labels, *FOREIGN}, each
        known |= set(row.labels)
    assert grouped <= known


def test_every_alert_says_what_it_is_how_bad_and_what_to_do() -> None:
    page = (HOUSE / "docs" / "how-to" / "alerts.md").read_text("utf-8")
    headings = {heading.lower() for heading in re.findall(r"^### (\w+)$", page, re.MULTILINE)}
    linked = set()
    for rule in RULES:
        assert rule["labels"]["severity"] in ("page", "ticket")
        told = rule["annotations"]
        assert told["summary"]
        assert told["description"].endswith(".")
        place, _, anchor = told["runbook_url"].partition("#")
        assert (HOUSE / place).is_file()
        assert anchor == rule["alert"].lower()
        linked.add(anchor)
    assert linked == headings


def test_every_panel_has_a_title_and_a_place_of_its_own() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        assert panel["title"]
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_has_the_unit_of_what_it_shows(panel: dict[str, Any]) -> None:
    shown = {
        TABLE[row_of(each.name)].unit
        for expression in panel_expressions(panel)
        for each in asked(expression)[0]
        if not each.name.endswith("_count")
    }
    expected = {"s": {"seconds"}, "Bps": {"bytes"}}.get(panel["fieldConfig"]["defaults"]["unit"])
    assert shown == expected if expected else not shown & {"seconds", "bytes"}


def test_a_number_of_now_is_not_one_of_an_hour_ago() -> None:
    """Else the last that was heard would be shown as long as nobody answers."""
    stats = [panel for panel in PANELS if panel["type"] == "stat"]
    assert stats
    assert all(target["instant"] and not target["range"] for panel in stats for target in panel["targets"])
    [database] = [panel for panel in stats if panel["title"] == "Database"]
    steps = database["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [(step["color"], step["value"]) for step in steps] == [("red", None), ("green", 1)]
