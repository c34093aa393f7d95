"""What the engine asks of the world: small Protocols, one sentence a method."""

from makegood.ports.accounts import GROW_SECONDS, Accounts, Reading
from makegood.ports.blobs import Blobs
from makegood.ports.provider import Provider
from makegood.ports.store import (
    HINTS_MAX,
    ORPHAN_SECONDS,
    PARKED_MAX,
    PARKED_OF_SOURCE_MAX,
    PARKED_SECONDS,
    PARKING_SECONDS,
    REPORTS_MAX,
    RESULT_SECONDS,
    Attempts,
    Change,
    Effect,
    Hints,
    Jobs,
    Ledger,
    Outbox,
    Receipt,
    Store,
    StoredHint,
    Swept,
)
from makegood.ports.stream import Stream
from makegood.ports.wakeups import Bell, Wakeups

__all__ = [
    "GROW_SECONDS",
    "HINTS_MAX",
    "ORPHAN_SECONDS",
    "PARKED_MAX",
    "PARKED_OF_SOURCE_MAX",
    "PARKED_SECONDS",
    "PARKING_SECONDS",
    "REPORTS_MAX",
    "RESULT_SECONDS",
    "Accounts",
    "Attempts",
    "Bell",
    "Blobs",
    "Change",
    "Effect",
    "Hints",
    "Jobs",
    "Ledger",
    "Outbox",
    "Provider",
    "Reading",
    "Receipt",
    "Store",
    "StoredHint",
    "Stream",
    "Swept",
    "Wakeups",
]
