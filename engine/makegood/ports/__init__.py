"""What the engine asks of the world: small Protocols, one sentence a method."""

from makegood.ports.accounts import FOREIGN_SECONDS, GROW_SECONDS, Accounts, Reading
from makegood.ports.blobs import PIECE_BYTES, Blobs
from makegood.ports.drafts import METADATA_BYTES_MAX, SESSION_JOBS_MAX, Drafts, Prepared
from makegood.ports.endpoints import (
    ENDPOINTS_MAX,
    ENDPOINTS_OF_OWNER_MAX,
    TRIES_KEPT,
    Deliveries,
    Delivery,
    DeliveryState,
    Endpoint,
    Endpoints,
    FannedOut,
    Letter,
    Messenger,
    Parcel,
    Posted,
    Try,
    message_id,
)
from makegood.ports.hints import (
    HINTS_MAX,
    PARKED_MAX,
    PARKED_OF_SOURCE_MAX,
    PARKED_SECONDS,
    PARKING_SECONDS,
    REPORTS_MAX,
    Hints,
    Receipt,
    StoredHint,
    Swept,
)
from makegood.ports.keys import Keys, ServiceKey
from makegood.ports.ledger import Ledger
from makegood.ports.listing import Cursor, JobFilter
from makegood.ports.provider import Moved, Provider, unheard
from makegood.ports.queue import COUNTED_MAX, Queue, Standing
from makegood.ports.rules import Rules
from makegood.ports.store import (
    ORPHAN_SECONDS,
    PROLONGED_TIMES,
    RESULT_SECONDS,
    Attempts,
    Change,
    Effect,
    Jobs,
    Outbox,
    Store,
)
from makegood.ports.stream import Stream
from makegood.ports.uploads import DAY_SECONDS, Upload, Uploads
from makegood.ports.wakeups import Bell, Wakeups
from makegood.ports.workers import Worker, WorkerName, Workers, WorkerState

__all__ = [
    "COUNTED_MAX",
    "DAY_SECONDS",
    "ENDPOINTS_MAX",
    "ENDPOINTS_OF_OWNER_MAX",
    "FOREIGN_SECONDS",
    "GROW_SECONDS",
    "HINTS_MAX",
    "METADATA_BYTES_MAX",
    "ORPHAN_SECONDS",
    "PARKED_MAX",
    "PARKED_OF_SOURCE_MAX",
    "PARKED_SECONDS",
    "PARKING_SECONDS",
    "PIECE_BYTES",
    "PROLONGED_TIMES",
    "REPORTS_MAX",
    "RESULT_SECONDS",
    "SESSION_JOBS_MAX",
    "TRIES_KEPT",
    "Accounts",
    "Attempts",
    "Bell",
    "Blobs",
    "Change",
    "Cursor",
    "Deliveries",
    "Delivery",
    "DeliveryState",
    "Drafts",
    "Effect",
    "Endpoint",
    "Endpoints",
    "FannedOut",
    "Hints",
    "JobFilter",
    "Jobs",
    "Keys",
    "Ledger",
    "Letter",
    "Messenger",
    "Moved",
    "Outbox",
    "Parcel",
    "Posted",
    "Prepared",
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
    "Try",
    "Upload",
    "Uploads",
    "Wakeups",
    "Worker",
    "WorkerName",
    "WorkerState",
    "Workers",
    "message_id",
    "unheard",
]
