"""Of a row that Postgres refuses neither owner nor input is in our log, our errors or their traces."""

import asyncio
import logging
import traceback
from uuid import uuid4

import asyncpg
import pytest

from makegood.errors import ActiveJob, StoreError
from makegood.job import Job
from makegood.testing.drive import PRICE, Drive, change
from makegood_adapters.postgres.commit import GroupCommit
from makegood_adapters.postgres.jobs import PostgresJobs
from makegood_adapters.postgres.refusal import DatabaseRefusal
from tests.adapters.postgres.far import ACCEPT, MOVE, database_at

OWNER, PROMPT = "ada@example.org", """a castle: of "sand", 'at' noon"""
NO_QUEUE = "alter table makegood.job add constraint no_queue check (state <> 'queued') not valid"
TABLE = "create table of_a_host (owner text primary key, prompt text not null, number int)"


def told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def shown(text: str) -> list[str]:
    return [secret for secret in (OWNER, "castle", "sand", "noon") if secret in text]


async def order(drive: Drive, number: int) -> list[Job]:
    return [await drive.insert(owner=OWNER, input={"prompt": PROMPT}) for _ in range(number)]


async def test_a_row_that_is_refused_is_neither_in_the_error_nor_in_its_trace(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    await drive.grant(PRICE, owner=OWNER)
    [job] = await order(drive, 1)
    await plain.execute(NO_QUEUE)
    with pytest.raises(DatabaseRefusal) as refused:
        await drive.store.jobs.apply(change(job, ACCEPT))
    text = told(refused.value)
    assert 'relation "job" violates check constraint "no_queue"' in text
    assert not shown(text)
    assert refused.value.sqlstate == "23514"


@pytest.mark.parametrize("rule", [NO_QUEUE, None], ids=["a rule of somebody's", "too few credits"])
async def test_a_batch_that_is_divided_does_not_show_its_rows_in_the_log(
    drive: Drive, plain: asyncpg.Connection, database: str, caplog: pytest.LogCaptureFixture, rule: str | None
) -> None:
    await drive.grant(4 * PRICE if rule else PRICE, owner=OWNER)
    jobs = await order(drive, 4)
    if rule:
        await plain.execute(rule)
    async with database_at(database) as near:
        port = PostgresJobs(near, GroupCommit(near))
        with caplog.at_level(logging.DEBUG):
            await asyncio.gather(*(port.apply(change(job, ACCEPT)) for job in jobs), return_exceptions=True)
    assert "is divided after" in caplog.text
    assert not shown(caplog.text)


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("insert into of_a_host (owner, prompt) values ($1, $2)", (OWNER, PROMPT)),
        ("insert into of_a_host (owner, prompt) select $1, nullif($2, $2)", (f"not {OWNER}", PROMPT)),
        ("select $1::text::jsonb", ('{"prompt": castle}',)),
        ("select $1::text::int, $2::text", (PROMPT, OWNER)),
        ("select $1::int", (PROMPT,)),
        ("select $1::uuid", (PROMPT,)),
    ],
    ids=["a key", "a lack", "JSON", "a cast", "a kind", "an id"],
)
@pytest.mark.parametrize("by_host", [False, True], ids=["our connection", "the host's"])
async def test_no_kind_of_refusal_quotes_a_value(
    plain: asyncpg.Connection, database: str, sql: str, values: tuple[str, ...], by_host: bool
) -> None:
    await plain.execute(TABLE)
    await plain.execute("insert into of_a_host (owner, prompt) values ($1, $2)", OWNER, PROMPT)

    async def work(connection: asyncpg.Connection) -> object:
        return await connection.fetch(sql, *values)

    async with database_at(database) as near:
        with pytest.raises(StoreError) as refused:
            await near.transact(work, plain if by_host else None)
    text = told(refused.value)
    assert not shown(text.replace(sql, "")), text


async def test_the_owner_who_lacks_credits_is_told_from_what_the_referee_shows(
    drive: Drive, database: str
) -> None:
    await drive.grant(PRICE - 1, owner=OWNER)
    [job] = await order(drive, 1)

    async def work(connection: asyncpg.Connection) -> object:
        return await connection.execute(MOVE, job.id)

    async with database_at(database) as near:
        with pytest.raises(DatabaseRefusal, match="too few credits") as refused:
            await near.transact(work)
    assert refused.value.sqlstate == "MG402"
    assert OWNER in str(refused.value.shown)
    assert not shown(told(refused.value))


async def test_what_a_caller_who_is_gone_did_wrong_is_logged_without_the_owner(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def work(connection: asyncpg.Connection) -> object:
        begun.set()
        await go.wait()
        raise ActiveJob(OWNER, "tools", uuid4(), "queued")

    async with database_at(database) as near:
        caller = asyncio.create_task(near.transact(work))
        await begun.wait()
        caller.cancel()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await caller
    assert "whose caller was cancelled ended with ActiveJob" in caplog.text
    assert not shown(caplog.text)
