"""When a run that failed is made again under the same hold, how soon, and what is changed in its request."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from makegood.job import Evidence, Job, Verdict
from makegood.outcome import JSON, Trouble

#: Under this key the evidence that a run failed tells of the run that follows it.
AGAIN = "again"


@dataclass(frozen=True, slots=True)
class Rerun:
    """Another run of the job: after so many seconds at the earliest, with *changes* put over its request.

    The changes stay for all later runs. Raises ValueError for what no clock and no store can keep.
    """

    after_seconds: float = 0.0
    changes: JSON = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a pause that is none, and changes that are no JSON."""
        if not 0 <= self.after_seconds < math.inf:
            raise ValueError(f"after_seconds must be 0 or more and have an end, not {self.after_seconds}")
        try:
            json.dumps(dict(self.changes), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"changes must be a JSON object: {error}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class RerunPolicy:
    """Which troubles another run may survive, and how long it waits: `first_seconds`, each time `factor` as
    long, at most `seconds_max`; the engine makes each pause shorter by up to a quarter, by chance.

    `larger` is put over the request after a run that had too little memory. A request that has all of it
    is not run again after that trouble; with nothing in it the next run is like the one before.
    `attempts_max` of the job type bounds how often.
    """

    troubles: frozenset[Trouble] = frozenset({Trouble.PASSING, Trouble.MEMORY})
    first_seconds: float = 5.0
    factor: float = 3.0
    seconds_max: float = 300.0
    larger: JSON = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse pauses that shrink, or have no end, and a trouble that is a text."""
        object.__setattr__(self, "troubles", frozenset(Trouble(trouble) for trouble in self.troubles))
        if not 0 <= self.first_seconds <= self.seconds_max < math.inf:
            raise ValueError(
                f"first_seconds ({self.first_seconds:g}) must be 0 or more and seconds_max "
                f"({self.seconds_max:g}) at least as long, with an end"
            )
        if not 1 <= self.factor <= 100:
            raise ValueError(f"factor must be 1 to 100, not {self.factor:g}: a pause never gets shorter")

    def rerun(self, request: JSON, trouble: Trouble, reruns: int) -> Rerun | None:
        """Return the run that follows one of *request* that failed of *trouble*; None: there is none.

        *reruns*: how often the job was run again already.
        """
        if trouble not in self.troubles:
            return None
        changes = self.larger if trouble is Trouble.MEMORY else {}
        if changes and {**request, **changes} == dict(request):
            return None
        grown = self.first_seconds * self.factor ** min(reruns, 20)
        return Rerun(min(grown, self.seconds_max), changes)


def request_of(job: Job, number: int, known: Iterable[Evidence]) -> JSON:
    """Return what attempt *number* asks the provider: the job's request, and over it the changes that the
    failures of earlier attempts have led to, which are part of the evidence *known* about them."""
    request = dict(job.request)
    for fact in sorted(known, key=lambda fact: fact.attempt):
        if fact.verdict is Verdict.FAILED and fact.attempt < number:
            request |= fact.detail.get(AGAIN, {}).get("changes", {})
    return request
