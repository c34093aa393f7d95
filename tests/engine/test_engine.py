"""The beginning of a job's life: what is taken, what is refused, what is charged."""

import asyncio
import hashlib
from typing import Annotated, Any
from uuid import uuid4

import pytest
from pydantic import BaseModel

from makegood import (
    BaseJob,
    Catalog,
    DeclarationError,
    File,
    IllegalTransition,
    InsufficientCredits,
    InvalidInput,
    Job,
    JobInput,
    JobMoney,
    KeyReused,
    UnknownJob,
    UnknownJobType,
)
from makegood.testing.provider import PNG
from makegood_adapters.memory import MemoryBlobs
from tests.engine.world import PRICE, WALLET, Upscale, World, a_world, in_state


class Priced(BaseJob):
    """Costs what its input says, by our own table."""

    pool = "gpu"

    class Input(JobInput):
        """One of two sizes."""

        size: int = 1
        image: Annotated[str | None, File(("png", "jpeg"), size_max=100)] = None

    @classmethod
    def price_of(cls, value: BaseModel) -> int:
        return 10 * int(value.model_dump()["size"])

    @classmethod
    def request(cls, value: BaseModel) -> dict[str, Any]:
        return {"app": "7", "size": str(value.model_dump()["size"])}


class TestSubmit:
    async def test_a_new_job_is_pending_and_nothing_is_charged(self, world: World) -> None:
        job = await world.engine.submit(Upscale, "ada", {"scale": 4}, priority=3)
        assert (job.state, job.owner, job.type, job.priority) == ("pending", "ada", "upscale", 3)
        assert job.input == {"image": None, "scale": 4}
        assert await world.engine.get(job.id) == job
        assert await world.money(job) == JobMoney()
        assert (await world.engine.wallet("ada")).available == WALLET

    async def test_the_price_and_the_request_are_made_here_and_stay(self) -> None:
        async with a_world(Priced) as world:
            job = await world.engine.submit("priced", "ada", {"size": 7})
            assert (job.price, job.request) == (70, {"app": "7", "size": "7"})
            assert await world.money(await world.engine.accept(job.id)) == JobMoney(held=70)

    @pytest.mark.parametrize(
        "field",
        ["price", "creditCost", "owner", "state", "status", "trial_mode", "settled", "output", "task_id"],
    )
    async def test_d44_a_client_cannot_send_what_the_server_decides(self, world: World, field: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            await world.engine.submit(Upscale, "ada", {"scale": 2, field: 0})
        assert [name for name, _ in refused.value.problems] == [field]

    async def test_an_unknown_type_is_refused_with_the_known_ones(self, world: World) -> None:
        with pytest.raises(UnknownJobType, match=r"no job type 'upscaler'\. Known job types: upscale"):
            await world.engine.submit("upscaler", "ada", {})

    async def test_invalid_input_is_refused_with_every_field(self, world: World) -> None:
        with pytest.raises(InvalidInput) as refused:
            await world.engine.submit(Upscale, "ada", {"scale": "big", "colour": "red"})
        assert {name for name, _ in refused.value.problems} == {"scale", "colour"}
        assert "Nothing was charged" in str(refused.value)

    @pytest.mark.parametrize(
        ("data", "problem"),
        [
            (None, "there is no file"),
            (b"GIF89a" + bytes(10), "the file is gif, wanted: png, jpeg"),
            (b"\0\0\0\0ftypmp42", "the file is mp4, wanted: png, jpeg"),
            (b"", "the file is of an unknown format"),
            (PNG + bytes(93), "the file has 101 bytes, at most 100 are taken"),
        ],
        ids=["missing", "another image", "wrong", "empty", "too big"],
    )
    async def test_d24_a_file_that_the_type_does_not_take_is_refused_before_the_charge(
        self, data: bytes | None, problem: str
    ) -> None:
        async with a_world(Priced) as world:
            # What a file is called says nothing.
            key = "nowhere.png" if data is None else await world.blobs.put(data, "image.png")
            with pytest.raises(InvalidInput) as refused:
                await world.engine.submit(Priced, "ada", {"image": key})
            [(field, text)] = refused.value.problems
            assert field == "image"
            assert text.startswith(problem)
            assert (await world.engine.wallet("ada")).available == WALLET

    @pytest.mark.parametrize("data", [PNG + bytes(92), b"\xff\xd8\xff\xe0"])
    async def test_a_file_that_the_type_takes_is_named_in_the_job(self, data: bytes) -> None:
        async with a_world(Priced) as world:
            key = await world.blobs.put(data, "a.txt")
            job = await world.engine.submit(Priced, "ada", {"image": key})
            assert job.files == {"image": key}

    async def test_d30_twenty_clicks_with_one_key_make_one_job_and_one_charge(self, world: World) -> None:
        async def click() -> Job:
            job = await world.engine.submit(Upscale, "ada", {"scale": 2}, key="click")
            return await world.engine.accept(job.id)

        jobs = await asyncio.gather(*(click() for _ in range(20)))
        assert len({job.id for job in jobs}) == 1
        assert (await world.engine.wallet("ada")).held == PRICE

    async def test_a_key_stands_for_one_request(self, world: World) -> None:
        job = await world.engine.submit(Upscale, "ada", {"scale": 2}, key="k")
        with pytest.raises(KeyReused):
            await world.engine.submit(Upscale, "ada", {"scale": 4}, key="k")
        assert (await world.engine.submit(Upscale, "bo", {"scale": 4}, key="k")).id != job.id
        assert await world.job(job) == job

    async def test_p18_a_retry_is_a_new_job(self, world: World) -> None:
        first = await world.queued()
        await world.engine.cancel(first.id)
        second = await world.engine.submit(Upscale, "ada", {}, retry_of=first.id)
        assert (second.retry_of, second.state) == (first.id, "pending")
        assert (await world.job(first)).state == "cancelled"


class TestAccept:
    async def test_the_price_is_held_and_the_job_queued(self, world: World) -> None:
        job = await world.engine.accept((await world.pending()).id, actor="ada")
        assert job.state == "queued"
        assert await world.money(job) == JobMoney(held=PRICE)
        wallet = await world.engine.wallet("ada")
        assert (wallet.available, wallet.held) == (WALLET - PRICE, PRICE)

    async def test_d47_accepting_again_charges_nothing_again(self, world: World) -> None:
        job = await world.pending()
        await asyncio.gather(*(world.engine.accept(job.id) for _ in range(40)))
        assert await world.way(job) == ["submit", "accept"]
        await world.dispatcher.turn()
        assert (await world.engine.accept(job.id)).state == "starting"
        assert (await world.engine.wallet("ada")).held == PRICE

    async def test_d7_too_few_credits_end_the_job_and_charge_nothing(self, world: World) -> None:
        await world.engine.grant("bo", PRICE - 1, source_ref="order-2")
        job = await world.engine.submit(Upscale, "bo", {})
        with pytest.raises(
            InsufficientCredits, match=r"costs 100 credits and bo has 99\. .* add 1 credits"
        ) as refused:
            await world.engine.accept(job.id)
        assert (refused.value.price, refused.value.available) == (PRICE, PRICE - 1)
        ended = await world.job(job)
        assert (ended.state, ended.settled) == ("failed", 0)
        assert ended.error is not None
        assert ended.error["category"] == "insufficient_credits"
        assert await world.money(job) == JobMoney()
        assert (await world.engine.wallet("bo")).available == PRICE - 1

    async def test_the_last_credits_are_spent_by_one_job(self, world: World) -> None:
        await world.engine.grant("bo", PRICE, source_ref="order-2")
        jobs = [await world.engine.submit(Upscale, "bo", {}) for _ in range(5)]
        told = await asyncio.gather(*(world.engine.accept(job.id) for job in jobs), return_exceptions=True)
        assert sum(isinstance(answer, Job) for answer in told) == 1
        assert sum(isinstance(answer, InsufficientCredits) for answer in told) == 4
        assert (await world.engine.wallet("bo")).held == PRICE

    @pytest.mark.parametrize("state", ["completed", "failed", "cancelled"])
    async def test_m6_a_job_that_is_over_is_not_accepted_again(self, world: World, state: str) -> None:
        job = await in_state(world, state)
        with pytest.raises(IllegalTransition) as refused:
            await world.engine.accept(job.id)
        assert (refused.value.state, refused.value.allowed) == (state, ())
        assert await world.job(job) == job

    async def test_an_unknown_job_is_said_to_be_unknown(self, world: World) -> None:
        for act in (world.engine.accept, world.engine.cancel, world.engine.get):
            with pytest.raises(UnknownJob):
                await act(uuid4())
        with pytest.raises(UnknownJob):
            await world.engine.report(uuid4(), "It hangs.")


async def test_two_types_of_one_name_are_refused() -> None:
    class Other(BaseJob):
        name = "upscale"

    with pytest.raises(DeclarationError, match="upscale"):
        Catalog([Upscale, Other])


async def test_a_grant_is_made_once_for_each_source(world: World) -> None:
    assert not await world.engine.grant("ada", 500, source_ref="order-1")
    assert await world.engine.grant("ada", 500, source_ref="order-2")
    assert (await world.engine.wallet("ada")).available == WALLET + 500


async def test_files_in_memory_are_kept_by_their_content() -> None:
    blobs = MemoryBlobs()
    key = await blobs.put(PNG, "../cat.PNG")
    assert key == f"{hashlib.sha256(PNG).hexdigest()}.png"
    assert await blobs.get(key) == PNG
    assert (await blobs.put(PNG, "dog.png"), await blobs.put(b"", "nothing")) == (
        key,
        f"{hashlib.sha256(b'').hexdigest()}.bin",
    )
    assert await blobs.get("../cat.PNG") is None
