"""The shipped tools that run at Evolink, from order to file, with the requests that reach the site."""

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from makegood import Catalog, Engine, Job, JobMoney, ProviderAccount
from makegood.errors import InvalidInput
from makegood.job import Phase
from makegood.mover import POLL
from makegood.ports import Store
from makegood.runtime import LocalWakeups
from makegood.testing.provider import PNG, PNG_END
from makegood_adapters.evolink import Evolink, EvolinkClient, open_session
from makegood_adapters.memory import MemoryBlobs, MemoryStore
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.toolfiles import default_tools_folder, load_tool
from tests.adapters.scripted_evolink import KEY, MP4, Create, ScriptedEvolink, Task
from tests.scenarios.stage import Holds, patience, quick

OWNER, CREDITS = "ada", 20_000
ACCOUNT = ProviderAccount(name="films", pool="evolink", capacity=2)
TOOLS = ("gpt_image_evolink", "movieled_maker_veo", "seedance", "video_generator_veo")
WEBHOOKS = "https://makegood.example"


@dataclass
class Site:
    """What a test touches."""

    evolink: ScriptedEvolink
    engine: Engine
    store: Store
    blobs: MemoryBlobs
    wakeups: LocalWakeups

    async def picture(self, number: int) -> str:
        """Keep a picture of ours, each number another one, and return its key."""
        return await self.blobs.put(PNG + bytes([number]) + PNG_END, "in.png")

    def address(self, number: int) -> str:
        """Return the address that Evolink gave for this picture."""
        [name] = [name for name, data in self.evolink.files.items() if data[len(PNG)] == number]
        return f"{self.evolink.url}/files/{name}"

    async def order(self, tool: str, **given: Any) -> tuple[Job, Task]:
        """Order a job, and wait until Evolink has its task."""
        job = await self.engine.accept((await self.engine.submit(tool, OWNER, given)).id)
        return job, await self.task()

    async def task(self) -> Task:
        """Wait for the next task."""
        async with patience():
            return await self.evolink.created.get()

    async def until(self, holds: Holds) -> None:
        """Wait until *holds*, looking again when the engine may have learned something, or soon."""
        with self.wakeups.listen(POLL) as bell:
            async with patience():
                while not await holds():
                    await bell.wait(0.02)

    async def ended(self, job: Job, state: str, captured: int) -> Job:
        """Wait for the job's end; it costs *captured*, all else is back, and no slot is left."""
        async with patience():
            async for _ in self.engine.watch(job.id):
                pass
        job = await self.engine.get(job.id)
        assert (job.state, job.error) == (state, job.error)
        money = JobMoney(captured=captured, released=job.price - captured)
        assert await self.engine.money(job.id) == money
        wallet = await self.engine.wallet(OWNER)
        assert (wallet.available, wallet.held) == (CREDITS - captured, 0)
        assert await self.engine.violations() == []
        return job

    async def film(self, job: Job) -> bytes | None:
        """Return the one delivered file, which is one film."""
        assert job.output is not None
        [file] = job.output["files"]
        assert file["kind"] == "mp4"
        return await self.blobs.get(file["key"])


@asynccontextmanager
async def at_evolink(store: Store, **settings: Any) -> AsyncIterator[Site]:
    """Open an account at a scripted Evolink and let an engine work with it; Ada has credits."""
    async with AsyncExitStack() as stack:
        evolink = await stack.enter_async_context(ScriptedEvolink().serve())
        session = await stack.enter_async_context(open_session())
        client = EvolinkClient(session, KEY, evolink.url, timeout_seconds=60, connect_seconds=60)
        blobs, wakeups = MemoryBlobs(), LocalWakeups()
        engine = Engine(
            store,
            Catalog([load_tool(default_tools_folder() / f"{name}.toml") for name in TOOLS]),
            blobs=blobs,
            providers={ACCOUNT: Evolink(client)},
            settings=quick(**settings),
            wakeups=wakeups,
        )
        await stack.enter_async_context(engine)
        await engine.grant(OWNER, CREDITS, source_ref="order-1")
        yield Site(evolink, engine, store, blobs, wakeups)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with at_evolink(MemoryStore()) as opened:
        yield opened


