"""Strangers and everybody else: every endpoint, every state, and nothing moves but what may."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from makegood.job import Job
from makegood_adapters.access import LimitsConfig
from makegood_adapters.queue_manager.tables import Tables
from tests.adapters.queue_manager.scene import CREDITS, OVER, PLACES, PNG, UNTOUCHED, Reply
from tests.adapters.queue_manager.shop import Shop, a_shop, bearing
from tests.adapters.queue_manager.sockets import listening
from tests.adapters.queue_manager.strangers import (
    CALLERS,
    CALLS,
    FORGED,
    MOVES,
    OTHER,
    TOLD_TO_STRANGERS,
    UPSCALER,
    Aim,
    Call,
    Move,
    calls_of_others,
)
from tests.api.issuer import PUBLIC, by_secret

NOBODY = UUID("00000000-0000-4000-8000-000000000000")
_OFTEN = "1000000/minute"
LIMITS = LimitsConfig(
    user=dict.fromkeys(("requests", "submits", "uploads"), _OFTEN),
    address={"requests": _OFTEN},
    failures=_OFTEN,
)
#: Everything that a call could move. When the provider is asked next is left out: to be asked is no harm.
KEPT = """
select 'job', (to_jsonb(x) - 'watched_until')::text from makegood.job x
union all select 'attempt', (to_jsonb(x) - 'next_ask_at')::text from makegood.attempt x
union all select 'evidence', to_jsonb(x)::text from makegood.evidence x
union all select 'history', to_jsonb(x)::text from makegood.history x
union all select 'journal', to_jsonb(x)::text from makegood.journal x
union all select 'hold', to_jsonb(x)::text from makegood.hold x
union all select 'bucket', to_jsonb(x)::text from makegood.bucket x
union all select 'wallet', to_jsonb(x)::text from makegood.wallet x
union all select 'upload', to_jsonb(x)::text from makegood.upload x
union all select 'upload_name', to_jsonb(x)::text from makegood.upload_name x
"""
Kept = frozenset[tuple[str, str]]
#: A job that is to be dispatched must be the first of its queue, so those that wait come last.
IN_ORDER = [*(place for place in PLACES if "queued" not in place), "queued again", "queued"]


class House:
    """A shop with a job in every place, each of an owner of its own."""

    def __init__(self, shop: Shop, sql: asyncpg.Connection) -> None:
        self.shop, self.sql, self.owners = shop, sql, 0
        tools = [tool for table in Tables(shop.scene.engine) for tool in table.tools]
        functions = {tool.function: tool.makes_row for tool in tools if tool.function != UPSCALER}
        self.calls = [*CALLS, *calls_of_others(functions.items())]

    async def kept(self) -> Kept:
        return frozenset(tuple(row) for row in await self.sql.fetch(KEPT))

    async def aim(self, place: str) -> Aim:
        """Bring a job of a new owner to the place."""
        self.owners += 1
        owner = f"owner-{self.owners}"
        await self.shop.scene.engine.grant(owner, CREDITS, source_ref=owner)
        file = await self.shop.file(owner)
        job = await self.shop.at(place, owner, self.session(owner))
        await self.shop.scene.engine.annotate(job.id, {"reference_prompt_id": "r-0"})
        task = f"task-{job.id}-{job.attempt}" if place in ("running", "completed", "queued again") else "none"
        return Aim(job.id, owner, self.session(owner), task, file)

    def session(self, owner: str) -> str:
        return f"page-of-{owner}"

    async def make(self, call: Call, aim: Aim, caller: str) -> Reply:
        """Make the call, and check the status and that nothing secret is told."""
        user = {"other": OTHER, "owner": aim.owner}.get(caller)
        headers = {} if caller == "nobody" else bearing(by_secret(sub=user) if user else PUBLIC)
        given: dict[str, Any] = {"json": call.body(aim)}
        if call.name == "bring a file":
            given, headers = {"data": PNG}, {**headers, "Content-Type": "image/png"}
        elif call.method == "GET":
            given = {}
        reply = await self.shop.scene.page.call(call.method, call.path(aim), headers=headers, **given)
        wanted = call.statuses[CALLERS.index(caller)]
        assert aim.job_id == NOBODY or wanted in (None, reply.status), (call.name, caller, reply)
        assert reply.status < 500, (call.name, caller, reply)
        if caller != "owner" and call.name != "leave":
            for secret in (str(aim.job_id), aim.session, FORGED, "runninghub-a"):
                assert secret not in str(reply.body), (call.name, caller, reply)
        return reply

    async def job(self, aim: Aim) -> Job:
        return await self.shop.scene.engine.get(aim.job_id)

    async def still(self, calls: Iterable[Call], aim: Aim, caller: str, place: str) -> dict[str, Any]:
        """Make calls that may move nothing, all at one moment; if something moved, find out which did it."""
        calls, before = list(calls), await self.kept()
        replies = await asyncio.gather(*(self.make(call, aim, caller) for call in calls))
        if await self.kept() != before:
            guilty = [call.name for call in calls if await self._moved(call, caller, place)]
            pytest.fail(f"{caller}, {place}: something was moved by {guilty or 'several of them together'}")
        return {c.name: (r.status, r.body) for c, r in zip(calls, replies, strict=True)}

    async def unknown(self, caller: str) -> dict[str, Any]:
        """Return what a stranger is told about a job that there is not, by calls that tell no more. No call
        may move a thing but the upload of a file of one's own, which is about no job."""
        calls = [call for call in self.calls if call.name != f"{UPSCALER}/upload"]
        nowhere = Aim(NOBODY, "nobody-at-all", "no-page", "none", await self.shop.file("nobody-at-all"))
        told = await self.still(calls, nowhere, caller, "unknown")
        return {name: answer for name, answer in told.items() if name not in TOLD_TO_STRANGERS}

    async def _moved(self, call: Call, caller: str, place: str) -> bool:
        aim = await self.aim(place)
        before = await self.kept()
        await self.make(call, aim, caller)
        return await self.kept() != before

    async def moves(self, call: Call, move: Move, caller: str, place: str) -> None:
        """Make a call that may move what *move* says, and nothing of anybody else."""
        aim = await self.aim(place)
        before, money = await self.kept(), await self.shop.scene.engine.money(aim.job_id)
        state = (await self.job(aim)).state
        await self.make(call, aim, caller)
        job, cell = await self.job(aim), (caller, call.name, place)
        assert job.state == (move.state or state), cell
        changed = before ^ await self.kept()
        assert changed, cell
        assert {table for table, _ in changed} <= move.tables, (cell, changed)
        whose = OTHER if move.tables == {"upload"} and caller == "other" else aim.owner
        marks = (f'"{whose}"', str(aim.job_id))
        assert not [text for _, text in changed if not any(mark in text for mark in marks)], (cell, changed)
        after = await self.shop.scene.engine.money(aim.job_id)
        if job.finished_at is not None and move.state:
            assert (after.released, after.held, after.captured) == (money.held, 0, 0), cell
        elif move.state == "queued":
            assert (after.held, after.released) == (job.price, 0), cell
        else:
            assert after == money, cell
        if job.state == "queued":  # the next job is to be dispatched
            await self.shop.scene.engine.cancel(aim.job_id)


