"""Files named by their content: their keys, and how a stream of pieces becomes a file in threads."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterable, AsyncIterator, Callable
from pathlib import PurePath
from typing import Any, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_KEY = re.compile(r"[0-9a-f]{64}\.[a-z0-9]{1,8}")
_EXTENSION = re.compile(r"[a-z0-9]{1,8}")
#: Pieces from a network are small; a thread is worth its switch for this many bytes.
_GATHERED_BYTES = 1 << 20


def key_of(digest: str, name: str) -> str:
    """Return the key of a file with this SHA-256; of *name* only a clean extension is used, else `bin`."""
    extension = PurePath(name).suffix[1:].lower()
    return f"{digest}.{extension if _EXTENSION.fullmatch(extension) else 'bin'}"


def is_key(text: str) -> bool:
    """Whether *text* can be the key of a file of ours: no path is one."""
    return _KEY.fullmatch(text) is not None


class Writable(Protocol):
    """Where a file is written to: all of what is given, or an error."""

    def write(self, data: bytes | bytearray, /) -> Any:
        """Write all of *data*."""


async def write(content: bytes | AsyncIterable[bytes], file: Writable) -> str:
    """Write all of *content* to *file* and return its SHA-256 in hexadecimal.

    At most about a mebibyte and one piece are in memory. What the pieces raise is raised.
    """
    digest = hashlib.sha256()

    def add(data: bytes | bytearray) -> None:
        digest.update(data)
        file.write(data)

    async for data in _gathered(content):
        await through(add, data)
    return digest.hexdigest()


async def through(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run *work* in a thread to its end, also when this task is cancelled: then its caller may clean up."""
    running = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            try:
                await asyncio.wait([running])
            except asyncio.CancelledError:
                continue  # the first one is raised below
        if not running.cancelled():
            running.exception()  # seen: the cancellation is what the caller hears of
        raise


async def _gathered(content: bytes | AsyncIterable[bytes]) -> AsyncIterator[bytes | bytearray]:
    if isinstance(content, bytes):
        yield content
        return
    gathered = bytearray()
    async for piece in content:
        gathered += piece
        if len(gathered) >= _GATHERED_BYTES:
            yield gathered
            gathered = bytearray()
    yield gathered
