"""Limits, shares and pauses in Postgres; the functions that choose the next jobs read them there."""

from datetime import datetime

import asyncpg

from makegood.fairness import EVERYBODY, KEEP, Keep, Rule, Scope, over, unknown
from makegood_adapters.postgres.rows import to_rule
from makegood_adapters.postgres.statements import statement
from makegood_adapters.postgres.transaction import Database


class PostgresRules:
    """Implements `makegood.ports.Rules`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def limit(
        self,
        scope: Scope,
        name: str,
        *,
        actor: str,
        running_max: int | Keep | None,
        weight: float | Keep | None,
        oldest_every: int | Keep | None,
    ) -> Rule:
        """See `Rules.limit`."""
        values: list[object] = []
        for value in (running_max, weight, oldest_every):
            values += [value is not KEEP, None if value is KEEP else value]

        async def work(connection: asyncpg.Connection) -> Rule:
            await _check_known(connection, scope, name)
            [row] = await connection.fetch(statement("rules/limit"), scope, name, actor, *values)
            return to_rule(row)

        return await self._database.transact(work)

    async def pause(
        self, scope: Scope, name: str, *, actor: str, reason: str, until: datetime | None = None
    ) -> Rule:
        """See `Rules.pause`."""

        async def work(connection: asyncpg.Connection) -> Rule:
            await _check_known(connection, scope, name)
            if until is not None and until <= await connection.fetchval(statement("now")):
                raise over(until)
            [row] = await connection.fetch(statement("rules/pause"), scope, name, actor, reason, until)
            return to_rule(row)

        return await self._database.transact(work)

    async def resume(self, scope: Scope, name: str, *, actor: str) -> bool:
        """See `Rules.resume`."""

        async def work(connection: asyncpg.Connection) -> bool:
            resumed = await connection.fetchval(statement("rules/resume"), scope, name, actor) is not None
            if not resumed:
                await _check_known(connection, scope, name)
            return resumed

        return await self._database.transact(work)

    async def close(
        self, type: str, *, times: int, within_seconds: float, actor: str, reason: str
    ) -> Rule | None:
        """See `Rules.close`."""

        async def work(connection: asyncpg.Connection) -> Rule | None:
            sql = statement("rules/close")
            row = await connection.fetchrow(sql, type, times, within_seconds, actor, reason)
            return to_rule(row) if row else None

        return await self._database.transact(work)

    async def closed(self) -> dict[str, str]:
        """See `Rules.closed`."""
        rows = await self._database.fetch(statement("rules/closed"))
        return {row["name"]: row["reason"] for row in rows}

    async def all(self) -> list[Rule]:
        """See `Rules.all`."""
        return [to_rule(row) for row in await self._database.fetch(statement("rules/all"))]


async def _check_known(connection: asyncpg.Connection, scope: Scope, name: str) -> None:
    if scope is Scope.OWNER or name == EVERYBODY:
        return
    known = [row["name"] for row in await connection.fetch(statement("rules/known"), scope)]
    if name not in known:
        raise unknown(scope, name, known)
