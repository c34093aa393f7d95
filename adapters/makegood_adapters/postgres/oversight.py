"""What people see of the whole database at one moment, read in one transaction."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import asyncpg

from makegood.fairness import Scope
from makegood.ports import (
    DRAINING_SECONDS,
    ENDED_MAX,
    ENDED_SECONDS,
    HEARD_BEFORE,
    HEARD_LAST,
    OVERDUE_SECONDS,
    RATE_MOVES_MAX,
    RATE_SECONDS,
    SWITCHED_OFF,
    TROUBLES_MAX,
    Attempts,
    Counts,
    Heard,
    Lane,
    Line,
    Overview,
    Pace,
    Trouble,
    TroubleKind,
    Waiter,
    Workers,
)
from makegood_adapters.postgres.rows import to_rule
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.transaction import Database

#: So many steps without a place in the stream are looked at; there are more only while no process places any.
_UNTOLD_MAX = 20_000
#: Among so many facts those are looked for by which tasks ended: each task has two or three.
_FACTS_MAX = 1_500


class PostgresOversight:
    """Implements `makegood.ports.Oversight`."""

    def __init__(self, database: Database, attempts: Attempts, workers: Workers) -> None:
        self._database, self._attempts, self._workers = database, attempts, workers

    async def overview(self) -> Overview:
        """See `Oversight.overview`."""

        async def work(connection: asyncpg.Connection) -> tuple[asyncpg.Record, list[list[asyncpg.Record]]]:
            moment = await connection.fetchrow(statement("overview/moment"))
            assert moment is not None, "the stream is one row"
            many = [
                await connection.fetch(statement("overview/live"), _UNTOLD_MAX),
                await connection.fetch(statement("overview/ended"), ENDED_SECONDS, ENDED_MAX, _UNTOLD_MAX),
                await connection.fetch(statement("overview/queue")),
                await connection.fetch(statement("overview/rates"), RATE_SECONDS, RATE_MOVES_MAX),
                await connection.fetch(statement("machine/declared")),
                await connection.fetch(statement("rules/all")),
            ]
            return moment, many

        moment, (live, ended, lanes, moves, declared, rules) = await self._database.look(work)
        return Overview(
            at=moment["at"],
            last_seq=moment["place"],
            versions={row["type"]: row["version"] for row in declared},
            live=_nested(live),
            ended=_nested(ended),
            lanes=[Lane(**dict(row)) for row in lanes],
            workers=await self._workers.present(),
            accounts=await self._attempts.occupancy(),
            rates=rates_of(moves, moment["at"]),
            rules=[to_rule(row) for row in rules],
        )

    async def line(self, pool: str | None, limit: int) -> Line:
        """See `Oversight.line`."""

        async def work(connection: asyncpg.Connection) -> Line:
            now = await connection.fetchval(statement("now"))
            pools = [row["name"] for row in await connection.fetch(statement("overview/pools"))]
            wanted = [name for name in pools if pool in (None, name)]
            waiters = await connection.fetch(statement("overview/line"), wanted, max(limit, 0))
            paces = {}
            for name in wanted:
                [pace] = await connection.fetch(statement("queue/pace"), name)
                paces[name] = Pace(**dict(pace))
            return Line(at=now, pools=pools, waiters=[_waiter(row) for row in waiters], paces=paces)

        return await self._database.look(work)

    async def troubles(self) -> list[Trouble]:
        """See `Oversight.troubles`."""

        async def work(connection: asyncpg.Connection) -> list[asyncpg.Record]:
            return [
                *await connection.fetch(
                    statement("overview/trouble_attempts"), DRAINING_SECONDS, 2 * TROUBLES_MAX
                ),
                *await connection.fetch(statement("overview/trouble_alarms"), 2 * TROUBLES_MAX),
                *await connection.fetch(statement("overview/trouble_rules"), SWITCHED_OFF, TROUBLES_MAX),
                *await connection.fetch(statement("overview/trouble_jobs"), OVERDUE_SECONDS, TROUBLES_MAX),
            ]

        rows = await self._database.look(work)
        return [Trouble(**{**dict(row), "kind": TroubleKind(row["kind"])}) for row in rows]

    async def heard(self, last: int = HEARD_LAST, before: int = HEARD_BEFORE) -> Heard:
        """See `Oversight.heard`."""
        sql = statement("overview/heard")
        [row] = await self._database.fetch(sql, last, before, _FACTS_MAX)
        return Heard(**dict(row))


def _waiter(row: asyncpg.Record) -> Waiter:
    paused = row["paused"]
    return Waiter(
        job_id=row["job_id"],
        owner=row["owner_id"],
        type=row["type"],
        pool=row["pool"],
        priority=row["priority"],
        position=row["position"],
        rivals=row["rivals"],
        queued_at=row["queued_at"],
        not_before=row["not_before"],
        full=Scope(row["parked"]) if row["parked"] in ("owner", "type") and paused is None else None,
        paused=Scope(paused) if paused else None,
        reason=row["reason"],
    )


def rates_of(moves: Sequence[asyncpg.Record], at: datetime) -> dict[str, float]:
    """Return jobs a minute; where the last transitions reach back less than that, they are of less time."""
    counted = sum(row["moves"] for row in moves)
    since = at - timedelta(seconds=RATE_SECONDS)
    if counted >= RATE_MOVES_MAX:
        since = max(since, min(row["first"] for row in moves))
    minutes = max((at - since).total_seconds(), 1.0) / 60
    found = {"accepted": 0, "completed": 0, "failed": 0, "cancelled": 0}
    for row in moves:
        name = "accepted" if row["event"] == "accept" else row["to_state"]
        if name in found:
            found[name] += row["moves"]
    return {name: round(number / minutes, 1) for name, number in found.items()}


def _nested(rows: Iterable[asyncpg.Record]) -> Counts:
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        counts[row["type"]][row["state"]] = row["jobs"]
    return dict(counts)
