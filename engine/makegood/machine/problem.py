"""What is wrong with a declaration: a code, a sentence, the shortest way to it and the line that says it."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import PurePath
from types import FrameType

#: Every code with its title; docs/reference/problems.md explains each. MG0xx are SQLSTATEs of the database.
TITLES = {
    "MG101": "an event names a state that is not there",
    "MG102": "not exactly one initial state",
    "MG103": "an event names a guard that is not there",
    "MG104": "no final state",
    "MG105": "an edge leaves a final state",
    "MG106": "a shadowed edge",
    "MG107": "an edge that stays where it is",
    "MG108": "an unreachable state",
    "MG109": "a state without a way out",
    "MG110": "a trap: no way to a final state",
    "MG111": "a state without a deadline",
    "MG112": "no way out for the deadline",
    "MG113": "two edges with the same ends and different money",
    "MG114": "a dropped edge that is not there",
    "MG115": "an event does not bring the data of its state",
    "MG116": "a value of the wrong kind",
    "MG117": "an unknown public status",
    "MG118": "a guard that cannot decide",
    "MG119": "a hook or effect that cannot be awaited",
    "MG120": "credits held together with taking a slot",
    "MG201": "credits still held at the end",
    "MG202": "credits held twice",
    "MG203": "credits captured that were never held",
    "MG204": "credits released that were never held",
    "MG205": "credits settled by policy that were never held",
    "MG206": "credits captured that were settled already",
    "MG207": "credits released that were settled already",
    "MG208": "credits settled by policy that were settled already",
    "MG209": "credits held again that were settled already",
    "MG210": "a state reached with different holdings",
    "MG211": "credits kept by a job that failed",
    "MG301": "an obligation still open at the end",
    "MG302": "an obligation closed that is not open",
    "MG303": "an obligation opened twice",
    "MG304": "an obligation names an edge that is not there",
    "MG305": "an edge both opens and closes an obligation",
    "MG501": "a tool file that cannot be read",
    "MG502": "a key or value that does not fit the format",
    "MG503": "an input that contradicts itself",
    "MG504": "an unknown input",
    "MG505": "a condition that can never be true",
    "MG506": "a node whose value cannot be told",
    "MG507": "a rule, app or node that is never chosen",
    "MG508": "inputs that no app takes",
    "MG509": "too many situations to prove",
    "MG510": "an input filled by two columns",
    "MG511": "two tool files with one name",
    "MG512": "a price that cannot be told",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem; as text, `MG201 credits still held in 'failed' after accept > fail (jobs.py:12)`.

    `path` holds the events of a shortest way to the problem, empty where no way matters. `where` is the
    file and line of the declaration, `FILE:LINE` or, where no line is known, `FILE`.
    """

    code: str
    message: str
    path: tuple[str, ...] = ()
    where: str | None = None

    def __post_init__(self) -> None:
        if self.code not in TITLES:
            raise ValueError(f"there is no code {self.code!r}")

    def __str__(self) -> str:
        place = f" ({PurePath(self.where).name})" if self.where else ""
        return f"{self.code} {self.sentence}{place}"

    @property
    def title(self) -> str:
        """What all problems of this code have in common."""
        return TITLES[self.code]

    @property
    def sentence(self) -> str:
        """The message with the way to it, which stands before what explains the message."""
        if not self.path:
            return self.message
        told, colon, why = self.message.partition(": ")
        return f"{told} after {' > '.join(self.path)}{colon}{why}"

    @property
    def file(self) -> str | None:
        """The file of `where`."""
        file, _, line = (self.where or "").rpartition(":")
        return (file if line.isdigit() else self.where) or None

    @property
    def line(self) -> int | None:
        """The line of `where`, counted from 1."""
        line = (self.where or "").rpartition(":")[2]
        return int(line) if line.isdigit() else None


def told_at(problems: Iterable[Problem], place: str) -> list[Problem]:
    """Give *problems* a place where a reader can act: one in the file of *place*, else *place* itself.

    What is inherited was declared in another file, and is not wrong there.
    """
    own = Problem("MG101", "", where=place).file
    return [p if p.where and p.file == own else replace(p, where=place or None) for p in problems]


def source_line() -> str:
    """Return `FILE:LINE` of the innermost caller outside of this package."""
    frame: FrameType | None = sys._getframe(1)
    while frame and frame.f_globals.get("__name__", "").rpartition(".")[0] == __package__:
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else ""
