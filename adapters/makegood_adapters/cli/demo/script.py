"""What will be played: users, jobs, and which mishap meets which of them; fixed by a seed."""

import random
from dataclasses import dataclass
from enum import StrEnum

from makegood.errors import InvalidRequest
from makegood_adapters.runninghub.simulator import Faults, Match, Rule

PICTURES = ("hills.png", "lighthouse.png", "cat.png", "skyline.png")
USERS = ("ana", "ben", "chloe")
TYPES = ("upscaler", "pose_changer")
SLOTS = 3
JOBS_MIN, JOBS_MAX = 1, 400


class Mishap(StrEnum):
    """What goes wrong; the value is how the demo tells of it."""

    FAILURE = "the provider fails the task"
    LOST_WEBHOOK = "the provider loses the webhook"
    TWO_WEBHOOKS = "the provider sends the webhook twice"
    EARLY_WEBHOOK = "the webhook comes before the create reply"
    LOST_REPLY = "the create reply is lost after the task was accepted"
    CANCEL = "the user cancels in the queue"
    OTHER_PROGRAM = "another program writes state = 'failed' into the queue"
    LYING_BROWSER = "a browser claims that a running job has failed"


#: Mishaps at the provider; each meets the task of one arrival.
PROVIDER_FAULTS = {
    Mishap.FAILURE: Faults(fail="CUDA error: an illegal memory access was encountered"),
    Mishap.LOST_WEBHOOK: Faults(webhooks=0),
    Mishap.TWO_WEBHOOKS: Faults(webhooks=2),
    Mishap.EARLY_WEBHOOK: Faults(webhook_before_reply=True),
    Mishap.LOST_REPLY: Faults(drop_reply=True),
}


@dataclass(frozen=True, slots=True)
class Part:
    """One job to be played; `pause_seconds` is the wait before it is submitted."""

    number: int
    owner: str
    job_type: str
    pictures: tuple[str, ...]
    options: dict[str, str]
    pause_seconds: float
    mishap: Mishap | None = None
    by_browser: bool = False


@dataclass(frozen=True, slots=True)
class Script:
    """All jobs, the mishap of each arrival at the provider, and when the engine is killed."""

    parts: tuple[Part, ...]
    arrivals: dict[int, Mishap]
    kill_after: int | None

    @property
    def rules(self) -> list[Rule]:
        """The provider's mishaps as the simulator is told them."""
        return [
            Rule(faults=PROVIDER_FAULTS[mishap], match=Match(arrival=arrival))
            for arrival, mishap in self.arrivals.items()
        ]


def write(jobs: int, seed: int) -> Script:
    """Return the script for *jobs* jobs; fewer than about 14 leave out some of the mishaps."""
    if not JOBS_MIN <= jobs <= JOBS_MAX:
        raise InvalidRequest(f"--jobs takes {JOBS_MIN} to {JOBS_MAX}, not {jobs}.")
    chance = random.Random(seed)
    # Arrivals are spread over the first half, so that each comes for sure: some jobs never arrive.
    places = chance.sample(
        range(2, max(3, jobs // 2 + 1)), k=min(len(PROVIDER_FAULTS), max(0, jobs // 2 - 1))
    )
    arrivals = dict(zip(sorted(places), PROVIDER_FAULTS, strict=False))
    queued = range(min(8, jobs), jobs + 1) if jobs > SLOTS else range(0)  # these surely wait
    waiting = chance.sample(queued, k=min(3, len(queued)))
    own = dict(zip(waiting, (Mishap.CANCEL, Mishap.OTHER_PROGRAM, Mishap.LYING_BROWSER), strict=False))
    parts = tuple(_part(number, chance, own.get(number)) for number in range(1, jobs + 1))
    return Script(parts, arrivals, kill_after=max(2, jobs // 3) if jobs >= 6 else None)


def _part(number: int, chance: random.Random, mishap: Mishap | None) -> Part:
    owner = USERS[(number - 1) % len(USERS)]
    pause = chance.uniform(0.0, 0.06)
    if chance.random() < 0.25:
        pictures: tuple[str, ...] = ("person.png", "pose.png")
        return Part(number, owner, "pose_changer", pictures, {}, pause, mishap)
    options = {"version": chance.choice(("standard", "standard", "pro"))}
    return Part(
        number,
        owner,
        "upscaler",
        (chance.choice(PICTURES),),
        options,
        pause,
        mishap,
        by_browser=number % 10 == 4,
    )
