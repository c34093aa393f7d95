"""The JSON Schema of tool files: committed, current, and of one mind with the reader of the files."""

import json
import tomllib
from pathlib import Path

import pytest

from makegood.testing.drive import Reviewed
from makegood_adapters.toolfiles import default_tools_folder, schema_text, to_toml, tool_schema
from tests.adapters.json_schema import complaints
from tests.adapters.test_toolfile_mistakes import MISTAKES, TOOL
from tests.adapters.test_toolfile_prices import HEAD, RATES
from tests.adapters.toolfile_machines import PORTRAIT
from tests.command import run

SHIPPED = default_tools_folder()
REMAKE = "make it anew: makegood schema > config/tools/schema.json"

# What no schema can see is left to the reader: names that must be known, values that must fit others.
SHAPES = [
    *("unknown key", "missing key", "number as text", "text as number", "bad name", "negative price"),
    *("price as text", "unknown price key", "unknown limit", "limit of a final state", "limit of nothing"),
    *("limit without end", "unknown wire key", "no kind", "unknown kind", "key of another kind"),
    *("unknown format", "too large", "empty when", "when as text", "empty list", "odd test"),
    *("unknown node key", "no nodes"),
]


def told(text: str) -> list[str]:
    schema = tool_schema()
    return complaints(tomllib.loads(text), schema, schema)


def test_the_committed_schema_is_the_generated_one() -> None:
    assert (SHIPPED / "schema.json").read_text("utf-8") == schema_text(), REMAKE


def test_the_command_prints_it(tmp_path: Path) -> None:
    ran = run("schema", folder=tmp_path)
    assert (ran.returncode, json.loads(ran.stdout)) == (0, tool_schema())


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.name)
def test_a_shipped_tool_names_the_schema_and_fits_it(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.startswith("#:schema ./schema.json\n")
    assert told(text) == []


def test_other_files_that_are_right_fit_it() -> None:
    per_unit = 'per_unit = { input = "seconds", credits = 0.5, at_least = 3 }\n'
    drop = "drop = [{ event = 'cancel', from = ['starting'] }]\n"
    portrait = PORTRAIT.replace("\n[inputs", f"{drop}\n[inputs", 1)
    for text in (TOOL, portrait, HEAD + RATES, HEAD + per_unit, to_toml(Reviewed)):
        assert told(text) == []


@pytest.mark.parametrize("mistake", SHAPES)
def test_a_mistake_of_the_shape_is_marked(mistake: str) -> None:
    old, new, _ = MISTAKES[mistake]
    assert told(TOOL.replace(old, new, 1)) != []


def test_mistakes_in_the_machine_are_marked() -> None:
    for old, new in (
        ("deadline_seconds", "deadline"),
        ('money = "release"', 'money = "refund"'),
        ("[states.in_review]", "[states.In-Review]"),
        ('to = "failed"', "to = 3"),
        ("label = ", "public = 'done'\nlabel = "),
    ):
        assert told(PORTRAIT.replace(old, new, 1)) != [], new


def test_no_null_and_no_python_is_left_in_it() -> None:
    text = schema_text()
    assert not [word for word in ('"null"', "makegood_adapters", "Tuple") if word in text]
