"""Files of ours: what users bring, and the results that they paid for."""

from collections.abc import AsyncIterable
from typing import Protocol


class Blobs(Protocol):
    """Files of ours, each named by its content."""

    async def put(self, content: bytes | AsyncIterable[bytes], name: str) -> str:
        """Keep *content*, whole or in pieces, and return its key; *name* only lends its extension. What
        the pieces raise is raised, and nothing is kept; the same content is kept once, however often it
        comes."""

    async def get(self, key: str) -> bytes | None:
        """Return the content, None if there is no such file."""
