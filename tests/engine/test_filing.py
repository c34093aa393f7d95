"""Files of owners in the engine: what fails is not kept nor counted, what is unpaid is not handed out."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any, NoReturn

import pytest

from makegood import BaseJob, Completion, Event, Failure, Money, State
from makegood.errors import FileTooLarge, InvalidInput, InvalidRequest, UnknownFile, UploadsExhausted
from makegood.job import Job
from makegood.outcome import JSON, Output, Succeeded
from makegood.testing.provider import PNG, PNG_END
from tests.engine.world import Upscale, World, a_world

PICTURE = PNG + b" of a lighthouse" + PNG_END
DONE = Succeeded((Output("https://provider.example/1.png", "png"),))


class Shown(Upscale):
    """A person looks at it before it is paid."""

    awaiting_review = State(deadline=timedelta(days=2))
    deliver = Event((BaseJob.starting | BaseJob.running) >> awaiting_review, Completion)
    complete = Event(awaiting_review >> BaseJob.completed, Completion, money=Money.CAPTURE)
    expire = Event(awaiting_review >> BaseJob.failed, Failure, money=Money.RELEASE)

    @classmethod
    def delivered(cls, job: Job, files: Sequence[JSON]) -> tuple[Event[Any], Completion]:
        return cls.deliver, Completion(output={"files": list(files)})


class Free(Upscale):
    price = 0


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def delivered(world: World, job_type: type[BaseJob]) -> Job:
    job = await world.running(job_type, DONE)
    await world.work(world.poller, world.collector)
    return await world.job(job)


async def test_what_is_brought_may_be_ordered_until_it_is_forgotten(world: World) -> None:
    engine, kept = world.engine, world.settings.upload_kept_seconds
    file = await engine.bring("ada", pieces(PICTURE[:3], b"", PICTURE[3:]))
    assert await world.blobs.get(file.key) == PICTURE
    order = {"image": file.key}
    await engine.check_files("ada", "upscale", order)
    await engine.check_files("ada", "upscale", {})
    await engine.submit("upscale", "ada", order)
    await world.after(kept - 1)
    await engine.check_files("ada", "upscale", order)
    await world.after(2)
    with pytest.raises(InvalidInput, match="there is no file"):
        await engine.check_files("ada", "upscale", order)
    assert await world.blobs.get(file.key) == PICTURE


async def test_what_others_have_is_told_as_what_nobody_has(world: World) -> None:
    file = await world.engine.bring("bob", pieces(PICTURE))
    told = []
    for key in (file.key, "0" * 64 + ".png"):
        with pytest.raises(InvalidInput) as caught:
            await world.engine.check_files("ada", "upscale", {"image": key})
        told.append(str(caught.value).replace(key, ""))
    with pytest.raises(InvalidInput) as missing:
        await world.engine.submit("upscale", "ada", {"image": "0" * 64 + ".png"})
    assert told == [told[0], str(missing.value).replace("0" * 64 + ".png", "")]


async def test_what_cannot_be_kept_does_not_count(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds: dict[str, Any] = {"bytes_max": 100, "day_bytes_max": 100}

    async def full(*_: object) -> NoReturn:
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(world.blobs, "put", full)
        with pytest.raises(OSError, match="full"):
            await world.engine.bring("ada", pieces(PICTURE), **bounds)
    for size in (None, 200):
        with pytest.raises(FileTooLarge):
            await world.engine.bring("ada", pieces(PICTURE, bytes(100)), size=size, **bounds)
    with pytest.raises(FileTooLarge, match="At most 100 bytes"):  # the day takes less than a file may have
        await world.engine.bring("ada", pieces(PICTURE), size=200, bytes_max=1_000, day_bytes_max=100)
    with pytest.raises(InvalidRequest, match="owner"):
        await world.engine.bring("", pieces(PICTURE))
    assert world.blobs._files == {}
    assert (await world.engine.bring("ada", pieces(PICTURE), **bounds)).size == len(PICTURE)
    with pytest.raises(UploadsExhausted) as caught:
        await world.engine.bring("ada", pieces(PICTURE), **bounds)
    assert 86_000 < caught.value.again_seconds <= 86_400


async def test_a_result_is_handed_out_once_its_price_is_captured() -> None:
    async with a_world(Shown) as world:
        paid, unpaid = await delivered(world, Shown), await delivered(world, Shown)
        assert paid.output
        assert unpaid.output
        for job in (paid, unpaid):
            with pytest.raises(UnknownFile):
                await world.engine.result(job, 0)
        paid = await world.engine.fire(paid.id, Shown.complete, Completion())
        assert (await world.engine.result(paid, 0))["kind"] == "png"
        for number in (-1, 1):
            with pytest.raises(UnknownFile):
                await world.engine.result(paid, number)
        failure = Failure(category="review", message="Nobody has looked at it.")
        unpaid = await world.engine.fire(unpaid.id, Shown.expire, failure)
        assert unpaid.output, "it is in our storage, and the credits are back"
        with pytest.raises(UnknownFile):
            await world.engine.result(unpaid, 0)


async def test_a_result_that_costs_nothing_is_handed_out_too() -> None:
    async with a_world(Free) as world:
        job = await delivered(world, Free)
        upload = await world.engine.reuse(job, 0)
        assert set(await world.engine.brought("ada", [upload.key, "no key\0 at all"])) == {upload.key}
        assert await world.engine.brought("bob", [upload.key]) == {}
