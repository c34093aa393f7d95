"""Alerts fire when they should and alone; nothing is counted twice; promtool plays them if it is here."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml  # type: ignore[import-untyped]  # it ships no types

from makegood_adapters.telemetry.table import Kind, Of
from tests.telemetry.expressions import HOUSE, RULES, expressions, gathered
from tests.telemetry.test_table import TABLE, row_of

SCENES = Path(__file__).with_name("rules")
QUIET, FIRING = SCENES / "quiet.yml", SCENES / "firing.yml"
ALERTS = HOUSE / "config" / "alerts" / "makegood.yml"
PAGE = HOUSE / "docs" / "how-to" / "observe.md"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="no promtool on PATH (Debian: apt install prometheus), which replays the alerts"
)


def promtool(*arguments: str | Path, given: str | None = None) -> None:
    """Run it, and fail with what it says where it is not content."""
    done = subprocess.run(
        [str(PROMTOOL), *map(str, arguments)], input=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_prometheus_takes_the_rules() -> None:
    promtool("check", "rules", ALERTS)


@needs_promtool
@pytest.mark.parametrize("scenes", [QUIET, FIRING], ids=lambda path: path.stem)
def test_they_fire_when_they_should_and_only_then(scenes: Path) -> None:
    promtool("test", "rules", scenes)


@needs_promtool
def test_prometheus_takes_the_configuration_of_the_page(tmp_path: Path) -> None:
    first, several = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    key = tmp_path / "makegood.key"
    key.write_text("mgk_x", "utf-8")
    shutil.copy(ALERTS, tmp_path)
    config = tmp_path / "prometheus.yml"
    for targets in (None, several):
        text = first.replace("/etc/prometheus/makegood.key", str(key))
        if targets is not None:
            text = re.sub(r"^ +static_configs: .*\n", targets, text, flags=re.MULTILINE)
            assert targets in text
        config.write_text(text, "utf-8")
        promtool("check", "config", config)


def scenes() -> list[dict[str, Any]]:
    """Return what both files play."""
    return [scene for path in (QUIET, FIRING) for scene in yaml.safe_load(path.read_text("utf-8"))["tests"]]


def test_each_alert_is_seen_to_fire() -> None:
    told = set(re.findall(r'alertname="(\w+)"', FIRING.read_text("utf-8")))
    assert told == {rule["alert"] for rule in RULES}


@pytest.mark.parametrize("scene", scenes(), ids=lambda scene: scene["name"])
def test_what_is_played_is_what_a_process_tells(scene: dict[str, Any]) -> None:
    """Else an alert would be tried on series that there never are."""
    for each in scene["input_series"]:
        found = promql_parser.parse(each["series"])
        assert isinstance(found, promql_parser.VectorSelector)
        row = TABLE[row_of(str(found.name))]
        labels = {matcher.name for matcher in found.matchers.matchers}
        expected = {*row.labels, "instance"}
        assert labels - {"le"} == expected, each["series"]
        assert ("le" in labels) == (row.kind is Kind.HISTOGRAM), each["series"]


@pytest.mark.parametrize("expression", expressions())
def test_what_all_processes_tell_is_taken_once_and_what_each_has_done_is_added_up(expression: str) -> None:
    for name, around in gathered(expression):
        row = TABLE[row_of(name)]
        words = [word for word, _ in around]
        if row.of is Of.STORE:
            taken_once = "max" in words or "min" in words
            assert taken_once, f"{name} would be counted as often as there are processes"
            for word, kept in around:
                assert word in ("max", "min", "abs", "min_over_time") or (
                    word == "sum" and "instance" in kept
                ), f"{word} of {name}"
        elif row.kind is not Kind.GAUGE:
            assert words[-1] in ("rate", "increase"), f"{name} begins anew with its process"
            assert "sum" in words, f"{name} is that of one process"
