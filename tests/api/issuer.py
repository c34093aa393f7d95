"""An issuer of user tokens with real keys, whose key set is served on loopback, and forgers of tokens."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from aiohttp import web
from joserfc import jws
from joserfc.jwk import ECKey, Key, KeyParameters, OctKey, OKPKey, RSAKey
from pydantic import SecretStr

from makegood.catalog import Catalog
from makegood.engine import Engine
from makegood_adapters.access import LOOPBACK, AuthConfig, LimitsConfig, Network
from makegood_adapters.http import jwks
from makegood_adapters.http.gatekeeper import Gatekeeper, open_gate
from makegood_adapters.memory import MemoryBlobs, MemoryStore
from tests.adapters.queue_manager.scene import served

ISSUER, AUDIENCE = "https://issuer.example/auth/v1", "authenticated"
SECRET = "0kKXcTLmQ9sVwYh3fJbN7pRzUeGa5d2S"
NOW = 1_800_000_000.0
PUBLIC = "sb_publishable_0123456789"
MANY = LimitsConfig(failures="100000/minute")
BY_SECRET = AuthConfig(jwt_secret=SecretStr(SECRET), issuer=ISSUER, audience=AUDIENCE)


class Clock:
    """The time of a test: `now` in seconds since 1970, the clock itself from any beginning."""

    def __init__(self) -> None:
        self.passed = 0.0

    def __call__(self) -> float:
        return self.passed

    def now(self) -> float:
        return NOW + self.passed


@cache
def a_key(kid: str, kind: str = "ES256") -> Key:
    """Return the key of this id; making one for RSA takes a moment."""
    parameters: KeyParameters = {"kid": kid}
    match kind:
        case "ES256":
            return ECKey.generate_key("P-256", parameters)
        case "ES384":
            return ECKey.generate_key("P-384", parameters)
        case "RS256":
            return RSAKey.generate_key(2048, parameters)
        case _:
            return OKPKey.generate_key("Ed25519", parameters)


def claims(**given: Any) -> dict[str, Any]:
    """Return the claims of a good token; *given* replaces some, None takes one away."""
    all_of_them = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": NOW, "exp": NOW + 3_600, **given}
    return {name: value for name, value in all_of_them.items() if value is not None}


def signed(key: Key, algorithm: str, payload: Any = None, **header: Any) -> str:
    """Return a token that *key* has signed, whatever is in it."""
    body = json.dumps(claims() if payload is None else payload)
    return jws.serialize_compact(
        {"alg": algorithm, "typ": "JWT", **header}, body, key, registry=_Anything(strict_check_header=False)
    )


class _Anything(jws.JWSRegistry):
    """Signs by whatever algorithm, also by its old name."""

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


def by_secret(secret: str = SECRET, **given: Any) -> str:
    """Return a token signed with a shared secret, which may be any text."""
    return signed(OctKey.import_key(secret.encode()), "HS256", claims(**given))


def forged(header: Mapping[str, Any], payload: Mapping[str, Any], secret: bytes | None = None) -> str:
    """Return a token without a signature, or one with an HMAC by any secret, as no library would make it."""
    head, body = (_part(json.dumps(part).encode()) for part in (header, payload))
    mark = b"" if secret is None else hmac.digest(secret, f"{head}.{body}".encode(), hashlib.sha256)
    return f"{head}.{body}.{_part(mark)}"


def _part(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass
class Issuer:
    """Signs with the first of its keys and publishes them all."""

    keys: list[tuple[Key, str]] = field(default_factory=lambda: [(a_key("one"), "ES256")])
    url: str = ""
    fetches: int = 0
    reply: Callable[[], web.Response] | None = None
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    held: asyncio.Event | None = None

    def token(self, number: int = 0, **given: Any) -> str:
        key, algorithm = self.keys[number]
        return signed(key, algorithm, claims(**given), kid=key.kid)

    @property
    def auth(self) -> AuthConfig:
        """How a service takes this issuer's tokens."""
        return AuthConfig(jwks_url=self.url, issuer=ISSUER, audience=AUDIENCE)

    def document(self) -> dict[str, Any]:
        return {"keys": [key.as_dict(private=False) for key, _ in self.keys]}

    async def publish(self, _: web.Request) -> web.Response:
        self.fetches += 1
        self.asked.set()
        if self.held:
            await self.held.wait()
        return web.json_response(self.document()) if self.reply is None else self.reply()


@asynccontextmanager
async def an_issuer() -> AsyncIterator[Issuer]:
    """Serve the key set of an issuer, which nobody gives up for being slow."""
    issuer, app = Issuer(), web.Application()
    app.add_routes([web.get("/jwks.json", issuer.publish)])
    async with served(app) as page:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(jwks, "FETCH_SECONDS", 60.0)
            issuer.url = f"{page.base}/jwks.json"
            yield issuer


@asynccontextmanager
async def a_gate(
    auth: AuthConfig | None,
    clock: Clock | None = None,
    limits: LimitsConfig = MANY,
    *,
    keys: Engine | None = None,
    proxies: Sequence[Network] = LOOPBACK,
    public_key: str | None = PUBLIC,
) -> AsyncIterator[Gatekeeper]:
    """Open a gate of this configuration, with *keys* or with keys of its own."""
    clock = clock or Clock()
    engine = keys or Engine(MemoryStore(), Catalog([]), blobs=MemoryBlobs(), run_loops=False)
    async with open_gate(
        engine, auth, public_key=public_key, limits=limits, proxies=proxies, now=clock.now, clock=clock
    ) as gate:
        yield gate
