"""What the engine asks of the world: small Protocols, one sentence a method."""

from makegood.ports.accounts import FOREIGN_SECONDS, GROW_SECONDS, Accounts, Reading
from makegood.ports.blobs import PIECE_BYTES, Blobs
from makegood.ports.keys import Keys, ServiceKey
from makegood.ports.ledger import Ledger
from makegood.ports.listing import Cursor, JobFilter
from makegood.ports.provider import Moved, Provider, unheard
from makegood.ports.queue import COUNTED_MAX, Queue, Standing
from makegood.ports.rules import Rules
from makegood.ports.store import (
    HINTS_MAX,
    ORPHAN_SECONDS,
    PARKED_MAX,
    PARKED_OF_SOURCE_MAX,
    PARKED_SECONDS,
    PARKING_SECONDS,
    PROLONGED_TIMES,
    REPORTS_MAX,
    RESULT_SECONDS,
    Attempts,
    Change,
    Effect,
    Hints,
    Jobs,
    Outbox,
    Receipt,
    Store,
    StoredHint,
    Swept,
)
from makegood.ports.stream import Stream
from makegood.ports.uploads import DAY_SECONDS, Upload, Uploads
from makegood.ports.wakeups import Bell, Wakeups
from makegood.ports.workers import Worker, WorkerName, Workers, WorkerState

__all__ = [
    "COUNTED_MAX",
    "DAY_SECONDS",
    "FOREIGN_SECONDS",
    "GROW_SECONDS",
    "HINTS_MAX",
    "ORPHAN_SECONDS",
    "PARKED_MAX",
    "PARKED_OF_SOURCE_MAX",
    "PARKED_SECONDS",
    "PARKING_SECONDS",
    "PIECE_BYTES",
    "PROLONGED_TIMES",
    "REPORTS_MAX",
    "RESULT_SECONDS",
    "Accounts",
    "Attempts",
    "Bell",
    "Blobs",
    "Change",
    "Cursor",
    "Effect",
    "Hints",
    "JobFilter",
    "Jobs",
    "Keys",
    "Ledger",
    "Moved",
    "Outbox",
    "Provider",
    "Queue",
    "Reading",
    "Receipt",
    "Rules",
    "ServiceKey",
    "Standing",
    "Store",
    "StoredHint",
    "Stream",
    "Swept",
    "Upload",
    "Uploads",
    "Wakeups",
    "Worker",
    "WorkerName",
    "WorkerState",
    "Workers",
    "unheard",
]
