"""A type whose rules the store refuses sells nothing more; its jobs and all other types go on."""

import logging
from collections.abc import Sequence
from datetime import timedelta

import pytest

from makegood import (
    BaseJob,
    Catalog,
    Empty,
    Engine,
    Event,
    InvalidRequest,
    Job,
    JobTypeRefused,
    Money,
    State,
    StoreUnavailable,
)
from makegood.machine import Spec
from makegood_adapters.memory import MemoryBlobs, MemoryStore


class Film(BaseJob):
    """As it was when its first jobs began."""

    price = 10


class Other(BaseJob):
    """Has nothing to do with it."""


class ChangedFilm(BaseJob, drop=[(BaseJob.cancel, BaseJob.pending)]):
    """The same name and version with other rules, and a guard that lets nothing pass."""

    name = "film"


class NewerFilm(BaseJob, drop=[(BaseJob.cancel, BaseJob.pending)]):
    """The same rules under a version of their own."""

    name, version = "film", 2


@ChangedFilm.accept.guard
def never(job: Job, _: Empty) -> bool:
    """Would hold back every job, if it were asked."""
    return False


def engine_of(store: MemoryStore, *types: type[BaseJob]) -> Engine:
    return Engine(store, Catalog(types), blobs=MemoryBlobs(), run_loops=False)


async def test_only_the_changed_type_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    async with engine_of(store, Film) as engine:
        await engine.grant("ada", 100, source_ref="gift")
        waiting = await engine.submit(Film, "ada", {})
        assert engine.refused == {}
    with caplog.at_level(logging.ERROR, logger="makegood.engine"):
        async with engine_of(store, ChangedFilm, Other) as engine:
            assert [*engine.refused] == ["film@1"]
            assert "raise its version" in engine.refused["film@1"]
            with pytest.raises(
                JobTypeRefused, match=r"New jobs of 'film' are not taken: film@1: .*raise"
            ) as no:
                await engine.submit("film", "ada", {})
            assert isinstance(no.value, InvalidRequest)
            assert (await engine.submit(Other, "ada", {})).state == "pending"
            # By the stored rules: the guard of the changed class is not asked, its dropped edge is there.
            assert (await engine.accept(waiting.id)).state == "queued"
            assert (await engine.cancel(waiting.id)).state == "cancelled"
            assert (await engine.wallet("ada")).available == 100
            assert await engine.violations() == []
    assert len(caplog.records) == 1


async def test_hooks_of_a_refused_type_wait_for_a_process_that_has_its_rules() -> None:
    store = MemoryStore()
    async with engine_of(store, Film):
        pass
    async with engine_of(store, ChangedFilm, Other) as engine:
        assert engine.catalog.names == ["other"]
        assert engine.catalog.specs == (ChangedFilm.spec, Other.spec)


async def test_a_new_version_beside_a_refused_one_is_sold() -> None:
    store = MemoryStore()
    async with engine_of(store, Film):
        pass
    async with engine_of(store, ChangedFilm, NewerFilm) as engine:
        assert [*engine.refused] == ["film@1"]
        assert (await engine.submit("film", "ada", {})).type_version == 2


async def test_an_older_version_does_not_step_in_for_a_refused_one() -> None:
    class OtherFilm(BaseJob):
        name, version = "film", 2

    store = MemoryStore()
    async with engine_of(store, Film, NewerFilm):
        pass
    async with engine_of(store, Film, OtherFilm) as engine:
        with pytest.raises(JobTypeRefused) as no:
            await engine.submit("film", "ada", {})
        assert (no.value.name, no.value.version) == ("film", 2)


async def test_what_one_store_refuses_another_may_take() -> None:
    first, catalog = MemoryStore(), Catalog([ChangedFilm])
    async with engine_of(first, Film):
        pass
    async with Engine(first, catalog, blobs=MemoryBlobs(), run_loops=False) as engine:
        assert engine.refused
    async with Engine(MemoryStore(), catalog, blobs=MemoryBlobs(), run_loops=False) as engine:
        assert not engine.refused
        assert (await engine.submit("film", "ada", {})).state == "pending"


async def test_a_store_that_is_away_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(self: MemoryStore, specs: Sequence[Spec], **_: object) -> None:
        raise StoreUnavailable("The database cannot be reached.")

    monkeypatch.setattr(MemoryStore, "declare", away)
    with pytest.raises(StoreUnavailable):
        async with engine_of(MemoryStore(), Film):
            pass


async def test_the_refusal_says_which_jobs_go_on_and_in_which_states() -> None:
    class Reviewed(BaseJob):
        name = "film"
        in_review = State(deadline=timedelta(days=1))
        ask = Event(BaseJob.queued >> in_review)
        drop_it = Event(in_review >> BaseJob.failed, money=Money.RELEASE)

    store = MemoryStore()
    async with engine_of(store, Reviewed) as engine:
        jobs = [await engine.accept((await engine.submit(Reviewed, "ada", {})).id) for _ in range(3)]
        await engine.fire(jobs[0].id, Reviewed.ask)
    async with engine_of(store, Film) as engine:
        why = engine.refused["film@1"]
        assert "go on by the stored rules: 1 in_review (a state that these rules lack), 2 queued" in why
