"""A job type whose pool no provider account serves takes no jobs: nobody could run them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from makegood import BaseJob, Catalog, Engine, JobTypeClosed, JobTypeUnserved, ProviderAccount
from makegood.runtime import Context, Surveyor
from makegood.runtime.openness import read_openness
from makegood.testing.provider import ScriptedProvider
from makegood_adapters.memory import MemoryBlobs, MemoryStore
from tests.engine.world import WALLET, Upscale, a_world
from tests.scenarios.stage import quick

FILMS = ProviderAccount(name="films", pool="films", capacity=2)


class Film(BaseJob):
    pool, price = FILMS.pool, 60


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def engine_on(store: MemoryStore, *accounts: ProviderAccount, **given: Any) -> Engine:
    """Return an engine that has these accounts and takes no jobs that nobody could run."""
    options: dict[str, Any] = {"served_only": True, **given}
    providers = {account: ScriptedProvider() for account in accounts}
    types = Catalog([Upscale, Film])
    return Engine(store, types, blobs=MemoryBlobs(), providers=providers, settings=quick(), **options)


async def test_what_nobody_could_run_is_refused_in_words_and_costs_nothing(
    store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    studio = replace(FILMS, name="studio", pool=Upscale.pool)
    with caplog.at_level(logging.WARNING, "makegood.openness"):
        async with engine_on(store, studio) as engine:
            await engine.grant("ada", WALLET, source_ref="order-1")
            before = await engine.wallet("ada")
            with pytest.raises(JobTypeUnserved):
                await engine.submit(Film, "ada", {}, draft=True)
            with pytest.raises(JobTypeUnserved) as no:
                await engine.submit(Film, "ada", {})
            assert str(no.value) == (
                "No new jobs of 'film' are taken at the moment: there is nobody who could run them. "
                "Nothing was charged."
            )
            assert no.value.why == "no process has a provider account of its pool 'films'"
            assert isinstance(no.value, JobTypeClosed)  # whoever knows that one answers this one, too
            with pytest.raises(JobTypeUnserved):
                await engine.quote(Film, {})
            assert await engine.wallet("ada") == before
            assert [engine.catalog.is_open(t.name) for t in (Upscale, Film)] == [True, False]
            await engine.submit(Upscale, "ada", {})
    assert caplog.messages == [
        "no new jobs of film are taken: no process has a provider account of their pool 'films'; add one to "
        "[[accounts]]"
    ]


async def test_an_account_of_another_process_is_enough_until_it_is_gone_for_an_hour() -> None:
    async with a_world(Upscale, Film) as world:
        catalog = Catalog([Upscale, Film])
        settings = replace(world.settings, survey_interval_seconds=1e-9)
        parts = (world.mover, world.providers, world.blobs, world.wakeups, settings)
        surveyor = Surveyor(Context(world.store, catalog, *parts, served_only=True))

        async def served() -> bool:
            await surveyor.turn()
            return catalog.is_open(Film.name)

        assert not await served()
        await world.store.attempts.register(FILMS)
        assert await served()
        await world.after(3_601)
        assert not await served()
        assert await world.store.attempts.to_survey([FILMS.name], 60) == [FILMS.name]
        assert await served()
        assert catalog.is_open(Upscale.name)


@pytest.mark.parametrize("given", [{"served_only": False}, {"run_loops": False}])
async def test_an_engine_that_is_not_told_so_or_has_no_loops_lets_jobs_wait(
    store: MemoryStore, given: dict[str, bool]
) -> None:
    async with engine_on(store, **given) as engine:
        assert (await engine.submit(Film, "ada", {})).state == "pending"


class Held:
    """What tells which types are closed, and is late with its first answer."""

    def __init__(self, closed: Callable[[], Awaitable[Mapping[str, str]]]) -> None:
        self._closed = closed
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def closed(self) -> Mapping[str, str]:
        found = await self._closed()
        if not self.asked.is_set():
            self.asked.set()
            await self.may_answer.wait()
        return found


async def test_who_resumes_a_type_takes_its_jobs_although_a_look_from_before_is_answered_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with a_world(Upscale) as world:
        assert await world.store.rules.close(
            Upscale.name, times=0, within_seconds=1, actor="refusals", reason="refused three times"
        )
        held = Held(world.store.rules.closed)
        monkeypatch.setattr(world.store.rules, "closed", held.closed)
        looking = asyncio.create_task(read_openness(world.engine._context))
        await held.asked.wait()
        assert await world.engine.resume(type=Upscale, actor="olga")
        held.may_answer.set()
        await looking
        assert (await world.queued()).state == "queued"
