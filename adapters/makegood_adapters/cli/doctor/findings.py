"""One line for each thing that was looked at: good, bad, or not known from here."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

_LINE_MAX = 800


class Mark(StrEnum):
    """How a thing was found; the value is what is printed before it."""

    GOOD = "✓"
    BAD = "✗"
    UNKNOWN = "?"


@dataclass(slots=True)
class Findings:
    """Prints what is found, at once, and counts what is bad; whatever a site says holds none of *secrets*."""

    bad: int = 0
    secrets: Sequence[str] = ()

    def head(self, text: str) -> None:
        """Begin a part."""
        sys.stdout.write(f"{self._plain(text)}\n")
        sys.stdout.flush()

    def add(self, mark: Mark, text: str) -> None:
        """Print one line."""
        self.bad += mark is Mark.BAD
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
