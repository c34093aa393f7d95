"""`makegood graph` as a user meets it, and the page of the reference that it has made."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args
from xml.etree.ElementTree import fromstring

import pytest

from makegood.errors import DeclarationError, InvalidRequest
from makegood.lifecycle import BaseJob
from makegood.machine.projections import event_table, from_json, mermaid, state_table, svg
from makegood_adapters.cli.graph import Format, find_type, project
from tests import command
from tests.shipped import file_names

HOUSE = Path(__file__).resolve().parent.parent
PAGE = HOUSE / "docs" / "reference" / "base-machine.md"
REMAKE = "make it anew with `makegood graph base`, as the page says"


def run(*words: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    return command.run("graph", *words, folder=folder)


MODULE = """\
from makegood import BaseJob

class Portrait(BaseJob): pass
class Other: pass
"""

BEGINNINGS = {
    "mermaid": "stateDiagram-v2\n",
    "svg": "<svg ",
    "ts": '// "base_job@1", rules ',
    "md": "| state | public status |",
    "xstate": '{\n  "id": "base_job",',
    "openapi": '{\n  "openapi": "3.1.0",',
    "sql": '-- The machine "base_job@1", rules ',
    "json": '{\n  "makegood": "machine",',
}


@pytest.mark.parametrize("kind", get_args(Format))
def test_a_format_gives_what_its_name_says(kind: Format) -> None:
    text = project(BaseJob.spec, kind)
    assert text.startswith(BEGINNINGS[kind])
    if kind in ("xstate", "openapi", "json"):
        json.loads(text)


def test_a_diagram_goes_to_the_terminal_if_nothing_else_is_said(tmp_path: Path) -> None:
    told = run("base", folder=tmp_path)
    assert (told.returncode, told.stdout, told.stderr) == (0, mermaid(BaseJob.spec) + "\n", "")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_written_and_nothing_said(tmp_path: Path) -> None:
    told = run("upscaler", "--format", "svg", "--output", "upscaler.svg", folder=tmp_path)
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
    fromstring((tmp_path / "upscaler.svg").read_text("utf-8"))


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    told = run("base", "--output", "no/such/folder.svg", folder=tmp_path)
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr == "makegood: Cannot write no/such/folder.svg: No such file or directory.\n"


def test_what_a_module_prints_does_not_mix_with_the_answer(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MODULE + "print('hello')\n")
    told = run("mine:Portrait", "--format", "json", folder=tmp_path)
    assert from_json(told.stdout).name == "portrait"
    assert told.stderr == "hello\n"


def test_a_tool_file_is_a_type() -> None:
    path = HOUSE / "config" / "tools" / "pose_changer.toml"
    assert find_type(str(path)).spec.name == find_type("pose_changer").spec.name == "pose_changer"
    assert find_type("base") is BaseJob


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "nothing",
            f"There is no job type 'nothing': there is {', '.join(['base', *file_names()])}; "
            "a tool file is named by its path, a class as module:Class.",
        ),
        ("nowhere:Portrait", "The module 'nowhere' cannot be imported: No module named 'nowhere'."),
        (
            "mine:Landscape",
            "The module 'mine' has no class 'Landscape'; its job types are BaseJob, Portrait.",
        ),
        ("mine:Other", "'Other' in the module 'mine' is not a job type."),
        ("broken:Portrait", "The module 'broken' cannot be imported: division by zero."),
        (":Portrait", "':Portrait' is not written as module:Class."),
        ("mine:", "'mine:' is not written as module:Class."),
    ],
)
def test_what_is_not_there_is_said_in_one_sentence(name: str, sentence: str, in_folder: Path) -> None:
    (in_folder / "mine.py").write_text(MODULE)
    (in_folder / "broken.py").write_text("1 / 0\n")
    path = list(sys.path)
    with pytest.raises(InvalidRequest) as caught:
        find_type(name)
    assert str(caught.value) == sentence
    assert sys.path == path


def test_a_tool_file_with_a_mistake_says_which(in_folder: Path) -> None:
    (in_folder / "crooked.toml").write_text('name = "crooked"\n')
    with pytest.raises(DeclarationError, match=r"crooked\.toml cannot be used"):
        find_type("crooked.toml")


def test_the_picture_in_the_reference_is_the_machine() -> None:
    assert PAGE.with_suffix(".svg").read_text("utf-8") == svg(BaseJob.spec), REMAKE


def test_the_tables_in_the_reference_are_the_machine() -> None:
    text = PAGE.read_text("utf-8")
    assert state_table(BaseJob.spec) in text, REMAKE
    assert event_table(BaseJob.spec) in text, REMAKE


def test_the_reference_names_every_format() -> None:
    text = PAGE.read_text("utf-8")
    assert not [kind for kind in BEGINNINGS if f"`{kind}`" not in text]
