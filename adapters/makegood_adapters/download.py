"""Bring a result home from a provider's storage, in pieces and without the key."""

import re
from collections.abc import AsyncGenerator
from typing import Any, Final
from urllib.parse import quote, urlsplit

import aiohttp
from yarl import URL

from makegood.errors import ProviderUnavailable, ResultTooLarge

_PIECE_BYTES: Final = 64 * 1024
_REDIRECTS_MAX: Final = 3
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_BEGINNING: Final = re.compile(r"https?://[^\s/?#]", re.IGNORECASE)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
#: What an address may consist of; all else is written with %, and what is written so stays as it is.
_SAFE: Final = "%:/?#[]@!$&'()*+,;=~"


def address_of(value: Any) -> str | None:
    """Return the address of a file as it can be sent and stored, None if *value* is none of http or https.

    Spaces and letters of other scripts, as in names that users give, are encoded; nothing else is
    changed, since a signature may stand for every character.
    """
    if not isinstance(value, str) or not _BEGINNING.match(value) or _CONTROL.search(value):
        return None
    try:
        _ = urlsplit(value).port
        return quote(value, safe=_SAFE)
    except ValueError:
        return None


async def download(
    session: aiohttp.ClientSession, url: str, size_max: int, bounds: aiohttp.ClientTimeout
) -> AsyncGenerator[bytes, None]:
    """Yield the file in pieces of at most 64 KiB, *size_max* bytes in all; no key is sent.

    Raises ResultTooLarge when it is larger, and ProviderUnavailable when it is missing or empty, and in the
    midst when it turns out to be cut off. At most three redirects are followed, and only to https or within
    the same site: the services of our own network that a redirect could aim at speak http, or have no
    certificate for the name. *bounds* is for each of these requests.
    """
    try:
        at = _exactly(url)
        for _ in range(_REDIRECTS_MAX + 1):
            async with session.get(
                at,
                timeout=bounds,
                allow_redirects=False,
                # Compressed content could grow past the limit, and hides a cut.
                headers={"Accept-Encoding": "identity"},
                middlewares=(),
            ) as response:
                if response.status in _MOVED:
                    at = _next(response)
                    continue
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
                return
        raise _unavailable(f"it is redirected more than {_REDIRECTS_MAX} times")
    except ProviderUnavailable:
        raise
    except TimeoutError:
        raise _unavailable(f"not complete within {bounds.total} s") from None
    except Exception as error:
        # Only the type: the text may hold a signed address, which is as good as a password. aiohttp
        # raises here for a body shorter than its announced length, too.
        raise _unavailable(f"the download broke off ({type(error).__name__})") from None


def _exactly(url: str) -> URL:
    """Return *url* as it is; by itself aiohttp would write some characters in another way."""
    address = address_of(url)
    if address is None:
        raise _unavailable("its address is none")
    return URL(address, encoded=True)


def _next(response: aiohttp.ClientResponse) -> URL:
    address = address_of(str(response.url.join(URL(response.headers.get("Location", "")))))
    to = URL(address or "", encoded=True)
    if to.scheme == "https" or (address and to.origin() == response.url.origin()):
        return to
    raise _unavailable("it is redirected to where nothing is fetched from: to another site without https")


def _unavailable(why: str) -> ProviderUnavailable:
    return ProviderUnavailable(f"The result cannot be downloaded: {why}")
