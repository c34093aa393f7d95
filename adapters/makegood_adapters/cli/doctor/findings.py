"""One line for each thing that was looked at: good, bad, or not known from here."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from makegood_adapters.cli.told import tell_line

_LINE_MAX = 800


class Mark(StrEnum):
    """How a thing was found; the value is what is printed before it."""

    GOOD = "✓"
    BAD = "✗"
    UNKNOWN = "?"


@dataclass(slots=True)
class Findings:
    """Prints what is found, at once, and counts what is bad; whatever a site says holds none of *secrets*.
    With *json* each finding is a line of JSON, which says to which `part` it belongs."""

    bad: int = 0
    secrets: Sequence[str] = ()
    json: bool = False
    part: str = ""

    def head(self, text: str) -> None:
        """Begin a part."""
        self.part = self._plain(text)
        if not self.json:
            sys.stdout.write(f"{self.part}\n")
            sys.stdout.flush()

    def close(self) -> None:
        """Print how it went as a whole."""
        if self.json:
            tell_line({"ok": not self.bad, "problems": self.bad})
        else:
            self.head("everything that was looked at works" if not self.bad else f"problems: {self.bad}")

    def add(self, mark: Mark, text: str) -> None:
        """Print one line."""
        self.bad += mark is Mark.BAD
        if self.json:
            tell_line({"part": self.part, "found": mark.name.lower(), "told": self._plain(text)})
            return
        sys.stdout.write(f"  {mark} {self._plain(text)}\n")
        sys.stdout.flush()

    def good(self, text: str) -> None:
        """Print what works."""
        self.add(Mark.GOOD, text)

    def wrong(self, text: str) -> None:
        """Print what does not, with what to do."""
        self.add(Mark.BAD, text)

    def unknown(self, text: str) -> None:
        """Print what cannot be told."""
        self.add(Mark.UNKNOWN, text)

    def _plain(self, text: str) -> str:
        """Return *text* on one line, without keys, and without what would move a terminal's cursor."""
        for secret in self.secrets:
            text = text.replace(secret, "[key]")
        shown = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
        return shown if len(shown) <= _LINE_MAX else shown[: _LINE_MAX - 1] + "…"
