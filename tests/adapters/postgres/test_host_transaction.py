"""With `conn=` a call is part of the host's transaction: it stands or falls with the host's commit."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from makegood import Catalog, Engine, IllegalTransition, InsufficientCredits, InvalidRequest, UnknownJob
from makegood.lifecycle import BaseJob, Failure
from makegood.testing.clock import FakeClock
from makegood_adapters.folder import FolderBlobs
from makegood_adapters.memory import MemoryStore
from makegood_adapters.postgres.store import PostgresStore
from tests.engine.world import PRICE, Upscale


@pytest_asyncio.fixture
async def engine(store: PostgresStore, tmp_path: Path) -> AsyncIterator[Engine]:
    blobs = FolderBlobs(tmp_path)
    async with Engine(store, Catalog([Upscale]), blobs=blobs, run_loops=False) as opened:
        await opened.grant("ada", PRICE, source_ref="order-1")
        yield opened


async def test_a_job_stands_with_the_commit_of_the_host(engine: Engine, plain: asyncpg.Connection) -> None:
    await plain.execute("CREATE TABLE host_order (number integer, job_id uuid)")
    async with plain.transaction():
        job = await engine.submit(Upscale, "ada", {}, conn=plain)
        await plain.execute("INSERT INTO host_order VALUES (1, $1)", job.id)
        queued = await engine.accept(job.id, conn=plain)
        assert (queued.state, (await engine.get(job.id, conn=plain)).state) == ("queued", "queued")
        with pytest.raises(UnknownJob):
            await engine.get(job.id)  # nobody else sees it yet
    assert await engine.get(job.id) == queued
    assert (await engine.money(job.id)).held == PRICE


async def test_a_job_falls_with_the_rollback_of_the_host(engine: Engine, plain: asyncpg.Connection) -> None:
    transaction = plain.transaction()
    await transaction.start()
    job = await engine.submit(Upscale, "ada", {}, conn=plain)
    await engine.accept(job.id, conn=plain)
    await transaction.rollback()
    assert await plain.fetchval("SELECT count(*) FROM makegood.job") == 0
    assert (await engine.wallet("ada")).available == PRICE


async def test_a_refusal_leaves_the_transaction_of_the_host_as_it_was(
    engine: Engine, plain: asyncpg.Connection
) -> None:
    await plain.execute("CREATE TABLE host_order (number integer)")
    async with plain.transaction():
        await plain.execute("INSERT INTO host_order VALUES (1)")
        job = await engine.submit(Upscale, "poor", {}, conn=plain)
        with pytest.raises(InsufficientCredits):
            await engine.accept(job.id, conn=plain)
        with pytest.raises(IllegalTransition):
            await engine.fire(job.id, BaseJob.fail, Failure(), conn=plain)
        await plain.execute("INSERT INTO host_order VALUES (2)")
    assert await plain.fetchval("SELECT count(*) FROM host_order") == 2
    assert (await engine.get(job.id)).state == "failed"


async def test_what_a_host_has_not_committed_is_not_remembered(
    engine: Engine, plain: asyncpg.Connection
) -> None:
    job = await engine.submit(Upscale, "ada", {})
    transaction = plain.transaction()
    await transaction.start()
    assert (await engine.accept(job.id, conn=plain)).state == "queued"
    await transaction.rollback()
    assert (await engine.accept(job.id)).version == 1


async def test_a_connection_of_the_host_may_decode_json_as_it_likes(
    engine: Engine, plain: asyncpg.Connection
) -> None:
    def never(_: object) -> str:
        raise AssertionError("this is a matter of the host's own statements")

    await plain.set_type_codec("jsonb", schema="pg_catalog", encoder=never, decoder=never, format="text")
    async with plain.transaction():
        job = await engine.submit(Upscale, "ada", {}, conn=plain)
        queued = await engine.accept(job.id, conn=plain)
    assert await engine.get(job.id) == queued


async def test_the_store_in_memory_says_that_it_cannot() -> None:
    clock = FakeClock()
    async with Engine(
        MemoryStore(clock), Catalog([Upscale]), blobs=FolderBlobs(Path("unused")), run_loops=False
    ) as engine:
        with pytest.raises(InvalidRequest, match="leave `conn` out"):
            await engine.submit(Upscale, "ada", {}, conn=object())
