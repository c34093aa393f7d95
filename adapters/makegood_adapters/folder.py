"""Files of ours in a folder, each named by the SHA-256 of its content."""

import asyncio
import fcntl
import os
import tempfile
from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from makegood.errors import StorageError, UnknownFile
from makegood.ports import PIECE_BYTES
from makegood_adapters.addressed import is_key, key_of, through, write

_PART = ".part-"


class FolderError(StorageError):
    """The folder cannot be used; the message says why."""


class FolderBlobs:
    """`makegood.ports.Blobs` below *root*, which is created when the first file comes.

    A file appears whole or not at all, and is on the disk before its key is returned: what a key
    stands for is paid for. Until then it is a part file, which its writer holds locked.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def prepare(self) -> None:
        """Make the folder, try to write into it, and remove the part files of writers that were killed.

        Raises FolderError with a sentence.
        """
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._root) as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for part in self._root.glob(f"{_PART}*"):
                _remove_if_left(part)
        except OSError as error:
            raise FolderError(
                f"Files cannot be kept in {self._root}: {error.strerror}. "
                "Choose another folder or change its rights."
            ) from None

    async def put(self, content: bytes | AsyncIterable[bytes], name: str) -> str:
        """Keep *content* and return its key; *name* only lends its extension.

        Whatever its size, about a mebibyte of it is in memory. Nothing is left when the pieces raise or the
        task is cancelled, except that a file which was whole by then may stay. Raises FolderError, for
        instance when the disk is full.
        """
        part = _Part(self._root)
        try:
            await through(part.open)
            key = key_of(await write(content, part), name)
            await through(part.become, self._root / key)
        finally:
            part.discard()
        return key

    async def get(self, key: str) -> bytes | None:
        """Return the content; None also for anything that is not a key of ours, such as a path. Raises
        FolderError."""
        if not is_key(key):
            return None
        with self._telling():
            return await asyncio.to_thread(_read, self.path(key))

    async def size(self, key: str) -> int | None:
        """Return how many bytes the file has; None also for anything that is not a key of ours.
        Raises FolderError."""
        if not is_key(key):
            return None
        with self._telling():
            return await asyncio.to_thread(_size, self.path(key))

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """Yield a part of the content in pieces, each read when it is asked for. Raises UnknownFile and
        FolderError."""
        if not is_key(key):
            raise UnknownFile(key)
        reading = _Reading(self.path(key))
        try:
            with self._telling():
                found = await through(reading.open, start)
            if not found:
                raise UnknownFile(key)
            left = None if end is None else end - start
            while data := await self._next(reading, left):
                left = None if left is None else left - len(data)
                yield data
        finally:
            reading.close()

    def path(self, key: str) -> Path:
        """Return where the file of *key* is or would be; ValueError for what is not a key."""
        if not is_key(key):
            raise ValueError(f"{key!r} is not the key of a file")
        return self._root / key

    async def _next(self, reading: "_Reading", left: int | None) -> bytes:
        with self._telling():
            return await through(reading.next, left)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise FolderError(f"A file in {self._root} cannot be read: {why}.") from error


class _Part:
    """A file that is not whole yet, in the same folder: a rename is atomic within one file system."""

    file: IO[Any]

    def __init__(self, root: Path) -> None:
        self._root = root
        self._path: Path | None = None

    def open(self) -> None:
        with self._telling():
            self._open()

    def write(self, data: bytes | bytearray) -> None:
        """Write all of *data*: a disk that is full takes the first part of it without a word."""
        left = memoryview(data)
        with self._telling():
            while left:
                left = left[self.file.write(left) :]

    def become(self, target: Path) -> None:
        """Be the file *target*, durably; one that is there has the same content and stays."""
        assert self._path is not None
        with self._telling():
            os.fsync(self.file.fileno())
            if not target.exists():
                self._path.replace(target)
                self._path = None
            _sync_folder(self._root)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise FolderError(f"A file cannot be kept in {self._root}: {why}.") from error

    def _open(self) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        while self._path is None:
            handle, name = tempfile.mkstemp(prefix=_PART, dir=self._root)
            self.file = os.fdopen(handle, "wb", buffering=0)
            fcntl.flock(self.file, fcntl.LOCK_EX)
            if os.fstat(handle).st_nlink:  # else somebody who sweeps was faster than the lock
                self._path = Path(name)
            else:
                self.file.close()

    def discard(self) -> None:
        """Leave nothing of what has not become a file."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None
        if hasattr(self, "file"):
            self.file.close()


class _Reading:
    """A file that is open for as long as somebody reads it."""

    _file: IO[bytes] | None = None

    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self, start: int) -> bool:
        """Open it at *start*; return whether it is there."""
        try:
            self._file = self._path.open("rb", buffering=0)
        except FileNotFoundError:
            return False
        self._file.seek(start)
        return True

    def next(self, left: int | None) -> bytes:
        """Return a piece of what is *left*, nothing at the end."""
        assert self._file is not None
        return self._file.read(PIECE_BYTES if left is None else max(min(left, PIECE_BYTES), 0))

    def close(self) -> None:
        """Let the file go."""
        if self._file is not None:
            self._file.close()


def _remove_if_left(part: Path) -> None:
    """Remove *part* if its writer is dead: a lock ends with the process that held it."""
    try:
        with part.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink(missing_ok=True)
    except (FileNotFoundError, BlockingIOError):
        return  # it has become a file, or is about to


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


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
