"""Inbox and outbox in memory: hints from outside, announcements to whoever must hear of them."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from makegood.errors import UnknownJob
from makegood.job import Announcement, Attempt
from makegood.ports import KeptMessage, Receipt, StoredHint, Swept
from makegood_adapters.memory import parked
from makegood_adapters.memory.tables import OutboxRow, Tables


class MemoryHints:
    """The port `Hints`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def addressee(self, token_hash: bytes) -> Attempt | None:
        """Return the attempt that was submitted with the token of this hash."""
        attempts = (row.attempt for row in self._tables.attempts.values())
        return next((attempt for attempt in attempts if attempt.token_hash == token_hash), None)

    async def receive(self, token_hash: bytes, body: str, task_id: str | None) -> tuple[UUID, int] | None:
        """Keep a provider's message by its token; None: no attempt has this token."""
        for row in self._tables.attempts.values():
            if row.attempt.token_hash == token_hash:
                attempt = row.attempt
                parked.keep(self._tables, (attempt.job_id, attempt.number), "webhook", body, task_id)
                row.next_ask_at = self._tables.hinted_at()
                return attempt.job_id, attempt.number
        return None

    async def take_in(
        self, token_hash: bytes, body: str, task_id: str | None, accounts: Sequence[str]
    ) -> str | None:
        """Keep a provider's message if its attempt is at one of these accounts."""
        attempt = await self.addressee(token_hash)
        if attempt and attempt.account in accounts:
            await self.receive(token_hash, body, task_id)
        return attempt.account if attempt else None

    async def report(self, job_id: UUID, source: str, body: str) -> None:
        """Keep what a client reports and make the job's attempts due."""
        row = self._tables.jobs.get(job_id)
        if row is None:
            raise UnknownJob(job_id)
        parked.report(self._tables, (job_id, row.job.attempt), source, body)

    async def hear(self, task_id: str, source: str, body: str) -> Receipt:
        """Keep what names only a task, as a hint or for the attempt that gets the task."""
        return parked.hear(self._tables, task_id, source, body)

    async def sweep(self, limit: int) -> Swept:
        """Delete what was parked for a day."""
        return parked.sweep(self._tables, limit)

    async def of(self, job_id: UUID, limit: int, chars_max: int) -> list[KeptMessage]:
        """Return the last messages about the job, of each the beginning."""
        rows = [row for row in self._tables.hints if row.hint.job_id == job_id]
        return [
            KeptMessage(
                attempt=row.hint.attempt,
                source=row.hint.source,
                task_id=row.hint.task_id,
                at=row.hint.received_at,
                read=row.read,
                body=row.body[:chars_max],
                length=len(row.body),
            )
            for row in rows[-limit:]
        ]

    async def unread(self, attempt: Attempt) -> list[StoredHint]:
        """Return the hints about the attempt that nobody has dealt with, oldest first."""
        wanted = (attempt.job_id, attempt.number)
        return [
            row.hint
            for row in self._tables.hints
            if (row.hint.job_id, row.hint.attempt) == wanted and not row.read
        ]

    async def read(self, hints: Iterable[StoredHint]) -> None:
        """Mark hints as dealt with."""
        for hint in hints:
            self._tables.hints[hint.id - 1].read = True


class MemoryOutbox:
    """The port `Outbox`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def take(self, types: Sequence[str], limit: int, lease_seconds: float) -> list[Announcement]:
        """Lease undelivered announcements, at most the first of each job."""
        first: dict[UUID, OutboxRow] = {}
        for row in self._tables.outbox:
            if not row.done:
                first.setdefault(row.transition.job_id, row)
        free = [
            row
            for row in first.values()
            if row.transition.type in types
            and (row.leased_until is None or self._tables.passed(row.leased_until))
        ]
        free.sort(key=lambda row: row.id)
        for row in free[: max(limit, 0)]:
            row.leased_until = self._tables.later(lease_seconds * 2 ** min(row.tries, 6))
            row.tries += 1
        return [
            Announcement(id=row.id, transition=row.transition, delivered=row.delivered, tries=row.tries)
            for row in free[: max(limit, 0)]
        ]

    async def delivered(self, announcement: Announcement, name: str) -> None:
        """Note that the hook *name* has heard of it."""
        row = self._tables.outbox[announcement.id - 1]
        if name not in row.delivered:
            row.delivered += (name,)

    async def give_back(self, announcement: Announcement) -> None:
        """End the lease of an announcement that was not told."""
        row = self._tables.outbox[announcement.id - 1]
        if row.tries == announcement.tries and not row.done and row.leased_until is not None:
            row.leased_until, row.tries = None, row.tries - 1

    async def done(self, announcements: Sequence[Announcement]) -> None:
        """Mark as delivered; the next announcement of each job may follow."""
        for announcement in announcements:
            self._tables.outbox[announcement.id - 1].done = True
