"""The Postgres store: small ports over one pool, with the rules in the database itself."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import asyncpg

from makegood.audit import Audit
from makegood.buckets import GRACE_SECONDS
from makegood.errors import DeclarationError, StoreUnavailable
from makegood.machine import Spec
from makegood.machine.money import holdings
from makegood_adapters.postgres.acts import PostgresActs
from makegood_adapters.postgres.attempts import PostgresAttempts
from makegood_adapters.postgres.audit import AUDIT_SECONDS, audit
from makegood_adapters.postgres.commit import GroupCommit
from makegood_adapters.postgres.drafts import PostgresDrafts
from makegood_adapters.postgres.endpoints import PostgresDeliveries, PostgresEndpoints
from makegood_adapters.postgres.jobs import PostgresJobs
from makegood_adapters.postgres.keys import PostgresKeys
from makegood_adapters.postgres.ledger import PostgresLedger
from makegood_adapters.postgres.messages import PostgresHints, PostgresOutbox
from makegood_adapters.postgres.migrate import load, migrate
from makegood_adapters.postgres.oversight import PostgresOversight
from makegood_adapters.postgres.queue import PostgresQueue
from makegood_adapters.postgres.refusal import missing_right
from makegood_adapters.postgres.rows import spec_from_rows
from makegood_adapters.postgres.rules import PostgresRules
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.stream import PostgresStream
from makegood_adapters.postgres.transaction import Database
from makegood_adapters.postgres.uploads import PostgresUploads
from makegood_adapters.postgres.workers import PostgresWorkers

#: On the server, so that they also end what the client can no longer reach; milliseconds.
_TIMEOUTS = {
    "statement_timeout": "15000",
    "lock_timeout": "10000",
    "idle_in_transaction_session_timeout": "15000",
}
#: Those do not end a client that is gone between the parts of one statement: its locks stay until the network
#: finds out, which is after two hours on most systems and after a minute with these; seconds.
_KEEPALIVES = {
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """The connections of one process: at work, idle, how many there may be, and who waits for one."""

    used: int
    idle: int
    most: int
    waiting: int


class PostgresStore:
    """Implements `makegood.ports.Store` on PostgreSQL 15 or newer, in the schema `makegood`."""

    def __init__(self, pool: asyncpg.Pool, *, commit_batch_max: int = 500) -> None:
        self._pool, self._database = pool, Database(pool)
        self.commits = GroupCommit(self._database, batch_max=commit_batch_max)
        self.jobs = PostgresJobs(self._database, self.commits)
        self.ledger = PostgresLedger(self._database)
        self.attempts = PostgresAttempts(self._database, self.commits)
        self.queue = PostgresQueue(self._database)
        self.rules = PostgresRules(self._database)
        self.hints = PostgresHints(self._database, self.commits)
        self.outbox = PostgresOutbox(self._database)
        self.stream = PostgresStream(self._database)
        self.endpoints = PostgresEndpoints(self._database)
        self.deliveries = PostgresDeliveries(self._database)
        self.workers = PostgresWorkers(self._database)
        self.drafts = PostgresDrafts(self._database)
        self.uploads = PostgresUploads(self._database)
        self.keys = PostgresKeys(self._database)
        self.acts = PostgresActs(self._database)
        self.oversight = PostgresOversight(self._database, self.attempts, self.workers)
        self._auditing = Database(pool, tries_max=3, timeout_seconds=AUDIT_SECONDS)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        dsn: str,
        *,
        connections_max: int = 10,
        commit_batch_max: int = 500,
        update_schema: bool = False,
        transaction_pooler: bool = False,
    ) -> AsyncIterator["PostgresStore"]:
        """Connect to *dsn* and close at the end.

        At most *commit_batch_max* concurrent calls of one kind are committed together.

        `update_schema` applies missing migrations first, which only the owner of the schema can, or
        whoever may create it. Without it, or where nothing is missing, a role with the rights of a
        worker will do. `transaction_pooler` keeps nothing in a session, neither prepared statements nor
        time-outs, which then have to be set for the role. StoreUnavailable says in one sentence why there
        is no store.
        """
        if transaction_pooler and update_schema:
            raise ValueError("The schema is updated over a direct connection, not over a pooler.")
        if update_schema:
            await bring_up_to_date(dsn)
        try:
            pool = await asyncpg.create_pool(
                dsn,
                min_size=1,
                max_size=connections_max,
                reset=_keep,
                server_settings=None if transaction_pooler else _settings(),
                statement_cache_size=0 if transaction_pooler else 100,
            )
        except _REFUSED as error:
            raise _unreachable(dsn, error) from None
        try:
            await _check_server(pool)
            store = cls(pool, commit_batch_max=commit_batch_max)
            try:
                yield store
            finally:
                await store.commits.close()
        finally:
            pool.terminate()

    async def declare(self, specs: Sequence[Spec], *, grace_seconds: float | None = None) -> None:
        """See `Store.declare`."""

        async def work(connection: asyncpg.Connection) -> None:
            kept = await connection.fetchval(statement("ledger/rule"))
            if kept is None or grace_seconds not in (None, kept):  # who may not write it may still start
                await connection.execute(statement("ledger/put_rule"), grace_seconds, GRACE_SECONDS)
            for spec in specs:
                await _declare(connection, spec)

        await self._database.transact(work)

    async def spec(self, type: str, version: int) -> Spec | None:
        """See `Store.spec`."""
        states = await self._database.fetch(statement("machine/states"), type, version)
        edges = await self._database.fetch(statement("machine/edges"), type, version)
        return spec_from_rows(type, version, states, edges) if states else None

    async def live(self, type: str, version: int) -> dict[str, int]:
        """See `Store.live`."""
        rows = await self._database.fetch(statement("machine/live"), type, version)
        return {row["state"]: row["jobs"] for row in rows}

    async def declared(self) -> list[tuple[str, int]]:
        """See `Store.declared`."""
        rows = await self._database.fetch(statement("machine/declared"))
        return [(row["type"], row["version"]) for row in rows]

    async def now(self) -> datetime:
        """See `Store.now`."""
        rows = await self._database.fetch(statement("now"))
        now: datetime = rows[0]["now"]
        return now

    async def read(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        """Return the rows of the statement of this name, which only reads."""
        return await self._database.fetch(statement(name), *arguments)

    @property
    def connections(self) -> Connections:
        """How the connections of this process are used now."""
        idle = self._pool.get_idle_size()
        return Connections(
            used=self._pool.get_size() - idle,
            idle=idle,
            most=self._pool.get_max_size(),
            waiting=self._database.waiting + self._auditing.waiting,
        )

    async def schema_problem(self) -> str | None:
        """Return why this release cannot work with the schema as it is, None if it can. Raises
        StoreUnavailable."""
        [row] = await self.read("overview/schema")
        return _outdated(row["reached"])

    async def audit(self, *, owner: str | None = None, owners_max: int = 20, rows_max: int = 100) -> Audit:
        """See `Store.audit`."""
        return await audit(self._auditing, owner, owners_max, rows_max)


_POSTGRES_MIN = 15

_REFUSED = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    ValueError,
    OverflowError,
    TimeoutError,
    KeyError,  # no user in the address, and ours has no name in the system
)


async def bring_up_to_date(dsn: str) -> list[str]:
    """Apply the missing migrations as the user of *dsn* and return their names; see `migrate`."""
    connection = await connect(dsn)
    try:
        return await migrate(connection)
    finally:
        await connection.close()


async def connect(dsn: str, settings: dict[str, str] | None = None) -> asyncpg.Connection:
    """Open one connection, with *settings* of the server for it; StoreUnavailable says in a sentence
    without secrets why there is none."""
    try:
        return await asyncpg.connect(dsn, timeout=10, server_settings=settings)
    except _REFUSED as error:
        raise _unreachable(dsn, error) from None


def _unreachable(dsn: str, error: BaseException) -> StoreUnavailable:
    """Say where and why, but nothing of an address that may be misread: part of it is a password."""
    place = _place(dsn)
    if place is None:
        return StoreUnavailable(
            "Cannot connect to Postgres: the address cannot be read. It is written "
            "postgresql://user:password@host:port/database, with special characters percent-encoded."
        )
    why = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return StoreUnavailable(
            f"Cannot connect to Postgres at {place}: {why}. Make it, for instance with `createdb`, or "
            "correct the address."
        )
    return StoreUnavailable(
        f"Cannot connect to Postgres at {place}: {why}. Check the address, "
        "that the server runs, and the user's password."
    )


def _place(dsn: str) -> str | None:
    try:
        parts = urlsplit(dsn)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return None
    # a password with an unescaped sign ends too early, and its rest is taken for something else
    torn = "@" in parts.path + parts.query or parts.fragment
    if torn or parts.scheme not in ("postgresql", "postgres"):
        return None
    return f"{parts.hostname or 'the local socket'}{port}{parts.path}"


async def _check_server(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as connection:
        version = connection.get_server_version()
        if version.major < _POSTGRES_MIN:
            raise StoreUnavailable(
                f"This is PostgreSQL {version.major}; makegood needs {_POSTGRES_MIN} or newer."
            )
        try:
            if not await connection.fetchval("select to_regclass('makegood.job') is not null"):
                raise StoreUnavailable("The database has no schema `makegood`: " + _BY_THE_OWNER)
            reached = await connection.fetchval("select max(version) from makegood.migration")
        except asyncpg.InsufficientPrivilegeError as error:
            raise StoreUnavailable(missing_right(error)) from None
    if problem := _outdated(reached):
        raise StoreUnavailable(problem)


def _outdated(reached: int) -> str | None:
    newest = load()[-1].version
    if reached >= newest:
        return None
    return f"The database is at migration {reached}, this release needs {newest}: " + _BY_THE_OWNER


_BY_THE_OWNER = "run `makegood migrate` as its owner, or open the store with update_schema=True, once."


def _settings() -> dict[str, str]:
    return {"application_name": "makegood", **_TIMEOUTS, **_KEEPALIVES}


async def _keep(_: object) -> None:
    """Save the round trip that clears a session: ours leave nothing in it, see `Database.transact`."""


async def _declare(connection: asyncpg.Connection, spec: Spec) -> None:
    """Write a machine that is not there yet; of one that is there what is no rule, and only where it differs.

    So a process that may not declare can start once another one has; public statuses it leaves to that one.
    """
    key = (spec.name, spec.version)
    stored = await connection.fetchval(statement("machine/digest"), *key)
    if stored is None and await connection.fetchval(statement("machine/put_machine"), *key, spec.digest):
        await _put_rules(connection, spec)
        return
    stored = stored or await connection.fetchval(statement("machine/digest"), *key)
    if stored != spec.digest:
        raise DeclarationError(
            f"{spec.name}@{spec.version}",
            ["its rules differ from those the database has under this version: raise `version`"],
        )
    rows = await connection.fetch(statement("machine/states"), *key)
    before = {row["name"]: row for row in rows}
    retimed = [s for s in spec.states if s.deadline_seconds != before[s.name]["deadline_seconds"]]
    if retimed:
        names, seconds = [s.name for s in retimed], [s.deadline_seconds for s in retimed]
        await connection.execute(statement("machine/put_deadlines"), *key, names, seconds)
    renamed = [s for s in spec.states if (s.public or None) != before[s.name]["public_status"]]
    if renamed and await connection.fetchval(statement("machine/may_put_public")):
        names, statuses = [s.name for s in renamed], [s.public or None for s in renamed]
        await connection.execute(statement("machine/put_public"), *key, names, statuses)


async def _put_rules(connection: asyncpg.Connection, spec: Spec) -> None:
    key = (spec.name, spec.version)
    held = holdings(spec)
    await connection.execute(
        statement("machine/put_states"),
        *key,
        [s.name for s in spec.states],
        [s.initial for s in spec.states],
        [s.terminal for s in spec.states],
        [s.slot for s in spec.states],
        [s.name in spec.waiting for s in spec.states],
        [held[s.name].value for s in spec.states],
        [s.deadline_seconds for s in spec.states],
        [edge.event if (edge := spec.on_deadline(s.name)) else None for s in spec.states],
        [s.public or None for s in spec.states],
    )
    rows = []
    for place, edge in enumerate(spec.edges):
        rule = spec.evidence(edge)
        rows.append(
            (
                *key,
                edge.event,
                edge.source,
                edge.dest,
                place,
                edge.money.value,
                spec.opens_attempt(edge),
                sorted(v.value for v in rule.verdicts) if rule else None,
                bool(rule and rule.always),
            )
        )
    await connection.executemany(statement("machine/put_edge"), rows)
