"""The kinds of buckets that credits come in, and what may be granted at all."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from makegood.errors import InvalidRequest

#: Far above any price, far below what an integer of the database or of JSON holds.
CREDITS_MAX = 10**12
#: 32 bits of the database.
PRIORITY_MAX = 2**31 - 1

GRACE = "grace:"  # how the source of credits begins that come back after their bucket has expired
PLAN = "plan:"  # how the source of a plan's cycle begins: plan:<plan>:<cycle>
#: How long grace credits live unless `Settings.grace_seconds` says otherwise: thirty days.
GRACE_SECONDS = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class BucketKind:
    """Where a kind stands in spending order, lower first, and how long its credits live by default."""

    priority: int
    lifetime: timedelta | None = None


#: What costs its owner least is spent first, what was paid for last. A host may name kinds of its own.
KINDS: Mapping[str, BucketKind] = MappingProxyType(
    {
        "unlimited": BucketKind(0),
        "trial": BucketKind(10, timedelta(days=14)),
        "promo": BucketKind(20, timedelta(days=90)),
        "grace": BucketKind(30, timedelta(seconds=GRACE_SECONDS)),
        "monthly": BucketKind(40, timedelta(days=31)),
        "purchased": BucketKind(100),
    }
)


def resolve(kind: str, priority: int | None) -> BucketKind:
    """Return the kind with *priority* in place of its own. Raises InvalidRequest for a name that is not
    in KINDS and comes without a priority."""
    known = KINDS.get(kind)
    if priority is not None:
        return BucketKind(priority, known.lifetime if known else None)
    if known is None:
        raise InvalidRequest(
            f"There is no kind of bucket {kind!r}: use one of {', '.join(KINDS)}, or give your own a "
            "priority. Nothing was granted."
        )
    return known


def check_amount(amount: object) -> None:
    """Raise InvalidRequest unless *amount* is a number of credits that a ledger may issue."""
    if isinstance(amount, bool) or not isinstance(amount, int) or not 1 <= amount <= CREDITS_MAX:
        raise InvalidRequest(
            f"{amount!r} credits cannot be granted: give a whole number from 1 to {CREDITS_MAX:,}. "
            "Nothing was granted."
        )


def check_bucket(owner: str, kind: str, source_ref: str, priority: object, expires_at: object) -> None:
    """Raise InvalidRequest for a bucket that no ledger may open."""
    check_texts(owner=owner, kind=kind, source_ref=source_ref)
    if source_ref.startswith((GRACE, PLAN)):
        raise InvalidRequest(
            f"The source_ref {source_ref!r} must not begin with {GRACE!r} or {PLAN!r}: these are for credits "
            "that come back and for the cycles of plans. Nothing was granted."
        )
    _check_place(priority, expires_at)


def check_cycle(owner: str, plan: str, cycle: str, kind: str, priority: object, expires_at: object) -> None:
    """Raise InvalidRequest for a cycle that no ledger may begin."""
    check_texts(owner=owner, plan=plan, cycle=cycle, kind=kind)
    if ":" in plan:
        raise InvalidRequest(f"The plan {plan!r} must be named without a colon. Nothing was granted.")
    _check_place(priority, expires_at)


def check_texts(**texts: object) -> None:
    """Raise InvalidRequest unless each is a name that every store can keep; None is left out."""
    for name, text in texts.items():
        if text is None:
            continue
        if not isinstance(text, str) or not text or len(text) > 500 or not text.isprintable():
            raise InvalidRequest(f"{name} {text!r} must be 1 to 500 printable characters.")


def passed(expires_at: datetime) -> InvalidRequest:
    """Return the refusal of credits that would have expired before they are granted."""
    return InvalidRequest(
        f"The credits would expire at {expires_at.isoformat()}, which has passed: give a time to come. "
        "Nothing was granted."
    )


def _check_place(priority: object, expires_at: object) -> None:
    if isinstance(priority, bool) or not isinstance(priority, int) or abs(priority) > PRIORITY_MAX:
        raise InvalidRequest(f"The priority {priority!r} must be a whole number. Nothing was granted.")
    if expires_at is not None and not (isinstance(expires_at, datetime) and expires_at.tzinfo is not None):
        raise InvalidRequest(
            f"expires_at {expires_at!r} must be a datetime with a time zone, or None. Nothing was granted."
        )
