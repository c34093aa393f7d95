"""Files in a folder: named by content, whole or absent, and nothing outside is ever read."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from makegood.ports import Blobs
from makegood_adapters.folder import FolderBlobs

DATA = b"\x89PNG\r\n\x1a\n and more"
DIGEST = hashlib.sha256(DATA).hexdigest()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_what_is_put_is_got_by_its_key(tmp_path: Path) -> None:
    blobs: Blobs = FolderBlobs(tmp_path / "not" / "yet")
    key = await blobs.put(DATA, "Holiday.PNG")
    assert key == f"{DIGEST}.png"
    assert await blobs.get(key) == DATA


async def test_the_same_content_has_the_same_key_and_is_kept_once(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path)
    first = await blobs.put(DATA, "a.png")
    written = blobs.path(first).stat().st_mtime_ns
    assert await blobs.put(DATA, "b.png") == first
    assert names(tmp_path) == [first]
    assert blobs.path(first).stat().st_mtime_ns == written


async def test_empty_content_is_content(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path)
    assert await blobs.get(await blobs.put(b"", "nothing.png")) == b""


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
async def test_only_a_clean_extension_of_the_name_is_used(tmp_path: Path, name: str, extension: str) -> None:
    assert await FolderBlobs(tmp_path).put(DATA, name) == f"{DIGEST}.{extension}"
    assert names(tmp_path) == [f"{DIGEST}.{extension}"]


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
    with pytest.raises(OSError, match="no space left"):
        await FolderBlobs(tmp_path).put(DATA, "a.png")
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
