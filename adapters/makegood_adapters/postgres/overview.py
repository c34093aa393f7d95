"""How everything is at this moment, for a page that people look at: a few cheap readings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from makegood.job import Occupancy
from makegood.ports import Worker
from makegood_adapters.postgres.store import PostgresStore

#: Over how long a rate is taken, and over how many transitions at most: a page must cost little.
RATE_SECONDS, RATE_MOVES_MAX = 60.0, 10_000
WEBHOOKS_COUNTED_MAX = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """The waiting jobs of one pool and priority; `parked` of them may not start yet."""

    pool: str
    priority: int
    waiting: int
    parked: int
    oldest: datetime | None


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
    many seconds one has been due; endpoints that hear and that are disabled; tries of the last minute."""

    waiting: int
    failed: int
    late_seconds: float
    endpoints: int
    disabled: int
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
        rates=_rates(moves, at),
    )


async def webhooks_out(store: PostgresStore) -> WebhooksOut:
    """Count messages to endpoints. Raises StoreUnavailable."""
    [row] = await store.read("overview/webhooks", RATE_SECONDS, RATE_MOVES_MAX, WEBHOOKS_COUNTED_MAX)
    return WebhooksOut(**dict(row))


async def open_jobs(store: PostgresStore) -> list[OpenJobs]:
    """Count the jobs that are not over. Raises StoreUnavailable."""
    return [OpenJobs(**dict(row)) for row in await store.read("overview/open_jobs")]


def _rates(moves: Sequence[asyncpg.Record], at: datetime) -> dict[str, float]:
    """Return jobs a minute; where the last transitions reach back less than that, they are of less time."""
    counted = sum(row["moves"] for row in moves)
    since = at - timedelta(seconds=RATE_SECONDS)
    if counted >= RATE_MOVES_MAX:
        since = max(since, min(row["first"] for row in moves))
    minutes = max((at - since).total_seconds(), 1.0) / 60
    found = {"accepted": 0, "completed": 0, "failed": 0, "cancelled": 0}
    for row in moves:
        name = "accepted" if row["event"] == "accept" else row["to_state"]
        if name in found:
            found[name] += row["moves"]
    return {name: round(number / minutes, 1) for name, number in found.items()}
