"""Service keys in memory."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from makegood.keyring import expired
from makegood.ports import ServiceKey
from makegood_adapters.memory.tables import Tables

_USED_SECONDS = 60.0


@dataclass(slots=True)
class KeyRow:
    """A key with the hashes of its secret and of the one before."""

    key: ServiceKey
    secret_hash: bytes
    previous_hash: bytes | None = None


class MemoryKeys:
    """The port `Keys`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._rows: dict[str, KeyRow] = {}

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
        """Keep a new key, unless another one has its name."""
        if known := self._rows.get(key_id):
            return known.key if known.secret_hash == secret_hash else None
        if self._tables.passed(expires_at):
            raise expired(expires_at or self._tables.now())
        if any(row.key.name == name and row.key.revoked_at is None for row in self._rows.values()):
            return None
        key = ServiceKey(
            id=key_id,
            name=name,
            scopes=scopes,
            created_at=self._tables.now(),
            created_by=actor,
            expires_at=expires_at,
        )
        self._rows[key_id] = KeyRow(key, secret_hash)
        return key

    async def find(self, secret_hash: bytes) -> ServiceKey | None:
        """Return the key that this secret opens now."""
        for row in self._rows.values():
            previous = row.previous_hash == secret_hash and not self._tables.passed(row.key.previous_until)
            if (row.secret_hash == secret_hash or previous) and self._is_good(row):
                if row.key.last_used_at is None or self._tables.passed(row.key.last_used_at, _USED_SECONDS):
                    row.key = replace(row.key, last_used_at=self._tables.now())
                ends = [end for end in (row.key.expires_at, row.key.previous_until) if end]
                return replace(row.key, expires_at=min(ends)) if previous else row.key
        return None

    async def all(self) -> list[ServiceKey]:
        """Return every key, in the order in which they came."""
        return [row.key for row in self._rows.values()]

    async def rotate(self, key_id: str, secret_hash: bytes, *, grace_seconds: float) -> ServiceKey | None:
        """Give a key another secret."""
        row = self._rows.get(key_id)
        if row is None or not self._is_good(row):
            return None
        if row.secret_hash != secret_hash:
            row.previous_hash, row.secret_hash = row.secret_hash, secret_hash
            until = self._tables.now() + timedelta(seconds=grace_seconds)
            row.key = replace(row.key, previous_until=until)
        return row.key

    async def revoke(self, key_id: str, *, actor: str) -> ServiceKey | None:
        """End a key; the first time stands."""
        row = self._rows.get(key_id)
        if row is None:
            return None
        if row.key.revoked_at is None:
            row.key = replace(row.key, revoked_at=self._tables.now(), revoked_by=actor)
        return row.key

    def _is_good(self, row: KeyRow) -> bool:
        return row.key.revoked_at is None and not self._tables.passed(row.key.expires_at)
