"""What comes in and what goes out, in Postgres: hints and announcements."""

import hashlib
from collections.abc import Iterable, Sequence
from uuid import UUID

import asyncpg

from makegood.job import Announcement, Attempt
from makegood.ports import REPORTS_MAX, StoredHint
from makegood_adapters.postgres.commit import GroupCommit, Kind
from makegood_adapters.postgres.rows import storable, to_announcement, to_attempt, to_hint
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.transaction import Database

_Place = tuple[UUID, int]


def _unread(places: Sequence[_Place], rows: Sequence[asyncpg.Record]) -> Iterable[list[StoredHint]]:
    found: dict[_Place, list[StoredHint]] = {place: [] for place in places}
    for row in rows:
        found[row["job_id"], row["attempt"]].append(to_hint(row))
    return found.values()


_UNREAD: Kind[_Place, list[StoredHint]] = Kind(
    "unread", "hints/unread", lambda place: place, lambda place: place, _unread
)


class PostgresHints:
    """Implements `makegood.ports.Hints`."""

    def __init__(self, database: Database, commits: GroupCommit) -> None:
        self._database, self._commits = database, commits

    async def addressee(self, token_hash: bytes) -> Attempt | None:
        """See `Hints.addressee`."""
        rows = await self._database.fetch(statement("hints/addressee"), token_hash)
        return to_attempt(rows[0]) if rows else None

    async def receive(self, token_hash: bytes, body: str, task_id: str | None) -> tuple[UUID, int] | None:
        """See `Hints.receive`."""

        async def work(connection: asyncpg.Connection) -> tuple[UUID, int] | None:
            row = await connection.fetchrow(
                statement("hints/receive"), token_hash, _digest(body), storable(body), storable(task_id)
            )
            return (row["job_id"], row["number"]) if row else None

        return await self._database.transact(work)

    async def report(self, job_id: UUID, source: str, body: str) -> None:
        """See `Hints.report`."""

        async def work(connection: asyncpg.Connection) -> None:
            await connection.execute(
                statement("hints/report"), job_id, source, _digest(body), storable(body), REPORTS_MAX
            )

        await self._database.transact(work)

    async def unread(self, attempt: Attempt) -> list[StoredHint]:
        """See `Hints.unread`."""

        async def alone(_: bool) -> list[StoredHint]:
            rows = await self._database.fetch(statement("hints/unread"), [attempt.job_id], [attempt.number])
            return [to_hint(row) for row in rows]

        return await self._commits.run(_UNREAD, attempt.job_id, (attempt.job_id, attempt.number), alone)

    async def read(self, hints: Iterable[StoredHint]) -> None:
        """See `Hints.read`."""
        ids = [hint.id for hint in hints]

        async def work(connection: asyncpg.Connection) -> None:
            await connection.execute(statement("hints/read"), ids)

        if ids:
            await self._database.transact(work)


class PostgresOutbox:
    """Implements `makegood.ports.Outbox`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, types: Sequence[str], limit: int, lease_seconds: float) -> list[Announcement]:
        """See `Outbox.take`."""

        async def work(connection: asyncpg.Connection) -> list[Announcement]:
            rows = await connection.fetch(statement("outbox/take"), limit, lease_seconds, types)
            return sorted((to_announcement(row) for row in rows), key=lambda a: a.id)

        return await self._database.transact(work)

    async def delivered(self, announcement: Announcement, name: str) -> None:
        """See `Outbox.delivered`."""

        async def work(connection: asyncpg.Connection) -> None:
            await connection.execute(statement("outbox/delivered"), announcement.id, name)

        await self._database.transact(work)

    async def done(self, announcements: Sequence[Announcement]) -> None:
        """See `Outbox.done`."""
        ids = [a.id for a in announcements]

        async def work(connection: asyncpg.Connection) -> None:
            await connection.execute(statement("outbox/done"), ids)

        await self._database.transact(work)


def _digest(body: str) -> bytes:
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).digest()
