"""Jobs and their transitions in Postgres."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from makegood.errors import (
    ActiveJob,
    Conflict,
    GuardFailed,
    IllegalTransition,
    InsufficientCredits,
    KeyReused,
    StoreError,
)
from makegood.job import Evidence, Job, JobMoney, NewJob, Transition
from makegood.outcome import JSON
from makegood.ports import (
    COUNTED_MAX,
    ORPHAN_SECONDS,
    RESULT_SECONDS,
    WISH,
    Change,
    Cursor,
    Effect,
    JobFilter,
)
from makegood_adapters.postgres.attempts import fact_text, facts_text
from makegood_adapters.postgres.commit import GroupCommit, Kind, transposed
from makegood_adapters.postgres.messages import keep_report
from makegood_adapters.postgres.refusal import DatabaseRefusal
from makegood_adapters.postgres.rows import as_json, moved_on, storable, to_job, to_money, to_transition
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.transaction import Database

_INSERTS_MAX = 5


def _columns(new: NewJob) -> Sequence[object]:
    return (
        new.id,
        new.owner,
        new.type,
        new.type_version,
        new.pool,
        new.price,
        as_json(new.input),
        as_json(new.request),
        as_json(new.files),
        new.key,
        new.priority,
        new.attempts_max,
        new.retry_of,
        new.actor,
        _digest(new.input),
        new.exclusive_scope,
        new.not_before,
        new.draft,
        new.session,
        as_json(new.metadata),
    )


def _move_columns(change: Change) -> Sequence[object]:
    job = change.job
    return (
        job.id,
        job.version,
        job.state,
        job.intent_attempt,
        job.cancel_requested_at is not None,
        change.event,
        change.to_state,
        change.operation_id,
        change.actor,
        storable(change.reason),
        change.settle,
        _text(change.output),
        _text(change.error),
        change.defer_seconds,
        _text(change.data),
    )


def _move_row(change: Change) -> Sequence[object]:
    return (*_move_columns(change), fact_text(change.evidence) if change.evidence else None)


def _move_parameters(rows: Sequence[Sequence[Any]], *, wait: bool = False) -> list[object]:
    facts = facts_text([row[-1] for row in rows])
    return [*transposed([row[:-1] for row in rows]), facts, wait]


def _digest(input: JSON) -> str:
    """Hash what was asked for; numbers in jsonb do not come back as they went in."""
    text = json.dumps(storable(input), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _text(value: JSON | None) -> str | None:
    return None if value is None else as_json(value)


def _inserted(items: Sequence[NewJob], rows: Sequence[asyncpg.Record]) -> list[Job | None]:
    found = {row["job_id"]: to_job(row) for row in rows}
    return [found.get(new.id) for new in items]


def _moved(items: Sequence[Change], rows: Sequence[asyncpg.Record]) -> list[Job | None]:
    found = {row["operation_id"]: row for row in rows}
    return [
        moved_on(change.job, found[change.operation_id]) if change.operation_id in found else None
        for change in items
    ]


_INSERT: Kind[NewJob, Job] = Kind(
    "insert", "jobs/insert", lambda new: (new.owner, new.key or new.id), _columns, _inserted
)
_MOVE: Kind[Change, Job] = Kind(
    "move", "jobs/move", lambda change: change.job.id, _move_row, _moved, _move_parameters
)


_GET: Kind[UUID, Job] = Kind(
    "get",
    "jobs/get",
    lambda job_id: job_id,
    lambda job_id: (job_id,),
    lambda ids, rows: map({row["job_id"]: to_job(row) for row in rows}.get, ids),
)


class PostgresJobs:
    """Implements `makegood.ports.Jobs`."""

    def __init__(self, database: Database, commits: GroupCommit) -> None:
        self._database, self._commits = database, commits

    async def insert(self, new: NewJob, *, conn: Any = None) -> Job:
        """See `Jobs.insert`."""

        async def work(connection: asyncpg.Connection) -> Job | None:
            return await _insert(connection, new)

        async def alone(unknown: bool = False) -> Job | None:
            return await self._database.transact(work, conn, unknown=unknown)

        if conn is None:
            job = await self._commits.run(_INSERT, new.owner, new, alone)
        else:
            job = await alone()
        if job is None:
            raise StoreError(
                f"Job type {new.type}@{new.type_version} is not known to the database: declare it."
            )
        return job

    async def get(self, job_id: UUID, *, owner: str | None = None, conn: Any = None) -> Job | None:
        """See `Jobs.get`."""
        if conn is not None:
            job = await _read(conn, job_id)
            return job if job and owner in (None, job.owner) else None
        if owner is not None:
            rows = await self._database.fetch(statement("jobs/get_own"), job_id, owner)
            return to_job(rows[0]) if rows else None

        async def alone(_: bool) -> Job | None:
            rows = await self._database.fetch(statement("jobs/get"), [job_id])
            return to_job(rows[0]) if rows else None

        return await self._commits.run(_GET, job_id, job_id, alone)

    async def by_key(self, owner: str, key: str) -> Job | None:
        """See `Jobs.by_key`."""
        rows = await self._database.fetch(statement("jobs/by_key"), owner, key)
        return to_job(rows[0]) if rows else None

    async def page(self, wanted: JobFilter, limit: int, after: Cursor | None = None) -> list[Job]:
        """See `Jobs.page`."""
        last = (after.created_at, after.job_id) if after else (None, None)
        asked = (list(wanted.states), wanted.type, wanted.active, wanted.since, wanted.until, *last, limit)
        if wanted.search is not None:
            lowest, highest = wanted.ids or (None, None)
            found = (wanted.owner, storable(wanted.search), lowest, highest)
            rows = await self._database.fetch(statement("jobs/search"), *asked, *found)
        elif wanted.owner is not None:
            rows = await self._database.fetch(statement("jobs/page"), *asked, wanted.owner)
        else:
            name = "jobs/page_live" if wanted.active else "jobs/page_all"
            rows = await self._database.fetch(statement(name), *asked)
        return [to_job(row) for row in rows]

    async def active(self, owner: str, scope: str) -> Job | None:
        """See `Jobs.active`."""

        async def work(connection: asyncpg.Connection) -> Job | None:
            return await _active(connection, owner, scope)

        return await self._database.look(work)

    async def apply(self, change: Change, effects: Sequence[Effect] = (), *, conn: Any = None) -> Job | None:
        """See `Jobs.apply`."""

        async def work(connection: asyncpg.Connection) -> Job | None:
            if change.job.draft and not await connection.fetchval(statement("drafts/lock"), change.job.id):
                raise _RaceLost  # somebody has completed it: the statement of the many does not look
            return await _move(connection, change, effects)

        async def alone(unknown: bool = False) -> Job | None:
            return await self._database.transact(work, conn, foreign=bool(effects), unknown=unknown)

        try:
            if effects or conn is not None or change.job.draft:
                return await alone()
            return await self._commits.run(_MOVE, change.job.owner, change, alone)
        except _RaceLost:
            return None
        except DatabaseRefusal as error:
            raise await self._explain(error, change) from error

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
        edges = await self._database.fetch(
            statement("machine/deadline_edge"), job.type, job.type_version, job.state
        )
        if not edges:
            return None
        change = Change(
            operation_id=operation_id,
            job=job,
            event=edges[0]["event"],
            to_state=edges[0]["to_state"],
            actor=actor,
            reason=reason,
            error=error,
            evidence=evidence,
        )
        if not job.submitted:
            return await self.apply(change)

        async def work(connection: asyncpg.Connection) -> Job | None:
            known = await connection.fetchval(
                statement("jobs/result_known"), job.id, job.version, RESULT_SECONDS
            )
            return None if known else await _move(connection, change, ())

        try:
            return await self._database.transact(work)
        except _RaceLost:
            return None
        except DatabaseRefusal as error:
            raise await self._explain(error, change) from error

    async def request_cancel(self, job_id: UUID, wish: str | None = None) -> Job | None:
        """See `Jobs.request_cancel`."""

        async def work(connection: asyncpg.Connection) -> Job | None:
            await connection.execute(statement("jobs/request_cancel"), job_id)
            job = await _read(connection, job_id)
            if job and job.finished_at is None and wish is not None:
                await keep_report(connection, job_id, WISH, wish)
            return job

        return await self._database.transact(work)

    async def history(
        self, job_id: UUID, after_version: int = -1, *, owner: str | None = None
    ) -> list[Transition]:
        """See `Jobs.history`."""
        rows = await self._database.fetch(statement("jobs/history"), job_id, after_version, owner)
        return [to_transition(row) for row in rows]

    async def position(self, job_id: UUID) -> int:
        """See `Jobs.position`."""
        rows = await self._database.fetch(statement("jobs/position"), job_id, COUNTED_MAX)
        return int(rows[0]["position"])

    async def money(self, job_id: UUID, *, owner: str | None = None) -> JobMoney:
        """See `Jobs.money`."""
        rows = await self._database.fetch(statement("jobs/money"), job_id, owner)
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

    async def hand_back(self, job_id: UUID) -> None:
        """See `Jobs.hand_back`."""

        async def work(connection: asyncpg.Connection) -> None:
            await connection.execute(statement("jobs/hand_back"), job_id)

        await self._database.transact(work)

    async def _explain(self, error: DatabaseRefusal, change: Change) -> Exception:
        """Translate what the referee said; see the errcodes in the migrations."""
        event, state = change.event, change.job.state
        match error.sqlstate:
            case "MG001":
                rows = await self._database.fetch(statement("machine/allowed"), change.job.id)
                allowed = [row["event"] for row in rows]
                return IllegalTransition(event, state, allowed)
            case "MG002":
                return GuardFailed(event, state, ["evidence"], str(error))
            case "MG003":
                return GuardFailed(event, state, ["attempt"], str(error))
            case "MG007":
                return GuardFailed(event, state, ["input"], str(error))
            case "MG402":
                told = json.loads(error.shown or "{}")
                return InsufficientCredits(told["owner"], told["price"], told["available"])
            case _:
                return error


class _RaceLost(Exception):
    """Rolls back what was written beside the transition that could not be made."""


async def _insert(connection: asyncpg.Connection, new: NewJob) -> Job | None:
    """Insert, or find what stands in the way; that may end between two looks, and then it is tried again."""
    for _ in range(_INSERTS_MAX):
        rows = await connection.fetch(statement("jobs/insert"), *transposed([_columns(new)]))
        if rows:
            return to_job(rows[0])
        first = await connection.fetchrow(statement("jobs/find"), new.id, new.owner, new.key)
        if first is not None:
            asked = (new.owner, new.type, _digest(new.input))
            if (first["owner_id"], first["type"], first["input_digest"]) != asked:
                raise KeyReused(new.key or str(new.id))
            return await _read(connection, first["job_id"])
        if new.exclusive_scope is None:
            return None
        if active := await _active(connection, new.owner, new.exclusive_scope):
            raise ActiveJob(new.owner, new.exclusive_scope, active.id, active.state)
        if await connection.fetchval(statement("machine/digest"), new.type, new.type_version) is None:
            return None
    raise Conflict(new.id, "submit", _INSERTS_MAX)


async def _active(connection: asyncpg.Connection, owner: str, scope: str) -> Job | None:
    job_id = await connection.fetchval(statement("jobs/active"), owner, scope)
    return await _read(connection, job_id) if job_id else None


async def _move(connection: asyncpg.Connection, change: Change, effects: Sequence[Effect]) -> Job | None:
    rows = await connection.fetch(statement("jobs/move"), *_move_parameters([_move_row(change)], wait=True))
    if not rows:  # lost the race, or an earlier try of ours was committed after all
        job_id = await connection.fetchval(statement("jobs/by_operation"), change.operation_id)
        if job_id is None:
            raise _RaceLost
        return await _read(connection, job_id)
    moved = moved_on(change.job, rows[0])
    for effect in effects:
        await effect(connection, moved)
    return moved


async def _read(connection: asyncpg.Connection, job_id: UUID) -> Job | None:
    row = await connection.fetchrow(statement("jobs/get"), [job_id])
    return to_job(row) if row else None
