"""The public types say what they promise, to mypy and to pyright alike."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
HOUSE = HERE.parent.parent


def expected(name: str) -> set[int]:
    lines = (HERE / name).read_text("utf-8").splitlines()
    return {number for number, line in enumerate(lines, 1) if "# error:" in line}


def mypy(name: str) -> set[int]:
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", ".mypy_cache", name],
        cwd=HERE,
        env={"MYPYPATH": f"{HOUSE / 'engine'}:{HERE}", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not ran.stderr, ran.stderr
    return {int(m[1]) for m in re.finditer(rf"^{name}:(\d+): error", ran.stdout, re.MULTILINE)}


def pyright(name: str) -> set[int]:
    checker = [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable]
    ran = subprocess.run(
        [*checker, "--project", str(HERE), name],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        problem["range"]["start"]["line"] + 1
        for problem in json.loads(ran.stdout)["generalDiagnostics"]
        if problem["severity"] == "error" and problem["file"].endswith(name)
    }


@pytest.mark.parametrize("checker", [mypy, pyright], ids=["mypy", "pyright"])
@pytest.mark.parametrize("name", ["good.py", "bad.py"])
def test_the_checkers_find_each_mistake_and_no_other(checker: Callable[[str], set[int]], name: str) -> None:
    assert checker(name) == expected(name)
