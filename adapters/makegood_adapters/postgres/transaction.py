"""Transactions that end known: the COMMIT tag is checked, and no cancellation is lost.

What can happen at COMMIT, and what is done: the answer is not "COMMIT" (the server rolled back a
failed transaction, and the driver says nothing): SilentRollback. No answer (cut, time-out, server
gone): nobody knows, so the same work runs again; it is a compare-and-set with an operation id, and
finds out by itself whether it was carried out. The caller is cancelled: the transaction comes to its
end first, then the cancellation goes on.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import asyncpg

from makegood.errors import InvalidRequest, OutcomeUnknown, StoreError, StoreUnavailable
from makegood_adapters.postgres.refusal import DatabaseRefusal, bare

T = TypeVar("T")
Work = Callable[[asyncpg.Connection], Awaitable[T]]

LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the backend was killed between two statements
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    OSError,
    TimeoutError,
)
REPLAY = (
    asyncpg.QueryCanceledError,  # a time-out of the server's own
    asyncpg.ReadOnlySQLTransactionError,  # a standby that is being promoted
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
)

log = logging.getLogger("makegood.postgres")


class SilentRollback(StoreError):
    """An error was swallowed inside the transaction: the server answered COMMIT with ROLLBACK."""


@dataclass(slots=True)
class _Try:
    """One run of the work; once `committing` is set, a lost connection means: nobody knows."""

    committing: bool = False
    mistaken: bool = False  # the driver refuses how it is used, and would do so again


class Database:
    """A pool together with the rules above; `tries_max` bounds every repetition."""

    def __init__(self, pool: asyncpg.Pool, *, tries_max: int = 8, timeout_seconds: float = 30.0) -> None:
        self._pool, self._tries_max, self._timeout = pool, tries_max, timeout_seconds
        self.waiting = 0  # for a connection

    async def transact(
        self, work: Work[T], conn: Any = None, *, foreign: bool = False, unknown: bool = False
    ) -> T:
        """Run *work* in one transaction and return its result once that is committed.

        *work* awaits nothing but its connection and may run several times; *foreign* tells that it runs
        code of others, after which the session is cleared, *unknown* that it may have been committed before.
        Raises what *work* raises, StoreUnavailable, or OutcomeUnknown after `tries_max` tries.

        On a connection of the host's, *conn*, it runs once, as part of the host's transaction: a refusal
        leaves that as it was, and what was done stands when the host commits.
        """
        if conn is not None:
            return await _within(conn, work)

        async def act(connection: asyncpg.Connection, this: _Try) -> T:
            try:
                result = await _once(connection, work, this)
            except (*LOST, asyncio.CancelledError):  # the connection is given up
                raise
            except BaseException:
                if foreign:
                    await connection.reset()
                raise
            if foreign:
                await connection.reset()
            return result

        task = asyncio.create_task(self._tried(act, unknown), name="makegood transaction")
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await _bring_to_end(task)
            raise

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """Lend a connection of the pool. Raises what a try of a transaction may raise."""
        async with self._acquired() as lent:
            yield lent

    @asynccontextmanager
    async def _acquired(self) -> AsyncIterator[asyncpg.Connection]:
        self.waiting += 1
        try:
            proxy = await self._pool.acquire(timeout=self._timeout)
        finally:
            self.waiting -= 1
        try:
            # the pool's proxy passes every method on to its connection
            yield cast(asyncpg.Connection, proxy)
        finally:
            await self._pool.release(proxy)

    async def commit_one(
        self, connection: asyncpg.Connection, sql: str, *args: object
    ) -> list[asyncpg.Record]:
        """Run one statement as a transaction by itself, once: it is committed when its rows are returned.

        Raises one of LOST when nobody knows whether it was; the connection is given up then.
        """

        async def act(lent: asyncpg.Connection, _: _Try) -> list[asyncpg.Record]:
            return await lent.fetch(sql, *args)

        return await self._bounded(connection, act, _Try())

    async def fetch(self, sql: str, *args: object) -> list[asyncpg.Record]:
        """Return the rows of one statement that only reads."""

        async def read(connection: asyncpg.Connection, _: _Try) -> list[asyncpg.Record]:
            return await connection.fetch(sql, *args)

        return await self._tried(read)

    async def look(self, work: Work[T]) -> T:
        """Return what *work* reads in one read-only transaction, in which all statements see one moment.

        Nothing can be half done: unlike `transact` it ends at once when its caller is cancelled.
        """

        async def read(connection: asyncpg.Connection, _: _Try) -> T:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                return await work(connection)

        return await self._tried(read)

    async def _tried(
        self, act: Callable[[asyncpg.Connection, _Try], Awaitable[T]], unknown: bool = False
    ) -> T:
        problem = "no try was allowed"
        for count in range(self._tries_max):
            if count:
                await asyncio.sleep(min(0.02 * 2**count, 2.0))
            this = _Try()
            try:
                async with self._acquired() as lent:
                    return await self._bounded(lent, act, this)
            except (*REPLAY, *LOST) as error:
                if this.mistaken:
                    raise
                unknown = unknown or (this.committing and not isinstance(error, REPLAY))
                problem = f"{type(error).__name__}: {bare(error)}"
                log.info("a transaction is run again after %s", problem)
            except asyncpg.PostgresError as error:
                raise DatabaseRefusal(error) from error
        if unknown:
            raise OutcomeUnknown(f"COMMIT was sent and not answered ({problem}); call again.")
        raise StoreUnavailable(f"The database does not answer ({problem}).")

    async def _bounded(
        self,
        connection: asyncpg.Connection,
        act: Callable[[asyncpg.Connection, _Try], Awaitable[T]],
        this: _Try,
    ) -> T:
        """Bound the client's side too: a half-open connection would wait for ever."""
        try:
            async with asyncio.timeout(self._timeout):
                return await act(connection, this)
        except (*LOST, asyncio.CancelledError) as error:
            this.mistaken = isinstance(error, asyncpg.InterfaceError) and not connection.is_closed()
            connection.terminate()
            raise


async def _once(connection: asyncpg.Connection, work: Work[T], this: _Try) -> T:
    await connection.execute("BEGIN")
    try:
        result = await work(connection)
    except (*LOST, asyncio.CancelledError):  # the connection is given up, which rolls back
        raise
    except BaseException:
        with contextlib.suppress(*LOST, asyncpg.PostgresError):
            await connection.execute("ROLLBACK")
        raise
    this.committing = True
    tag = await connection.execute("COMMIT")
    if tag != "COMMIT":
        raise SilentRollback(
            "The database rolled the transaction back: a database error inside it was swallowed."
        )
    return result


async def _within(conn: Any, work: Work[T]) -> T:
    try:
        async with conn.transaction():
            return await work(conn)
    except asyncpg.PostgresError as error:
        raise DatabaseRefusal(error) from error


async def _bring_to_end(task: "asyncio.Task[T]") -> None:
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:  # asked twice: end now, the outcome is found out later
            task.cancel()
    if not task.cancelled() and (error := task.exception()):
        # what a caller did wrong is told that caller, by name
        told = type(error).__name__ if isinstance(error, InvalidRequest) else repr(error)
        log.warning("a transaction whose caller was cancelled ended with %s", told)
