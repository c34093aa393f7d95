"""What every place for files of ours must do, as tests for any of them."""

# ruff: noqa: D102 - the name of a test is its sentence

import asyncio
import hashlib
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress

import pytest

from makegood.errors import UnknownFile
from makegood.ports import PIECE_BYTES, Blobs

DATA = b"\x89PNG\r\n\x1a\n and more"
DIGEST = hashlib.sha256(DATA).hexdigest()
PIECE = bytes(range(256)) * 256
#: Larger than what any place may gather or send at once.
PIECES = 150


async def pieces(count: int = PIECES) -> AsyncGenerator[bytes, None]:
    """Yield *count* pieces of 64 KiB."""
    for _ in range(count):
        yield PIECE


class BlobsContract(ABC):
    """Subclass it as `Test…`; give it `kept` and a fixture `blobs`, which yields an empty place."""

    @abstractmethod
    async def kept(self, blobs: Blobs) -> list[str]:
        """Return the names of everything in the place, whole or not."""

    async def test_what_is_put_is_got_by_its_key(self, blobs: Blobs) -> None:
        key = await blobs.put(DATA, "Holiday.PNG")
        assert key == f"{DIGEST}.png"
        assert await blobs.get(key) == DATA

    async def test_the_same_content_has_the_same_key_and_is_kept_once(self, blobs: Blobs) -> None:
        first = await blobs.put(DATA, "a.png")
        assert await blobs.put(DATA, "b.png") == first
        assert await self.kept(blobs) == [first]
        assert await blobs.get(first) == DATA

    async def test_pieces_are_kept_like_the_whole(self, blobs: Blobs) -> None:
        async def torn() -> AsyncIterator[bytes]:
            for place in range(0, len(DATA), 5):
                yield DATA[place : place + 5]
                yield b""

        assert await blobs.put(torn(), "a.png") == await blobs.put(DATA, "a.png")
        assert await self.kept(blobs) == [f"{DIGEST}.png"]

    async def test_a_file_of_many_pieces_is_kept_whole(self, blobs: Blobs) -> None:
        key = await blobs.put(pieces(), "a.mp4")
        assert key == f"{hashlib.sha256(PIECE * PIECES).hexdigest()}.mp4"
        assert await blobs.get(key) == PIECE * PIECES
        assert await self.kept(blobs) == [key]

    async def test_empty_content_is_content(self, blobs: Blobs) -> None:
        assert await blobs.get(await blobs.put(b"", "nothing.png")) == b""
        assert await blobs.get(await blobs.put(pieces(0), "nothing.gif")) == b""

    @pytest.mark.parametrize("before", [0, 1, PIECES])
    async def test_what_the_pieces_raise_is_raised_and_nothing_is_kept(
        self, blobs: Blobs, before: int
    ) -> None:
        async def torn() -> AsyncIterator[bytes]:
            async for piece in pieces(before):
                yield piece
            raise ConnectionError("the line broke")

        with pytest.raises(ConnectionError, match="the line broke"):
            await blobs.put(torn(), "a.mp4")
        assert await self.kept(blobs) == []

    @pytest.mark.parametrize("before", [0, 1, PIECES])
    async def test_nothing_is_kept_of_what_is_cancelled(self, blobs: Blobs, before: int) -> None:
        reached = asyncio.Event()

        async def stuck() -> AsyncIterator[bytes]:
            async for piece in pieces(before):
                yield piece
            reached.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(blobs.put(stuck(), "a.mp4"))
        await reached.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert await self.kept(blobs) == []

    async def test_many_at_once_are_kept_each_for_itself(self, blobs: Blobs) -> None:
        keys = await asyncio.gather(*(blobs.put(pieces(number % 4), "a.mp4") for number in range(12)))
        assert len(set(keys)) == 4
        assert await self.kept(blobs) == sorted(set(keys))

    @pytest.mark.parametrize(
        ("name", "extension"),
        [
            ("a.jpeg", "jpeg"),
            ("a.tar.GZ", "gz"),
            ("no extension", "bin"),
            ("", "bin"),
            (".png", "bin"),
            ("a.p/../../etc", "bin"),
            ("a.p\x00g", "bin"),
            ("a.ünï", "bin"),
            ("a.muchtoolongtobetrue", "bin"),
            ("../../outside.png", "png"),
        ],
    )
    async def test_only_a_clean_extension_of_the_name_is_used(
        self, blobs: Blobs, name: str, extension: str
    ) -> None:
        assert await blobs.put(DATA, name) == f"{DIGEST}.{extension}"
        assert await self.kept(blobs) == [f"{DIGEST}.{extension}"]

    @pytest.mark.parametrize(
        "key",
        [
            "",
            "secret",
            "../secret",
            "/etc/passwd",
            f"{DIGEST}",
            f"{DIGEST}.png\n",
            f"{DIGEST.upper()}.png",
            f"../inside/{DIGEST}.png",
            f"{DIGEST}.png/../../secret",
            f"{DIGEST}.p..",
            f"{DIGEST[:-1]}.png",
            f"{DIGEST}.gif",
        ],
    )
    async def test_what_is_no_key_of_a_file_is_none(self, blobs: Blobs, key: str) -> None:
        await blobs.put(DATA, "a.png")
        assert await blobs.get(key) is None
        assert await blobs.size(key) is None
        with pytest.raises(UnknownFile):
            await anext(blobs.read(key))

    async def test_a_file_is_read_in_small_pieces(self, blobs: Blobs) -> None:
        key = await blobs.put(pieces(), "a.mp4")
        assert await blobs.size(key) == len(PIECE) * PIECES
        read = [piece async for piece in blobs.read(key)]
        assert max(map(len, read)) <= PIECE_BYTES
        assert all(read)
        assert b"".join(read) == PIECE * PIECES

    @pytest.mark.parametrize(
        ("start", "end"),
        [
            (0, 0),
            (0, 1),
            (0, None),
            (7, 7),
            (7, 3),
            (PIECE_BYTES - 1, PIECE_BYTES + 1),
            (1, 20 * PIECE_BYTES + 1),
            (21 * PIECE_BYTES - 3, None),
            (21 * PIECE_BYTES - 3, 99 * PIECE_BYTES),
            (21 * PIECE_BYTES, None),
            (21 * PIECE_BYTES, 99 * PIECE_BYTES),
            (50 * PIECE_BYTES, None),
            (50 * PIECE_BYTES, 51 * PIECE_BYTES),
        ],
    )
    async def test_a_part_is_read_and_what_lies_behind_the_end_is_not_there(
        self, blobs: Blobs, start: int, end: int | None
    ) -> None:
        key, whole = await blobs.put(pieces(21), "a.mp4"), PIECE * 21
        read = [piece async for piece in blobs.read(key, start, end)]
        assert b"".join(read) == whole[start:end]
        assert all(read)

    async def test_empty_content_has_no_pieces(self, blobs: Blobs) -> None:
        key = await blobs.put(b"", "nothing.png")
        assert await blobs.size(key) == 0
        assert [piece async for piece in blobs.read(key)] == []

    async def test_who_stops_reading_leaves_nothing_open(self, blobs: Blobs) -> None:
        key = await blobs.put(pieces(21), "a.mp4")
        for _ in range(3):
            reading = blobs.read(key)
            assert await anext(reading)
            await reading.aclose()
        assert b"".join([piece async for piece in blobs.read(key)]) == PIECE * 21
