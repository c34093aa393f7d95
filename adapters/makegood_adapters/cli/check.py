"""The command `makegood check`: prove job types before they run, one line a problem."""

import json as as_json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from makegood_adapters.cli.targets import Examination, Finding, examine
from makegood_adapters.toolfiles import default_tools_folder


def check(*targets: str | Path, json: Annotated[bool, Parameter(negative="")] = False) -> None:
    """Prove job types before any job runs; the exit status is 1 if there is a problem.

    Parameters
    ----------
    targets
        Tool files, folders of tool files, Python files or names of modules; left out: the shipped tools.
    json
        Tell what was found as JSON.

    Examples
    --------
    makegood check tools shop/jobs.py
    """
    found = examine(map(str, targets or [default_tools_folder()]))
    write = sys.stdout.write
    if json:
        write(as_json.dumps(_report(found), indent=2, ensure_ascii=False) + "\n")
    else:
        for finding in found.findings:
            write(_line(finding) + "\n")
        if found.subjects or not found.unreadable:
            problems = len(found.findings)
            write(f"{_count(len(found.subjects), 'job type')}, {_count(problems, 'problem')}\n")
        for sentence in found.unreadable:
            sys.stderr.write(f"makegood: {sentence}\n")
    if found.unreadable:
        sys.exit(2)
    if found.findings:
        sys.exit(1)


def _line(finding: Finding) -> str:
    problem = finding.problem
    place = f"{_short(problem.file)}:{problem.line}" if problem.line else _short(problem.file)
    return f"{place or finding.target}: {problem.code} {problem.sentence}"


def _short(file: str | None) -> str:
    """Write a file as the user would type it: from the working folder, where it is inside."""
    path = Path(file or "")
    if not file or not path.is_relative_to(Path.cwd()):
        return file or ""
    return str(path.relative_to(Path.cwd()))


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _report(found: Examination) -> dict[str, object]:
    return {
        "job_types": len(found.subjects),
        "problems": [
            {
                "code": finding.problem.code,
                "title": finding.problem.title,
                "message": finding.problem.message,
                "path": list(finding.problem.path),
                "file": _short(finding.problem.file) or None,
                "line": finding.problem.line,
                "job_type": finding.subject,
                "target": finding.target,
            }
            for finding in found.findings
        ],
        "unreadable": found.unreadable,
    }
