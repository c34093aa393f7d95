"""How much chaos is wanted: numbers, and what follows from a seed."""

import random
from dataclasses import dataclass
from enum import StrEnum

from makegood.errors import InvalidRequest

#: Times of the engines, in seconds: hours of a real site in seconds, in the same proportions.
DEADLINES = {"starting": 12, "running": 30}
SETTINGS = {
    "loop_interval_seconds": 0.25,
    "batch_max": 100,
    "submit_timeout_seconds": 3,
    "upload_timeout_seconds": 6,
    "lease_seconds": 10,
    "poll_interval_seconds": 0.4,
    "ask_timeout_seconds": 5,
    "fetch_timeout_seconds": 5,
    "absent_after_seconds": 5,
    "defer_seconds": 0.1,
    "defer_max_seconds": 2,
    "drain_seconds": 3,
    "capacity_grow_seconds": 0.2,
    "unfit_seconds": 2,
    "unfit_max_seconds": 5,
    "survey_interval_seconds": 2,
    "count_gap_seconds": 0.95,
    "count_after_seconds": 1,
}
#: Longer than any task lives, so that no slot is given up while its task still runs.
DRAINING_SECONDS = 20.0
JOBS_MAX = 100_000


class Meddling(StrEnum):
    """What users and other programs do to a job."""

    CANCEL = "cancelled by its user"
    LIE = "reported as failed by its page"
    TWICE = "sent a second time with the same key"
    RAW = "written 'failed' by another program"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run. `odds` is the probability of every single fault, `open_max` how many jobs are open at once.

    Engines are killed *kills* times, or, with *kill_every*, one every so many seconds; the server is stopped
    *stops* times.
    """

    jobs: int = 10_000
    seed: int = 1
    odds: float = 0.02
    workers: int = 2
    slots: int = 120
    accounts: int = 3
    kills: int = 3
    kill_every: float | None = None
    stops: int = 0
    open_max: int = 400
    owners: int = 40

    def __post_init__(self) -> None:
        """Refuse what cannot be played, with a sentence."""
        if not 1 <= self.jobs <= JOBS_MAX:
            raise InvalidRequest(f"--jobs takes 1 to {JOBS_MAX:,}, not {self.jobs}.")
        if not 0 <= self.odds <= 0.2:
            raise InvalidRequest(f"--odds takes 0 to 0.2, the probability of each fault, not {self.odds}.")
        for name in ("workers", "slots", "accounts"):
            if getattr(self, name) < 1:
                raise InvalidRequest(f"--{name} takes 1 or more, not {getattr(self, name)}.")
        if self.accounts > self.slots:
            raise InvalidRequest(f"--accounts takes at most as many as --slots, which is {self.slots}.")
        for name in ("kills", "stops"):
            if getattr(self, name) < 0:
                raise InvalidRequest(f"--{name} takes 0 or more, not {getattr(self, name)}.")
        if self.kill_every is not None and not 0.5 <= self.kill_every <= 3_600:
            raise InvalidRequest(f"--kill-every takes 0.5 to 3600 seconds, not {self.kill_every:g}.")

    def meddling(self, number: int) -> tuple[Meddling | None, float]:
        """Return what is done to the job of this number, and how many seconds after it was accepted."""
        chance = random.Random(f"{self.seed}:{number}")
        drawn, delay = chance.random(), chance.uniform(0, 3)
        for meddling in Meddling:
            drawn -= 0.02
            if drawn < 0:
                return meddling, delay
        return None, 0.0
