"""A type whose rules the database refuses sells nothing more; its jobs go on by the rules that are stored."""

import asyncpg
import pytest

from makegood import BaseJob, Catalog, Engine, JobTypeRefused
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore


class Film(BaseJob):
    """As it was when its first jobs began."""

    price = 10


class ChangedFilm(BaseJob, drop=[(BaseJob.cancel, BaseJob.queued)]):
    """The same name and version, and waiting jobs could no longer be cancelled."""

    name = "film"


class Poster(BaseJob):
    """Has nothing to do with it."""


def engine_of(store: PostgresStore, *types: type[BaseJob]) -> Engine:
    return Engine(store, Catalog(types), blobs=MemoryBlobs(), run_loops=False)


async def test_the_refused_type_alone_is_out(
    store: PostgresStore, other_store: PostgresStore, plain: asyncpg.Connection
) -> None:
    async with engine_of(store, Film) as first:
        await first.grant("ada", 100, source_ref="gift")
        waiting = await first.accept((await first.submit(Film, "ada", {})).id)
    edges = "SELECT count(*) FROM makegood.machine_edge WHERE type = 'film'"
    before = await plain.fetchval(edges)
    async with engine_of(other_store, ChangedFilm, Poster) as engine:
        assert [*engine.refused] == ["film@1"]
        with pytest.raises(JobTypeRefused, match="raise `version`"):
            await engine.submit("film", "ada", {})
        assert (await engine.submit(Poster, "ada", {})).state == "pending"
        assert (await engine.cancel(waiting.id)).state == "cancelled"
        assert (await engine.wallet("ada")).available == 100
        assert await engine.violations() == []
    assert await plain.fetchval(edges) == before == len(Film.spec.edges)
