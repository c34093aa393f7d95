"""Files of ours in a dict, each named by the SHA-256 of its content."""

import hashlib
from collections.abc import AsyncIterable

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
