"""Wake-ups between processes: one connection that listens, and notifies after commits, never inside them.

A NOTIFY inside a transaction makes all commits of the server wait for one another. Here `wake` rings the
bells of this process and notes the topic, nothing else; a task sends what was noted, one statement at a
time, and what is noted meanwhile goes into the next. A notification is its topics, one a line; an empty
one means every topic, so that anybody may send it: `NOTIFY makegood_wakeups`.
"""

import asyncio
import logging
import random
from collections.abc import Iterable
from contextlib import AbstractContextManager, AsyncExitStack
from typing import Any, Self
from uuid import uuid4

import asyncpg

from makegood.errors import StoreUnavailable
from makegood.ports import Bell
from makegood.runtime import LocalWakeups
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.store import connect
from makegood_adapters.postgres.transaction import LOST

#: Channels belong to one database; the name begins with the schema's.
CHANNEL = "makegood_wakeups"
#: "In the default configuration it must be shorter than 8000 bytes": NOTIFY in the manual of PostgreSQL.
PAYLOAD_BYTES_MAX = 7_999
#: Topics that wait to be sent. More of them, or a longer one, become "every topic".
TOPICS_MAX, TOPIC_BYTES_MAX = 4_000, 200
#: Longest statement; a half-open connection would wait for ever.
_ANSWER_SECONDS = 10.0
#: First pause before a lost connection is made again; it doubles each time.
_PAUSE_SECONDS = 0.1
#: While more waits already, the next statement comes later by so much for each wake-up that the last one
#: carried, at most so much: few of them cross at once, and a flood costs 200 statements a second.
_SPACING_SECONDS, _SPACING_MAX_SECONDS = 0.0001, 0.005
#: Longest wait at the end for what is still to be sent.
_CLOSE_SECONDS = 2.0
#: How long a notification may need from one connection to another before the way counts as closed.
_HEARING_SECONDS = 5.0
_NAMED = {"application_name": "makegood wake-ups"}

log = logging.getLogger("makegood.wakeups")


