"""Carry out one event: read the job, decide, compare and set, decide again after a lost race."""

import hashlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from makegood.catalog import Catalog
from makegood.decide import decide
from makegood.errors import Conflict, GuardFailed, IllegalTransition, StoreError, UnknownJob
from makegood.job import Evidence, Job
from makegood.lifecycle import BaseJob, Failure
from makegood.machine import Empty
from makegood.observing import NOBODY, Observers
from makegood.ports import Change, Effect, Move, Store, Wakeups
from makegood.settings import Settings

log = logging.getLogger("makegood.mover")

#: Wake-up topics; those of a single job are `job_topic(id)`. STREAM: transitions wait for their places in the
#: stream; PLACED: they have them, and `owner_topic(owner)`: some of them are of this owner. WEBHOOK: messages
#: to endpoints are due.
DISPATCH, SUBMIT, POLL, FETCH, RELAY = "dispatch", "submit", "poll", "fetch", "relay"
STREAM, PLACED, WEBHOOK = "stream", "placed", "webhook"


def job_topic(job_id: UUID) -> str:
    """Return the wake-up topic of one job."""
    return f"job:{job_id}"


def owner_topic(owner: str) -> str:
    """Return the wake-up topic of one owner's stream; an owner's name may have signs that a topic may not."""
    return f"owner:{hashlib.sha256(owner.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


class Mover:
    """The only way in which the engine changes a job's state."""

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        wakeups: Wakeups,
        settings: Settings,
        new_id: Callable[[], UUID],
        observers: Observers = NOBODY,
    ) -> None:
        self._store, self._catalog, self._observers = store, catalog, observers
        self._wakeups, self._settings, self._new_id = wakeups, settings, new_id
        self._known: dict[UUID, Job] = {}

    async def fire(
        self,
        job_id: UUID,
        event: str,
        payload: BaseModel | None = None,
        *,
        actor: str,
        reason: str | None = None,
        evidence: Evidence | None = None,
        ran: bool = False,
        defer_seconds: float | None = None,
        only_draft: bool = False,
        conn: Any = None,
    ) -> Job:
        """Move the job by *event* and return it as committed; with *conn*, as it is inside that transaction.

        Raises UnknownJob, IllegalTransition, GuardFailed, InsufficientCredits, or Conflict after
        `decide_tries_max` lost races. An event that another writer made pointless meanwhile is
        an IllegalTransition: it is decided again on the job as it then is. With *only_draft* a job that is
        none, or no longer, is returned as it is.
        """
        operation_id, given = self._new_id(), payload or Empty()
        known = self._known.pop(job_id, None) if conn is None else None
        for _ in range(self._settings.decide_tries_max):
            job = known or await self._read(job_id, conn)
            if only_draft and not job.draft:
                return job
            job_type = await self.type_of(job)
            try:
                decision = decide(job_type, job, event, given, evidence=evidence, ran=ran)
            except (IllegalTransition, GuardFailed):
                if known is None:
                    raise
                known = None
                job = await self._read(job_id, conn)
                decision = decide(job_type, job, event, given, evidence=evidence, ran=ran)
            change = Change(
                operation_id=operation_id,
                job=job,
                event=event,
                to_state=decision.edge.dest,
                actor=actor,
                reason=reason,
                settle=decision.settle,
                output=decision.output,
                error=decision.error,
                evidence=evidence,
                defer_seconds=defer_seconds,
                data=decision.data,
            )
            effects = [_bound(effect, given) for effect in job_type.effects(decision.edge)]
            if moved := await self._store.jobs.apply(change, effects, conn=conn):
                if conn is None:
                    self.remember(moved)
                    self.announce(moved.id)
                    self._tell(moved, change, decision.edge.money.value)
                return moved
            known = None
        raise Conflict(job_id, event, self._settings.decide_tries_max)

    def known(self, job_id: UUID) -> Job | None:
        """Return the job as this process last moved it, if it remembers; it may have moved since."""
        return self._known.get(job_id)

    def remember(self, job: Job) -> None:
        """Decide upon this snapshot next time; if the job has moved since, it loses the race and is read."""
        if job.finished_at is None:
            self._known[job.id] = job
            if len(self._known) > self._settings.snapshots_max:
                del self._known[next(iter(self._known))]

    async def _read(self, job_id: UUID, conn: Any) -> Job:
        job = await self._store.jobs.get(job_id, conn=conn)
        if job is None:
            raise UnknownJob(job_id)
        return job

    async def type_of(self, job: Job) -> type[BaseJob]:
        """Return the job's type in its version; where this process lacks it, a stand-in by stored rules."""
        known = self._catalog.of(job)
        if known is None:
            spec = await self._store.spec(job.type, job.type_version)
            if spec is None:
                raise StoreError(f"Nothing is stored about the job type {job.type}@{job.type_version}.")
            known = self._catalog.stand_in(spec)
        return known

    async def end(
        self, job: Job, failure: Failure, *, actor: str, evidence: Evidence | None = None
    ) -> Job | None:
        """End *job* by its deadline, on the stored rules alone; None if it has moved meanwhile, or its result
        has become known."""
        ended = await self._store.jobs.end(
            job,
            operation_id=self._new_id(),
            actor=actor,
            reason=failure.message,
            error=failure.model_dump(mode="json"),
            evidence=evidence,
        )
        self.announce(job.id)
        if ended and self._observers:
            await self._tell_end(job, ended, actor, failure.message)
        return ended

    async def follow(
        self,
        job_id: UUID,
        event: str,
        payload: BaseModel | None = None,
        *,
        actor: str,
        reason: str | None = None,
        evidence: Evidence | None = None,
        ran: bool = False,
        defer_seconds: float | None = None,
        conn: Any = None,
    ) -> Job | None:
        """Fire; where the job has gone another way meanwhile, only keep the evidence about its
        attempt, and return None."""
        try:
            return await self.fire(
                job_id,
                event,
                payload,
                actor=actor,
                reason=reason,
                evidence=evidence,
                ran=ran,
                defer_seconds=defer_seconds,
                conn=conn,
            )
        except (IllegalTransition, GuardFailed) as refusal:
            log.info("job %s has gone another way: %s", job_id, refusal)
        if evidence:
            await self._store.attempts.record(evidence)
            self.announce(job_id)
        return None

    def _tell(self, moved: Job, change: Change, money: str) -> None:
        if self._observers:
            self._observers.moved(
                Move(
                    job=moved,
                    event=change.event,
                    from_state=change.job.state,
                    actor=change.actor,
                    money=money,
                    reason=change.reason,
                )
            )

    async def _tell_end(self, job: Job, ended: Job, actor: str, reason: str) -> None:
        edge = (await self.type_of(job)).spec.on_deadline(job.state)
        if edge:
            self._observers.moved(
                Move(
                    job=ended,
                    event=edge.event,
                    from_state=job.state,
                    actor=actor,
                    money=edge.money.value,
                    reason=reason,
                )
            )

    def announce(self, job_id: UUID) -> None:
        """Wake whoever may have something to do after a commit that concerns the job."""
        for topic in (DISPATCH, RELAY, STREAM, POLL, FETCH, job_topic(job_id)):
            self._wakeups.wake(topic)


def _bound(effect: Callable[[Any, Job, Any], Awaitable[None]], payload: BaseModel) -> Effect:
    async def run(transaction: Any, job: Job) -> None:
        await effect(transaction, job, payload)

    return run
