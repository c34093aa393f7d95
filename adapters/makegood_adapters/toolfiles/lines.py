"""Find the line of a key in a tool file; tomllib tells none."""

import re
from collections.abc import Iterable
from dataclasses import replace

from makegood.machine import Problem

_HEADER = re.compile(r"\s*(\[\[?)\s*([\w.-]+)\s*\]")
_KEY = re.compile(r"\s*([\w.-]+)\s*=\s*(\[?)")
_PLACE = re.compile(r"[\w-]+(?: #\d+)?(?:\.[\w-]+(?: #\d+)?)*")
_LINE = re.compile(r"not valid TOML, line (\d+)")


class Lines:
    """The places of a file, written as in messages: `apps #1.nodes #2`, `limits.running_seconds`."""

    def __init__(self, file: str, text: str = "") -> None:
        self.file, self.text = file, text
        self._found: dict[str, int] = {}
        self._scan()

    def told(self, problems: Iterable[Problem]) -> list[Problem]:
        """Give each problem the line of the place with which its message begins."""
        return [replace(p, where=self.where(p.message)) for p in problems]

    def where(self, message: str) -> str:
        """Return `FILE:LINE` of the place at the head of *message*, FILE where it is not in the file."""
        if syntax := _LINE.match(message):
            return f"{self.file}:{syntax[1]}"
        place = found[0] if (found := _PLACE.match(message)) else ""
        while place and place not in self._found:
            place = re.sub(r"( #\d+|\.?[\w-]+)$", "", place)
        return f"{self.file}:{self._found[place]}" if place else self.file

    def _scan(self) -> None:
        table, items = "", ""
        counts: dict[str, int] = {}
        in_text = False
        for number, line in enumerate(self.text.splitlines(), 1):
            begun_in_text, in_text = in_text, in_text ^ (line.count('"""') % 2 == 1)
            if begun_in_text:
                continue
            if header := _HEADER.match(line):
                table, items = header[2], ""
                if header[1] == "[[":
                    table = self._next(counts, table)
                self._found.setdefault(table, number)
                self._found.setdefault(header[2], number)
            elif key := _KEY.match(line):
                place = f"{table}.{key[1]}".lstrip(".")
                self._found.setdefault(place, number)
                items = place if key[2] and "]" not in line else ""
            elif items and line.lstrip().startswith("{"):
                self._found[self._next(counts, items)] = number

    @staticmethod
    def _next(counts: dict[str, int], name: str) -> str:
        counts[name] = counts.get(name, 0) + 1
        return f"{name} #{counts[name]}"
