"""`makegood diff` as a user meets it: two of anything that names a machine, and the exit status of diff."""

import json
import subprocess
from pathlib import Path

import pytest

from makegood.lifecycle import BaseJob
from makegood.machine.projections import to_json
from tests import command
from tests.adapters.toolfile_machines import PORTRAIT

MODULE = """\
from makegood import BaseJob

class Film(BaseJob, drop=[(BaseJob.cancel, BaseJob.running)]):
    name, version = "base_job", 2
"""


def run(*words: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    return command.run("diff", *words, folder=folder)


def test_the_same_machine_ends_with_0(tmp_path: Path) -> None:
    (tmp_path / "base.json").write_text(to_json(BaseJob.spec))
    told = run("base", "base.json", folder=tmp_path)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout == "base_job@1 and base_job@1 are the same machine\n"


def test_a_difference_ends_with_1_and_is_told(tmp_path: Path) -> None:
    (tmp_path / "films.py").write_text(MODULE)
    told = run("base", "films:Film", folder=tmp_path)
    assert (told.returncode, told.stderr) == (1, "")
    assert told.stdout == (
        "base_job@1 -> base_job@2\n"
        "\nedges\n  - 'cancel' from 'running': cancelled, policy\n"
        "\nwords\n  ~ version: 1 -> 2\n"
        "\nneeds a new version: yes\n"
        "jobs under way keep the rules of version 1 to their end\n"
    )


def test_it_is_told_to_programs(tmp_path: Path) -> None:
    (tmp_path / "portrait.toml").write_text(PORTRAIT)
    (tmp_path / "next.toml").write_text(PORTRAIT.replace("172_800", "60"))
    told = run("portrait.toml", "next.toml", "--json", folder=tmp_path)
    assert told.returncode == 1
    assert json.loads(told.stdout) == {
        "old": "portrait@1",
        "new": "portrait@1",
        "changes": {
            "deadlines": [
                {"subject": "state 'in_review'", "before": "172800 s", "after": "60 s", "rules": False}
            ]
        },
        "needs_new_version": False,
        "for_live_jobs": ["a changed deadline holds for each job from the next state that it enters"],
    }


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("nothing", "makegood: There is no job type 'nothing'"),
        ("nothing.json", "makegood: The file nothing.json cannot be read: No such file or directory."),
        ("wrong.json", "makegood: The machine cannot be used"),
        ("binary.json", "makegood: The file binary.json is not UTF-8 text."),
    ],
)
def test_what_cannot_be_compared_ends_with_2(tmp_path: Path, target: str, sentence: str) -> None:
    (tmp_path / "wrong.json").write_text("{}")
    (tmp_path / "binary.json").write_bytes(b"\xff")
    told = run("base", target, folder=tmp_path)
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith(sentence)
