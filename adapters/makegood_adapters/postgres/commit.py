"""Group commit: what concurrent callers of one process want is gathered and committed together.

There is no timer. While a batch is under way the next one gathers; who comes alone is sent at once. A
caller is answered only when its row came back, and a row comes back only after the commit. Whoever has no
answer, since the row was locked or had changed, or the batch failed or its answer was lost, does the same
thing again alone: the operation id tells whether it was done after all. What many loops read one by one
gathers in the same way.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

import asyncpg

from makegood.errors import StoreUnavailable
from makegood_adapters.postgres.refusal import bare
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.transaction import LOST, Database

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Result = TypeVar("Result")

log = logging.getLogger("makegood.postgres")


def transposed(rows: Sequence[Sequence[object]]) -> list[object]:
    """Return one array for each column; None for a column without values, which `unnest` fills with NULL."""
    size = len(rows)
    return [None if column.count(None) == size else column for column in zip(*rows, strict=True)]


@dataclass(frozen=True, slots=True)
class Kind(Generic[Item, Answer]):
    """How items of one kind become one statement, and its rows become their answers.

    `row` turns an item into its parameters, in its caller's time; `columns` turns the rows of a batch into
    those of the statement. `key` of the items of one batch differ; an item whose key is in the batch already
    waits for the next. Callers *from_afar* cannot join the next batch at once when they are answered: it is
    sent before they are, so that the database works meanwhile.
    """

    name: str
    statement: str
    key: Callable[[Item], Hashable]
    row: Callable[[Item], Sequence[object]]
    answers: Callable[[Sequence[Item], Sequence[asyncpg.Record]], Iterable[Answer | None]]
    columns: Callable[[Sequence[Sequence[object]]], Sequence[object]] = transposed
    from_afar: bool = False


@dataclass(slots=True)
class Batches:
    """What was committed together, since the start: `items` / `batches` is the mean size."""

    batches: int = 0
    items: int = 0
    largest: int = 0
    alone: int = 0
    """Items that their batch could not answer, and that were done again by themselves."""


@dataclass(slots=True, eq=False)
class _Waiting:
    item: Any
    row: Sequence[object]
    answer: "asyncio.Future[Any]"
    flight: "asyncio.Future[None] | None" = None
    unknown: bool = False


@dataclass(slots=True, eq=False)
class _Shard:
    """One batch under way at a time, on one connection; the others gather in a lane for each kind."""

    lanes: "dict[str, tuple[Kind[Any, Any], deque[_Waiting]]]" = field(default_factory=dict)
    work: "asyncio.Task[None] | None" = None


class GroupCommit:
    """Gathers by shards, so that two batches of one process never want the same wallet.

    At most *waiting_max* items are taken at a time; further callers wait for their turn to be taken.
    """

    def __init__(
        self, database: Database, *, batch_max: int = 500, waiting_max: int = 10_000, shards: int = 2
    ) -> None:
        self._database, self._batch_max = database, batch_max
        self._waiting_max, self._taken = waiting_max, 0
        self._turns: deque[asyncio.Future[None]] = deque()
        self._shards = [_Shard() for _ in range(shards)]
        self._closed = False
        self.batches: dict[str, Batches] = {}

    async def run(
        self,
        kind: Kind[Item, Answer],
        place: Hashable,
        item: Item,
        alone: Callable[[bool], Awaitable[Result]],
    ) -> Answer | Result:
        """Return the answer to *item* once it is committed, or that of *alone* if its batch has none; *alone*
        is told whether the batch may have been committed all the same.

        Items of one *place* meet in the same shard. A caller that is cancelled while its batch is under way
        is let go at the end of the batch, and at once when it is cancelled again.
        """
        if self._closed:
            raise StoreUnavailable("The store is closed.")
        try:
            row = kind.row(item)
        except asyncpg.DataError:  # said again, in full, by the one who tries alone
            return await alone(False)
        if self._taken < self._waiting_max:
            self._taken += 1
        else:
            await self._turn()
        try:
            waiting = self._join(kind, place, _Waiting(item, row, asyncio.get_running_loop().create_future()))
            try:
                answer: Answer | None = await waiting.answer
            except asyncio.CancelledError:
                if waiting.flight:
                    await asyncio.shield(waiting.flight)
                raise
        finally:
            self._leave()
        if answer is not None:
            return answer
        self.batches[kind.name].alone += 1
        return await alone(waiting.unknown)

    async def _turn(self) -> None:
        """Wait until somebody who leaves hands over the room. A semaphore would do, and take a fifth of the
        time of all gathering from those who need not wait."""
        turn = asyncio.get_running_loop().create_future()
        self._turns.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was this one's turn in the same moment
                self._leave()
            raise

    def _leave(self) -> None:
        while self._turns:
            turn = self._turns.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._taken -= 1

    def _join(self, kind: Kind[Any, Any], place: Hashable, waiting: _Waiting) -> _Waiting:
        shard = self._shards[hash(place) % len(self._shards)]
        lane = shard.lanes.get(kind.name)
        if lane is None:
            lane = shard.lanes[kind.name] = (kind, deque())
            self.batches.setdefault(kind.name, Batches())
        lane[1].append(waiting)
        if shard.work is None:
            shard.work = asyncio.create_task(self._flush(shard), name="makegood group commit")
            shard.work.add_done_callback(partial(_ended, shard))
        return waiting

    async def close(self) -> None:
        """Take nothing new, and end when everybody who waits is answered."""
        self._closed = True
        for shard in self._shards:
            if shard.work:
                await asyncio.wait({shard.work})

    async def _flush(self, shard: _Shard) -> None:
        """Flush until nothing waits; whatever happens here, nobody waits for ever."""
        try:
            while any(lane for _, lane in shard.lanes.values()):
                async with self._database.connection() as connection:
                    await self._flush_on(connection, shard)
        except (*LOST, asyncpg.PostgresError) as error:
            log.info("the callers of a batch go on by themselves: no connection (%r)", error)
        finally:
            _let_go(shard)

    async def _flush_on(self, connection: asyncpg.Connection, shard: _Shard) -> None:
        while any(lane for _, lane in shard.lanes.values()):
            for kind, lane in list(shard.lanes.values()):
                if lane:
                    batch = self._take(kind, lane)
                    if not await self._commit(connection, kind, batch):
                        return  # this connection is lost
                    if not kind.from_afar:
                        await asyncio.sleep(0)  # whoever was answered may join the next batch

    def _take(self, kind: Kind[Any, Any], lane: deque[_Waiting]) -> list[_Waiting]:
        batch: dict[Hashable, _Waiting] = {}
        later = []
        while lane and len(batch) < self._batch_max:
            waiting = lane.popleft()
            if waiting.answer.done():  # the caller was cancelled before anything was sent
                continue
            key = kind.key(waiting.item)
            if key in batch:
                later.append(waiting)
            else:
                batch[key] = waiting
        lane.extendleft(reversed(later))
        return list(batch.values())

    async def _commit(
        self, connection: asyncpg.Connection, kind: Kind[Any, Any], batch: list[_Waiting]
    ) -> bool:
        """Commit *batch*, or its halves where the whole is refused; False: the connection is lost."""
        flight = asyncio.get_running_loop().create_future()
        for waiting in batch:
            waiting.flight = flight
        try:
            return await self._divide(connection, kind, batch)
        finally:
            flight.set_result(None)
            _release(batch)

    async def _divide(
        self, connection: asyncpg.Connection, kind: Kind[Any, Any], batch: list[_Waiting]
    ) -> bool:
        items = [waiting.item for waiting in batch]
        if not items:
            return True
        try:
            sql, columns = statement(kind.statement), kind.columns([waiting.row for waiting in batch])
            rows = await self._database.commit_one(connection, sql, *columns)
        except (*LOST, asyncio.CancelledError) as error:
            log.info("the answer to a batch of %d was lost: %r", len(batch), error)
            for waiting in batch:
                waiting.unknown = True
            if isinstance(error, asyncio.CancelledError):
                raise
            return False
        except asyncpg.PostgresError as error:
            if len(batch) == 1:  # its caller hears the reason when it tries alone
                return True
            log.info("a batch of %d is divided after %s", len(batch), bare(error))
            half = len(batch) // 2
            first = await self._divide(connection, kind, batch[:half])
            return first and await self._divide(connection, kind, batch[half:])
        told = self.batches[kind.name]
        told.batches, told.items = told.batches + 1, told.items + len(batch)
        told.largest = max(told.largest, len(batch))
        for waiting, answer in zip(batch, kind.answers(items, rows), strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(answer)
        return True


def _ended(shard: _Shard, work: "asyncio.Task[None]") -> None:
    """Let the callers go whose flush was cancelled before it began: none of its code has run."""
    if shard.work is work:
        _let_go(shard)


def _let_go(shard: _Shard) -> None:
    shard.work = None
    for _, lane in shard.lanes.values():
        _release(lane)
        lane.clear()


def _release(batch: Iterable[_Waiting]) -> None:
    for waiting in batch:
        if not waiting.answer.done():
            waiting.answer.set_result(None)
