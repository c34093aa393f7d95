"""What shall go wrong with which simulated task, as plain values that also travel as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self

from makegood_adapters.runninghub.simulator.request import TaskRequest

Stage = Literal["queued", "running"]

_NUMBERS = ("webhooks", "arrival", "times")
_SECONDS = ("queued_seconds", "running_seconds", "reply_seconds")
_FLAGS = ("transient", "no_outputs", "node_errors", "webhook_before_reply", "drop_reply")


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What goes wrong with one task; the default is nothing.

    Before a task exists: `refuse` is the v1 error code of the reply, and no task is created.
    The task itself: `fail` is the exception message it fails with, `transient` gives that failure
    the code 1015 instead of 805; `no_outputs` succeeds with an empty result; `queued_seconds` and
    `running_seconds` replace the pace; `hold` stops the task in a stage until it is released.
    The create reply: `node_errors` puts a complaint in promptTips; `reply_seconds` delays it;
    `drop_reply` closes the connection after the task was accepted.
    The webhook: `webhooks` is how often it is delivered, 0 for never; `webhook_before_reply`
    finishes the task at once and holds the create reply until the webhook was tried.
    """

    refuse: str | None = None
    fail: str | None = None
    transient: bool = False
    no_outputs: bool = False
    queued_seconds: float | None = None
    running_seconds: float | None = None
    hold: Stage | None = None
    node_errors: bool = False
    reply_seconds: float = 0.0
    drop_reply: bool = False
    webhooks: int = 1
    webhook_before_reply: bool = False

    def __post_init__(self) -> None:
        _check(self)
        if self.hold not in (None, "queued", "running"):
            raise ValueError(f"hold is {self.hold!r}; it must be queued or running.")
        if self.refuse is not None and not self.refuse.removeprefix("-").isdecimal():
            raise ValueError(f"refuse is {self.refuse!r}; it must be a code like 421.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which tasks a rule is for: all that is given must hold, and nothing given fits every task.

    `arrival` is the number of the create call that was accepted or refused by a fault, from 1.
    `input_sha256` is the digest of an input file in hex, so that a file's bytes mark its job.
    `value` is the text of some node's value, or of the node `node` if that is given too.
    """

    arrival: int | None = None
    app: str | None = None
    input_sha256: str | None = None
    node: str | None = None
    value: str | None = None

    def __post_init__(self) -> None:
        _check(self)

    def fits(self, request: TaskRequest) -> bool:
        """Tell whether the rule is for this request."""
        if self.arrival not in (None, request.arrival) or self.app not in (None, request.app):
            return False
        if self.input_sha256 is not None and self.input_sha256 not in request.inputs:
            return False
        if self.node is None and self.value is None:
            return True
        return any(
            self.node in (None, node.node) and self.value in (None, node.value) for node in request.nodes
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Faults for the next `times` tasks that match, None for all of them."""

    faults: Faults
    match: Match = field(default_factory=Match)
    times: int | None = 1

    def __post_init__(self) -> None:
        _check(self)

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Read `{"match": {…}, "faults": {…}, "times": 1}`; raises ValueError with a sentence."""
        if not isinstance(value, Mapping) or not isinstance(value.get("faults"), Mapping):
            raise ValueError('A rule is an object like {"match": {…}, "faults": {…}, "times": 1}.')
        match = value.get("match", {})
        if not isinstance(match, Mapping):
            raise ValueError("match must be an object.")
        unknown = [
            *(set(value) - {"match", "faults", "times"}),
            *(set(match) - {known.name for known in fields(Match)}),
            *(set(value["faults"]) - {known.name for known in fields(Faults)}),
        ]
        if unknown:
            raise ValueError(f"A rule has no {', '.join(sorted(map(str, unknown)))}.")
        return cls(faults=Faults(**value["faults"]), match=Match(**match), times=value.get("times", 1))


class FaultPlan:
    """The rules in the order in which they were added; the first that fits is used."""

    def __init__(self) -> None:
        self._rules: list[tuple[Rule, int | None]] = []

    def add(self, rule: Rule) -> None:
        """Add a rule behind the others."""
        self._rules.append((rule, rule.times))

    def take(self, request: TaskRequest) -> Faults:
        """Return the faults for this request and use up the rule once."""
        for place, (rule, left) in enumerate(self._rules):
            if rule.match.fits(request):
                if left is not None and left <= 1:
                    del self._rules[place]
                elif left is not None:
                    self._rules[place] = (rule, left - 1)
                return rule.faults
        return Faults()


def _check(value: Faults | Match | Rule) -> None:
    """Check types that JSON from another process can get wrong."""
    for known in fields(value):
        name, found = known.name, getattr(value, known.name)
        if found is None and name != "webhooks":
            continue
        if name in _FLAGS:
            good = isinstance(found, bool)
        elif name in _NUMBERS:
            least = 0 if name == "webhooks" else 1
            good = isinstance(found, int) and not isinstance(found, bool) and found >= least
        elif name in _SECONDS:
            good = isinstance(found, int | float) and not isinstance(found, bool) and found >= 0
        elif name in ("faults", "match"):
            continue
        else:
            good = isinstance(found, str)
        if not good:
            raise ValueError(f"{name} cannot be {found!r}.")