@asynccontextmanager
async def a_house(database: str, folder: Path) -> AsyncIterator[House]:
    sql = await asyncpg.connect(database)
    try:
        async with a_shop(database, folder, limits=LIMITS) as shop:
            yield House(shop, sql)
    finally:
        sql.terminate()


def test_whatever_may_move_is_a_call_in_a_place() -> None:
    names = [call.name for call in CALLS]
    assert len(names) == len(set(names))
    for caller in CALLERS:
        assert set(MOVES[caller]) <= set(names)
        assert {place for moves in MOVES[caller].values() for place in moves} <= set(PLACES)


@pytest.mark.parametrize("caller", CALLERS)
async def test_c1_c3_d38_s3_s4_s5_cell_by_cell_nothing_moves_but_what_may(
    database: str, tmp_path: Path, caller: str
) -> None:
    may = MOVES[caller]
    async with a_house(database, tmp_path) as house:
        unknown = await house.unknown(caller) if caller != "owner" else {}
        for place in IN_ORDER:
            for call in house.calls:
                if move := may.get(call.name, {}).get(place):
                    await house.moves(call, move, caller, place)
            aim = await house.aim(place)
            quiet = [call for call in house.calls if place not in may.get(call.name, {})]
            told = await house.still(quiet, aim, caller, place)
            # The job of another is answered for as one that is not there, word for word.
            for name in unknown.keys() & told.keys() if caller == "other" else ():
                assert told[name] == unknown[name], (name, place)
            if place in OVER:
                assert (await house.job(aim)).state == place
            elif place in UNTOUCHED:
                assert (await house.shop.scene.engine.money(aim.job_id)).captured == 0


@pytest.mark.parametrize("caller", ["public", "other"])
async def test_c3_no_stranger_hears_of_a_row_whatever_its_state(
    database: str, tmp_path: Path, caller: str
) -> None:
    async with a_house(database, tmp_path) as house:
        aims = [await house.aim(place) for place in IN_ORDER]
        before = await house.kept()
        async with listening(house.shop.scene.page.base) as ear:
            filters = [f"id=eq.{aim.job_id}" for aim in aims]
            reply = await ear.join(by_secret(sub=OTHER) if caller == "other" else None, *filters)
            assert reply["status"] == "ok"
            assert await ear.beat() == []
        assert await house.kept() == before
