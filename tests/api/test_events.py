"""Transitions over `/v1` as they happen: none is missed and none comes twice, wherever a client goes on."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from makegood_adapters.http.callers import Caller
from makegood_adapters.http.hub import StreamLimits
from tests.api.scene import OTHER, OWNER, NamingGate
from tests.api.streams import (
    BRISK,
    LIFE,
    PATIENCE_SECONDS,
    Heard,
    Streams,
    history,
    listening,
    streaming,
    told,
)


@pytest_asyncio.fixture(params=["aiohttp", "asgi"])
async def streams(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> AsyncIterator[Streams]:
    async with streaming(database, tmp_path, asgi=request.param == "asgi") as made:
        yield made


async def test_a_job_is_told_from_its_first_step_to_its_last_which_shows_the_money(streams: Streams) -> None:
    job = await streams.job()
    async with listening(streams.client, f"/jobs/{job.id}/events") as ear:
        assert ear.reply.headers["Content-Type"] == "text/event-stream"
        assert ear.reply.headers["Cache-Control"] == "no-cache, no-transform"
        assert ear.reply.headers["X-Accel-Buffering"] == "no"
        first = await ear.next()
        assert first == Heard("transition", 0, first and first.data)
        await streams.move(job, *LIFE)
        heard = [first, *await ear.steps()]
    assert told(heard) == await history(streams, job.id)
    assert [one.data["to_state"] for one in heard] == [
        "pending",
        "queued",
        "starting",
        "running",
        "completed",
    ]
    assert [one.data["money"] for one in heard[:-1]] == [None] * 4
    assert heard[-1].data["money"] == {"held": 0, "captured": job.price, "released": 0}
    await streams.none_listen()


async def test_whoever_comes_back_goes_on_after_what_it_heard_last(streams: Streams) -> None:
    job = await streams.move(await streams.job(), "accept")
    end = await streams.move(job, "fail")
    whole, path = await history(streams, job.id), f"/jobs/{job.id}/events"
    for last in range(end.version):
        async with listening(streams.client, path, last) as ear:
            assert told(await ear.steps()) == whole[last + 1 :]
        async with listening(streams.client, f"{path}?last_event_id={last}") as ear:
            assert told(await ear.steps()) == whole[last + 1 :]
    # A browser that comes back by itself sends both, and the header is newer.
    async with listening(streams.client, f"{path}?last_event_id=0", end.version - 1) as ear:
        [final] = await ear.steps()
    assert final.data["money"] == {"held": 0, "captured": 0, "released": job.price}
    over = await streams.client.get(path, headers={"Last-Event-ID": str(end.version)})
    assert (over.status, over.raw) == (204, b""), "which tells a browser to stay away"


async def test_an_owner_hears_all_of_its_own_jobs_from_now_on_or_from_where_it_was(streams: Streams) -> None:
    before = await streams.job()
    seq = await streams.placed(before)
    async with listening(streams.client, "/events") as now, listening(streams.client, "/events", 0) as past:
        bob = await streams.job(owner=OTHER)
        job = await streams.move(await streams.job(), "accept", "cancel")
        heard = await now.steps(3)
        assert (await past.steps(4))[1:] == heard
    assert {one.data["job_id"] for one in heard} == {str(job.id)}
    assert [one.data["event"] for one in heard] == ["submit", "accept", "cancel"]
    assert [one.data["seq"] for one in heard] == [one.id for one in heard]
    assert heard[-1].data["money"] == {"held": 0, "captured": 0, "released": job.price}
    async with listening(streams.client, "/events", heard[0].id) as ear:
        assert await ear.steps(2) == heard[1:]
    async with listening(streams.client.as_(f"user:{OTHER}"), "/events", seq) as ear:
        [alone] = await ear.steps(1)
    assert alone.data["job_id"] == str(bob.id)


async def test_operators_hear_of_all_jobs_and_by_whom(streams: Streams) -> None:
    operator = streams.client.as_("service:operations")
    async with listening(operator, "/operations/events") as ear:
        for owner in (OWNER, OTHER):
            await streams.job(owner=owner)
        heard = await ear.steps(2)
    assert [(one.data["owner"], one.data["actor"]) for one in heard] == [(OWNER, "test"), (OTHER, "test")]
    for who, status in ((f"user:{OWNER}", 403), ("service:owners", 403), (None, 401)):
        assert (await streams.client.as_(who).get("/operations/events")).status == status


async def test_a_failure_says_why_beside_the_credits_that_are_back(streams: Streams) -> None:
    made = await streams.move(await streams.job(), "accept")
    error = {"category": "provider", "message": "The model ran out of memory."}
    async with listening(streams.client, f"/jobs/{made.id}/events", made.version) as ear:
        edge = next(edge for edge in streams.drive.specs[made.type].leaving("queued") if edge.event == "fail")
        await streams.drive.apply(made, edge, error=error)
        [final] = await ear.steps()
    assert final.data["error"] == error
    assert final.data["money"]["released"] == made.price


UNUSABLE = [
    ("/events", "7.5", 400, "invalid_event_id"),
    ("/events", "-1", 400, "invalid_event_id"),
    ("/events", "\xd9\xa3", 400, "invalid_event_id"),  # a digit of another script, as it comes over the wire
    ("/events", "9" * 5_000, 400, "invalid_event_id"),
    ("/events", "999999", 400, "invalid_event_id"),
    ("/events?last_event_id=soon", None, 422, "invalid_query"),
    ("/events?after=1", None, 422, "invalid_query"),
    ("/jobs/{job}/events", "1", 400, "invalid_event_id"),
    ("/jobs/{other}/events", None, 404, "not_found"),
    ("/jobs/x/events", None, 404, "not_found"),
]


async def test_what_cannot_be_gone_on_with_is_a_problem_before_the_stream_begins(streams: Streams) -> None:
    job = await streams.job()
    for path, last, status, code in UNUSABLE:
        headers = {} if last is None else {"Last-Event-ID": last}
        reply = await streams.client.get(path.format(job=job.id, other=uuid4()), headers=headers)
        assert (reply.status, reply.body["code"]) == (status, code), (path, last)
    assert streams.api.hub.count == 0


async def test_a_foreign_stream_answers_as_one_that_is_not_there(streams: Streams) -> None:
    job, other = await streams.job(), uuid4()
    bob = streams.client.as_(f"user:{OTHER}")
    foreign, missing = [await bob.get(f"/jobs/{one}/events") for one in (job.id, other)]
    assert foreign.status == missing.status == 404
    assert foreign.raw.replace(str(job.id).encode(), b"") == missing.raw.replace(str(other).encode(), b"")


async def test_f12_the_place_that_is_shown_to_who_waits_moves(streams: Streams) -> None:
    """Three jobs ahead leave the queue; the client sees 4, 3, 2, 1, each as an event of its own."""
    pool = await streams.drive.pool()
    ahead = [await streams.move(await streams.job(pool=pool), "accept") for _ in range(3)]
    mine = await streams.move(await streams.job(pool=pool), "accept")
    seen: list[tuple[int, int]] = []
    async with (
        listening(streams.client, f"/jobs/{mine.id}/events") as ear,
        listening(streams.client, f"/jobs/{mine.id}/events") as second,
    ):
        for job in [*ahead, mine]:
            while (heard := await ear.next()) and heard.name != "place":
                pass
            assert heard is not None
            assert heard.id is None, "no part of the history, so nobody goes on after it"
            assert heard.data["job_id"] == str(mine.id)
            seen.append((heard.data["position"], heard.data["of"]))
            await streams.move(job, "cancel")
        assert [one.data["event"] for one in await ear.steps()] == ["cancel"]
        places: list[int] = []
        while also := await second.next():
            places += [also.data["position"]] if also.name == "place" else []
    assert seen == [(4, 4), (3, 3), (2, 2), (1, 1)]
    assert places == [4, 3, 2, 1], "one look serves all who listen to the job"


class ShortTokens(NamingGate):
    """Credentials of users are good for a moment."""

    async def identify(self, headers: Mapping[str, str], address: str) -> Caller:
        caller = await super().identify(headers, address)
        return replace(caller, expires_at=time.time() + 0.3)


@pytest.mark.parametrize("asgi", [False, True])
@pytest.mark.parametrize(
    ("gate", "limits"),
    [(ShortTokens(), BRISK), (NamingGate(), replace(BRISK, stream_seconds_max=0.3))],
    ids=["short credentials", "short streams"],
)
async def test_a_quiet_stream_ends_in_its_time(
    database: str, tmp_path: Path, asgi: bool, gate: NamingGate, limits: StreamLimits
) -> None:
    async with streaming(database, tmp_path, asgi=asgi, limits=limits, gate=gate) as streams:
        async with listening(streams.client, "/events") as ear:
            assert await ear.next() is None
        await streams.none_listen()


@pytest.mark.parametrize("asgi", [False, True])
async def test_streams_of_an_owner_are_bounded_and_those_that_are_left_do_not_count(
    database: str, tmp_path: Path, asgi: bool
) -> None:
    limits = replace(BRISK, streams_per_owner_max=2, streams_max=3)
    async with streaming(database, tmp_path, asgi=asgi, limits=limits) as streams:
        ada, bob, cleo = [streams.client.as_(f"user:{name}") for name in (OWNER, OTHER, "cleo")]
        async with listening(ada, "/events"), listening(ada, "/events"):
            refused = await ada.get("/events")
            assert (refused.status, refused.body["code"]) == (429, "too_many_streams")
            assert int(refused.headers["Retry-After"]) > 0
            async with listening(bob, "/events"):
                assert (await cleo.get("/events")).status == 503
        await streams.none_listen()
        async with listening(ada, "/events"), listening(ada, "/events"):
            assert streams.api.hub.count == 2


async def test_many_readers_ask_the_database_no_more_than_one(
    streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nothing happens there is one reader; what happens is looked up once, however many hear of it."""
    asked: list[str] = []
    for part, name in (("stream", "read"), ("stream", "endings"), ("jobs", "get"), ("jobs", "history")):
        _counted(monkeypatch, getattr(streams.store, part), name, asked)
    jobs = [await streams.job() for _ in range(10)]
    for job in jobs:  # a step that gets its place later happens to all who listen by then
        await streams.placed(job)
    async with AsyncExitStack() as stack:
        ears = [
            await stack.enter_async_context(listening(streams.client, f"/jobs/{job.id}/events"))
            for job in jobs
            for _ in range(3)
        ]
        asked.clear()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while asked.count("read") < 5:  # noqa: ASYNC110  # at its interval, nothing rings
                await asyncio.sleep(0.01)
        assert set(asked) == {"read"}, "the one reader is alone"
        for job in jobs:
            await streams.move(job, "cancel")
        heard = [await ear.steps() for ear in ears]
    assert [[one.data["event"] for one in steps] for steps in heard] == [["submit", "cancel"]] * 30
    assert asked.count("endings") <= len(jobs)
    assert "history" not in asked


def _counted(monkeypatch: pytest.MonkeyPatch, part: object, name: str, asked: list[str]) -> None:
    real = getattr(part, name)

    async def counting(*args: object, **given: object) -> object:
        asked.append(name)
        return await real(*args, **given)

    monkeypatch.setattr(part, name, counting)
