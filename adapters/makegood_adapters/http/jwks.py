"""The keys of an issuer, fetched from its address (RFC 7517), kept, and fetched again when one is unknown."""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key

from makegood.errors import MakegoodError

log = logging.getLogger("makegood.http.jwks")

#: Older keys are fetched again, while those we have are used; and so old ones only once that has failed.
FRESH_SECONDS, OLD_SECONDS = 600.0, 3_600.0
#: Keys that could not be fetched again for so long are believed no longer.
STALE_SECONDS = 86_400.0
#: Shortest time between two requests to the issuer, whoever asks for whatever key.
PAUSE_SECONDS = 30.0
FETCH_SECONDS = 5.0
BYTES_MAX, KEYS_MAX = 65_536, 100
_RSA_BITS_MIN = 2_048


class KeysUnavailable(MakegoodError):
    """The issuer's keys cannot be fetched, and we have none, or too old ones."""


class Jwks:
    """The key set at *url*. *clock* gives seconds that never go back."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._session, self._url, self._clock = session, url, clock
        self._keys: Mapping[str | None, Key] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, kid: str | None) -> tuple[Key, str] | None:
        """Return the key of this id with the one algorithm that it is for, None if the issuer has none.

        A token without an id is for the only key of its issuer. Raises KeysUnavailable.
        """
        age = self._age()
        if age is None or age > OLD_SECONDS or self._chosen(kid) is None:
            await self._fetch()
        elif age > FRESH_SECONDS:
            self._begin()
        age = self._age()
        if age is None or age > STALE_SECONDS:
            raise KeysUnavailable("The keys of the issuer cannot be fetched.")
        key = self._chosen(kid)
        return None if key is None else (key, _algorithm(key))

    async def close(self) -> None:
        """Give up what is being fetched."""
        if self._fetching and not self._fetching.done():
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _age(self) -> float | None:
        return None if self._fetched_at is None else self._clock() - self._fetched_at

    def _chosen(self, kid: str | None) -> Key | None:
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid)

    async def _fetch(self) -> None:
        """Wait for the keys, which one request brings for all who wait."""
        self._begin()
        if self._fetching:
            await asyncio.shield(self._fetching)

    def _begin(self) -> None:
        if self._fetching and not self._fetching.done():
            return
        if self._tried_at is not None and self._clock() - self._tried_at < PAUSE_SECONDS:
            self._fetching = None
            return
        self._tried_at = self._clock()
        self._fetching = asyncio.create_task(self._bring(), name="makegood jwks")

    async def _bring(self) -> None:
        try:
            keys = read_keys(await self._body())
        except (aiohttp.ClientError, TimeoutError, ValueError, RecursionError) as error:
            age = self._age()
            known = "there are none yet" if age is None else f"those of {age:,.0f} s ago are used"
            told = "the keys at %s cannot be fetched (%s); %s"
            log.error(told, self._url, _why(error), known, exc_info=error)
            return
        self._keys, self._fetched_at = keys, self._clock()

    async def _body(self) -> bytes:
        """Fetch the document; it is not looked for anywhere else, and bounded in size and time."""
        async with (
            asyncio.timeout(FETCH_SECONDS),
            self._session.get(
                self._url, allow_redirects=False, headers={"Accept": "application/json"}
            ) as reply,
        ):
            if reply.status != 200:
                raise ValueError(f"it answers {reply.status}")
            body = bytearray()
            async for chunk in reply.content.iter_any():
                body += chunk
                if len(body) > BYTES_MAX:
                    raise ValueError(f"it is larger than {BYTES_MAX:,} bytes")
            return bytes(body)


def read_keys(body: bytes) -> dict[str | None, Key]:
    """Return the keys of a document by which tokens may be checked. Raises ValueError if it has none.

    A key of another kind, for another use, or that cannot be read is left out: issuers publish keys for many.
    """
    document = json.loads(body)
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("it is no key set")
    keys: dict[str | None, Key] = {}
    for given in listed[:KEYS_MAX]:
        key = _read_key(given)
        if key is not None:
            keys.setdefault(key.kid, key)
    if not keys:
        raise ValueError("it has no key for ES256, RS256 or EdDSA")
    return keys


def _read_key(given: Any) -> Key | None:
    if not isinstance(given, dict) or given.get("use", "sig") != "sig" or "k" in given:
        return None
    modulus = given.get("n")
    if isinstance(modulus, str) and 6 * len(modulus) < _RSA_BITS_MIN:
        return None
    if not isinstance(given.get("kid"), str | None):
        return None
    try:
        key = import_key(given)
    except (
        JoseError,
        ValueError,
        TypeError,
        KeyError,
    ) as error:  # the last for a curve that it does not know
        log.warning("a key of the issuer cannot be read: %s", _why(error))
        return None
    # A key is for one algorithm, whatever a token's header says.
    algorithm = _algorithm(key)
    return key if algorithm and given.get("alg", algorithm) in (algorithm, *_OTHER_NAMES[algorithm]) else None


_OTHER_NAMES = {"ES256": (), "RS256": (), "Ed25519": ("EdDSA",)}


def _algorithm(key: Key) -> str:
    """Return the one algorithm that the key is for, an empty text if it is for none of ours."""
    match key:
        case ECKey(curve_name="P-256"):
            return "ES256"
        case RSAKey():
            return "RS256"
        case OKPKey(curve_name="Ed25519"):
            return "Ed25519"
        case _:
            return ""


def _why(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