class TestVeo:
    async def test_a_film_between_two_frames_is_brought_home(self, database: str) -> None:
        async with PostgresStore.open(database) as store, at_evolink(store) as site:
            frames = {"start_frame": await site.picture(1), "end_frame": await site.picture(2)}
            given = {"prompt": "a kite", "model": "veo3.1-pro", "generate_audio": True, **frames}
            job, task = await site.order("video_generator_veo", aspect_ratio="9:16", **given)
            assert (job.price, site.evolink.calls.count("POST /v1/videos/generations")) == (5_000, 1)
            assert task.body == {
                "model": "veo-3.1-generate-preview",
                "prompt": "a kite",
                "duration": 8,
                "quality": "1080p",
                "aspect_ratio": "9:16",
                "generate_audio": True,
                "generation_type": "FIRST&LAST",
                "image_urls": [site.address(1), site.address(2)],
            }
            task.shown["status"] = "processing"
            site.evolink.finish(task, site.evolink.result())
            job = await site.ended(job, "completed", captured=5_000)
            assert await site.film(job) == MP4
            assert site.evolink.calls.count("POST /v1/videos/generations") == 1

    async def test_a_film_from_a_text_is_found_by_its_callback(self) -> None:
        never = {"poll_interval_seconds": 300.0, "poll_interval_max_seconds": 300.0}
        async with at_evolink(MemoryStore(), webhook_base_url=WEBHOOKS, **never) as site:
            job, task = await site.order("video_generator_veo", prompt="a kite")
            hook = task.body["callback_url"]
            assert task.body == {
                "model": "veo-3.1-fast-generate-preview",
                "prompt": "a kite",
                "duration": 8,
                "quality": "1080p",
                "aspect_ratio": "16:9",
                "generate_audio": False,
                "generation_type": "TEXT",
                "callback_url": hook,
            }
            assert hook.startswith(f"{WEBHOOKS}/hooks/")
            token = hashlib.sha256(hook.rpartition("/")[2].encode()).digest()

            async def asked() -> bool:
                return f"GET /v1/tasks/{task.id}" in site.evolink.calls

            await site.until(asked)  # the first question comes at once, and no other one
            site.evolink.finish(task, site.evolink.result())
            assert await site.engine.receive_webhook(token, {}, json.dumps(task.shown).encode())
            await site.ended(job, "completed", captured=1_500)

    async def test_a_frame_of_the_led_screen_is_six_seconds_without_sound(self, site: Site) -> None:
        job, task = await site.order("movieled_maker_veo", reference=await site.picture(1), text="JANE")
        prompt = task.body["prompt"]
        assert task.body == {
            "model": "veo-3.1-fast-generate-preview",
            "prompt": prompt,
            "duration": 6,
            "quality": "1080p",
            "aspect_ratio": "16:9",
            "generate_audio": False,
            "generation_type": "FIRST&LAST",
            "image_urls": [site.address(1)],
        }
        assert ": JANE." in prompt
        site.evolink.finish(task, site.evolink.result())
        await site.ended(job, "completed", captured=1_500)


class TestSeedance:
    async def test_it_costs_its_rate_for_each_second(self, site: Site) -> None:
        given = {"model": "seedance-2.0-image-to-video", "quality": "480p", "duration": 7}
        images = [await site.picture(1), await site.picture(2)]
        job, task = await site.order("seedance", prompt="a kite", images=images, **given)
        assert job.price == 130 * 7
        assert task.body == {
            **given,
            "prompt": "a kite",
            "aspect_ratio": "16:9",
            "generate_audio": True,
            "image_urls": [site.address(1), site.address(2)],
        }
        site.evolink.finish(task, site.evolink.result())
        job = await site.ended(job, "completed", captured=910)
        assert await site.film(job) == MP4

    async def test_a_star_that_evolink_refuses_is_given_back_in_its_words(self, site: Site) -> None:
        given = {"model": "seedance-2.0-text-to-video", "prompt": "a star"}
        job, task = await site.order("seedance", duration=5, quality="720p", **given)
        assert job.price == 300 * 5
        site.evolink.fail(task, "content_policy_violation", "celebrity detected")
        job = await site.ended(job, "failed", captured=0)
        assert job.error is not None
        assert "content_policy_violation: celebrity detected" in json.dumps(job.error)
        assert site.evolink.calls.count("POST /v1/videos/generations") == 1

    async def test_what_passes_is_run_again_under_the_same_hold(self, site: Site) -> None:
        given = {"model": "seedance-2.0-fast-text-to-video", "prompt": "a kite"}
        job, task = await site.order("seedance", duration=4, quality="480p", **given)
        site.evolink.fail(task, "service_error")
        again = await site.task()
        assert (again.id != task.id, again.body) == (True, task.body)
        site.evolink.finish(again, site.evolink.result())
        await site.ended(job, "completed", captured=400)


class TestTrouble:
    async def test_a_picture_in_place_of_a_film_is_no_result(self, site: Site) -> None:
        job, task = await site.order("video_generator_veo", prompt="a kite")
        site.evolink.results["film.mp4"] = PNG + PNG_END
        site.evolink.finish(task, site.evolink.result())

        async def tried() -> bool:
            return "GET /results/film.mp4" in site.evolink.calls

        await site.until(tried)
        site.evolink.results["film.mp4"] = MP4
        await site.ended(job, "completed", captured=1_500)

    async def test_a_lost_reply_is_never_repeated(self, site: Site) -> None:
        site.evolink.plans.extend([Create.TAKEN_THEN_CUT])
        job, _ = await site.order("video_generator_veo", prompt="a kite")

        async def doubted() -> bool:
            attempt = await site.store.attempts.get(job.id, 1)
            return attempt is not None and attempt.phase is Phase.UNCERTAIN

        await site.until(doubted)
        assert (await site.engine.wallet(OWNER)).held == 1_500
        assert site.evolink.calls.count("POST /v1/videos/generations") == 1

    async def test_an_account_without_credits_gives_all_back(self, site: Site) -> None:
        site.evolink.refusals.append((402, "insufficient_user_quota", "top up"))
        given = {"prompt": "a kite", "references": [await site.picture(1)]}
        job = await site.engine.accept((await site.engine.submit("gpt_image_evolink", OWNER, given)).id)
        job = await site.ended(job, "failed", captured=0)
        assert job.error is not None
        assert job.error["category"] == "provider"
        [body] = site.evolink.bodies
        assert body == {
            "model": "gpt-image-2-beta",
            "prompt": "a kite",
            "size": "auto",
            "image_urls": [site.address(1)],
        }

    async def test_an_input_that_no_model_takes_is_not_ordered(self, site: Site) -> None:
        for model in ("seedance-9", "seedance-2.0-image-to-video"):  # unknown, and without its frame
            with pytest.raises(InvalidInput):
                await site.engine.submit("seedance", OWNER, {"prompt": "x", "model": model})
        assert site.evolink.calls == []
