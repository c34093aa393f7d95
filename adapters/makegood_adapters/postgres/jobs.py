"""Jobs and their transitions in Postgres."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg

from makegood.errors import GuardFailed, IllegalTransition, InsufficientCredits, KeyReused, StoreError
from makegood.job import Evidence, Job, JobMoney, NewJob, Transition
from makegood.outcome import JSON
from makegood.ports import ORPHAN_SECONDS, RESULT_SECONDS, Change, Effect
from makegood_adapters.postgres.attempts import keep_evidence
from makegood_adapters.postgres.rows import storable, to_job, to_money, to_transition
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.transaction import Database, DatabaseRefusal


class PostgresJobs:
    """Implements `makegood.ports.Jobs`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def insert(self, new: NewJob) -> Job:
        """See `Jobs.insert`."""
        digest = _digest(new.input)

        async def work(connection: asyncpg.Connection) -> Job | None:
            job_id = await connection.fetchval(statement("jobs/insert"), *_columns(new), digest)
            if job_id is None:
                first = await connection.fetchrow(statement("jobs/find"), new.id, new.owner, new.key)
                if first is None:
                    return None
                same = (first["owner_id"], first["type"], first["input_digest"])
                if same != (new.owner, new.type, digest):
                    raise KeyReused(new.key or str(new.id))
                job_id = first["job_id"]
            return await _read(connection, job_id)

        job = await self._database.transact(work)
        if job is None:
            raise StoreError(
                f"Job type {new.type}@{new.type_version} is not known to the database: declare it."
            )
        return job

    async def get(self, job_id: UUID) -> Job | None:
        """See `Jobs.get`."""
        rows = await self._database.fetch(statement("jobs/get"), [job_id])
        return to_job(rows[0]) if rows else None

    async def apply(self, change: Change, effects: Sequence[Effect] = ()) -> Job | None:
        """See `Jobs.apply`."""

        async def work(connection: asyncpg.Connection) -> Job | None:
            if change.evidence:
                await connection.fetchval(statement("jobs/lock"), change.job_id)
                await keep_evidence(connection, change.evidence)
            job_id = await connection.fetchval(statement("jobs/apply"), *_arguments(change))
            if job_id is None:  # lost the race, or an earlier try of ours was committed after all
                job_id = await connection.fetchval(statement("jobs/by_operation"), change.operation_id)
                if job_id is None:
                    raise _RaceLost
                return await _read(connection, job_id)
            moved = await _read(connection, job_id)
            if moved:
                for effect in effects:
                    await effect(connection, moved)
            return moved

        try:
            return await self._database.transact(work)
        except _RaceLost:
            return None
        except DatabaseRefusal as error:
            raise await self._explain(error, change.job_id, change.event, change.from_state) from error

    async def end(
        self,
        job: Job,
        *,
        operation_id: UUID,
        actor: str,
        reason: str,
        error: JSON,
        evidence: Evidence | None = None,
    ) -> Job | None:
        """See `Jobs.end`."""

        async def work(connection: asyncpg.Connection) -> Job | None:
            if evidence:
                await connection.fetchval(statement("jobs/lock"), job.id)
                await keep_evidence(connection, evidence)
            job_id = await connection.fetchval(
                statement("jobs/end"),
                job.id,
                job.version,
                operation_id,
                actor,
                storable(reason),
                _plain(error),
            )
            if job_id is None:
                job_id = await connection.fetchval(statement("jobs/by_operation"), operation_id)
            if job_id is None:
                raise _RaceLost
            return await _read(connection, job_id)

        try:
            return await self._database.transact(work)
        except _RaceLost:
            return None
        except DatabaseRefusal as refused:
            raise await self._explain(refused, job.id, "deadline", job.state) from refused

    async def request_cancel(self, job_id: UUID) -> Job | None:
        """See `Jobs.request_cancel`."""

        async def work(connection: asyncpg.Connection) -> Job | None:
            await connection.execute(statement("jobs/request_cancel"), job_id)
            return await _read(connection, job_id)

        return await self._database.transact(work)

    async def history(self, job_id: UUID, after_version: int = -1) -> list[Transition]:
        """See `Jobs.history`."""
        rows = await self._database.fetch(statement("jobs/history"), job_id, after_version)
        return [to_transition(row) for row in rows]

    async def position(self, job_id: UUID) -> int:
        """See `Jobs.position`."""
        rows = await self._database.fetch(statement("jobs/position"), job_id)
        return int(rows[0]["position"])

    async def money(self, job_id: UUID) -> JobMoney:
        """See `Jobs.money`."""
        rows = await self._database.fetch(statement("jobs/money"), job_id)
        return to_money(rows[0])

    async def overdue(self, accounts: Sequence[str], limit: int, again_seconds: float) -> list[Job]:
        """See `Jobs.overdue`."""

        async def work(connection: asyncpg.Connection) -> list[Job]:
            found = await connection.fetch(
                statement("jobs/overdue"), accounts, limit, again_seconds, RESULT_SECONDS, ORPHAN_SECONDS
            )
            rows = await connection.fetch(statement("jobs/get"), [row["job_id"] for row in found])
            return [to_job(row) for row in rows]

        late = await self._database.transact(work)
        return sorted(late, key=lambda job: job.deadline_at or job.entered_at)

    async def _explain(self, error: DatabaseRefusal, job_id: UUID, event: str, state: str) -> Exception:
        """Translate what the referee said; see the errcodes in the migrations."""
        match error.sqlstate:
            case "MG001":
                rows = await self._database.fetch(statement("machine/allowed"), job_id)
                allowed = [row["event"] for row in rows]
                return IllegalTransition(event, state, allowed)
            case "MG002":
                return GuardFailed(event, state, ["evidence"], str(error))
            case "MG003":
                return GuardFailed(event, state, ["attempt"], str(error))
            case "MG402":
                told = json.loads(error.detail or "{}")
                return InsufficientCredits(told["owner"], told["price"], told["available"])
            case _:
                return error


class _RaceLost(Exception):
    """Rolls back what was written beside the transition that could not be made."""


async def _read(connection: asyncpg.Connection, job_id: UUID | None) -> Job | None:
    if job_id is None:
        return None
    row = await connection.fetchrow(statement("jobs/get"), [job_id])
    return to_job(row) if row else None


def _columns(new: NewJob) -> Sequence[object]:
    return (
        new.id,
        new.owner,
        new.type,
        new.type_version,
        new.pool,
        new.price,
        _plain(new.input),
        _plain(new.request),
        _plain(new.files),
        new.key,
        new.priority,
        new.attempts_max,
        new.retry_of,
        new.actor,
    )


def _arguments(change: Change) -> Sequence[object]:
    return (
        change.job_id,
        change.version,
        change.from_state,
        change.event,
        change.to_state,
        change.operation_id,
        change.actor,
        storable(change.reason),
        change.settle,
        _plain(change.output),
        _plain(change.error),
        change.defer_seconds,
        _plain(change.data),
    )


def _digest(input: JSON) -> str:
    """Hash what was asked for; numbers in jsonb do not come back as they went in."""
    text = json.dumps(storable(input), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Mapping[str, object] | None) -> dict[str, object] | None:
    return None if value is None else dict(value)
