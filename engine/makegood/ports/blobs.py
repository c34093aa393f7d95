"""Files of ours: what users bring, and the results that they paid for."""

from collections.abc import AsyncGenerator, AsyncIterable
from typing import Protocol


class Blobs(Protocol):
    """Files of ours, each named by its content."""

    async def put(self, content: bytes | AsyncIterable[bytes], name: str) -> str:
        """Keep *content*, whole or in pieces, and return its key; *name* only lends its extension. What
        the pieces raise is raised, and nothing is kept; the same content is kept once, however often it
        comes."""

    async def get(self, key: str) -> bytes | None:
        """Return the content, None if there is no such file."""

    async def size(self, key: str) -> int | None:
        """Return how many bytes the file has, None if there is no such file."""

    def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """Yield the bytes from *start* up to *end*, which is not among them, in pieces of at most
        PIECE_BYTES; what lies behind the end of the file is not there. However large the file is, about a
        mebibyte of it is in memory, also while nobody asks for the next piece. Raises UnknownFile before
        the first piece."""


#: Small enough that a line which takes one in half a minute is slow but alive.
PIECE_BYTES = 1 << 16
