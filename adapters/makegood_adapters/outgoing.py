"""Send a file for as long as its bytes move: what the socket has taken is told, a standstill is bounded."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Outgoing(io.BytesIO):
    """A file that tells how many of its bytes have left: whoever asks for the next piece has sent the last.

    aiohttp waits with the next piece until the socket's buffers have room, so a peer that reads nothing is
    seen after some hundred kilobytes.
    """

    def __init__(self, data: bytes, moved: Callable[[int], None]) -> None:
        super().__init__(data)
        self._moved, self._last = moved, 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next piece, after telling of the one before."""
        if self._last:
            self._moved(self._last)
        piece = super().read(size)
        self._last = len(piece)
        return piece


@asynccontextmanager
async def outgoing(data: bytes, moved: Callable[[int], None], idle_seconds: float) -> AsyncIterator[Outgoing]:
    """Yield *data* as a file; TimeoutError when nothing of it has moved, and no reply came, for so long."""
    clock = asyncio.get_running_loop().time
    async with asyncio.timeout(idle_seconds) as bound:

        def heard(size: int) -> None:
            if not bound.expired():
                bound.reschedule(clock() + idle_seconds)
            moved(size)

        yield Outgoing(data, heard)
