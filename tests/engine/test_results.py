"""The rule of results: a success of which no file is ours by its deadline is a failure, and costs nothing.

Each test of the rule ends with the job failed, the credits back, the slot free and no broken invariant.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from makegood import BaseJob, Job, ProviderUnavailable, Settings
from makegood.outcome import Output, Succeeded
from makegood.runtime import Collector
from makegood.testing.provider import PNG, PNG_END
from makegood_adapters.memory import MemoryBlobs
from tests.engine.world import PRICE, SETTINGS, Upscale, World, a_world

A, B, C = (f"https://provider.example/{name}.png" for name in "abc")
DONE = Succeeded((Output(A, "png", "9"),))
HTML = b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>"
DEADLINE = Upscale.fetch_deadline.total_seconds()
SMALL = replace(SETTINGS, output_bytes_max=100)


class Down(MemoryBlobs):
    """A place for files that cannot be reached while it is `down`."""

    down = True

    async def put(self, content: Any, name: str) -> str:
        if self.down:
            raise OSError(5, "Input/output error")
        return await super().put(content, name)


everywhere = pytest.mark.parametrize("world", ["memory", "postgres"], indirect=True)


def use(world: World, *, blobs: MemoryBlobs | None = None, settings: Settings | None = None) -> None:
    """Go on with another place for files or other settings, as a new process would."""
    changed = replace(world.context, blobs=blobs or world.blobs, settings=settings or world.settings)
    world.context, world.blobs, world.settings = changed, blobs or world.blobs, changed.settings
    world.collector = Collector(changed)


async def done(world: World, *outputs: Output) -> Job:
    """Return a job that is done at the provider and whose files are not here; its slot is free."""
    job = await world.running(Upscale, Succeeded(outputs) if outputs else DONE)
    await world.work(world.poller)
    assert ((await world.job(job)).state, await world.slots()) == ("running", (0, 0))
    return job


async def tried_until_the_deadline(world: World, job: Job) -> int:
    """Let time pass until the job is over, a minute at a time; return how often its file was fetched."""
    for _ in range(int(DEADLINE / 60)):
        await world.work(world.collector)
        assert (await world.job(job)).state == "running"
        await world.clock.advance(60)
    await world.work(world.collector)
    return world.provider.count("fetch")


async def given_up(world: World, job: Job, category: str, message: str) -> dict[str, Any]:
    """Assert that the job has failed for this, with its credits back and its slot free; return the detail."""
    ended = await world.ended(job, "failed")
    assert ended.error is not None
    assert (ended.error["category"], ended.error["message"]) == (category, message)
    assert (ended.output, await world.slots()) == (None, (0, 0))
    detail: dict[str, Any] = ended.error["detail"]
    return detail


@everywhere
class TestTheRule:
    """A success without a file that is ours by its deadline fails with release."""

    async def test_no_outputs(self, world: World) -> None:
        job = await world.running(Upscale, Succeeded(()))
        await world.work(world.poller)
        await given_up(world, job, "no_output", "The provider delivered no result.")

    async def test_nothing_but_empty_texts(self, world: World) -> None:
        job = await done(world, Output("", "txt", text=""), Output("", "txt", text=""))
        await world.work(world.collector)
        await given_up(world, job, "no_output", "The provider delivered no result.")
        assert world.provider.count("fetch") == 0

    async def test_an_expired_address(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        expired = "The result cannot be downloaded: HTTP 403, its address has expired"
        world.provider.contents[A] = (ProviderUnavailable(expired),)
        job = await done(world)
        tries = await tried_until_the_deadline(world, job)
        detail = await given_up(world, job, "result", "The result could not be fetched in time.")
        assert detail == {"reason": expired}
        assert 8 < tries < 60
        assert f"result of job {job.id} could not be fetched: {expired}" in caplog.messages
        [*_, last] = await world.store.attempts.evidence(job.id)
        assert (last.source, last.detail) == ("fetch deadline", {"reason": expired})

    async def test_html_in_place_of_the_file(self, world: World) -> None:
        world.provider.contents[A] = (HTML,)
        job = await done(world)
        assert await tried_until_the_deadline(world, job) > 8
        detail = await given_up(world, job, "result", "The result could not be fetched in time.")
        assert detail == {"reason": "The provider sent an HTML page in place of a png file."}
        assert world.blobs._files == {}

    async def test_a_file_that_is_cut_off_each_time(self, world: World) -> None:
        world.provider.contents[A] = (PNG, bytes(5_000))
        job = await done(world)
        assert await tried_until_the_deadline(world, job) > 8
        detail = await given_up(world, job, "result", "The result could not be fetched in time.")
        assert detail == {"reason": "The png file is cut off after 5008 bytes."}
        assert world.blobs._files == {}

    async def test_a_file_larger_than_the_limit_is_given_up_at_once(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        """No later download of it would fit."""
        use(world, settings=SMALL)
        world.provider.contents[A] = (PNG, bytes(100), PNG_END)
        job = await done(world)
        await world.work(world.collector)
        message = "The result is larger than 100 bytes, the most that is brought home."
        await given_up(world, job, "too_large", message)
        assert world.provider.count("fetch") == 1
        assert f"result of job {job.id} is given up: {message}" in caplog.messages

    async def test_a_place_for_files_that_is_down(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        use(world, blobs=Down())
        job = await done(world)
        await tried_until_the_deadline(world, job)
        detail = await given_up(world, job, "result", "The result could not be fetched in time.")
        assert detail == {"reason": "It could not be kept (OSError)."}
        assert any(record.exc_info for record in caplog.records)

    async def test_one_file_of_several(self, world: World) -> None:
        """Half a result is none: the job costs nothing."""
        world.provider.contents[B] = (HTML,)
        job = await done(world, Output(A, "png"), Output(B, "png"))
        await tried_until_the_deadline(world, job)
        await given_up(world, job, "result", "The result could not be fetched in time.")


@everywhere
class TestFetchedAgain:
    """Until the deadline a result is fetched again and again, and it holds no slot meanwhile."""

    @pytest.mark.parametrize(
        "first",
        [
            (HTML,),
            (b'{"code": 500}',),
            (),
            (PNG, bytes(9_000)),
            (PNG, ProviderUnavailable("the line broke")),
            (PNG, ConnectionError("the line broke")),
        ],
    )
    async def test_what_is_no_result_once_may_be_one_later(
        self, world: World, first: Sequence[bytes | Exception]
    ) -> None:
        world.provider.contents[A] = first
        job = await done(world)
        await world.work(world.collector)
        assert ((await world.job(job)).state, world.blobs._files) == ("running", {})
        del world.provider.contents[A]
        await world.clock.advance(world.settings.fetch_again_seconds)
        await world.work(world.collector)
        await world.ended(job, "completed", captured=PRICE)

    async def test_a_place_for_files_that_comes_back(self, world: World) -> None:
        down = Down()
        use(world, blobs=down)
        job = await done(world)
        await world.work(world.collector)
        down.down = False
        await world.clock.advance(world.settings.fetch_again_seconds)
        await world.work(world.collector)
        ended = await world.ended(job, "completed", captured=PRICE)
        assert ended.output is not None
        assert await down.get(ended.output["files"][0]["key"])

    async def test_files_that_are_home_are_not_fetched_again(self, world: World) -> None:
        outputs = [Output(url, "png") for url in (A, B, C)]
        world.provider.contents[B] = (HTML,)
        job = await done(world, *outputs)
        for _ in range(5):
            await world.work(world.collector)
            await world.clock.advance(600)
        del world.provider.contents[B]
        await world.work(world.collector)
        ended = await world.ended(job, "completed", captured=PRICE)
        fetched = [url for method, url in world.provider.calls if method == "fetch"]
        assert (fetched.count(A), fetched.count(B), fetched.count(C)) == (1, 6, 1)
        assert ended.output is not None
        assert [
            (await world.blobs.get(file["key"]) or b"")[8:-12].decode() for file in ended.output["files"]
        ] == [
            A,
            B,
            C,
        ]
        assert world.collector._home == {}

    async def test_each_file_of_a_result_has_the_whole_time(self, world: World) -> None:
        """A second worker must not begin while the first is still at the second file."""
        job = await done(world, Output(A, "png"), Output(B, "png"))
        first, second = world.provider.gate("fetch"), world.provider.gate("fetch")
        most = world.settings.fetch_timeout_seconds - 1
        await world.collector.turn()
        await first.reached.wait()
        await world.clock.advance(most)
        first.opened.set()
        await second.reached.wait()
        await world.clock.advance(most)
        other = Collector(world.context)
        await other.turn()
        assert other.crew.room == world.settings.batch_max
        second.opened.set()
        await world.collector.crew.drain(30)
        await world.ended(job, "completed", captured=PRICE)
        assert world.provider.count("fetch") == 2


@everywhere
class TestOurs:
    """`complete` is fired when the file is ours, and says what we have."""

    async def test_a_file_is_told_with_its_size_and_digest(self, world: World) -> None:
        world.provider.contents[A] = (PNG, bytes(70_000), PNG_END)
        job = await done(world)
        await world.work(world.collector)
        ended = await world.ended(job, "completed", captured=PRICE)
        assert ended.output is not None
        [file] = ended.output["files"]
        assert file == {
            "key": f"{file['sha256']}.png",
            "kind": "png",
            "node": "9",
            "size": 70_000 + len(PNG + PNG_END),
            "sha256": file["sha256"],
        }

    async def test_a_file_is_stored_as_what_it_is(self, world: World) -> None:
        world.provider.contents[A] = (b"RIFF\x10\0\0\0WEBP", bytes(12))
        job = await done(world)
        await world.work(world.collector)
        ended = await world.ended(job, "completed", captured=PRICE)
        assert ended.output is not None
        [file] = ended.output["files"]
        assert (file["kind"], file["key"].endswith(".webp")) == ("webp", True)

    async def test_a_text_that_came_with_the_answer_is_kept_without_a_download(self, world: World) -> None:
        text = "A lighthouse, 灯塔"
        job = await done(
            world,
            Output("", "", "4", text=text),
            Output("", "json", "5", text="{}"),
            Output("", "txt", "6", text=""),
        )
        await world.work(world.collector)
        ended = await world.ended(job, "completed", captured=PRICE)
        assert ended.output is not None
        first, second = ended.output["files"]
        assert (first["kind"], first["node"], second["kind"]) == ("txt", "4", "json")
        assert await world.blobs.get(first["key"]) == text.encode()
        assert first["key"].endswith(".txt")
        assert world.provider.count("fetch") == 0

    async def test_a_worker_killed_between_put_and_complete_costs_one_capture_and_one_file(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job = await done(world)
        follow, held = world.mover.follow, asyncio.Event()

        async def never(*args: Any, **given: Any) -> None:
            held.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(world.mover, "follow", never)
        await world.collector.turn()
        await held.wait()
        assert len(world.blobs._files) == 1
        await world.collector.crew.drain(0)
        assert (await world.job(job)).state == "running"
        monkeypatch.setattr(world.mover, "follow", follow)
        use(world)
        await world.clock.advance(world.settings.fetch_timeout_seconds + 1)
        await world.work(world.collector)
        await world.ended(job, "completed", captured=PRICE)
        assert (await world.way(job)).count("complete") == 1
        assert len(world.blobs._files) == 1

    async def test_two_workers_that_bring_it_at_once_capture_once(self, world: World) -> None:
        job = await done(world)
        attempt = await world.attempt(job)
        await asyncio.gather(*(Collector(world.context)._bring(attempt) for _ in range(3)))
        await world.ended(job, "completed", captured=PRICE)
        assert len(world.blobs._files) == 1


async def test_what_a_collector_remembers_is_bounded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("makegood.runtime.collector._REMEMBERED_MAX", 2)
    caplog.set_level(logging.ERROR)
    async with a_world(capacity=5) as world:
        world.provider.contents[B] = (HTML,)
        for _ in range(5):
            await done(world, Output(A, "png"), Output(B, "png"))
        await world.work(world.collector)
        assert len(world.collector._home) == 2
        del world.provider.contents[B]
        await world.clock.advance(600)
        await world.work(world.collector)
        assert world.collector._home == {}


async def test_pauses_grow_and_are_bounded_and_the_last_try_meets_the_deadline() -> None:
    """In a real process each second counts; the pause is a row, so it outlives the process."""

    class Patient(BaseJob):
        pool, price = "gpu", PRICE
        fetch_deadline = timedelta(hours=24)

    async with a_world(Patient) as world:
        world.provider.fail("fetch", 10_000)
        job = await world.running(Patient, DONE)
        await world.work(world.poller)
        begun, tries = world.clock(), []
        for _ in range(24 * 360 + 1):
            before = world.provider.count("fetch")
            world.collector = Collector(world.context)
            await world.work(world.collector)
            if world.provider.count("fetch") > before:
                tries.append((world.clock() - begun).total_seconds())
            await world.clock.advance(10)
        await world.ended(job, "failed")
    pauses = [later - sooner for sooner, later in pairwise(tries)]
    assert tries[0] == 0
    assert tries[-1] == 24 * 3_600
    assert max(pauses) <= world.settings.fetch_again_max_seconds + 10
    assert sum(pauses[:4]) < 200
    assert 100 < len(tries) < 300
