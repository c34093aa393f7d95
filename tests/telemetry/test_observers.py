"""Who looks on disturbs nothing: not by what it raises, and not by being slow to read."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from makegood import BaseJob, Catalog, Engine, Job, ProviderAccount
from makegood.testing.provider import ScriptedProvider
from makegood_adapters.config import ServiceConfig
from makegood_adapters.memory import MemoryBlobs, MemoryStore
from makegood_adapters.telemetry import Life, Lives
from makegood_adapters.telemetry.traces import Traces
from makegood_adapters.tracing import open_traces
from tests.scenarios.stage import patience


class Portrait(BaseJob):
    """One price."""

    pool, price = "studio", 60


class Raises:
    """An observer that is broken in every way."""

    def __getattr__(self, name: str) -> Any:
        raise OSError(f"{name} is broken")


class Heard:
    """Notes what it hears of lives."""

    def __init__(self) -> None:
        self.lives: list[Life] = []
        self.missed = 0

    def ended(self, life: Life) -> None:
        """See `Listener.ended`."""
        self.lives.append(life)

    def left_out(self) -> None:
        """See `Listener.left_out`."""
        self.missed += 1


@asynccontextmanager
async def looked_at(store: MemoryStore, *observers: Any) -> AsyncIterator[Engine]:
    studio = {ProviderAccount(name="studio", pool="studio", capacity=3): ScriptedProvider()}
    catalog, blobs = Catalog([Portrait]), MemoryBlobs()
    async with Engine(store, catalog, blobs=blobs, providers=studio, observers=observers) as engine:
        await engine.grant("ana", 600, source_ref="order-1")
        yield engine


async def ended(engine: Engine) -> Job:
    """Bring a job to its end."""
    job = await engine.accept((await engine.submit(Portrait, "ana", {})).id)
    async with patience():
        async for _ in engine.watch(job.id):
            pass
    return await engine.get(job.id)


async def test_an_observer_that_raises_is_logged_and_the_next_one_hears(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store, heard = MemoryStore(), Heard()
    lives = Lives(store, [heard], wholly=True)
    async with lives.reading(), looked_at(store, Raises(), lives) as engine:
        job = await ended(engine)
        await lives.read()
    assert job.state == "completed"
    [life] = heard.lives
    assert [step.event for step in life.steps] == ["submit", "accept", "dispatch", "begin", "complete"]
    assert life.money is not None
    assert life.money.captured == job.price
    [(dispatch, waited)] = life.waits
    assert (dispatch.event, waited >= 0) == ("dispatch", True)
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert {record.name for record in errors} == {"makegood.observing"}


async def test_what_cannot_be_read_in_time_is_left_out_and_counted() -> None:
    """Nobody reads: the second life has no room, and no job waits for it."""
    store, heard = MemoryStore(), Heard()
    async with looked_at(store, Lives(store, [heard], wholly=False, pending_max=1)) as engine:
        for _ in range(3):
            assert (await ended(engine)).state == "completed"
    assert (len(heard.lives), heard.missed) == (0, 2)


def test_the_service_traces_once_an_sdk_is_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(**given: Any) -> list[type]:
        config = ServiceConfig.model_validate({"database_url": "postgresql://u:p@h/d", **given})
        return [type(each) for each in open_traces(config)]

    assert opened() == []  # nobody has set one up
    provider = TracerProvider()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    assert opened() == [Traces]
    assert opened(traces_share=0) == []
