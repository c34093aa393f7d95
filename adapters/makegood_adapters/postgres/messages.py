"""What comes in and what goes out, in Postgres: hints and announcements."""

import hashlib
from collections.abc import Iterable, Sequence
from functools import cache, partial
from typing import NamedTuple
from uuid import UUID

import asyncpg

from makegood.job import Announcement, Attempt
from makegood.ports import (
    HINTS_MAX,
    PARKED_MAX,
    PARKED_OF_SOURCE_MAX,
    PARKED_SECONDS,
    PARKING_SECONDS,
    REPORTS_MAX,
    KeptMessage,
    Receipt,
    StoredHint,
    Swept,
)
from makegood_adapters.postgres.commit import GroupCommit, Kind, transposed
from makegood_adapters.postgres.rows import (
    storable,
    to_announcement,
    to_attempt,
    to_hint,
    to_message,
)
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.transaction import Database

_Place = tuple[UUID, int]


def _unread(places: Sequence[_Place], rows: Sequence[asyncpg.Record]) -> Iterable[list[StoredHint]]:
    found: dict[_Place, list[StoredHint]] = {place: [] for place in places}
    for row in rows:
        found[row["job_id"], row["attempt"]].append(to_hint(row))
    return found.values()


class _Message(NamedTuple):
    """A provider's message, as it is kept."""

    token_hash: bytes
    body: str
    task_id: str | None


def _message_row(message: _Message) -> Sequence[object]:
    body, task_id = storable(message.body), storable(message.task_id)
    return (message.token_hash, _digest(message.body), body, task_id)


_Accounts = tuple[str, ...]
#: Messages are no owner's; in one place they make one large batch, which costs less than two.
_INBOX = 0


def _message_parameters(
    rows: Sequence[Sequence[object]], accounts: _Accounts | None = None, *, wait: bool = False
) -> list[object]:
    return [*transposed(rows), wait, accounts]


def _received(messages: Sequence[_Message], rows: Sequence[asyncpg.Record]) -> Iterable[_Place | None]:
    found = {row["hash"]: (row["job"], row["attempt_number"]) for row in rows if row["kept"]}
    return [found.get(message.token_hash) for message in messages]


def _taken_in(accounts: _Accounts) -> "Kind[_Message, list[str]]":
    """Return the kind of messages that are kept at *accounts*; the answer has the account, if any."""

    def answers(messages: Sequence[_Message], rows: Sequence[asyncpg.Record]) -> list[list[str] | None]:
        # what should have been kept and was not is locked: its caller waits for it alone
        found = {
            row["hash"]: [row["at_account"]] if row["kept"] or row["at_account"] not in accounts else None
            for row in rows
        }
        return [found.get(message.token_hash, []) for message in messages]

    return Kind(
        f"take in at {', '.join(accounts)}",
        "hints/receive",
        lambda message: message.token_hash,
        _message_row,
        answers,
        lambda rows: _message_parameters(rows, accounts),
        from_afar=True,
    )


def _addressees(hashes: Sequence[bytes], rows: Sequence[asyncpg.Record]) -> Iterable[list[Attempt]]:
    found = {row["token_hash"]: [to_attempt(row)] for row in rows}
    return [found.get(token_hash, []) for token_hash in hashes]


_ADDRESSEE: Kind[bytes, list[Attempt]] = Kind(
    "addressee", "hints/addressee", lambda hash: hash, lambda hash: (hash,), _addressees
)
_RECEIVE: Kind[_Message, _Place] = Kind(
    "receive",
    "hints/receive",
    lambda message: message.token_hash,
    _message_row,
    _received,
    _message_parameters,
)
_UNREAD: Kind[_Place, list[StoredHint]] = Kind(
    "unread", "hints/unread", lambda place: place, lambda place: place, _unread
)


