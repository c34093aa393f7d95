"""Files of ours in a folder, each named by the SHA-256 of its content."""

import asyncio
import hashlib
import os
import re
import tempfile
from collections.abc import AsyncIterable
from pathlib import Path

from makegood.errors import MakegoodError

_KEY = re.compile(r"[0-9a-f]{64}\.[a-z0-9]{1,8}")
_EXTENSION = re.compile(r"[a-z0-9]{1,8}")


class FolderError(MakegoodError):
    """The folder cannot be used; the message says why."""


class FolderBlobs:
    """`makegood.ports.Blobs` below *root*, which is created when the first file comes.

    A file appears whole or not at all, and is on the disk before its key is returned: what a key
    stands for is paid for.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def prepare(self) -> None:
        """Make the folder and try to write into it. Raises FolderError with a sentence."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._root):
                pass
        except OSError as error:
            raise FolderError(
                f"Files cannot be kept in {self._root}: {error.strerror}. "
                "Choose another folder or change its rights."
            ) from None

    async def put(self, content: bytes | AsyncIterable[bytes], name: str) -> str:
        """Keep *content* and return its key; *name* only lends its extension."""
        data = content if isinstance(content, bytes) else b"".join([piece async for piece in content])
        return await asyncio.to_thread(self._put, data, name)

    async def get(self, key: str) -> bytes | None:
        """Return the content; None also for anything that is not a key of ours, such as a path."""
        if not _KEY.fullmatch(key):
            return None
        return await asyncio.to_thread(_read, self.path(key))

    def path(self, key: str) -> Path:
        """Return where the file of *key* is or would be; ValueError for what is not a key."""
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is not the key of a file")
        return self._root / key

    def _put(self, data: bytes, name: str) -> str:
        extension = Path(name).suffix[1:].lower()
        if not _EXTENSION.fullmatch(extension):
            extension = "bin"
        key = f"{hashlib.sha256(data).hexdigest()}.{extension}"
        target = self._root / key
        if not target.exists():
            self._root.mkdir(parents=True, exist_ok=True)
            _write_whole(target, data)
        return key


def _write_whole(target: Path, data: bytes) -> None:
    # In the same folder, since a rename is atomic only within one file system.
    handle, part = tempfile.mkstemp(prefix=".part-", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(part).replace(target)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name itself survive a power failure."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
