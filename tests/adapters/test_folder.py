"""Files in a folder: named by content, whole or absent, and nothing outside is ever read."""

import asyncio
import fcntl
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from makegood.ports import Blobs
from makegood_adapters.folder import FolderBlobs, FolderError

DATA = b"\x89PNG\r\n\x1a\n and more"
DIGEST = hashlib.sha256(DATA).hexdigest()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_what_is_put_is_got_by_its_key(tmp_path: Path) -> None:
    blobs: Blobs = FolderBlobs(tmp_path / "not" / "yet")
    key = await blobs.put(DATA, "Holiday.PNG")
    assert key == f"{DIGEST}.png"
    assert await blobs.get(key) == DATA


async def test_the_same_content_is_written_once(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path)
    first = await blobs.put(DATA, "a.png")
    written = blobs.path(first).stat().st_mtime_ns
    assert await blobs.put(DATA, "b.png") == first
    assert blobs.path(first).stat().st_mtime_ns == written


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
    ],
)
async def test_what_is_not_a_key_is_not_looked_for(tmp_path: Path, key: str) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    blobs = FolderBlobs(tmp_path / "inside")
    await blobs.put(DATA, "a.png")
    assert await blobs.get(key) is None
    with pytest.raises(ValueError, match="is not the key of a file"):
        blobs.path(key)


async def test_a_key_without_a_file_is_none(tmp_path: Path) -> None:
    assert await FolderBlobs(tmp_path / "missing").get(f"{DIGEST}.png") is None


async def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FolderError, match=r"cannot be kept in .*: OSError"):
        await FolderBlobs(tmp_path).put(DATA, "a.png")
    assert names(tmp_path) == []


FULL = """
import asyncio, resource, sys
from pathlib import Path
from makegood.errors import MakegoodError
from makegood_adapters.folder import FolderBlobs

resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))
try:
    print(asyncio.run(FolderBlobs(Path(sys.argv[1])).put(b"x" * 2_000_000, "a.png")))
except MakegoodError as error:
    print(error)
"""


async def test_a_file_of_which_only_a_part_has_room_is_told_and_not_kept(tmp_path: Path) -> None:
    # As on a disk that is almost full, the first write is taken in part, and that is no error yet.
    told = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], stdout=subprocess.PIPE, check=True)
    assert told.stdout.decode() == f"A file cannot be kept in {tmp_path}: File too large.\n"
    assert names(tmp_path) == []


KILLED_WHILE_WRITING = """
import asyncio, os, signal, sys
from pathlib import Path
from makegood_adapters.folder import FolderBlobs

os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(FolderBlobs(Path(sys.argv[1])).put(b"x" * 100_000, "a.png"))
"""


async def test_a_killed_writer_leaves_no_file_that_could_be_taken_for_whole(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, str(tmp_path)], timeout=60)
    assert killed.returncode == -9
    assert [name for name in names(tmp_path) if not name.startswith(".part-")] == []
    blobs = FolderBlobs(tmp_path)
    assert await blobs.get(await blobs.put(b"x" * 100_000, "a.png")) == b"x" * 100_000


KILLED_BETWEEN_PIECES = """
import asyncio, os, signal, sys
from pathlib import Path
from makegood_adapters.folder import FolderBlobs

async def pieces():
    for _ in range(3):
        yield bytes(1 << 20)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(FolderBlobs(Path(sys.argv[1])).put(pieces(), "a.mp4"))
"""


async def test_what_a_killed_writer_left_is_swept_at_the_next_start(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED_BETWEEN_PIECES, str(tmp_path)], timeout=60)
    assert killed.returncode == -9
    [left] = names(tmp_path)
    assert left.startswith(".part-")
    FolderBlobs(tmp_path).prepare()
    assert names(tmp_path) == []


async def test_a_start_leaves_alone_what_another_writer_is_writing(tmp_path: Path) -> None:
    going_on, half = asyncio.Event(), asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        yield bytes(2 << 20)
        half.set()
        await going_on.wait()
        yield DATA

    writing = asyncio.create_task(FolderBlobs(tmp_path).put(pieces(), "a.mp4"))
    await half.wait()
    FolderBlobs(tmp_path).prepare()
    [part] = names(tmp_path)
    assert part.startswith(".part-")
    going_on.set()
    key = await writing
    assert names(tmp_path) == [key]


async def test_a_swept_file_that_was_not_locked_yet_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its creation and its lock another start may come and remove it."""
    lock = fcntl.flock
    swept: list[list[str]] = []

    def late(file: Any, operation: int) -> None:
        if not swept and operation == fcntl.LOCK_EX:
            swept.append(names(tmp_path))
            FolderBlobs(tmp_path).prepare()
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    blobs = FolderBlobs(tmp_path)
    key = await blobs.put(DATA, "a.png")
    assert len(swept[0]) == 1
    assert names(tmp_path) == [key]


async def test_a_writer_that_is_cancelled_in_a_thread_is_through_before_its_file_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Again and again cancelled: no thread may write into a closed file, and nothing may be left."""
    inside, going_on = threading.Event(), threading.Event()
    flush = os.fsync

    def slow(handle: int) -> None:
        inside.set()
        going_on.wait(60)
        flush(handle)

    monkeypatch.setattr(os, "fsync", slow)
    task = asyncio.create_task(FolderBlobs(tmp_path).put(DATA, "a.png"))
    await asyncio.to_thread(inside.wait, 60)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
    going_on.set()
    await asyncio.wait([task])
    assert task.cancelled()
    assert names(tmp_path) == [f"{DIGEST}.png"]  # it was whole by then


BIG = """
import asyncio, resource, sys
from pathlib import Path
from makegood_adapters.folder import FolderBlobs

async def pieces():
    for _ in range(6_400):
        yield bytes(65_536)

async def main():
    blobs = FolderBlobs(Path(sys.argv[1]))
    await blobs.put(b"warm", "a.txt")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    key = await blobs.put(pieces(), "a.mp4")
    print(blobs.path(key).stat().st_size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)

asyncio.run(main())
"""


async def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", BIG, str(tmp_path)], timeout=60, capture_output=True, text=True, check=True
    )
    size, grown_kib = map(int, ran.stdout.split())
    assert size == 6_400 * 65_536
    assert grown_kib < 40_000
