"""The part of the engine for named people: what is known of a job's attempts, and acts with a reason.

A person's word is evidence like any other: it is kept, and settles a job at most once.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from makegood.buckets import check_texts
from makegood.decide import permitted
from makegood.errors import GuardFailed, IllegalTransition, InvalidRequest, UnknownFile, UnknownJob
from makegood.job import Attempt, Evidence, Job, Occupancy, Phase, Verdict
from makegood.jobtype import JobType
from makegood.lifecycle import BaseJob, Completion, Failure
from makegood.machine import Empty, Event, Money
from makegood.mover import POLL, Mover
from makegood.outcome import JSON
from makegood.overseeing import Overseeing
from makegood.ports import Blobs, Store, Wakeups
from makegood.settings import Settings
from makegood.statement import ENGINE

#: The source of all evidence that is a person's word; who it was stands in its detail.
SOURCE = "administrator"
#: Sources of what was found out of an attempt, and no program could settle.
ALARMS = ("draining deadline", "late webhook")
#: So many characters a reason may have.
REASON_MAX = 10_000
_ACTS: tuple[Event[Any], ...] = (BaseJob.fail, BaseJob.complete, BaseJob.cancel)
_NAMES = tuple(event.name for event in _ACTS)


class Administration(Overseeing):
    """What people do to jobs; `Engine` is one."""

    _store: Store
    _mover: Mover
    _wakeups: Wakeups
    blobs: Blobs
    settings: Settings

    async def occupancy(self) -> list[Occupancy]:
        """Return use and capacity of every provider account."""
        return await self._store.attempts.occupancy()

    async def attempts(self, job_id: UUID) -> list[Attempt]:
        """Return every attempt of the job, first one first, each with what is `known` of it.

        Where a run that failed was made again, its evidence says of what it failed (`trouble`), and what the
        next run has other in its request (`again`).
        """
        known = await self._store.attempts.evidence(job_id)
        attempts = await self._store.attempts.of(job_id)
        if not attempts and await self._store.jobs.get(job_id) is None:
            raise UnknownJob(job_id)
        return [replace(a, known=tuple(e for e in known if e.attempt == a.number)) for a in attempts]

    async def administer(
        self,
        job_id: UUID,
        event: Event[Any],
        *,
        actor: str,
        reason: str,
        files: Sequence[str] = (),
        earned: int | None = None,
    ) -> Job:
        """End a job that is not over by `BaseJob.fail`, `cancel` or `complete`, because *actor*, a person,
        says so, for *reason*; both are kept as evidence and in the history.

        `fail`, or what the type has in its place, and `cancel` give back all that is held, whatever the
        type's policy says. `complete` delivers *files*, keys of `blobs`, and captures the
        price, or *earned* of it. What was submitted keeps its slot until the provider is known to be done,
        and is asked to stop. Raises UnknownJob, IllegalTransition when the job is over or its type does not
        allow the event, InvalidRequest; then nothing has changed.
        """
        actor, reason = _told(actor, reason)
        price = (await self._known(job_id)).price
        if earned is not None and not 0 <= earned <= price:
            raise InvalidRequest(f"earned must be 0 to {price}, the price of the job, not {earned}.")
        payload = await self._payload(event, files, earned)
        for last in range(self.settings.decide_tries_max - 1, -1, -1):
            job = await self._known(job_id)
            job_type = await self._mover.type_of(job)
            name = _event_from(job_type, job, event.name)
            evidence = await self._word(job_type, job, actor, reason)
            try:
                moved = await self._mover.fire(
                    job_id, name, payload, actor=actor, reason=reason, evidence=evidence
                )
            except GuardFailed as refusal:
                # The attempt may be another one by now, or the first; a guard of the type's stays as it is.
                if not (last and {"evidence", "attempt"} & set(refusal.unmet)):
                    raise
                continue
            await self._store.hints.report(job_id, SOURCE, reason)  # its attempt is due: ask the task to stop
            self._wakeups.wake(POLL)
            return moved
        raise AssertionError("the last try returns or raises")

    async def hindrances(self, job: Job) -> dict[str, str | None]:
        """Return by event why `administer` would refuse to end the *job* by it as it stands, None where it
        would not. Guards are asked, but for those of `complete`, which may look at its files."""
        job_type = await self._mover.type_of(job)
        return {event.name: _hindrance(job_type, job, event) for event in _ACTS}

    async def unasked(self, job: Job) -> list[str]:
        """Return the names of the guards that `hindrances` has not asked: they see the files with which
        `administer` completes the *job*, and may hold it back then."""
        events = (await self._mover.type_of(job)).events()
        complete = events.get(BaseJob.complete.name)
        return [guard.__name__ for guard in complete.guards] if complete else []

    async def unresolvable(self, attempt: Attempt) -> str | None:
        """Return why `resolve` would refuse the *attempt*, with what is `known` of it; None: it would not."""
        if not needs_person(attempt):
            return "It needs nobody."
        return await self._named(attempt) if attempt.phase is Phase.UNCERTAIN else None

    async def ask(self, job_id: UUID) -> list[int]:
        """Let the provider be asked about the job next, by whoever has its account and as far as its rate
        allows; return the numbers of the attempts in question. Raises UnknownJob, and InvalidRequest where
        the provider has nothing of it; then nothing has changed."""
        await self._known(job_id)
        pending = askable(await self._store.attempts.of(job_id))
        if not pending:
            raise InvalidRequest(
                f"The provider has nothing of job {job_id} that is not over: there is nothing to ask. "
                "What is known of it stands in its attempts."
            )
        for attempt in pending:
            await self._store.attempts.ask_after(attempt, 0)
        self._wakeups.wake(POLL)
        return [attempt.number for attempt in pending]

    async def resolve(self, job_id: UUID, attempt: int, *, actor: str, reason: str) -> Attempt:
        """Note that *actor*, a person, has looked at the provider and settled what no program could.

        An attempt that was given up, or turned out too late to have a task, is no longer counted in
        `Occupancy`. Of an attempt whose submission is uncertain it is said that there is no task: its slot
        is free and its job, if it still waits for it, goes back to the queue. Raises InvalidRequest where
        nobody is needed; then nothing has changed.
        """
        actor, reason = _told(actor, reason)
        job = await self._known(job_id)
        found = await self._store.attempts.get(job_id, attempt) if 0 < attempt <= job.attempt else None
        if found is None:
            raise InvalidRequest(f"Job {job_id} has no attempt {attempt}; it has had {job.attempt}.")
        detail = {"actor": actor, "reason": reason}
        if found.phase is Phase.UNCERTAIN:
            await self._no_task(job, found, detail)
            told = await self._store.attempts.get(job_id, attempt)
            if told is not None and told.verdict is not Verdict.REJECTED:  # found at this very moment
                raise InvalidRequest(_needs_nobody(told))
        elif await self._alarms(found):
            await self._store.attempts.record(found.evidence(Verdict.RESOLVED, SOURCE, detail=detail))
        else:
            raise InvalidRequest(_needs_nobody(found))
        return next(each for each in await self.attempts(job_id) if each.number == attempt)

    async def _no_task(self, job: Job, attempt: Attempt, detail: JSON) -> None:
        if named := await self._named(attempt):
            raise InvalidRequest(named)
        event = BaseJob.cancel.name if job.cancel_requested_at else BaseJob.defer.name
        evidence = attempt.evidence(Verdict.REJECTED, SOURCE, detail=detail)
        await self._mover.follow(
            job.id, event, actor=detail["actor"], reason=detail["reason"], evidence=evidence
        )

    async def _named(self, attempt: Attempt) -> str | None:
        """Say that a webhook names a task of an attempt of which it is not known whether there is one."""
        hints = await self._store.hints.unread(attempt)
        named = next((hint.task_id for hint in hints if hint.source == "webhook" and hint.task_id), None)
        return named and (
            f"A webhook names task {named} for attempt {attempt.number}: the provider is being asked, and "
            "its answer decides."
        )

    async def _alarms(self, attempt: Attempt) -> bool:
        known = await self._store.attempts.evidence(attempt.job_id)
        mine = tuple(fact for fact in known if fact.attempt == attempt.number)
        return needs_person(replace(attempt, known=mine))

    async def _word(self, job_type: type[JobType], job: Job, actor: str, reason: str) -> Evidence | None:
        """Return the person's word about the current attempt, None where none is under way."""
        if not (job_type.spec.state[job.state].slot and job.attempt):
            return None
        attempt = await self._store.attempts.get(job.id, job.attempt)
        detail = {"actor": actor, "reason": reason}
        return attempt.evidence(Verdict.ADMINISTRATOR, SOURCE, detail=detail) if attempt else None

    async def _payload(self, event: Event[Any], files: Sequence[str], earned: int | None) -> BaseModel:
        if event.name not in _NAMES:
            names = ", ".join(_NAMES)
            raise InvalidRequest(f"An administrator ends a job by {names}, not by {event.name!r}.")
        if event.name == BaseJob.complete.name:
            if not files:
                raise InvalidRequest(
                    "A job is complete when its result is ours: name its files, keys of ours."
                )
            return Completion(output={"files": [await self._file(key) for key in files]}, earned=earned)
        if files or earned is not None:
            raise InvalidRequest(f"{event.name!r} delivers nothing: leave files and earned out.")
        return _nothing_delivered(event)

    async def _file(self, key: str) -> Mapping[str, Any]:
        digest, size = hashlib.sha256(), 0
        try:
            async for piece in self.blobs.read(key):
                digest.update(piece)
                size += len(piece)
        except UnknownFile:
            raise InvalidRequest(f"There is no file {key!r} in our storage; nothing was changed.") from None
        kind = PurePosixPath(key).suffix[1:].lower() or "bin"
        return {"key": key, "kind": kind, "node": "", "size": size, "sha256": digest.hexdigest()}

    async def _known(self, job_id: UUID) -> Job:
        job = await self._store.jobs.get(job_id)
        if job is None:
            raise UnknownJob(job_id)
        return job


