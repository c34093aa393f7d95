"""One line for each thing that was looked at: good, bad, or not known from here."""

import sys
from dataclasses import dataclass
from enum import StrEnum


class Mark(StrEnum):
    """How a thing was found; the value is what is printed before it."""

    GOOD = "✓"
    BAD = "✗"
    UNKNOWN = "?"


@dataclass(slots=True)
class Findings:
    """Prints what is found, at once, and counts what is bad."""

    bad: int = 0

    def head(self, text: str) -> None:
        """Begin a part."""
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    def add(self, mark: Mark, text: str) -> None:
        """Print one line."""
        self.bad += mark is Mark.BAD
        sys.stdout.write(f"  {mark} {text}\n")
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
