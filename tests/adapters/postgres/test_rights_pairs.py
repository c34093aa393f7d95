"""All 49 pairs of states by raw SQL, as login roles: judged for who may update jobs, closed to the others."""

from collections.abc import AsyncIterator
from itertools import product

import asyncpg
import pytest
import pytest_asyncio

from makegood.job import Job
from makegood.testing.drive import Drive
from makegood_adapters.postgres.store import PostgresStore
from tests.adapters.postgres.test_referee import (
    NEVER_SUBMITTED,
    PROVEN,
    SAID,
    STATES,
    SUBMITTED,
    Books,
    check_row,
    never_submitted,
    rows,
    submitted,
    take_two_buckets,
)
from tests.roles import login

TABLES = {"never submitted": NEVER_SUBMITTED, "submitted": SUBMITTED, "proven": PROVEN}
#: What each refusal must tell, by its code: which edge, or which fact, is missing.
SENTENCES = {
    "MG001": "cannot go from {source} to {state}",
    "MG002": "attempt 1 needs evidence that it is one of: ",
    "MG003": "cannot become {state} without an open attempt",
}


@pytest_asyncio.fixture
async def visitor(database: str, request: pytest.FixtureRequest) -> AsyncIterator[asyncpg.Connection]:
    """Yield a connection of a login role with the rights of one kind."""
    kind = None if request.param == "nothing" else request.param
    async with login(database, kind) as dsn:
        connection = await asyncpg.connect(dsn)
        try:
            yield connection
        finally:
            await connection.close()


async def route(drive: Drive, owner: str, source: str, state: str, table: str) -> Job:
    """Return a job in *source* of which is known what the table supposes."""
    if table == "never submitted":
        return await never_submitted(drive, owner, source)
    job = await submitted(drive, owner, source)
    if table == "proven":
        await drive.store.jobs.request_cancel(job.id)
        if verdict := SAID.get((source, state)):
            await drive.record(job, verdict)
    return await drive.job(job)


@pytest.mark.parametrize("visitor", ["worker", "api"], indirect=True)
@pytest.mark.parametrize("table", TABLES)
async def test_every_pair_is_judged_as_for_the_owner(
    drive: Drive, visitor: asyncpg.Connection, table: str
) -> None:
    for source, expected in rows(TABLES[table]).items():

        async def way(drive: Drive, owner: str, state: str, source: str = source) -> Job:
            return await route(drive, owner, source, state, table)

        await check_row(drive, visitor, source, expected, way)


@pytest.mark.parametrize("visitor", ["worker", "api"], indirect=True)
async def test_a_refusal_says_what_is_missing(drive: Drive, visitor: asyncpg.Connection) -> None:
    told, expected = [], []
    for source, state in product(STATES, STATES):
        owner = f"{source}-{state}"
        await drive.grant(owner=owner)
        job = await route(
            drive, owner, source, state, "never submitted" if source == "pending" else "submitted"
        )
        try:
            await visitor.execute("UPDATE makegood.job SET state = $2 WHERE job_id = $1", job.id, state)
        except asyncpg.PostgresError as error:
            told.append(str(error))
            expected.append(SENTENCES[str(error.sqlstate)].format(source=source, state=state))
    assert len(told) > 30
    assert [(said, part) for said, part in zip(told, expected, strict=True) if part not in said] == []


@pytest.mark.parametrize("visitor", ["readonly", "nothing"], indirect=True)
async def test_who_may_not_update_jobs_moves_none(
    store: PostgresStore, drive: Drive, plain: asyncpg.Connection, visitor: asyncpg.Connection
) -> None:
    for source in STATES:
        await take_two_buckets(drive, source)
        table = "submitted" if source == "running" else "never submitted"
        books = Books(store, await route(drive, source, source, source, table))
        await books.open(plain)
        for state in STATES:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await visitor.execute(
                    "UPDATE makegood.job SET state = $2 WHERE job_id = $1", books.job.id, state
                )
        await books.check_unchanged(plain)
