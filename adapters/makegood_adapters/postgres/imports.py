"""Bring in what another system knew: credits, jobs that are over, and tasks that a provider works on."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid4

import asyncpg

from makegood.errors import StoreError
from makegood.job import Attempt, Job
from makegood.outcome import JSON
from makegood_adapters.postgres.rows import as_json, to_attempt
from makegood_adapters.postgres.statements import statement

ACTOR = "import"


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedJob:
    """A job that was over elsewhere: `state` is one in which its type ends, `price` whole credits, which no
    ledger of ours has moved; `metadata` tells what it was there."""

    id: UUID
    owner: str
    type: str
    type_version: int
    pool: str
    state: str
    price: int
    input: JSON
    error: JSON | None
    metadata: JSON
    created_at: datetime
    finished_at: datetime


class Known(NamedTuple):
    """What a job of ours is, by which one that is brought in is recognised."""

    owner: str
    type: str


async def may_import(connection: asyncpg.Connection) -> bool:
    """Return whether the user of *connection* may bring in jobs that are over: the owner of the schema."""
    return bool(await connection.fetchval(statement("imports/allowed")))


async def lock_imports(connection: asyncpg.Connection) -> bool:
    """Be the only one who brings in anything until *connection* is closed; False: another one is at it."""
    return bool(await connection.fetchval(statement("imports/lock")))


async def known_jobs(connection: asyncpg.Connection, ids: Sequence[UUID]) -> dict[UUID, Known]:
    """Return which of these jobs are here already."""
    rows = await connection.fetch(statement("imports/known"), ids)
    return {row["job_id"]: Known(row["owner_id"], row["type"]) for row in rows}


async def granted_before(connection: asyncpg.Connection) -> dict[tuple[str, str], int]:
    """Return the credits that were brought in so far, by owner and source."""
    rows = await connection.fetch(statement("imports/granted"))
    return {(row["owner_id"], row["source_ref"]): row["issued"] for row in rows}


async def import_jobs(connection: asyncpg.Connection, jobs: Sequence[FinishedJob]) -> set[UUID]:
    """Insert jobs that are over, in one statement; return the ids of those that were not here before."""
    told = [
        {
            "job_id": str(job.id),
            "owner_id": job.owner,
            "type": job.type,
            "type_version": job.type_version,
            "pool": job.pool,
            "state": job.state,
            "price": job.price,
            "input": job.input,
            "error": job.error,
            "metadata": job.metadata,
            "created_at": job.created_at.isoformat(),
            "finished_at": job.finished_at.isoformat(),
        }
        for job in jobs
    ]
    rows = await connection.fetch(statement("imports/jobs"), as_json(told))
    return {row["job_id"] for row in rows}


async def grant(
    connection: asyncpg.Connection,
    owner: str,
    amount: int,
    *,
    source_ref: str,
    kind: str,
    priority: int,
    expires_at: datetime | None,
) -> bool:
    """Issue credits by the ledger's own function inside the transaction of *connection*; False: they were
    issued before."""
    return bool(
        await connection.fetchval(
            statement("ledger/grant"), owner, kind, amount, source_ref, priority, expires_at, ACTOR
        )
    )


async def take_over(connection: asyncpg.Connection, job: Job, account: str) -> Attempt:
    """Give a job that waits the slot of a task that *account* has already, and note it as sent, inside the
    transaction of *connection*. Nothing is sent.

    It takes the way of every attempt: opened, where the account must have a free slot, dispatched, leased,
    intended. Its webhook token is known to nobody: what the provider calls is an address of the old system.
    """
    number = job.attempt + 1
    if not await connection.fetch(statement("attempts/open"), [job.id], [number], [account]):
        raise StoreError(f"Job {job.id} has an attempt {number} already; run the command again.")
    await connection.execute(statement("attempts/dispatch"), [job.id], [uuid4()])
    epoch = await connection.fetchval(statement("imports/lease"), job.id, number)
    token = hashlib.sha256(secrets.token_bytes(32)).digest()
    await connection.fetch(statement("attempts/intend"), [job.id], [number], [epoch], [token], [60.0], True)
    [row] = await connection.fetch(statement("attempts/get"), [job.id], [number])
    return to_attempt(row)