def askable(attempts: Iterable[Attempt]) -> list[Attempt]:
    """Return of which *attempts* the provider may have a task that is not over: `ask` asks about those."""
    return [each for each in attempts if each.intent_at is not None and each.closed_at is None]


def needs_person(attempt: Attempt) -> bool:
    """Whether no program can settle the *attempt*, by what is `known` of it: `resolve` takes it."""
    looked = any(fact.verdict is Verdict.RESOLVED for fact in attempt.known)
    alarmed = not looked and any(fact.source in ALARMS for fact in attempt.known)
    return alarmed or attempt.phase is Phase.UNCERTAIN


def _told(actor: str, reason: str) -> tuple[str, str]:
    """Return both without blanks around them; InvalidRequest where one of them says nothing."""
    actor, reason = actor.strip(), reason.strip()
    if not actor or actor in ENGINE or actor.startswith("database:"):
        raise InvalidRequest(
            f"An administrator's act needs the name of a person as its actor, not {actor!r}."
        )
    if not reason:
        raise InvalidRequest("An administrator's act needs a reason: it is kept with the job for good.")
    check_texts(actor=actor)
    if len(reason) > REASON_MAX:
        raise InvalidRequest(
            f"The reason has {len(reason):,} characters, at most {REASON_MAX:,} are kept: say it shorter."
        )
    return actor, reason


