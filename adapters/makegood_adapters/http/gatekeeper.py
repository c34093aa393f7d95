"""The gate of the service: user tokens, service keys and the publishable key, and how often each may call."""

import hashlib
import logging
import re
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import NoReturn, Protocol

import aiohttp

from makegood.errors import InvalidRequest
from makegood.keyring import KEY_PREFIX
from makegood.ports import ServiceKey
from makegood_adapters.access import LOOPBACK, AuthConfig, LimitsConfig, Network
from makegood_adapters.http.addresses import client_address
from makegood_adapters.http.callers import Caller, CallerKind, Scope, same_secret
from makegood_adapters.http.jwks import Jwks, KeysUnavailable
from makegood_adapters.http.problems import ApiProblem
from makegood_adapters.http.rates import Rates
from makegood_adapters.http.tokens import BadToken, KeySource, SharedSecret, Tokens

log = logging.getLogger("makegood.http.gate")

#: A key that was revoked, rotated out or is over may be taken for so long by a process that has just seen it.
REMEMBERED_SECONDS = 5.0
_REMEMBERED_MAX = 1_000
_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)
_AGAIN_SECONDS = 5


class FindsKeys(Protocol):
    """Whoever knows the service keys: an `Engine`."""

    async def find_key(self, secret: str) -> ServiceKey | None:
        """Return the key that *secret* opens now."""


class Gatekeeper:
    """The `Gate` over what a deployment has configured; *tokens* is None where no users are known.

    X-Forwarded-For is believed of *proxies*; *clock* gives seconds that never go back.
    """

    def __init__(
        self,
        keys: FindsKeys,
        *,
        tokens: Tokens | None = None,
        public_key: str | None = None,
        limits: LimitsConfig | None = None,
        proxies: Sequence[Network] = LOOPBACK,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys, self._tokens, self._public_key, self._clock = keys, tokens, public_key, clock
        self._proxies, self._rates = proxies, Rates(limits or LimitsConfig(), clock)
        self._remembered: OrderedDict[bytes, tuple[ServiceKey, float]] = OrderedDict()

    async def identify(self, headers: Mapping[str, str], address: str) -> Caller:
        """See `Gate.identify`."""
        address = client_address(headers, address, self._proxies)
        try:
            return await self._identify(headers, address)
        except BadToken as error:
            if not error.old:  # a page that was left open is no attack
                self._rates.count_failure(address)
            challenge = f'Bearer error="invalid_token", error_description="{error.why}"'
            detail = f"{error.why}."
            raise ApiProblem("unauthenticated", detail, headers={"WWW-Authenticate": challenge}) from None
        except KeysUnavailable:
            raise ApiProblem(
                "unavailable", "User tokens cannot be checked now.", retry_after=_AGAIN_SECONDS
            ) from None

    async def admit(self, caller: Caller, cost: str) -> None:
        """See `Gate.admit`."""
        self._rates.count(caller, cost)

    async def _identify(self, headers: Mapping[str, str], address: str) -> Caller:
        """Return who calls. A bearer says more than the publishable key, which must be right beside it."""
        offered, given = headers.get("apikey"), headers.get("authorization")
        # Where there is no publishable key, there is nothing to compare with.
        public = offered is not None and self._public_key is not None
        if public and not self._is_public(offered or ""):
            raise BadToken("The header apikey is not the publishable key of this service")
        if given is not None:
            found = _BEARER.fullmatch(given)
            if found is None:
                raise BadToken("The header Authorization is not one `Bearer` with one token")
            if not self._is_public(found[1]):
                return await self._by_bearer(found[1], address)
            public = True
        return Caller(kind=CallerKind.ANONYMOUS if public else CallerKind.NONE, address=address)

    async def _by_bearer(self, bearer: str, address: str) -> Caller:
        if bearer.startswith(KEY_PREFIX):
            key = await self._key(bearer)
            if key is None:
                raise BadToken("The service key is not ours, or was revoked, or is over")
            scopes = frozenset(scope for scope in Scope if scope in key.scopes)
            end = key.expires_at.timestamp() if key.expires_at else None
            return Caller(
                kind=CallerKind.SERVICE, name=key.name, scopes=scopes, address=address, expires_at=end
            )
        if self._tokens is None:
            raise BadToken("This service knows no users: it is configured without [auth]")
        found = await self._tokens.owner(bearer)
        if found is None:
            return Caller(kind=CallerKind.ANONYMOUS, address=address)
        owner, end = found
        return Caller(kind=CallerKind.USER, owner=owner, address=address, expires_at=end)

    def _is_public(self, offered: str) -> bool:
        return self._public_key is not None and same_secret(offered.strip(), self._public_key)

    async def _key(self, secret: str) -> ServiceKey | None:
        """Return the key, as the store or a look at it a moment ago tells; secrets are not remembered."""
        digest, now = hashlib.sha256(secret.encode(errors="surrogatepass")).digest(), self._clock()
        key, seen_at = self._remembered.get(digest, (None, 0.0))
        if key is not None and now - seen_at < REMEMBERED_SECONDS:
            return key
        self._remembered.pop(digest, None)
        key = await self._keys.find_key(secret)
        if key is not None:
            self._remembered[digest] = key, now
            while len(self._remembered) > _REMEMBERED_MAX:
                self._remembered.popitem(last=False)
        return key


@asynccontextmanager
async def open_gate(
    keys: FindsKeys,
    auth: AuthConfig | None = None,
    *,
    public_key: str | None = None,
    limits: LimitsConfig | None = None,
    proxies: Sequence[Network] = LOOPBACK,
    now: Callable[[], float] = time.time,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[Gatekeeper]:
    """Yield the gate of a configuration: `async with open_gate(engine, AuthConfig(...)) as gate`.

    X-Forwarded-For is believed of *proxies*. *now* gives the time by which tokens expire, *clock* seconds
    that never go back. Raises InvalidRequest where it is not said whose tokens for whom are taken.
    """
    auth = auth or AuthConfig()
    async with aiohttp.ClientSession() as session:
        source: KeySource | None = None
        jwks: Jwks | None = None
        if auth.jwks_url is not None:
            source = jwks = Jwks(session, auth.jwks_url, clock)
        elif auth.jwt_secret is not None:
            source = SharedSecret(auth.jwt_secret.get_secret_value())
        tokens = None
        if source is not None:
            if auth.issuer is None or auth.audience is None:
                _incomplete()
            tokens = Tokens(
                source, issuer=auth.issuer, audience=auth.audience, owner_claim=auth.owner_claim, now=now
            )
        try:
            yield Gatekeeper(
                keys, tokens=tokens, public_key=public_key, limits=limits, proxies=proxies, clock=clock
            )
        finally:
            if jwks:
                await jwks.close()


def _incomplete() -> NoReturn:
    raise InvalidRequest(
        "Whose tokens for whom are taken? Set both auth.issuer and auth.audience: otherwise a token that was "
        "made for another service would do."
    )
