"""Streams end with the credentials that they were opened with, however they are read."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from makegood import Catalog, Engine
from makegood.errors import StoreUnavailable
from makegood.job import Ending
from makegood_adapters.http.callers import Caller, Scope
from makegood_adapters.http.gatekeeper import REMEMBERED_SECONDS, Gatekeeper
from makegood_adapters.http.hub import Hub, Told
from makegood_adapters.http.sse import EventStream, Feed
from makegood_adapters.memory import MemoryBlobs, MemoryStore
from tests.api.issuer import Clock
from tests.api.streams import BRISK, PATIENCE_SECONDS, Heard, listening, streaming

BEAT = replace(BRISK, heartbeat_seconds=0.02)
COMMENT = Heard(None, None, None)


class TroubledGate(Gatekeeper):
    """A gate whose keys are in a store that may be away."""

    away = 0

    async def identify(self, headers: Mapping[str, str], address: str) -> Caller:
        if self.away:
            self.away -= 1
            raise StoreUnavailable("away")
        return await super().identify(headers, address)


@pytest.mark.parametrize("asgi", [False, True])
async def test_the_stream_of_a_key_that_is_revoked_ends(database: str, tmp_path: Path, asgi: bool) -> None:
    clock = Clock()
    keys = Engine(MemoryStore(), Catalog([]), blobs=MemoryBlobs(), run_loops=False)
    made = await keys.make_key("ops", [Scope.OPERATIONS], actor="olga")
    gate = TroubledGate(keys, clock=clock)
    async with streaming(database, tmp_path, asgi=asgi, limits=BEAT, gate=gate) as streams:
        async with listening(streams.client.as_(made.secret), "/operations/events") as ear:
            gate.away = 2
            while gate.away:  # what was said before may be on its way
                assert await ear.next(comments=True) == COMMENT
            assert await ear.next(comments=True) == COMMENT, "a store that is away ends no stream"
            await keys.revoke_key(made.key.id, actor="olga")
            clock.passed += REMEMBERED_SECONDS
            async with asyncio.timeout(PATIENCE_SECONDS):
                while await ear.next(comments=True):
                    pass
        await streams.none_listen()


async def test_a_key_is_good_for_streams_until_its_own_end() -> None:
    keys = Engine(MemoryStore(), Catalog([]), blobs=MemoryBlobs(), run_loops=False)
    end = datetime.now(UTC) + timedelta(hours=1)
    for name, expires_at in (("brief", end), ("lasting", None)):
        made = await keys.make_key(name, [Scope.OPERATIONS], actor="olga", expires_at=expires_at)
        caller = await Gatekeeper(keys).identify({"authorization": f"Bearer {made.secret}"}, "127.0.0.1")
        assert caller.expires_at == (expires_at and end.timestamp())


async def test_who_reads_slowly_what_was_reads_no_longer_than_the_credentials_are_good() -> None:
    async with Engine(MemoryStore(), Catalog([]), blobs=MemoryBlobs(), run_loops=False) as engine:

        async def past(after: int) -> tuple[list[Told], bool]:
            await asyncio.sleep(0)
            return [], True

        feed = Feed(topic=uuid4(), past=past, number=lambda step: step.version, frame=lambda _: b"")
        hub = Hub(engine, BEAT)
        end = time.time() + 0.1
        pieces = await EventStream.open(hub, feed, "ada", after=0, expires_at=end)
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for _ in pieces:
                pass
        await pieces.aclose()
        assert hub.count == 0


async def test_a_reader_that_breaks_is_made_anew_and_nobody_misses_anything(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with streaming(database, tmp_path, asgi=False) as streams:
        job = await streams.job()
        real, broken = streams.engine.endings, 0

        async def breaks_once(job_ids: set[UUID]) -> Mapping[UUID, Ending]:
            nonlocal broken
            broken += 1
            if broken == 2:  # the first one is for what was
                raise RuntimeError("nobody expects this")
            return await real(job_ids)

        monkeypatch.setattr(streams.engine, "endings", breaks_once)
        async with listening(streams.client, f"/jobs/{job.id}/events") as ear:
            first = await ear.next()
            await streams.move(job, "accept")
            assert (await ear.steps()) == []
        assert first is not None
        job = await streams.engine.get(job.id)
        async with listening(streams.client, f"/jobs/{job.id}/events", first.id) as ear:
            await streams.move(job, "cancel")
            assert [one.data["event"] for one in await ear.steps()] == ["accept", "cancel"]
        await streams.none_listen()


async def test_an_owner_takes_no_stream_from_a_key_by_its_name(database: str, tmp_path: Path) -> None:
    limits = replace(BRISK, streams_per_owner_max=1)
    async with streaming(database, tmp_path, asgi=False, limits=limits) as streams:
        user, service = streams.client.as_("user:key:test"), streams.client.as_("service:operations")
        async with listening(user, "/events"), listening(service, "/operations/events"):
            assert streams.api.hub.count == 2