class Topics:
    """Topics that wait to be sent: a set, until it is too large and means every topic."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._every = False

    def __bool__(self) -> bool:
        return self._every or bool(self._names)

    def add(self, topic: str) -> None:
        """Add one topic; what does not fit into a line means every topic."""
        if self._every or topic in self._names:
            return
        fits = 0 < len(topic) <= TOPIC_BYTES_MAX and topic.isascii() and topic.isprintable()
        if fits and len(self._names) < TOPICS_MAX:
            self._names.add(topic)
        else:
            self.add_every()

    def add_every(self) -> None:
        """Mean every topic from now on."""
        self._every = True
        self._names.clear()

    def update(self, others: "Topics") -> None:
        """Add what *others* holds."""
        if others._every:
            self.add_every()
        for topic in others._names:
            self.add(topic)

    def payloads(self) -> list[str]:
        """Return the notifications that tell of all topics, each short enough for Postgres."""
        return [""] if self._every else list(_packed(self._names))


def _packed(topics: Iterable[str]) -> Iterable[str]:
    lines: list[str] = []
    size = 0
    for topic in topics:
        if size + len(topic) > PAYLOAD_BYTES_MAX:
            yield "\n".join(lines)
            lines, size = [], 0
        lines.append(topic)
        size += len(topic) + 1
    if lines:
        yield "\n".join(lines)


class PostgresWakeups:
    """Implements `makegood.ports.Wakeups` over LISTEN and NOTIFY: `async with PostgresWakeups(dsn)`.

    *dsn* must lead to a session of the server: behind a pooler that lends a connection for each
    transaction nothing is heard, which is logged once. A lost connection is made again after a growing
    pause of at most *pause_max_seconds*, and every bell rings, since something may have been missed;
    after *probe_seconds* without a word the connection is tried. Meanwhile, as for any wake-up that is
    lost, loops go on at their interval. Entering raises StoreUnavailable.

    `sent` counts statements that notified, `received` the notifications of others, `reconnects` the
    connections after the first.
    """

    def __init__(self, dsn: str, *, pause_max_seconds: float = 5.0, probe_seconds: float = 30.0) -> None:
        self._dsn, self._pause_max, self._probe = dsn, pause_max_seconds, probe_seconds
        self._local, self._topics = LocalWakeups(), Topics()
        self._something, self._closing = asyncio.Event(), asyncio.Event()
        self._connection: asyncpg.Connection | None = None
        self._own_pid = self._woken = 0
        self._tasks: list[asyncio.Task[None]] = []
        self.sent = self.received = self.reconnects = 0

    @property
    def connected(self) -> bool:
        """Whether wake-ups go out and come in at present."""
        return self._connection is not None and not self._connection.is_closed()

    def wake(self, topic: str) -> None:
        """See `Wakeups.wake`; bells of this process ring at once, whatever the database does."""
        self._local.wake(topic)
        self._topics.add(topic)
        self._woken += 1
        self._something.set()

    def listen(self, topic: str) -> AbstractContextManager[Bell]:
        """See `Wakeups.listen`."""
        return self._local.listen(topic)

    async def __aenter__(self) -> Self:
        self._connection = await self._connect()
        self._tasks = [
            asyncio.create_task(self._run(), name="makegood wake-ups"),
            asyncio.create_task(self._check_hearing(), name="makegood wake-ups check"),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Send what is still to be sent, within two seconds, where there is a connection."""
        self._closing.set()
        self._something.set()
        try:
            if self.connected:
                await asyncio.wait(self._tasks[:1], timeout=_CLOSE_SECONDS)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self) -> None:
        """Send until closed; whatever happens to the connection, another is made."""
        pause = 0.0
        while True:
            try:
                if self._connection is None:
                    self._connection = await self._connect()
                    self.reconnects += 1
                    self._local.wake_all()
                    log.info("wake-ups between processes work again")
                while self._topics or not self._closing.is_set():
                    carried, self._woken = self._woken, 0
                    await self._send(self._connection)
                    pause = 0.0
                    if self._woken:
                        await self._closed_within(min(carried * _SPACING_SECONDS, _SPACING_MAX_SECONDS))
                    if not self._closing.is_set():  # else nothing may come any more that would end the wait
                        await self._until_something()
                return
            except Exception as error:
                why = str(error).partition("\n")[0]  # the driver adds a page of advice
                told = "no wake-ups between processes, loops go on at their interval: %s: %s"
                log.log(logging.INFO if pause else logging.WARNING, told, type(error).__name__, why)
                pause = min(pause * 2 or _PAUSE_SECONDS, self._pause_max)
            finally:
                if self._connection is not None:
                    self._connection.terminate()
                    self._connection = None
            if await self._closed_within(pause * random.uniform(0.8, 1.2)):  # spread over processes
                return

    async def _connect(self) -> asyncpg.Connection:
        connection = await connect(self._dsn, _NAMED)
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await connection.add_listener(CHANNEL, self._heard)
                self._own_pid = await connection.fetchval(statement("wakeups/session"))
        except BaseException:
            connection.terminate()
            raise
        connection.add_termination_listener(self._lost)
        return connection

    async def _send(self, connection: asyncpg.Connection) -> None:
        """Tell of all topics that were noted; of none, only try the connection."""
        topics, self._topics = self._topics, Topics()
        payloads = topics.payloads()
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await connection.execute(statement("wakeups/notify"), CHANNEL, payloads)
        except BaseException:
            self._topics.update(topics)  # perhaps nobody has heard
            raise
        self.sent += bool(payloads)

    async def _until_something(self) -> None:
        """Return when there is something to send, when the connection is lost, or after the silence."""
        try:
            async with asyncio.timeout(self._probe):
                await self._something.wait()
        except TimeoutError:
            return
        self._something.clear()

    async def _closed_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._closing.wait()
        except TimeoutError:
            return False

    async def _check_hearing(self) -> None:
        """Warn where LISTEN is taken and nothing ever comes: nobody else would tell."""
        if await deaf(self._dsn):
            log.warning(
                "wake-ups between processes do not arrive, and loops go on at their interval: a pooler that "
                "lends connections by transaction cannot carry them. Give them an address that leads to the "
                "server itself (`wakeups_database_url`), or switch them off (`wakeups = false`)"
            )

    def _heard(self, _: Any, pid: int, channel: str, payload: object) -> None:
        if pid == self._own_pid:  # our own bells rang at once
            return
        self.received += 1
        if not payload:
            self._local.wake_all()
        for topic in str(payload).split("\n"):
            self._local.wake(topic)

    def _lost(self, _: Any) -> None:
        self._something.set()


async def deaf(dsn: str) -> bool:
    """Try with two connections whether one that listens and is idle hears the other."""
    channel, heard = f"{CHANNEL}_{uuid4().hex}", asyncio.Event()
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                ears = await connect(dsn, _NAMED)
                stack.callback(ears.terminate)
                ears.add_termination_listener(lambda _: heard.set())  # a server that is gone proves nothing
                mouth = await connect(dsn, _NAMED)
                stack.callback(mouth.terminate)
                await ears.add_listener(channel, lambda *_: heard.set())
                await mouth.execute(statement("wakeups/notify"), channel, [""])
        except (StoreUnavailable, *LOST) as error:
            log.info("it was not tried whether wake-ups between processes arrive: %s", error)
            return False
        except asyncpg.PostgresError:  # an old pooler sends a prepared statement to another session
            return True
        try:
            async with asyncio.timeout(_HEARING_SECONDS):
                return not await heard.wait()
        except TimeoutError:
            return True
