"""The part of the engine for jobs that are ordered piece by piece: drafts, pages, what is kept beside."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from makegood.buckets import check_texts
from makegood.catalog import Catalog
from makegood.errors import (
    Conflict,
    GuardFailed,
    IllegalTransition,
    InvalidRequest,
    UnknownJob,
    UnknownJobType,
)
from makegood.intake import Order, check_json, prepare_order
from makegood.job import Job
from makegood.lifecycle import BaseJob, Failure
from makegood.mover import Mover
from makegood.ports import Becomes, Blobs, Store

log = logging.getLogger("makegood.engine")


class Drafting:
    """What a service does for pages that create a job first and bring its input later; `Engine` is one."""

    catalog: Catalog
    blobs: Blobs
    _store: Store
    _mover: Mover

    async def prepare(
        self,
        job_id: UUID,
        input: Mapping[str, Any],
        *,
        owner: str | None = None,
        job_type: str | None = None,
    ) -> Job:
        """Complete a draft: validate its whole *input*, fix its price and what the provider will be asked.

        With *job_type* it goes on as a job of that type, which has to begin in the same state and to have the
        same `exclusive_by`: some pages insert a row before they know what will be asked of it.

        A job that is none any more, or is over, is returned as it is: the first complete input stays,
        whatever is sent later. Nothing is charged. Raises UnknownJob, and what `Engine.submit` raises for
        an input and its type; the draft stays as it is then.
        """
        job = await self._store.jobs.get(job_id, owner=owner)
        if job is None:
            raise UnknownJob(job_id)
        if not job.draft or job.finished_at is not None:
            return job
        becomes = None
        if job_type is None or job_type == job.type:
            self.catalog.offered(job.type)
            found = self.catalog.of(job)
            if found is None or not self.catalog.has(job.type, job.type_version):
                raise UnknownJobType(f"{job.type}@{job.type_version}", self.catalog.names)
        else:
            found = self.catalog.offered(job_type)
            _check_change(job, found)
            becomes = Becomes(found.name, found.version, found.pool, found.attempts_max)
        prepared = await prepare_order(found, Order(job.owner, input), self.blobs)
        prepared = replace(prepared, becomes=becomes)
        done = await self._store.drafts.prepare(job_id, prepared)
        if done is None:
            raise UnknownJob(job_id)
        self._mover.remember(done)
        return done

    async def refuse_draft(
        self, job_id: UUID, failure: Failure, *, actor: str = "engine", reason: str | None = None
    ) -> Job:
        """End a draft whose input cannot become that of a job; nothing was charged. One that somebody else
        has completed meanwhile goes on, and is returned as it is. Raises UnknownJob, IllegalTransition."""
        return await self._mover.fire(
            job_id, BaseJob.refuse.name, failure, actor=actor, reason=reason, only_draft=True
        )

    async def annotate(self, job_id: UUID, metadata: Mapping[str, Any], *, owner: str | None = None) -> Job:
        """Merge the keys of *metadata* into what is kept beside the job; it decides nothing.

        Raises UnknownJob, InvalidRequest when it cannot be stored or would be too much.
        """
        check_json("metadata", metadata)
        if await self._store.jobs.get(job_id, owner=owner) is None:
            raise UnknownJob(job_id)
        job = await self._store.drafts.annotate(job_id, dict(metadata))
        if job is None:
            raise UnknownJob(job_id)
        return job

    async def end_session(self, session: str, *, actor: str = "client") -> list[Job]:
        """Cancel the jobs of a page that leaves, all that is held back, and return them.

        Only those that were never submitted: what the provider may have goes on, also one that is being
        submitted at this moment. Whoever knows the session may do so: it is a weak secret.
        """
        check_texts(session=session)
        ended, why = [], "the page was left"
        for job in await self._store.drafts.of_session(session):
            try:
                ended.append(await self._mover.fire(job.id, BaseJob.cancel.name, actor=actor, reason=why))
            except (IllegalTransition, GuardFailed, Conflict) as refusal:
                log.info("job %s of a page that was left goes on: %s", job.id, refusal)
        return ended


def _check_change(draft: Job, job_type: type[BaseJob]) -> None:
    """Raise InvalidRequest unless the draft may go on as a job of this type."""
    if job_type.spec.initial != draft.state or job_type.exclusive_by != draft.exclusive_scope:
        raise InvalidRequest(
            f"A draft of {draft.type!r} cannot become a job of {job_type.name!r}: both have to begin in the "
            "same state and to have the same exclusive_by. Nothing was charged."
        )
