"""The token of a user (JWT): whose it is, once its signature, issuer, audience and times are right."""

import json
import time
from collections.abc import Callable
from typing import Any, Protocol

from joserfc import jwt
from joserfc.errors import (
    ExpiredTokenError,
    InvalidClaimError,
    JoseError,
    MissingClaimError,
    UnsupportedAlgorithmError,
)
from joserfc.jwk import Key, OctKey
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry
from joserfc.util import urlsafe_b64decode

from makegood.buckets import check_texts
from makegood.errors import InvalidRequest

TOKEN_LENGTH_MAX = 8_192
#: By so much the clocks of issuer and service may differ.
LEEWAY_SECONDS = 30
_KID_LENGTH_MAX = 200
#: Header parameters that bring a key along, say where one is, or change how a token is to be read.
_FORBIDDEN = ("jwk", "jku", "x5u", "x5c", "crit", "b64")
_TYPES = ("jwt", "at+jwt", "application/at+jwt")


class BadToken(Exception):
    """A token that is not believed; the text says why, for whoever sent it. `old`: it was right once."""

    def __init__(self, why: str, *, old: bool = False) -> None:
        self.why, self.old = why, old
        super().__init__(why)


class KeySource(Protocol):
    """The keys by which tokens are checked."""

    async def find(self, kid: str | None) -> tuple[Key, str] | None:
        """Return the key of this id with the one algorithm that it is for, None if there is none.
        Raises KeysUnavailable."""


class SharedSecret:
    """The one secret by which issuer and service sign and check, with HS256 alone."""

    def __init__(self, secret: str) -> None:
        self._key = OctKey.import_key(secret.encode())

    async def find(self, kid: str | None) -> tuple[Key, str] | None:
        """Return the secret, whatever id a token names."""
        return self._key, "HS256"


class Tokens:
    """Reads tokens of one issuer for one audience.

    *now* gives the time of this process in seconds since 1970, and not the database's: expiry is a matter
    between issuer and service, whose clocks are both set by the network's time. It is *leeway* off at most.
    """

    def __init__(
        self,
        keys: KeySource,
        *,
        issuer: str,
        audience: str,
        owner_claim: str = "sub",
        now: Callable[[], float] = time.time,
    ) -> None:
        self._keys, self._owner_claim, self._now = keys, owner_claim, now
        clock = {"now": lambda: int(now()), "leeway": LEEWAY_SECONDS}
        self._times = JWTClaimsRegistry(**clock, exp={"essential": True})  # type: ignore[arg-type]  # as its parts
        self._whole = JWTClaimsRegistry(
            **clock,  # type: ignore[arg-type]  # as above
            exp={"essential": True},
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
        )

    async def owner(self, token: str) -> tuple[str, float] | None:
        """Return the owner whose token this is, and its end (since 1970); None for that of an app
        without a user (the role `anon`).

        Raises BadToken, KeysUnavailable.
        """
        found = await self._keys.find(_kid(_header(token)))
        if found is None:
            raise BadToken("The token is signed with a key that its issuer does not have")
        key, algorithm = found
        try:
            claims = jwt.decode(token, key, registry=_OneAlgorithm(algorithm)).claims
        except (JoseError, ValueError, RecursionError):
            raise BadToken("The signature of the token is not right") from None
        role = claims.get("role")
        if role == "service_role":
            raise BadToken("A token of the role service_role is no user: use a service key")
        anonymous = role == "anon"
        _check(self._times if anonymous else self._whole, claims)
        if anonymous:
            return None
        try:
            return self._named(claims), float(claims["exp"])
        except OverflowError:  # JSON knows whole numbers that are larger than any other number
            raise BadToken(_WRONG["exp"]) from None

    def _named(self, claims: dict[str, Any]) -> str:
        name = claims.get(self._owner_claim)
        if name is None:
            raise BadToken(f"The token has no claim {self._owner_claim}")
        try:
            check_texts(owner=name)
        except InvalidRequest:
            raise BadToken(f"The claim {self._owner_claim} is not 1 to 500 printable characters") from None
        return str(name)


class _OneAlgorithm(JWSRegistry):
    """Knows the one algorithm that a key is for, so that no header chooses another."""

    def __init__(self, algorithm: str) -> None:
        super().__init__(strict_check_header=False)
        # RFC 9864 has named it anew, and most issuers still use the old name, for the same signature.
        self._names = ("Ed25519", "EdDSA") if algorithm == "Ed25519" else (algorithm,)

    def get_alg(self, name: str) -> Any:
        if name not in self._names:
            raise UnsupportedAlgorithmError(f"{name!r} is not what the key is for")
        return self.algorithms[name]


def _header(token: str) -> dict[str, Any]:
    """Return the header of what looks like a signed token; nothing in it is believed yet."""
    if len(token) > TOKEN_LENGTH_MAX:
        raise BadToken(f"The token is longer than {TOKEN_LENGTH_MAX} characters")
    parts = token.split(".")
    try:
        header = json.loads(urlsafe_b64decode(parts[0].encode())) if len(parts) == 3 else None
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise BadToken("This is no signed token (JWT)")
    for name in _FORBIDDEN:
        if name in header:
            raise BadToken(f"The header of the token has {name}, which is not taken")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise BadToken("The token is of another type than JWT")
    return header


def _kid(header: dict[str, Any]) -> str | None:
    kid = header.get("kid")
    if kid is not None and not (isinstance(kid, str) and len(kid) <= _KID_LENGTH_MAX):
        raise BadToken("The token names no usable key")
    return kid


def _check(registry: JWTClaimsRegistry, claims: dict[str, Any]) -> None:
    try:
        registry.validate(claims)
    except ExpiredTokenError:
        raise BadToken("The token has expired", old=True) from None
    except MissingClaimError as error:
        missing = error.claim.replace(",", ", ")
        raise BadToken(f"The token lacks {missing}") from None
    except InvalidClaimError as error:
        raise BadToken(_WRONG.get(error.claim, "A claim of the token is not right")) from None


_WRONG = {
    "iss": "The token is of another issuer",
    "aud": "The token is for another audience",
    "sub": "The claim sub is no text",
    "exp": "The token says no usable end",
    "nbf": "The token is not valid yet",
    "iat": "The token was issued in the future",
}
