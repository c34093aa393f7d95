"""What became of a job, in words: its state, what the provider counted, and what the ledger shows."""

import hashlib
from collections.abc import Iterable, Sequence
from uuid import UUID

import asyncpg

from makegood import Engine, Job
from makegood_adapters.runninghub.simulator import Task

_ENTRIES = 200


async def tell_end(engine: Engine, name: str, job: Job, tasks: Sequence[Task]) -> str:
    """Say how the job stands, what the provider has of it, its *tasks*, and where its credits went by the
    ledger."""
    told = [f"{name} is {_stands(engine, job)}."]
    if why := (job.error or {}).get("message", ""):
        told.append(f"{str(why).rstrip('.')}.")
    told += [_at_provider(tasks), await tell_credits(engine, job)]
    return " ".join(told)


def _stands(engine: Engine, job: Job) -> str:
    """Return the job's state, and in a state of its type's own what that is and what moves it on."""
    job_type = engine.catalog.of(job)
    if job_type is None or job.finished_at is not None:
        return job.state
    events = " or ".join(edge.event for edge in job_type.spec.leaving(job.state))
    label = job_type.spec.state[job.state].label
    return f"{job.state}{f' ({label})' if label else ''}: {events} moves it on"


async def tell_credits(engine: Engine, job: Job) -> str:
    """Say what the ledger shows for the job, movement by movement, and what its owner has now."""
    page = await engine.statement(job.owner, limit=_ENTRIES)
    moved = [entry.text for entry in reversed(page.entries) if entry.job_id == job.id]
    wallet = await engine.wallet(job.owner)
    said = "; ".join(moved) or "nothing was charged"
    return f"Ledger: {said}. {job.owner} has {wallet.available:,} available, {wallet.held:,} held."


async def tasks_of(dsn: str, job_id: UUID, tasks: Iterable[Task]) -> list[Task]:
    """Return those of the provider's *tasks* that are the job's, by the hash of the webhook token, which the
    provider and the database both know."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("select token_hash from makegood.attempt where job_id = $1", job_id)
    finally:
        await connection.close()
    hashes = {row["token_hash"] for row in rows}
    return [task for task in tasks if _token_hash(task) in hashes]


def _token_hash(task: Task) -> bytes:
    token = (task.request.webhook_url or "").rsplit("/", 1)[-1]
    return hashlib.sha256(token.encode()).digest()


def _at_provider(tasks: Sequence[Task]) -> str:
    if not tasks:
        return "The provider never heard of it."
    webhooks = sum(delivery.ok for task in tasks for delivery in task.deliveries)
    return f"Provider: {_count(len(tasks), 'task')}, {_count(webhooks, 'webhook')} delivered."


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
