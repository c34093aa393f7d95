"""The part of the engine that deals with service keys: made, found by their secret, rotated, revoked.

A secret has 256 random bits and is told once, by the call that makes it; the store has its SHA-256. That is
enough without a slow hash, since nobody guesses 256 bits. What a scope allows is for those to say who ask.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from makegood.buckets import check_texts
from makegood.errors import InvalidRequest, KeyNameTaken, UnknownKey
from makegood.ports import ServiceKey, Store

#: How every secret begins, so that programs which look for leaked secrets know ours.
KEY_PREFIX = "mgk_"
#: How long the secret before a rotation is taken beside the new one unless said otherwise, and at most.
GRACE_SECONDS, GRACE_SECONDS_MAX = 86_400.0, 30 * 86_400.0
_SECRET = re.compile(r"mgk_[0-9a-f]{12}_[A-Za-z0-9_-]{43}")
_SCOPES_MAX = 50


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A key with its secret, which is shown once and in no log: *secret* is not in the text of this value."""

    key: ServiceKey
    secret: str = field(repr=False)


class Keyring:
    """What a service does with the keys of programs that call it; `Engine` is one."""

    _store: Store

    async def make_key(
        self,
        name: str,
        scopes: Iterable[str],
        *,
        actor: str,
        expires_at: datetime | timedelta | None = None,
    ) -> NewSecret:
        """Make a key that may do what *scopes* say, until *expires_at*, a time with zone or so long from now.

        Raises KeyNameTaken, InvalidRequest.
        """
        check_texts(name=name, actor=actor)
        chosen = tuple(sorted({str(scope) for scope in scopes}))
        if not 1 <= len(chosen) <= _SCOPES_MAX:
            raise InvalidRequest(
                f"A key needs 1 to {_SCOPES_MAX} scopes, not {len(chosen)}. Nothing was made."
            )
        for scope in chosen:
            check_texts(scope=scope)
        if isinstance(expires_at, timedelta):
            expires_at = await self._store.now() + expires_at
        elif expires_at is not None and expires_at.tzinfo is None:
            raise InvalidRequest(f"expires_at {expires_at} must be a time with zone. Nothing was made.")
        key_id = secrets.token_hex(6)
        secret = _new_secret(key_id)
        key = await self._store.keys.add(
            key_id, _digest(secret), name=name, scopes=chosen, actor=actor, expires_at=expires_at
        )
        if key is None:
            raise KeyNameTaken(name)
        return NewSecret(key, secret)

    async def find_key(self, secret: str) -> ServiceKey | None:
        """Return the key that *secret* opens now, None for any other text; `expires_at` is the end of this
        very secret."""
        if not _SECRET.fullmatch(secret):
            return None
        return await self._store.keys.find(_digest(secret))

    async def service_keys(self) -> list[ServiceKey]:
        """Return every key there ever was, oldest first."""
        return await self._store.keys.all()

    async def rotate_key(self, key_id: str, *, grace_seconds: float = GRACE_SECONDS) -> NewSecret:
        """Give the key another secret; the one before is taken for *grace_seconds* more, thirty days at most.

        Raises UnknownKey, also for a key that is over or revoked, and InvalidRequest.
        """
        if not 0 <= grace_seconds <= GRACE_SECONDS_MAX:
            raise InvalidRequest(
                f"The old secret may be taken for 0 to {GRACE_SECONDS_MAX:,.0f} seconds more."
            )
        check_texts(key=key_id)
        secret = _new_secret(key_id)
        key = await self._store.keys.rotate(key_id, _digest(secret), grace_seconds=grace_seconds)
        if key is None:
            raise UnknownKey(key_id)
        return NewSecret(key, secret)

    async def revoke_key(self, key_id: str, *, actor: str) -> ServiceKey:
        """End the key, both its secrets, for ever. Raises UnknownKey."""
        check_texts(key=key_id, actor=actor)
        key = await self._store.keys.revoke(key_id, actor=actor)
        if key is None:
            raise UnknownKey(key_id)
        return key


def expired(expires_at: datetime) -> InvalidRequest:
    """Return the refusal of a key that would be over before it is made."""
    return InvalidRequest(
        f"The key would be over at {expires_at.isoformat()}, which has passed: give a time to come. "
        "Nothing was made."
    )


def _new_secret(key_id: str) -> str:
    return f"{KEY_PREFIX}{key_id}_{secrets.token_urlsafe(32)}"


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
