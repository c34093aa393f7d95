"""The engine: what a service embeds. Its methods stand in the order of a job's life.

    submit    validate, price on the server, insert `pending`            (nothing is charged)
    accept    hold the price: `queued`; too few credits: `failed`        (held or refused)
    - the dispatcher gives it a slot: `starting`; the submitter uploads, commits the intent and
      makes the one create call: `running`
    - a webhook, a poll, a deadline or a client only hint; the provider's answer decides
    - the collector brings the result home: `completed`                  (captured)
      or the job ends as `failed` (all credits back) or `cancelled`      (by the type's policy)
    cancel    ask for the end; report: what a client believes; fire: any event of the type
    get       read; many are listed in `makegood.listing`, history and watch are in
              `makegood.watching`, what those who wait are told in `makegood.waiting`, queues are
              ruled in `makegood.admission`, webhooks received in `makegood.hearing` and sent by
              `makegood.notifying`, drafts completed in `makegood.drafting`, files brought in
              `makegood.filing`, credits granted and read in
              `makegood.accounting`, what people decide is in `makegood.administration`, that they
              did is kept in `makegood.recording`, keys of calling programs in `makegood.keyring`

Every change of a state goes through `makegood.mover.Mover` and the store's compare-and-set; money
moves only with it. The loops live in `makegood.runtime`, one file each.
"""

import contextlib
import logging
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Self, TypeVar, overload
from uuid import UUID

from pydantic import BaseModel

from makegood.accounting import Accounting
from makegood.administration import Administration
from makegood.admission import Admission
from makegood.catalog import Catalog
from makegood.decide import permitted
from makegood.drafting import Drafting
from makegood.errors import (
    Conflict,
    DeclarationError,
    GuardFailed,
    IllegalTransition,
    InsufficientCredits,
    InvalidRequest,
    UnknownJob,
)
from makegood.filing import Filing
from makegood.hearing import Hearing
from makegood.intake import Order, take_order
from makegood.job import (
    Evidence,
    Job,
    ProviderAccount,
)
from makegood.keyring import Keyring
from makegood.lifecycle import BaseJob, Failure
from makegood.listing import Listing
from makegood.machine import Empty, Event
from makegood.mover import POLL, STREAM, Mover
from makegood.notifying import Notifying
from makegood.observing import Observers, observed
from makegood.offering import Offering
from makegood.ports import Blobs, Messenger, Move, Observer, Provider, Store, Wakeups, WorkerName
from makegood.recording import Recording
from makegood.runtime import (
    Context,
    Health,
    Lifetime,
    LocalWakeups,
    read_openness,
)
from makegood.settings import Settings
from makegood.waiting import Waiting
from makegood.watching import Watching

if sys.version_info >= (3, 14):
    _uuid7: Callable[[], UUID] = uuid.uuid7
else:
    from uuid_utils.compat import uuid7 as _uuid7

log = logging.getLogger("makegood.engine")

P = TypeVar("P", bound=BaseModel)

#: The category of the failure of a job that its owner could not pay; its detail has `price` and `available`.
TOO_FEW = "insufficient_credits"


