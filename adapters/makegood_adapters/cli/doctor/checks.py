"""What the doctor finds, one check a line: ok, a warning, or a failure with what to do."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from rich.console import Console
from rich.table import Table
from rich.text import Text


class Mark(StrEnum):
    """How a check went."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


_STYLES = {Mark.OK: "green", Mark.WARN: "bold yellow", Mark.FAIL: "bold red"}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `remedy` is what to do, where something is."""

    mark: Mark
    subject: str
    told: str
    remedy: str = ""


@dataclass(slots=True)
class Checks:
    """Everything that was looked at, in order; *clean* takes secrets out of whatever is told."""

    clean: Callable[[str], str] = str
    all: list[Check] = field(default_factory=list)

    def ok(self, subject: str, told: str) -> None:
        """Note what is well."""
        self._add(Mark.OK, subject, told, "")

    def warn(self, subject: str, told: str, remedy: str) -> None:
        """Note what works and should not stay so."""
        self._add(Mark.WARN, subject, told, remedy)

    def fail(self, subject: str, told: str, remedy: str) -> None:
        """Note what does not work."""
        self._add(Mark.FAIL, subject, told, remedy)

    def count(self, mark: Mark) -> int:
        """Return how many checks went so."""
        return sum(check.mark is mark for check in self.all)

    def _add(self, mark: Mark, subject: str, told: str, remedy: str) -> None:
        texts = (" ".join(self.clean(text).split()) for text in (subject, told, remedy))
        self.all.append(Check(mark, *texts))

    def print_table(self) -> None:
        """Print them for people."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
        table.add_column(no_wrap=True)
        table.add_column()
        table.add_column(overflow="fold")
        for check in self.all:
            told = Text(check.told)
            if check.remedy:
                told.append(f"\n→ {check.remedy}", "bold")
            table.add_row(Text(check.mark, _STYLES[check.mark]), Text(check.subject), told)
        console = Console(highlight=False)
        console.print(table)
        console.print()
        console.print(Text(self._summary(), "bold"))

    def print_json(self) -> None:
        """Print them for programs."""
        whole = {
            "ok": not self.count(Mark.FAIL),
            "warnings": self.count(Mark.WARN),
            "failures": self.count(Mark.FAIL),
            "checks": [asdict(check) for check in self.all],
        }
        sys.stdout.write(json.dumps(whole, indent=2, ensure_ascii=False) + "\n")

    def _summary(self) -> str:
        warnings, failures = self.count(Mark.WARN), self.count(Mark.FAIL)
        if not warnings and not failures:
            return f"{len(self.all)} checks, all well"
        told = [f"{failures} failed"] if failures else []
        told += [f"{warnings} {'warning' if warnings == 1 else 'warnings'}"] if warnings else []
        return f"{len(self.all)} checks: {', '.join(told)}"
