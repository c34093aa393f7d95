"""How everything is at this moment, for a page that people look at: a few cheap readings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from makegood.job import Occupancy
from makegood.ports import RATE_MOVES_MAX, RATE_SECONDS, SWITCHED_OFF, Lane, Worker
from makegood_adapters.postgres.oversight import rates_of
from makegood_adapters.postgres.store import PostgresStore

WEBHOOKS_COUNTED_MAX = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenJobs:
    """The jobs of one type in one state, and for how many seconds the oldest is in it."""

    type: str
    state: str
    jobs: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhooksOut:
    """Messages to endpoints that wait and that were given up, each counted to WEBHOOKS_COUNTED_MAX; for how
    many seconds one has been due; endpoints that hear, that were disabled since they failed, and that a
    person has switched off, whose messages nobody waits for; tries of the last minute."""

    waiting: int
    failed: int
    late_seconds: float
    endpoints: int
    disabled: int
    switched_off: int
    tries_delivered: int
    tries_failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """One look: processes, accounts, the queue by lane, open jobs by state (how many, and since when the
    oldest is in it), and jobs a minute that were accepted, completed, failed and cancelled."""

    at: datetime
    workers: Sequence[Worker]
    accounts: Sequence[Occupancy]
    lanes: Sequence[Lane]
    states: dict[str, tuple[int, datetime]]
    rates: dict[str, float]


async def overview(store: PostgresStore) -> Overview:
    """Look once. Raises StoreUnavailable."""
    at = await store.now()
    lanes = await store.read("overview/queue")
    states = await store.read("overview/states")
    moves = await store.read("overview/rates", RATE_SECONDS, RATE_MOVES_MAX)
    return Overview(
        at=at,
        workers=await store.workers.present(),
        accounts=await store.attempts.occupancy(),
        lanes=[Lane(**dict(row)) for row in lanes],
        states={row["state"]: (row["jobs"], row["oldest"]) for row in states},
        rates=rates_of(moves, at),
    )


async def webhooks_out(store: PostgresStore) -> WebhooksOut:
    """Count messages to endpoints. Raises StoreUnavailable."""
    bounds = RATE_SECONDS, RATE_MOVES_MAX, WEBHOOKS_COUNTED_MAX
    [row] = await store.read("overview/webhooks", *bounds, SWITCHED_OFF)
    return WebhooksOut(**dict(row))


async def open_jobs(store: PostgresStore) -> list[OpenJobs]:
    """Count the jobs that are not over. Raises StoreUnavailable."""
    return [OpenJobs(**dict(row)) for row in await store.read("overview/open_jobs")]


async def declared_states(store: PostgresStore) -> list[tuple[str, str]]:
    """Return every job type that was ever declared with each of its states, in their order. Raises
    StoreUnavailable."""
    return [(row["type"], row["name"]) for row in await store.read("machine/state_names")]