class PostgresHints:
    """Implements `makegood.ports.Hints`."""

    def __init__(self, database: Database, commits: GroupCommit) -> None:
        self._database, self._commits = database, commits
        self._taking_in = cache(_taken_in)

    async def addressee(self, token_hash: bytes) -> Attempt | None:
        """See `Hints.addressee`."""

        async def alone(_: bool) -> list[Attempt]:
            rows = await self._database.fetch(statement("hints/addressee"), [token_hash])
            return [to_attempt(row) for row in rows]

        found = await self._commits.run(_ADDRESSEE, token_hash, token_hash, alone)
        return found[0] if found else None

    async def receive(self, token_hash: bytes, body: str, task_id: str | None) -> tuple[UUID, int] | None:
        """See `Hints.receive`."""
        message = _Message(token_hash, body, task_id)

        async def work(connection: asyncpg.Connection) -> _Place | None:
            given = _message_parameters([_message_row(message)], wait=True)
            rows = await connection.fetch(statement("hints/receive"), *given)
            return next(iter(_received([message], rows)))

        async def alone(_: bool) -> _Place | None:
            return await self._database.transact(work)

        return await self._commits.run(_RECEIVE, token_hash, message, alone)

    async def take_in(
        self, token_hash: bytes, body: str, task_id: str | None, accounts: Sequence[str]
    ) -> str | None:
        """See `Hints.take_in`."""
        message, of = _Message(token_hash, body, task_id), tuple(accounts)
        alone = partial(self._take_in_alone, message, of)
        found = await self._commits.run(self._taking_in(of), _INBOX, message, alone)
        return found[0] if found else None

    async def _take_in_alone(self, message: _Message, accounts: _Accounts, _: bool) -> list[str]:
        async def work(connection: asyncpg.Connection) -> list[str]:
            given = _message_parameters([_message_row(message)], accounts, wait=True)
            rows = await connection.fetch(statement("hints/receive"), *given)
            return [row["at_account"] for row in rows]

        return await self._database.transact(work)

    async def hear(self, task_id: str, source: str, body: str) -> Receipt:
        """See `Hints.hear`."""

        async def work(connection: asyncpg.Connection) -> Receipt:
            receipt = await connection.fetchval(
                statement("hints/hear"),
                task_id,
                source,
                _digest(body),
                storable(body),
                REPORTS_MAX,
                HINTS_MAX,
                PARKED_MAX,
                PARKED_OF_SOURCE_MAX,
            )
            return Receipt(receipt)

        return await self._database.transact(work)

    async def sweep(self, limit: int) -> Swept:
        """See `Hints.sweep`."""

        async def work(connection: asyncpg.Connection) -> Swept:
            given = (PARKED_SECONDS, PARKING_SECONDS, limit)
            [row] = await connection.fetch(statement("hints/sweep"), *given)
            return Swept(adopted=row["adopted"], expired=row["expired"])

        return await self._database.transact(work)

    async def report(self, job_id: UUID, source: str, body: str) -> None:
        """See `Hints.report`."""

        async def work(connection: asyncpg.Connection) -> None:
            await keep_report(connection, job_id, source, body)

        await self._database.transact(work)

    async def of(self, job_id: UUID, limit: int, chars_max: int) -> list[KeptMessage]:
        """See `Hints.of`."""
        rows = await self._database.fetch(statement("hints/of"), job_id, limit, chars_max)
        return [to_message(row) for row in rows]

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

    async def give_back(self, announcement: Announcement) -> None:
        """See `Outbox.give_back`."""

        async def work(connection: asyncpg.Connection) -> None:
            await connection.execute(statement("outbox/give_back"), announcement.id, announcement.tries)

        await self._database.transact(work)

    async def done(self, announcements: Sequence[Announcement]) -> None:
        """See `Outbox.done`."""
        ids = [a.id for a in announcements]

        async def work(connection: asyncpg.Connection) -> None:
            await connection.execute(statement("outbox/done"), ids)

        await self._database.transact(work)


async def keep_report(connection: asyncpg.Connection, job_id: UUID, source: str, body: str) -> None:
    """Keep what is reported about a job as part of the transaction of *connection*; see `Hints.report`."""
    given = (job_id, source, _digest(body), storable(body), REPORTS_MAX)
    await connection.execute(statement("hints/report"), *given)


def _digest(body: str) -> bytes:
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).digest()
