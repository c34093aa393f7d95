"""What the tests of the doctor share: how it ended, and the places it is told of."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from makegood_adapters.runninghub.simulator import Pace

SECRET = "a-key-that-nobody-must-see"
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
FAST = Pace(queued_seconds=0, running_seconds=0, cancel_seconds=0, webhook_retry_seconds=0)


@dataclass(frozen=True)
class Told:
    """How the command ended."""

    status: int
    out: str
    err: str


Doctor = Callable[..., Awaitable[Told]]
