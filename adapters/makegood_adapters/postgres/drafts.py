"""Drafts, what is kept beside a job, and the jobs of a page, in Postgres."""

from dataclasses import astuple
from uuid import UUID

import asyncpg

from makegood.errors import InvalidRequest
from makegood.job import Job
from makegood.outcome import JSON
from makegood.ports import METADATA_BYTES_MAX, SESSION_JOBS_MAX, Prepared
from makegood_adapters.postgres.rows import as_json, to_job
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.transaction import Database


class PostgresDrafts:
    """Implements `makegood.ports.Drafts`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def prepare(self, job_id: UUID, prepared: Prepared) -> Job | None:
        """See `Drafts.prepare`."""
        parts = (as_json(prepared.input), as_json(prepared.request), as_json(prepared.files))
        other = astuple(prepared.becomes) if prepared.becomes else (None,) * 4

        async def work(connection: asyncpg.Connection) -> Job | None:
            await connection.execute(statement("drafts/prepare"), job_id, prepared.price, *parts, *other)
            return await _read(connection, job_id)

        return await self._database.transact(work)

    async def annotate(self, job_id: UUID, metadata: JSON) -> Job | None:
        """See `Drafts.annotate`."""
        text = as_json(metadata)

        async def work(connection: asyncpg.Connection) -> Job | None:
            done = await connection.execute(statement("drafts/annotate"), job_id, text, METADATA_BYTES_MAX)
            job = await _read(connection, job_id)
            if job is not None and done != "UPDATE 1":
                raise InvalidRequest(
                    f"At most {METADATA_BYTES_MAX:,} bytes are kept beside a job. Nothing was kept."
                )
            return job

        return await self._database.transact(work)

    async def renew(self, owner: str) -> None:
        """See `Drafts.renew`."""

        async def work(connection: asyncpg.Connection) -> None:
            await connection.execute(statement("drafts/renew"), owner)

        await self._database.transact(work)

    async def of_session(self, session: str) -> list[Job]:
        """See `Drafts.of_session`."""
        rows = await self._database.fetch(statement("drafts/of_session"), session, SESSION_JOBS_MAX)
        return [to_job(row) for row in rows]


async def _read(connection: asyncpg.Connection, job_id: UUID) -> Job | None:
    row = await connection.fetchrow(statement("jobs/get"), [job_id])
    return to_job(row) if row else None