class Engine(
    Accounting,
    Administration,
    Admission,
    Drafting,
    Filing,
    Keyring,
    Listing,
    Offering,
    Recording,
    Waiting,
    Watching,
    Hearing,
    Notifying,
):
    """Paid jobs over a store: `async with Engine(store, catalog, blobs=..., providers=...)`.

    *providers* are the provider accounts that this process works with; their keys never reach the
    store. With `run_loops=False` the process only submits and reads, and others do the work; it needs
    the providers only to read their webhooks. *messenger* carries webhooks to endpoints; without one this
    process sends none. With *served_only* a process that runs loops takes no jobs of a type whose pool no
    account serves; else they wait for one. *worker* tells people which process it is, and decides nothing;
    *observers* hear what it has done, and cannot change it. The store belongs to the caller and stays open.
    """

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        *,
        blobs: Blobs,
        providers: Mapping[ProviderAccount, Provider] | None = None,
        settings: Settings | None = None,
        wakeups: Wakeups | None = None,
        messenger: Messenger | None = None,
        run_loops: bool = True,
        served_only: bool = False,
        worker: WorkerName | None = None,
        observers: Sequence[Observer] = (),
        new_id: Callable[[], UUID] = _uuid7,
    ) -> None:
        # A copy: which types a store refuses, and their stand-ins, is a matter of this engine.
        self.catalog, self.blobs = Catalog(catalog), blobs
        self.settings = settings or Settings()
        self._store, self._new_id = store, new_id
        self._wakeups: Wakeups = wakeups or LocalWakeups()
        seen = self._observers = Observers(observers)
        self._mover = Mover(store, self.catalog, self._wakeups, self.settings, new_id, seen)
        parts = (self._mover, observed(providers or {}, seen), blobs, self._wakeups, self.settings, messenger)
        self._context = Context(store, self.catalog, *parts, served_only and run_loops, seen)
        self._lifetime = Lifetime(self._context, new_id(), worker or WorkerName()) if run_loops else None
        self.health: Mapping[str, Health] = self._lifetime.health if self._lifetime else {}

    async def __aenter__(self) -> Self:
        for job_type in self.catalog:
            # One by one: a type that the store refuses must not stop the others.
            try:
                await self._store.declare([job_type.spec], grace_seconds=self.settings.grace_seconds)
            except DeclarationError as error:
                live = await self._store.live(job_type.name, job_type.version)
                why = "; ".join(map(str, error.problems)) + _going_on(job_type, live)
                self.catalog.refuse(job_type, why)
                log.error("no new jobs of %s@%s are taken: %s", job_type.name, job_type.version, why)
        await read_openness(self._context)
        if self._lifetime:
            await self._tell_of_strangers()
            await self._lifetime.begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Take no new work, let what is under way end within `drain_seconds`, hand over the rest, stop."""
        self.stop()
        if self._lifetime:
            await self._lifetime.end()

    def stop(self) -> None:
        """Begin the end, so that its time counts from here: take no new work, let streams end. Calls are
        still answered."""
        if self._lifetime:
            self._lifetime.stop()
        self._context.stopping.set()

    async def stopped(self) -> None:
        """Return once the end has begun: whoever waits for what is to come, such as a stream, may leave."""
        await self._context.stopping.wait()

    @property
    def refused(self) -> dict[str, str]:
        """The job types, as `name@version`, whose rules the store refused, each with the reason."""
        return self.catalog.refused

    async def submit(
        self,
        job_type: str | type[BaseJob],
        owner: str,
        input: Mapping[str, Any],
        *,
        key: str | None = None,
        priority: int = 0,
        retry_of: UUID | None = None,
        not_before: datetime | None = None,
        draft: bool = False,
        session: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        conn: Any = None,
    ) -> Job:
        """Insert a job as `pending`, with its input validated and its price fixed.

        *input* fits the type's `Input`; file fields hold keys of `blobs`. The same (owner, *key*)
        gives the same job. Nothing is charged. It is not dispatched before *not_before*, a time with zone. A
        *draft* has a part of its input, which `prepare` completes. *session* is the page, which may
        take it back; *metadata* is kept beside it. Raises UnknownJobType, JobTypeRefused,
        JobTypeClosed, InvalidInput, InvalidRequest, KeyReused, ActiveJob.

        With *conn*, a connection of the host's own (asyncpg's, to the database of the store), this and the
        other calls that take it become part of the host's transaction: they stand or fall with its commit,
        a refusal leaves it usable, and whoever works on the job finds it at its next turn after the commit.
        """
        name = job_type if isinstance(job_type, str) else job_type.name
        kept = {} if metadata is None else metadata
        order = Order(owner, input, key, priority, retry_of, not_before, draft, session, kept)
        try:
            job_type, now = self.catalog.offered(name), self._store.now
            new = await take_order(job_type, order, self.blobs, self._new_id(), now)
        except InvalidRequest:
            first = None
            if key and not (conn or draft):
                first = await self.submitted_before(name, owner, input, key=key)
            if first is None:
                raise
            return first
        job = await self._store.jobs.insert(new, conn=conn)
        if conn is None:
            self._mover.remember(job)
            self._wakeups.wake(STREAM)
            if job.id == new.id:  # else an earlier call with its key has made it
                self._observers.moved(Move(job=job, event="submit", from_state=None, actor=new.actor))
        return job

    async def accept(self, job_id: UUID, *, actor: str = "engine", conn: Any = None) -> Job:
        """Hold the price and queue the job; a job accepted before is returned as it is.

        Raises InsufficientCredits, after which the job is `failed` and nothing is charged, and
        IllegalTransition when the job is over.
        """
        try:
            return await self._mover.fire(job_id, BaseJob.accept.name, actor=actor, conn=conn)
        except InsufficientCredits as error:
            detail = {"price": error.price, "available": error.available}
            failure = Failure(category=TOO_FEW, message=str(error), detail=detail)
            refused = await self._mover.follow(
                job_id, BaseJob.refuse.name, failure, actor=actor, reason="insufficient credits", conn=conn
            )
            job = refused or await self.get(job_id, conn=conn)
            if job.finished_at is None:  # meanwhile somebody added credits and accepted it
                return job
            raise
        except IllegalTransition:
            job = await self.get(job_id, conn=conn)
            if job.finished_at is not None:
                raise
            return job

    @overload
    async def fire(
        self,
        job_id: UUID,
        event: Event[Empty],
        payload: None = None,
        *,
        actor: str = ...,
        reason: str | None = ...,
        evidence: Evidence | None = ...,
        conn: Any = ...,
    ) -> Job: ...
    @overload
    async def fire(
        self,
        job_id: UUID,
        event: Event[P],
        payload: P,
        *,
        actor: str = ...,
        reason: str | None = ...,
        evidence: Evidence | None = ...,
        conn: Any = ...,
    ) -> Job: ...
    async def fire(
        self,
        job_id: UUID,
        event: Event[Any],
        payload: BaseModel | None = None,
        *,
        actor: str = "engine",
        reason: str | None = None,
        evidence: Evidence | None = None,
        conn: Any = None,
    ) -> Job:
        """Move the job by *event* and return it as committed.

        A job whose attempt was submitted needs *evidence* about that attempt. Raises
        IllegalTransition, GuardFailed, Conflict, InvalidRequest when the payload is not the event's.
        """
        given = payload or Empty()
        if not isinstance(given, event.payload):
            raise InvalidRequest(
                f"{event.name!r} takes a {event.payload.__name__}, not a {type(given).__name__}."
            )
        return await self._mover.fire(
            job_id, event.name, payload, actor=actor, reason=reason, evidence=evidence, conn=conn
        )

    async def cancel(self, job_id: UUID, *, actor: str = "engine", reason: str | None = None) -> Job:
        """End a job that is not at the provider at once, all that is held back; of a submitted job note the
        wish, whose and why, and ask the provider to stop: what it answers decides, by the type's policy.

        Raises IllegalTransition or GuardFailed when the job is over or its type does not allow it.
        """
        job = self._mover.known(job_id) or await self.get(job_id)
        job_type = await self._mover.type_of(job)
        if job_type.at_provider(job):
            job = await self.get(job_id)  # what is remembered may be over by now
        for last in range(self.settings.decide_tries_max - 1, -1, -1):
            if job_type.at_provider(job):
                break
            try:
                return await self._mover.fire(job_id, BaseJob.cancel.name, actor=actor, reason=reason)
            except GuardFailed as refusal:
                job = await self.get(job_id)
                # It was submitted at this very moment, and perhaps refused and is back again.
                if not (job_type.at_provider(job) or (last and "evidence" in refusal.unmet)):
                    raise
        permitted(job_type, job, BaseJob.cancel.name, Empty())
        wish = f"{actor} asks to cancel it: {reason or 'no reason given'}"
        asked = await self._store.jobs.request_cancel(job_id, wish)
        if asked is None:
            raise UnknownJob(job_id)
        if asked.finished_at is not None:
            raise IllegalTransition(BaseJob.cancel.name, asked.state, [])
        self._wakeups.wake(POLL)
        return asked

    async def report(
        self, job_id: UUID, message: str, *, source: str = "client", settle_queued: bool = True
    ) -> Job:
        """Take a client's word that a job has failed for what it is worth.

        A job of which nothing was ever submitted ends as `failed`, all that is held back: while it is
        `pending`, and with *settle_queued* also while it waits. Otherwise the report moves nothing: it is
        kept and the provider is asked soon. A finished job stays as it is.
        """
        job = await self.get(job_id)
        if job.finished_at is not None:
            return job
        event = await self._report_event(job, settle_queued)
        if event:
            failure = Failure(category="client_report", message=message)
            with contextlib.suppress(IllegalTransition, GuardFailed, Conflict):  # it moved on meanwhile
                return await self._mover.fire(
                    job_id, event, failure, actor=source, reason="reported by the client"
                )
        await self.hint(job_id, message, source=source)
        return await self.get(job_id)

    async def get(self, job_id: UUID, *, owner: str | None = None, conn: Any = None) -> Job:
        """Return the job as it is now; UnknownJob when there is none, or, with *owner*, none of that
        owner's."""
        job = await self._store.jobs.get(job_id, owner=owner, conn=conn)
        if job is None:
            raise UnknownJob(job_id)
        return job

    async def now(self) -> datetime:
        """Return the store's time, the only one that counts."""
        return await self._store.now()

    async def _tell_of_strangers(self) -> None:
        """Say which jobs under way have a type that this process lacks."""
        for name, version in await self._store.declared():
            if self.catalog.has(name, version):
                continue
            if jobs := sum((await self._store.live(name, version)).values()):
                log.warning(
                    "%d jobs of %s@%d are under way, a type that this process does not have: they go on by "
                    "the stored rules, their results wait for a process that has it, and without one they "
                    "end with their credits back",
                    jobs,
                    name,
                    version,
                )

    async def _report_event(self, job: Job, settle_queued: bool) -> str | None:
        """Return by which event a client's report may end the job, None if it may not."""
        if job.intent_attempt is not None:
            return None
        spec = (await self._mover.type_of(job)).spec
        if job.state == spec.initial:
            return BaseJob.refuse.name
        return BaseJob.fail.name if settle_queued and job.state in spec.waiting else None


def _going_on(job_type: type[BaseJob], live: Mapping[str, int]) -> str:
    """Say how many jobs go on by the stored rules, and which of their states the new ones lack."""
    if not live:
        return ""
    states = [
        f"{count} {state}" + ("" if state in job_type.spec.state else " (a state that these rules lack)")
        for state, count in live.items()
    ]
    return f". Jobs under way go on by the stored rules: {', '.join(states)}"
