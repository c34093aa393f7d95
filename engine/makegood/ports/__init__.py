"""What the engine asks of the world: small Protocols, one sentence a method."""

from makegood.ports.accounts import GROW_SECONDS, Accounts, Reading
from makegood.ports.blobs import Blobs
from makegood.ports.provider import Provider
from makegood.ports.rules import Rules
from makegood.ports.store import (
    ORPHAN_SECONDS,
    REPORTS_MAX,
    RESULT_SECONDS,
    Attempts,
    Change,
    Effect,
    Hints,
    Jobs,
    Ledger,
    Outbox,
    Store,
    StoredHint,
)
from makegood.ports.wakeups import Bell, Wakeups

__all__ = [
    "GROW_SECONDS",
    "ORPHAN_SECONDS",
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
    "Rules",
    "Store",
    "StoredHint",
    "Wakeups",
]
