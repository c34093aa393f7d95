"""How fast the simulated site is."""

from dataclasses import dataclass
from typing import Any, Self

from makegood_adapters.runninghub.simulator.plain import read


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Durations in seconds; each stage varies by up to `spread` of its length.

    `speed` makes all of it that many times as fast. RunningHub's own figures are guesses: three
    repetitions of a webhook, about 60 s apart.
    """

    queued_seconds: float = 0.05
    running_seconds: float = 0.2
    spread: float = 0.0
    cancel_seconds: float = 0.05
    webhook_retries: int = 3
    webhook_retry_seconds: float = 1.0
    webhook_timeout_seconds: float = 10.0
    speed: float = 1.0

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Read an object with the fields to change; raises ValueError with a sentence."""
        return read(cls, value)
