"""Service keys in the store: what each is for and until when; of its secret only a hash is there."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceKey:
    """A key with which a program calls us. `id` is no secret and stays the same when the secret changes.

    `scopes` are sorted. The secret before the last rotation is taken until `previous_until`.
    `last_used_at` is right to a minute.
    """

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    previous_until: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str | None = None
    last_used_at: datetime | None = None


class Keys(Protocol):
    """Keys by their id; hashes are SHA-256, and two keys that are not revoked never have one name."""

    async def add(
        self,
        key_id: str,
        secret_hash: bytes,
        *,
        name: str,
        scopes: tuple[str, ...],
        actor: str,
        expires_at: datetime | None,
    ) -> ServiceKey | None:
        """Keep a new key and return it; None when another key has the name. Raises InvalidRequest for an
        end that has passed."""

    async def find(self, secret_hash: bytes) -> ServiceKey | None:
        """Return the key that this secret opens now, and note its use, at most once a minute; None for one
        that is unknown, over, revoked, or was rotated out. `expires_at` is the end of this secret: of the one
        before a rotation that of its grace, if it comes first."""

    async def all(self) -> list[ServiceKey]:
        """Return every key there ever was, oldest first."""

    async def rotate(self, key_id: str, secret_hash: bytes, *, grace_seconds: float) -> ServiceKey | None:
        """Give a key another secret; the one before is taken for *grace_seconds* more, an older one no
        longer. None when there is no such key, or it is over or revoked."""

    async def revoke(self, key_id: str, *, actor: str) -> ServiceKey | None:
        """End a key now and return it; the first time stands. None when there is no such key."""
