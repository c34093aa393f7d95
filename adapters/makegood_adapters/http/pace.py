"""The pace of a body on its way in: one that stands still is cut off, a slow one that goes on is not."""

import asyncio
from collections.abc import AsyncIterator

from makegood_adapters.http.problems import ApiProblem


async def steady(chunks: AsyncIterator[bytes], *, bytes_min: int, seconds: float) -> AsyncIterator[bytes]:
    """Yield what comes, as long as at least *bytes_min* come in *seconds*; only the time in which we wait for
    it counts. Raises ApiProblem("body_too_slow")."""
    clock = asyncio.get_running_loop().time
    left, came = seconds, 0
    while True:
        began = clock()
        try:
            async with asyncio.timeout(max(left, 0)):
                piece = await anext(chunks, None)
        except TimeoutError:
            raise ApiProblem(
                "body_too_slow", f"At least {bytes_min:,} bytes have to come in {seconds:g} seconds."
            ) from None
        if piece is None:
            return
        left, came = left - (clock() - began), came + len(piece)
        if came >= bytes_min:
            left, came = seconds, 0
        yield piece
