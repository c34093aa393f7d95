"""The command `makegood diff`: what changes from one machine to another, and for the jobs under way."""

import json as as_json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from makegood.errors import InvalidRequest
from makegood.machine import Spec
from makegood.machine.diff import Difference
from makegood.machine.diff import diff as compare
from makegood.machine.projections import from_json
from makegood_adapters.cli.graph import find_type


def diff(
    old: Annotated[str | Path, Parameter(name="A")],
    new: Annotated[str | Path, Parameter(name="B")],
    /,
    *,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Tell what changes from A to B; the exit status is 1 if they differ, as that of diff.

    Parameters
    ----------
    old
        "base", the name of a shipped tool, a tool file, a class as module:Class, or a machine in a *.json
        file, as `makegood graph TYPE --format json` writes it.
    new
        The same.
    json
        Tell it as JSON.

    Examples
    --------
    makegood diff base upscaler
    """
    before, after = spec_of(str(old)), spec_of(str(new))
    found = compare(before, after)
    sys.stdout.write(_report(before, after, found) if json else _text(before, after, found))
    if found:
        sys.exit(1)


def spec_of(target: str) -> Spec:
    """Return the machine that *target* names; InvalidRequest or DeclarationError say why it has none."""
    if not target.endswith(".json"):
        return find_type(target).spec
    try:
        return from_json(Path(target).read_text(encoding="utf-8"))
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise InvalidRequest(f"The file {target} cannot be read: {why}.") from None
    except UnicodeDecodeError:
        raise InvalidRequest(f"The file {target} is not UTF-8 text.") from None


def _text(old: Spec, new: Spec, found: Difference) -> str:
    if not found:
        return f"{_name(old)} and {_name(new)} are the same machine\n"
    lines = [f"{_name(old)} -> {_name(new)}"]
    for section, changes in found.sections.items():
        lines += ["", section, *(f"  {change}" for change in changes)]
    lines += ["", f"needs a new version: {'yes' if found.needs_new_version else 'no'}"]
    return "\n".join([*lines, *found.for_live_jobs]) + "\n"


def _report(old: Spec, new: Spec, found: Difference) -> str:
    report = {
        "old": _name(old),
        "new": _name(new),
        "changes": {name: [asdict(c) for c in changes] for name, changes in found.sections.items()},
        "needs_new_version": found.needs_new_version,
        "for_live_jobs": found.for_live_jobs,
    }
    return as_json.dumps(report, indent=2, ensure_ascii=False) + "\n"


def _name(spec: Spec) -> str:
    return f"{spec.name}@{spec.version}"
