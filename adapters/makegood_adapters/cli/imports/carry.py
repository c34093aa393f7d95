"""Carry a plan out, one whole transaction after another: what is ended between two of them goes on later."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import asyncpg

from makegood import BaseJob, Verdict
from makegood.errors import MakegoodError, StoreUnavailable
from makegood.job import NewJob
from makegood_adapters.cli.imports.here import Here
from makegood_adapters.cli.imports.old import OldRows, OldSide
from makegood_adapters.cli.imports.plan import KIND, Fate, Grant, LiveJob, Plan, Problem
from makegood_adapters.cli.imports.rows import FINISHED, OldJob, read_job
from makegood_adapters.cli.imports.types import Types, kept_beside, known_input
from makegood_adapters.postgres.imports import ACTOR, FinishedJob, grant, import_jobs, take_over
from makegood_adapters.postgres.refusal import bare

_GRANTS_AT_ONCE = 200
#: The category of the error of a job that did not end well, and is over since before it was here.
_CATEGORY = "imported"
_FAILED = "The job failed before it was brought here."
_NOT_RUN = "The job was not under way at the provider when it was brought here, and was not run."


class Carrier:
    """Does what a plan says, on the side *here*, whose engine must know its job types by then."""

    def __init__(self, plan: Plan, side: OldSide, types: Types, here: Here) -> None:
        self.here = here
        self._plan, self._types, self._broken = plan, types, plan.broken
        self._leave_out = frozenset(side.leave_out)
        self._engine, self._store, self._connection = here.engine, here.store, here.connection

    async def carry(self, old: OldRows) -> AsyncGenerator[Problem | None]:
        """Do what is planned; yield after each commit, a problem where something was left undone instead."""
        if self._plan.history:
            async with aclosing(old.jobs()) as pages:
                async for rows in pages:
                    now = await self._engine.now()
                    over = [job for row in rows if (job := self._finished(read_job(row, now)))]
                    if over:
                        await import_jobs(self._connection, over)
                        yield None
        for start in range(0, len(self._plan.grants), _GRANTS_AT_ONCE):
            async with self._connection.transaction():
                # in the order of their owners, in which wallets are locked
                for each in sorted(self._plan.grants[start : start + _GRANTS_AT_ONCE], key=lambda g: g.owner):
                    await self._grant(each)
            yield None
        needed = {live.account for live in self._plan.live if live.fate is Fate.ADOPT}
        for name in sorted(needed):
            seconds = self._engine.settings.capacity_grow_seconds
            await self._store.attempts.register(self.here.accounts[name], seconds)
        for live in self._plan.live:
            yield await self._bring(live)

    def _finished(self, job: OldJob) -> FinishedJob | None:
        """Return an old job as it becomes history, None for one that does not."""
        left_out = job.table in self._leave_out or job.owner in self._broken or job.problems
        job_type = self._types.of(job)
        if job.id is None or job.owner is None or left_out or isinstance(job_type, str):
            return None
        if job.status not in FINISHED:
            return None
        message = _FAILED if job.status == BaseJob.failed.name else None
        return _over(job, job_type, job.status, message)

    async def _bring(self, live: LiveJob) -> Problem | None:
        try:
            async with self._connection.transaction():
                if live.fate is Fate.ADOPT:
                    await self._adopt(live)
                else:
                    now = await self._engine.now()  # it ends by being brought here
                    job = replace(live.job, finished_at=now)
                    over = _over(job, live.job_type, BaseJob.failed.name, _NOT_RUN)
                    await import_jobs(self._connection, [over])
                    if live.grant:
                        await self._grant(live.grant)
        except StoreUnavailable:
            raise
        except (MakegoodError, asyncpg.PostgresError) as error:
            text = f"it stays as it is, run the command again: {bare(error)}"
            return Problem(owner=live.owner, place=live.job.place, text=text)
        return None

    async def _adopt(self, live: LiveJob) -> None:
        """Let a task that runs already be the first attempt of a job that is paid with what was taken for it.

        All in one transaction: between two of its steps the job would wait, and might be sent again.
        """
        job_type, conn = live.job_type, self._connection
        if live.grant:
            await self._grant(live.grant)
        scope = job_type.exclusive_by
        if scope and await self._store.jobs.active(live.owner, scope):
            scope = None  # the old app let it begin beside another one
        new = NewJob(
            id=live.id,
            owner=live.owner,
            type=job_type.name,
            type_version=job_type.version,
            pool=job_type.pool,
            price=live.job.paid,
            input=known_input(job_type, live.job.payload),
            request={},  # it is never sent: there is one attempt, and that one was sent
            attempts_max=1,
            exclusive_scope=scope,
            metadata=kept_beside(live.job, job_type),
            actor=ACTOR,
        )
        await self._store.jobs.insert(new, conn=conn)
        job = await self._engine.accept(live.id, actor=ACTOR, conn=conn)
        attempt = await take_over(conn, job, live.account)
        taken = attempt.evidence(Verdict.ACCEPTED, ACTOR, task_id=live.job.task_id)
        await self._engine.fire(live.id, BaseJob.begin, actor=ACTOR, evidence=taken, conn=conn)

    async def _grant(self, given: Grant) -> None:
        await grant(
            self._connection,
            given.owner,
            given.amount,
            source_ref=given.source_ref,
            kind=KIND[given.pot],
            priority=given.priority,
            expires_at=given.expires_at,
        )


def _over(job: OldJob, job_type: type[BaseJob], state: str, message: str | None) -> FinishedJob:
    """Return a job as history. The old text of an error is kept in its metadata, and is not shown: it may
    speak of credits that came back."""
    assert job.id is not None
    assert job.owner is not None
    error = {"category": _CATEGORY, "message": message, "detail": {}} if message else None
    return FinishedJob(
        id=job.id,
        owner=job.owner,
        type=job_type.name,
        type_version=job_type.version,
        pool=job_type.pool,
        state=state,
        price=job.price,
        input=known_input(job_type, job.payload),
        error=error,
        metadata=kept_beside(job, job_type),
        created_at=job.created_at,
        finished_at=job.finished_at,
    )
