"""Bring a result home from RunningHub's storage, in pieces and without the key."""

from collections.abc import AsyncGenerator
from typing import Final

import aiohttp

from makegood.errors import ProviderUnavailable, ResultTooLarge

_PIECE_BYTES: Final = 64 * 1024
_REDIRECTS_MAX: Final = 3


async def download(
    session: aiohttp.ClientSession, url: str, size_max: int, bounds: aiohttp.ClientTimeout
) -> AsyncGenerator[bytes, None]:
    """Yield the file in pieces of at most 64 KiB, *size_max* bytes in all; no key is sent.

    Raises ResultTooLarge when it is larger, and ProviderUnavailable when it is missing or empty, and in the
    midst when it turns out to be cut off. Only http and https are followed. RunningHub keeps results for 24
    hours; afterwards its storage answers 403.
    """
    try:
        # Compressed content could grow past the limit, and hides a cut.
        headers = {"Accept-Encoding": "identity"}
        async with session.get(
            url, timeout=bounds, max_redirects=_REDIRECTS_MAX, headers=headers, middlewares=()
        ) as response:
            if response.status != 200:
                expired = ", as for an address that has expired" if response.status in (403, 410) else ""
                raise _unavailable(f"HTTP {response.status}{expired}")
            if (response.content_length or 0) > size_max:
                raise ResultTooLarge(size_max)
            size = 0
            async for piece in response.content.iter_chunked(_PIECE_BYTES):
                size += len(piece)
                if size > size_max:
                    raise ResultTooLarge(size_max)
                yield piece
            if size == 0:
                raise _unavailable("it is empty")
    except ProviderUnavailable:
        raise
    except TimeoutError:
        raise _unavailable(f"not complete within {bounds.total} s") from None
    except Exception as error:
        # Only the type: the text may hold a signed address, which is as good as a password. aiohttp
        # raises here for a body shorter than its announced length, too.
        raise _unavailable(f"the download broke off ({type(error).__name__})") from None


def _unavailable(why: str) -> ProviderUnavailable:
    return ProviderUnavailable(f"The result cannot be downloaded: {why}")
