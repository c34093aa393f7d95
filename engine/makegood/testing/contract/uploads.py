"""Uploads: an owner uses what it has brought, nobody what others have, and nobody brings without end."""

# ruff: noqa: D102 - the name of a test is its sentence

import asyncio
from uuid import uuid4

import pytest

from makegood.errors import FileNameTaken
from makegood.ports import DAY_SECONDS
from makegood.testing.drive import Drive

ADA, BOB = "ada", "bob"
KEY, OTHER = "0" * 64 + ".png", "1" * 64 + ".png"


class UploadsContract:
    """What `Store.uploads` promises."""

    async def test_what_an_owner_has_brought_is_known_of_it_alone(self, drive: Drive) -> None:
        uploads, upload_id = drive.store.uploads, uuid4()
        assert await uploads.begin(upload_id, ADA, 500, 1_000) is None
        assert await uploads.known(ADA, [KEY]) == []
        kept = await uploads.keep(ADA, KEY, "png", 400, upload_id=upload_id)
        assert (kept.owner, kept.key, kept.kind, kept.size) == (ADA, KEY, "png", 400)
        assert await uploads.known(ADA, [OTHER, KEY, KEY]) == [kept]
        assert await uploads.known(BOB, [KEY]) == []
        assert await uploads.known(ADA, []) == []

    async def test_a_day_takes_so_many_bytes_and_the_next_as_many(self, drive: Drive) -> None:
        uploads, first, second = drive.store.uploads, uuid4(), uuid4()
        assert await uploads.begin(first, ADA, 600, 1_000) is None
        assert await uploads.begin(first, ADA, 600, 1_000) is None, "the same one again"
        await uploads.keep(ADA, KEY, "png", 600, upload_id=first)
        await drive.advance(3_600)
        again = await uploads.begin(second, ADA, 401, 1_000)
        assert again is not None
        assert DAY_SECONDS - 3_700 < again <= DAY_SECONDS - 3_600
        assert await uploads.begin(second, BOB, 401, 1_000) is None
        assert await uploads.begin(uuid4(), ADA, 400, 1_000) is None
        await drive.advance(again + 1)
        assert await uploads.begin(uuid4(), ADA, 600, 1_000) is None

    async def test_more_than_a_day_takes_never_fits(self, drive: Drive) -> None:
        assert await drive.store.uploads.begin(uuid4(), ADA, 1_001, 1_000) is not None

    async def test_what_is_under_way_counts_until_it_is_dropped(self, drive: Drive) -> None:
        uploads, first = drive.store.uploads, uuid4()
        assert await uploads.begin(first, ADA, 900, 1_000) is None
        assert await uploads.begin(uuid4(), ADA, 900, 1_000) is not None
        for _ in range(2):
            await uploads.drop(first)
        assert await uploads.begin(uuid4(), ADA, 900, 1_000) is None

    async def test_of_many_at_once_as_many_begin_as_fit(self, drive: Drive) -> None:
        begun = [drive.store.uploads.begin(uuid4(), ADA, 300, 1_000) for _ in range(12)]
        assert (await asyncio.gather(*begun)).count(None) == 3

    async def test_the_same_file_counts_once_and_what_was_ours_before_not_at_all(self, drive: Drive) -> None:
        uploads = drive.store.uploads
        for _ in range(2):
            upload_id = uuid4()
            assert await uploads.begin(upload_id, ADA, 300, 1_000) is None
            await uploads.keep(ADA, KEY, "png", 300, upload_id=upload_id)
            await uploads.keep(ADA, KEY, "png", 300)
        await uploads.keep(ADA, OTHER, "mp4", 900)
        assert await uploads.begin(uuid4(), ADA, 701, 1_000) is not None
        assert await uploads.begin(uuid4(), ADA, 700, 1_000) is None
        assert {upload.key for upload in await uploads.known(ADA, [KEY, OTHER])} == {KEY, OTHER}

    async def test_what_was_brought_long_ago_is_forgotten_some_at_a_time(self, drive: Drive) -> None:
        uploads = drive.store.uploads
        for owner in (ADA, BOB):
            await uploads.keep(owner, KEY, "png", 300)
        assert await uploads.begin(uuid4(), ADA, 900, 1_000) is None  # its process dies
        await drive.advance(100)
        await uploads.keep(ADA, OTHER, "png", 300)
        assert await uploads.forget(100, 1) == 1
        assert await uploads.forget(100, 5) == 1
        assert await uploads.forget(100, 5) == 0
        assert [upload.key for upload in await uploads.known(ADA, [KEY, OTHER])] == [OTHER]
        assert await uploads.known(BOB, [KEY]) == []
        await drive.advance(DAY_SECONDS)
        assert await uploads.forget(10 * DAY_SECONDS, 5) == 1
        assert await uploads.forget(10 * DAY_SECONDS, 5) == 0

    async def test_who_brings_a_file_again_may_use_it_longer(self, drive: Drive) -> None:
        uploads = drive.store.uploads
        first = await uploads.keep(ADA, KEY, "png", 300)
        await drive.advance(100)
        second = await uploads.keep(ADA, KEY, "png", 300)
        assert (second.brought_at - first.brought_at).total_seconds() >= 100
        assert await uploads.forget(100, 5) == 0
        assert await uploads.known(ADA, [KEY]) == [second]

    async def test_a_name_stands_for_one_file_of_its_owner(self, drive: Drive) -> None:
        uploads, name = drive.store.uploads, "inputs/photo.png"
        first = await uploads.keep(ADA, KEY, "png", 300, name=name)
        other = await uploads.keep(BOB, OTHER, "png", 200, name=name)
        assert await uploads.named(ADA, name) == first
        assert await uploads.named(BOB, name) == other
        assert await uploads.named(ADA, "inputs/other.png") is None
        await uploads.keep(ADA, KEY, "png", 300, name="inputs/again.png")
        assert await uploads.named(ADA, "inputs/again.png") == await uploads.named(ADA, name)

    async def test_a_name_is_taken_over_only_by_who_says_so(self, drive: Drive) -> None:
        uploads, name, upload_id = drive.store.uploads, "inputs/photo.png", uuid4()
        await uploads.keep(ADA, KEY, "png", 300, name=name)
        await uploads.keep(ADA, KEY, "png", 300, name=name)  # the same again
        assert await uploads.begin(upload_id, ADA, 200, 1_000) is None
        with pytest.raises(FileNameTaken):
            await uploads.keep(ADA, OTHER, "png", 200, upload_id=upload_id, name=name)
        assert await uploads.known(ADA, [OTHER]) == [], "nothing is noted"
        assert await uploads.begin(uuid4(), ADA, 801, 1_000) is not None, "and it is still under way"
        later = await uploads.keep(ADA, OTHER, "png", 200, upload_id=upload_id, name=name, replace=True)
        assert await uploads.named(ADA, name) == later
        assert len(await uploads.known(ADA, [KEY, OTHER])) == 2, "the first is still the owner's to use"

    async def test_of_many_that_take_a_name_at_once_one_has_it(self, drive: Drive) -> None:
        uploads, keys = drive.store.uploads, [f"{number}" * 64 + ".png" for number in range(8)]

        async def take(key: str) -> bool:
            try:
                await uploads.keep(ADA, key, "png", 300, name="inputs/photo.png")
            except FileNameTaken:
                return False
            return True

        assert (await asyncio.gather(*map(take, keys))).count(True) == 1
        found = await uploads.named(ADA, "inputs/photo.png")
        assert await uploads.known(ADA, keys) == [found]

    async def test_a_name_is_forgotten_with_its_file(self, drive: Drive) -> None:
        uploads = drive.store.uploads
        await uploads.keep(ADA, KEY, "png", 300, name="old.png")
        await uploads.keep(ADA, KEY, "png", 300, name="taken over.png")
        await drive.advance(100)
        kept = await uploads.keep(ADA, OTHER, "png", 200, name="taken over.png", replace=True)
        assert await uploads.forget(100, 5) == 1
        assert await uploads.named(ADA, "old.png") is None
        assert await uploads.named(ADA, "taken over.png") == kept
