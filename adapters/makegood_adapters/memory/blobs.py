"""Files of ours in a dict, each named by the SHA-256 of its content."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterable

from makegood.errors import UnknownFile
from makegood.ports import PIECE_BYTES
from makegood_adapters.addressed import key_of


class MemoryBlobs:
    """The port `Blobs`."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}

    async def put(self, content: bytes | AsyncIterable[bytes], name: str) -> str:
        """Keep *content* and return its key; *name* only lends its extension."""
        data = content if isinstance(content, bytes) else b"".join([piece async for piece in content])
        key = key_of(hashlib.sha256(data).hexdigest(), name)
        self._files[key] = data
        return key

    async def get(self, key: str) -> bytes | None:
        """Return the content, None if there is no such file."""
        return self._files.get(key)

    async def size(self, key: str) -> int | None:
        """Return how many bytes the file has, None if there is no such file."""
        data = self._files.get(key)
        return None if data is None else len(data)

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """Yield a part of the content in pieces. Raises UnknownFile."""
        data = self._files.get(key)
        if data is None:
            raise UnknownFile(key)
        end = len(data) if end is None else min(end, len(data))
        for place in range(start, end, PIECE_BYTES):
            yield data[place : min(place + PIECE_BYTES, end)]
