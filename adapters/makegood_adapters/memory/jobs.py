"""Jobs in memory: insert once, move by compare-and-set, read."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from makegood.errors import ActiveJob, InvalidRequest, KeyReused, UnknownJobType
from makegood.job import Evidence, Job, JobMoney, NewJob, Transition, Verdict
from makegood.machine import Spec
from makegood.outcome import JSON
from makegood.ports import ORPHAN_SECONDS, RESULT_SECONDS, WISH, Change, Cursor, Effect, JobFilter
from makegood_adapters.memory import admission, ledger, moves, parked
from makegood_adapters.memory.tables import JobRow, Tables


class MemoryJobs:
    """The port `Jobs`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def insert(self, new: NewJob, *, conn: Any = None) -> Job:
        """Insert in the initial state; the same id or (owner, key) returns the first job."""
        _refuse(conn)
        if first := self._first(new):
            ordered = self._tables.jobs[first.id].ordered
            if (first.owner, first.type, ordered) != (new.owner, new.type, new.input):
                raise KeyReused(new.key or str(new.id))
            return first
        spec = self._tables.specs.get((new.type, new.type_version))
        if spec is None:
            known = [f"{name}@{version}" for name, version in self._tables.specs]
            raise UnknownJobType(f"{new.type}@{new.type_version}", known)
        if new.exclusive_scope and (active := await self.active(new.owner, new.exclusive_scope)):
            raise ActiveJob(new.owner, new.exclusive_scope, active.id, active.state)
        job = self._begin(new, spec)
        row = JobRow(job, self._tables.specs, len(self._tables.jobs), job.input)
        if row.waits:
            row.queued_at, row.queue_deadline_at = row.job.created_at, row.job.deadline_at
            admission.give_place(self._tables, row)
        self._tables.jobs[new.id] = row
        if new.key is not None:
            self._tables.keys[new.owner, new.key] = new.id
        if new.exclusive_scope is not None:
            self._tables.exclusive[new.owner, new.exclusive_scope] = new.id
        change = Change(
            operation_id=uuid4(),
            job=row.job,
            event="submit",
            to_state=spec.initial,
            actor=new.actor,
        )
        moves.announce(self._tables, row.job, change, first=True)
        return row.job

    async def get(self, job_id: UUID, *, owner: str | None = None, conn: Any = None) -> Job | None:
        """Return the job as it is now, if it is the owner's."""
        _refuse(conn)
        row = self._tables.jobs.get(job_id)
        return row.job if row and owner in (None, row.job.owner) else None

    async def by_key(self, owner: str, key: str) -> Job | None:
        """Return the owner's job with this key."""
        known = self._tables.keys.get((owner, key))
        return self._tables.jobs[known].job if known else None

    async def page(self, wanted: JobFilter, limit: int, after: Cursor | None = None) -> list[Job]:
        """Return the wanted jobs behind *after*, newest first."""
        found = [row.job for row in self._tables.jobs.values() if _is_wanted(row.job, wanted)]
        if wanted.search is not None:
            found = [job for job in found if self._is_found(job, wanted.search, wanted.ids)]
        if after is not None:
            found = [job for job in found if (job.created_at, job.id) < (after.created_at, after.job_id)]
        return sorted(found, key=lambda job: (job.created_at, job.id), reverse=True)[:limit]

    def _is_found(self, job: Job, text: str, ids: tuple[UUID, UUID] | None) -> bool:
        numbers = range(1, job.attempt + 1)
        tasks = [self._tables.attempts[job.id, number].attempt.task_id for number in numbers]
        return text in (job.owner, job.key, *tasks) or (ids is not None and ids[0] <= job.id <= ids[1])

    async def active(self, owner: str, scope: str) -> Job | None:
        """Return the last job of the scope if it is not over: there is no other."""
        last = self._tables.exclusive.get((owner, scope))
        job = self._tables.jobs[last].job if last else None
        return job if job and job.finished_at is None else None

    async def apply(self, change: Change, effects: Sequence[Effect] = (), *, conn: Any = None) -> Job | None:
        """Make the transition if the job is still as the change says.

        Effects get None for a transaction: they run before anything is written, one that raises leaves
        nothing of the transition, but nothing takes back what they did elsewhere if the race is lost.
        """
        _refuse(conn)
        if effects and (moved := moves.preview(self._tables, change)):
            for effect in effects:
                await effect(None, moved)
        return moves.apply(self._tables, change)

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
        """Take the edge for the deadline of the job's state, if it is still the job it was."""
        row = self._tables.jobs.get(job.id)
        edge = row.spec.on_deadline(job.state) if row else None
        if row is None or edge is None or self._only_to_fetch(row, job):
            return None
        change = Change(
            operation_id=operation_id,
            job=job,
            event=edge.event,
            to_state=edge.dest,
            actor=actor,
            reason=reason,
            error=error,
            evidence=evidence,
        )
        return moves.apply(self._tables, change)

    async def request_cancel(self, job_id: UUID, wish: str | None = None) -> Job | None:
        """Note when the first request to cancel came and who wishes it, and make the attempt due."""
        row = self._tables.jobs.get(job_id)
        if row is None:
            return None
        if row.job.finished_at is None:
            if row.job.cancel_requested_at is None:
                row.job = replace(row.job, cancel_requested_at=self._tables.now())
                self._tables.hasten(job_id)
            if wish is not None:
                parked.report(self._tables, (job_id, row.job.attempt), WISH, wish)
        return row.job

    async def history(
        self, job_id: UUID, after_version: int = -1, *, owner: str | None = None
    ) -> list[Transition]:
        """Return the transitions above *after_version*, if they are the owner's."""
        known = self._tables.history.get(job_id, [])
        return [t for t in known if t.version > after_version and owner in (None, t.owner)]

    async def position(self, job_id: UUID) -> int:
        """Return the place in the queue, from 1; 0 when the job does not wait."""
        row = self._tables.jobs.get(job_id)
        return self._tables.queue(row.job.pool).index(row) + 1 if row and row.waits else 0

    async def money(self, job_id: UUID, *, owner: str | None = None) -> JobMoney:
        """Return what the job's holds show, if it is the owner's."""
        if await self.get(job_id, owner=owner) is None:
            return JobMoney()
        return ledger.money_of(self._tables, job_id)

    async def overdue(self, accounts: Sequence[str], limit: int, again_seconds: float) -> list[Job]:
        """Return jobs past their deadline or waiting to be cancelled, and set when they come again."""
        late = [row for row in self._tables.jobs.values() if self._late(row, accounts)]
        late.sort(key=lambda row: row.job.deadline_at or row.job.entered_at)
        for row in late[:limit]:
            row.watched_until = self._tables.later(again_seconds)
        return [row.job for row in late[:limit]]

    async def hand_back(self, job_id: UUID) -> None:
        """Let an overdue job that was taken come again at once."""
        if row := self._tables.jobs.get(job_id):
            row.watched_until = None

    def _first(self, new: NewJob) -> Job | None:
        known = None if new.key is None else self._tables.keys.get((new.owner, new.key))
        row = self._tables.jobs.get(new.id if known is None else known)
        return row.job if row else None

    def _begin(self, new: NewJob, spec: Spec) -> Job:
        now = self._tables.now()
        return Job(
            id=new.id,
            owner=new.owner,
            type=new.type,
            type_version=new.type_version,
            pool=new.pool,
            state=spec.initial,
            version=0,
            price=new.price,
            # What the caller does to its own dict afterwards must not reach the job.
            input=deepcopy(new.input),
            request=deepcopy(new.request),
            files=dict(new.files),
            key=new.key,
            priority=new.priority,
            attempt=0,
            attempts_max=new.attempts_max,
            reruns=0,
            intent_attempt=None,
            created_at=now,
            entered_at=now,
            deadline_at=self._tables.later(spec.state[spec.initial].deadline_seconds or 0),
            not_before=new.not_before,
            cancel_requested_at=None,
            finished_at=None,
            settled=None,
            output=None,
            error=None,
            retry_of=new.retry_of,
            exclusive_scope=new.exclusive_scope,
            draft=new.draft,
            session=new.session,
            metadata=deepcopy(new.metadata),
        )

    def _only_to_fetch(self, row: JobRow, seen: Job) -> bool:
        last = self._tables.current(row) if row.in_slot and row.job.version == seen.version else None
        if last is None or last.attempt.verdict is not Verdict.SUCCEEDED:
            return False
        return not self._tables.passed(last.attempt.closed_at, RESULT_SECONDS)

    def _late(self, row: JobRow, accounts: Sequence[str]) -> bool:
        past = self._tables.passed(row.job.deadline_at) or (row.waits and row.job.cancel_requested_at)
        if not past or not (row.watched_until is None or self._tables.passed(row.watched_until)):
            return False
        last = self._tables.current(row) if row.in_slot else None
        if last is None:
            return True
        if last.attempt.verdict is Verdict.SUCCEEDED:
            return self._tables.passed(last.attempt.closed_at, RESULT_SECONDS)
        ours = last.attempt.intent_at is None or last.attempt.account in accounts
        return ours or self._tables.passed(row.job.deadline_at, ORPHAN_SECONDS)


def _is_wanted(job: Job, wanted: JobFilter) -> bool:
    return (
        wanted.owner in (None, job.owner)
        and wanted.type in (None, job.type)
        and (not wanted.states or job.state in wanted.states)
        and wanted.active in (None, job.finished_at is None)
        and (wanted.since is None or job.created_at >= wanted.since)
        and (wanted.until is None or job.created_at < wanted.until)
    )


def _refuse(conn: object) -> None:
    if conn is not None:
        raise InvalidRequest("The store in memory takes part in no transaction: leave `conn` out.")