def _hindrance(job_type: type[BaseJob], job: Job, event: Event[Any]) -> str | None:
    if job.finished_at is not None:
        return "The job is over."
    name = _event_from(job_type, job, event.name)
    if name not in job_type.rules.allowed(job.state):
        return f"Not while it is {job.state}."
    if event is not BaseJob.complete:
        try:
            permitted(job_type, job, name, _nothing_delivered(event))
        except GuardFailed as refusal:
            return str(refusal)
    return None


def _nothing_delivered(event: Event[Any]) -> BaseModel:
    """Return what comes with an event that gives all credits back."""
    if event.name == BaseJob.fail.name:
        return Failure(category=SOURCE, message="An administrator ended the job.")
    return Empty()


def _event_from(job_type: type[JobType], job: Job, name: str) -> str:
    """Return *name*; where the type has no `fail`, the event by which its deadline ends the job with its
    credits back. Where they are paid already there is none: that job is not to be failed any more."""
    if job.finished_at is not None:
        raise IllegalTransition(name, job.state, [])
    if name == BaseJob.fail.name and name not in job_type.rules.allowed(job.state):
        edge = job_type.spec.on_deadline(job.state)
        back = edge and (edge.money is Money.RELEASE or edge.dest == BaseJob.failed.name)
        return edge.event if edge and back else name
    return name


def _needs_nobody(attempt: Attempt) -> str:
    which = f"Attempt {attempt.number} of job {attempt.job_id}"
    if attempt.closed_at is not None:
        return f"{which} needs nobody: it is over ({attempt.verdict or 'it was never sent'})."
    return (
        f"{which} needs nobody: it is {attempt.phase}, and the provider's answer decides. To end the job "
        "itself, administer it."
    )
