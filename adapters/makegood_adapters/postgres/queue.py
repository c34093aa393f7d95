"""Places in the queues, in Postgres."""

from uuid import UUID

import asyncpg

from makegood.ports import COUNTED_MAX, Standing
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.transaction import Database

#: From so many attempts that ended last is learned, whatever their types and pools.
_SAMPLES = 2_000
#: Of a long queue every so many-th place is marked.
_EVERY = 500


class PostgresQueue:
    """Implements `makegood.ports.Queue`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def standing(self, job_id: UUID) -> Standing | None:
        """See `Queue.standing`."""

        async def work(connection: asyncpg.Connection) -> Standing | None:
            rows = await connection.fetch(statement("queue/standing"), job_id, COUNTED_MAX)
            if not rows:
                return None
            [pace] = await connection.fetch(statement("queue/pace"), rows[0]["pool"])
            return _to_standing(rows[0], pace)

        return await self._database.look(work)

    async def reckon(self, again_seconds: float, first_ask_max_seconds: float) -> bool:
        """See `Queue.reckon`."""
        bounds = (again_seconds, first_ask_max_seconds, _SAMPLES, COUNTED_MAX, _EVERY)

        async def work(connection: asyncpg.Connection) -> bool:
            done: bool = await connection.fetchval(statement("queue/reckon"), *bounds)
            return done

        return await self._database.transact(work)


def _to_standing(row: asyncpg.Record, pace: asyncpg.Record) -> Standing:
    return Standing(
        position=row["position"],
        rivals=row["rivals"] + (row["parked"] != "no"),
        length=row["length"],
        exact=row["exact"],
        at=row["at"],
        now=row["now"],
        not_before=row["not_before"],
        held_back=row["held_back"],
        slots=pace["slots"],
        free=pace["free"],
        slot_seconds=pace["slot_seconds"],
        version=row["version"],
    )
