"""Drafts, what is kept beside a job, and the jobs of a page, in memory."""

import json
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from makegood.errors import InvalidRequest
from makegood.job import Job
from makegood.outcome import JSON
from makegood.ports import METADATA_BYTES_MAX, PROLONGED_TIMES, SESSION_JOBS_MAX, Prepared
from makegood_adapters.memory.tables import Tables


class MemoryDrafts:
    """The port `Drafts`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def prepare(self, job_id: UUID, prepared: Prepared) -> Job | None:
        """Complete a draft that is not over, once."""
        row = self._tables.jobs.get(job_id)
        if row is None:
            return None
        if row.job.draft and row.job.finished_at is None:
            other = prepared.becomes
            row.job = replace(
                row.job,
                draft=False,
                price=prepared.price,
                input=deepcopy(prepared.input),
                request=deepcopy(prepared.request),
                files=dict(prepared.files),
            )
            if other is not None:
                row.job = replace(
                    row.job,
                    type=other.type,
                    type_version=other.version,
                    pool=other.pool,
                    attempts_max=other.attempts_max,
                )
        return row.job

    async def annotate(self, job_id: UUID, metadata: JSON) -> Job | None:
        """Merge the keys into what is kept beside the job."""
        row = self._tables.jobs.get(job_id)
        if row is None:
            return None
        merged = {**row.job.metadata, **deepcopy(metadata)}
        if len(json.dumps(merged, ensure_ascii=False).encode()) > METADATA_BYTES_MAX:
            raise InvalidRequest(
                f"At most {METADATA_BYTES_MAX:,} bytes are kept beside a job. Nothing was kept."
            )
        row.job = replace(row.job, metadata=merged)
        return row.job

    async def renew(self, owner: str) -> None:
        """Put off the end of the owner's drafts."""
        for row in self._tables.jobs.values():
            job = row.job
            if job.owner == owner and job.draft and job.deadline_at is not None:
                seconds = row.spec.state[job.state].deadline_seconds or 0
                last = job.entered_at + timedelta(seconds=PROLONGED_TIMES * seconds)
                later = min(self._tables.later(seconds), last)
                row.job = replace(job, deadline_at=max(job.deadline_at, later))

    async def of_session(self, session: str) -> list[Job]:
        """Return jobs of a session that are not over and were never submitted."""
        found = [
            row.job
            for row in self._tables.jobs.values()
            if row.job.session == session and row.job.finished_at is None and row.job.intent_attempt is None
        ]
        return sorted(found, key=lambda job: (job.created_at, job.id))[:SESSION_JOBS_MAX]
