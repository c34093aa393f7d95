"""`makegood check`: every mistake of a target in one run, one sentence for a target that cannot be read."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.command import run
from tests.shipped import file_names

RIGHT = """
from makegood import BaseJob

class Right(BaseJob):
    pass
"""
WRONG = """
from makegood import BaseJob, Event, Failure, Job, Transition

print("a module may print")

class Thief(BaseJob):
    fail = Event((BaseJob.queued | BaseJob.starting | BaseJob.running) >> BaseJob.failed, Failure)

class Cousin(Thief):
    reopen = Event(BaseJob.failed >> BaseJob.queued)

class Right(BaseJob):
    pass

@Right.accept.guard
async def is_open(job: Job, payload: object) -> bool:
    return True
"""
TOOL = (Path(__file__).parent / "background_remover.toml").read_text()


@dataclass(frozen=True)
class Told:
    """How the command ended."""

    status: int
    out: list[str]
    err: str


def check(folder: Path, *words: str) -> Told:
    ran = run("check", *words, folder=folder)
    return Told(ran.returncode, ran.stdout.splitlines(), ran.stderr)


def test_the_shipped_tools_are_right(tmp_path: Path) -> None:
    assert check(tmp_path) == Told(0, [f"{len(file_names())} job types, 0 problems"], "")


def test_all_wrong_classes_of_a_module_are_told_with_place_and_path(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(WRONG)
    told = check(tmp_path, "jobs.py")
    assert told.status == 1
    assert told.out == [
        "jobs.py:7: MG201 credits still held in 'failed' after accept > fail",
        "jobs.py:10: MG105 'reopen' from 'failed' to 'queued' leaves a final state after refuse > reopen",
        "jobs.py:15: MG118 'is_open', a guard of 'accept', is async, and an answer that nobody awaits "
        "counts as yes; decide from the job and the payload",
        "3 job types, 3 problems",
    ]
    assert told.err == "a module may print\n"
    assert check(tmp_path, "jobs") == told


def test_a_module_of_a_package_is_found_by_name_and_by_file(tmp_path: Path) -> None:
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "models.py").write_text(RIGHT)
    (package / "jobs.py").write_text("from shop.models import Right\n\nclass Other(Right):\n    pass\n")
    for target in ("shop.jobs", "shop/jobs.py"):
        assert check(tmp_path, target) == Told(0, ["2 job types, 0 problems"], "")


def test_tool_files_and_folders_are_told_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "a.toml").write_text(TOOL.replace("max = 3", "max = 0"))
    (tmp_path / "tools" / "b.toml").write_text(TOOL)
    line = "tools/a.toml:12: MG503 inputs.strength: min = 1 is above max = 0; exchange them"
    assert check(tmp_path, "tools") == Told(1, [line, "2 job types, 1 problem"], "")
    assert check(tmp_path, "tools/a.toml") == Told(1, [line, "1 job type, 1 problem"], "")
    assert check(tmp_path, "tools/b.toml") == Told(0, ["1 job type, 0 problems"], "")


def test_json_is_for_programs(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(WRONG)
    told = check(tmp_path, "jobs.py", "nowhere.py", "--json")
    assert told.status == 2
    report = json.loads("\n".join(told.out))
    assert (report["job_types"], len(report["problems"])) == (3, 3)
    assert report["unreadable"] == ["There is no file or folder nowhere.py."]
    assert report["problems"][0] == {
        "code": "MG201",
        "title": "credits still held at the end",
        "message": "credits still held in 'failed'",
        "path": ["accept", "fail"],
        "file": "jobs.py",
        "line": 7,
        "job_type": "thief@1",
        "target": "jobs.py",
    }


#: A target that cannot be read: its text if it is a file, and the sentence.
UNREADABLE = {
    "missing.py": (None, "There is no file or folder missing.py."),
    "missing/tools": (None, "There is no file or folder missing/tools."),
    "no.such.module": (None, "There is no module 'no.such.module'."),
    "two words": (None, "'two words' is neither a file, a folder nor the name of a module."),
    "jobs.txt": ("", "jobs.txt is neither a *.toml nor a *.py file."),
    "syntax.py": ("class Wrong(:\n", "syntax.py cannot be read: invalid syntax (syntax.py:1)."),
    "imports.py": (
        "import a_module_that_is_not_there\n",
        "imports.py cannot be imported: ModuleNotFoundError: No module named 'a_module_that_is_not_there' "
        "(imports.py:1).",
    ),
    "misspelt.py": (
        "from makegood import BaseJob\n\nBaseJob.runing\n",
        "misspelt.py cannot be imported: AttributeError: type object 'BaseJob' has no attribute 'runing' "
        "(misspelt.py:3).",
    ),
    "script.py": ("raise SystemExit(3)\n", "script.py cannot be imported: SystemExit: 3 (script.py:1)."),
    "empty.py": ("", "empty.py defines no job type."),
    ".": (None, "There is no *.toml file in the folder .; name a *.py file or a module."),
}


@pytest.mark.parametrize("target", UNREADABLE)
def test_a_target_that_cannot_be_read_is_one_sentence(tmp_path: Path, target: str) -> None:
    text, sentence = UNREADABLE[target]
    if text is not None:
        (tmp_path / target).write_text(text)
    assert check(tmp_path, target) == Told(2, [], f"makegood: {sentence}\n")


def test_a_module_that_breaks_off_tells_what_was_wrong_before(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(f"{WRONG}\nRight.fial\n")
    told = check(tmp_path, "jobs.py")
    assert (told.status, told.out[-1]) == (2, "3 job types, 3 problems")
    assert told.err.endswith("type object 'Right' has no attribute 'fial' (jobs.py:19).\n")


def test_a_refusal_that_nobody_collects_is_told_too(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(
        "from pathlib import Path\nfrom makegood_adapters.toolfiles import load_tool\n"
        "load_tool(Path(__file__).with_name('tool.toml'))\n"
    )
    (tmp_path / "tool.toml").write_text(TOOL.replace("pool =", "pol ="))
    told = check(tmp_path, "jobs.py")
    assert told.status == 1
    assert [line.split(" ")[:2] for line in told.out[:2]] == [
        ["tool.toml:", "MG502"],
        ["tool.toml:5:", "MG502"],
    ]
