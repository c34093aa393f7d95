"""The rules of a queue: limits, shares and pauses, and how long a job waits at most."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Final

from makegood.buckets import check_texts
from makegood.errors import InvalidRequest

#: The name under which a scope has the values of all that have none of their own.
EVERYBODY = "*"
#: Of so many slots of a pool one goes to the job that waits longest, whatever its priority and owner.
OLDEST_EVERY = 8
OLDEST_EVERY_MAX = 1_000_000
#: 32 bits of the database.
RUNNING_MAX = 2**31 - 1
WEIGHT_MIN, WEIGHT_MAX = 0.001, 1_000.0


class Scope(StrEnum):
    """What a rule is about."""

    POOL = "pool"
    TYPE = "type"
    OWNER = "owner"


class Keep(Enum):
    """Stands for a value that shall stay as it is."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What was decided of a pool, a job type or an owner; what is None follows the rule `*` of its scope.

    `running_max` is how many jobs of a type or an owner may be in slots of one pool at one time, `weight` is
    an owner's share of a lane, 1 by default, `oldest_every` of how many slots of a pool one goes to the job
    that waits longest. `paused_at` tells that nothing of it is started, `paused_until` how long, None: until
    it is resumed; `reason` says why. `closed` tells that a paused type takes no new jobs either. `actor`
    changed the rule last.
    """

    scope: Scope
    name: str
    running_max: int | None = None
    weight: float | None = None
    oldest_every: int | None = None
    paused_at: datetime | None = None
    paused_until: datetime | None = None
    reason: str | None = None
    closed: bool = False
    actor: str
    changed_at: datetime


def starvation_bound(ahead: int, oldest_every: int = OLDEST_EVERY) -> int:
    """Return within how many dispatches of its pool a job starts, whatever comes after it.

    *ahead* is how many jobs of the pool, in all lanes, were queued before it and wait still. Of each
    *oldest_every* slots one goes to the job that waits longest, so each such slot brings it forward by one.
    It holds for a job that may start: nothing is promised of one that is held back by a pause, a limit or its
    own `not_before`. A job ahead that comes back to the queue counts again.
    """
    if ahead < 0 or oldest_every < 1:
        raise ValueError(f"ahead {ahead} must be 0 or more, oldest_every {oldest_every} 1 or more")
    return oldest_every * (ahead + 1)


def check_name(scope: Scope, name: object, *, everybody: bool) -> None:
    """Raise InvalidRequest unless *name* may have a rule; *everybody*: `*` may."""
    check_texts(**{scope.value: name})
    if name == EVERYBODY and not everybody:
        raise InvalidRequest(
            f"{EVERYBODY!r} stands for every {scope} and cannot be chosen here: name one. "
            "Nothing was changed."
        )


def check_running_max(value: object) -> None:
    """Raise InvalidRequest unless *value* is a limit of jobs that run at one time."""
    _check_whole("running_max", value, 0, RUNNING_MAX)


def check_oldest_every(value: object) -> None:
    """Raise InvalidRequest unless *value* says of how many slots one goes to the job that waits longest."""
    _check_whole("oldest_every", value, 1, OLDEST_EVERY_MAX)


def check_weight(value: object) -> None:
    """Raise InvalidRequest unless *value* is a share of a lane."""
    if value is KEEP or value is None:
        return
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else 0
    if not WEIGHT_MIN <= number <= WEIGHT_MAX:
        raise InvalidRequest(
            f"weight {value!r} must be a number from {WEIGHT_MIN:g} to {WEIGHT_MAX:,g}: 2 is twice the share "
            "of 1, which every owner has at first. Nothing was changed."
        )


def check_pause(reason: object, actor: object, until: object) -> None:
    """Raise InvalidRequest unless a pause says why, by whom, and until when if it ends by itself."""
    check_texts(reason=reason, actor=actor)
    if reason is None or actor is None:
        raise InvalidRequest("A pause needs a reason and an actor. Nothing was changed.")
    if until is not None and not (isinstance(until, datetime) and until.tzinfo is not None):
        raise InvalidRequest(
            f"until {until!r} must be a datetime with a time zone, or None: until it is resumed. Nothing was "
            "changed."
        )


def over(until: datetime) -> InvalidRequest:
    """Return the refusal of a pause that would be over before it begins."""
    return InvalidRequest(f"until {until.isoformat()} has passed: give a time to come. Nothing was changed.")


def unknown(scope: Scope, name: str, known: list[str]) -> InvalidRequest:
    """Return the refusal of a rule about a pool or job type that the store does not know."""
    there = f"there are: {', '.join(known)}" if known else f"no {scope} is known before a worker has started"
    return InvalidRequest(f"There is no {scope} {name!r}; {there}. Nothing was changed.")


def _check_whole(name: str, value: object, low: int, high: int) -> None:
    if value is KEEP or value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidRequest(
            f"{name} {value!r} must be a whole number from {low} to {high:,}. Nothing was changed."
        )
