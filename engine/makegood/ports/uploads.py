"""Uploads in the store: which owner may use which file, and how much it has brought."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

#: What an owner brings is bounded over this time.
DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that an owner may use: `key` is that of `Blobs`, `kind` what its first bytes show, `size` in
    bytes, `brought_at` when the owner brought it last."""

    owner: str
    key: str
    kind: str
    size: int
    brought_at: datetime


class Uploads(Protocol):
    """Who brought what. Files are named by their content, so several owners may have brought the same one."""

    async def begin(self, upload_id: UUID, owner: str, size: int, day_bytes_max: int) -> float | None:
        """Set *size* bytes aside for a file that is about to come, unless the owner would then have brought
        more than *day_bytes_max* within DAY_SECONDS, of which each file counts once and what is under way
        counts whole. Return None if it may come, else after how many seconds the oldest no longer counts."""

    async def drop(self, upload_id: UUID) -> None:
        """Forget an upload that has begun and of which nothing is kept."""

    async def keep(
        self,
        owner: str,
        key: str,
        kind: str,
        size: int,
        *,
        upload_id: UUID | None = None,
        name: str | None = None,
        replace: bool = False,
    ) -> Upload:
        """Note that the owner may use the file from now on, in place of the upload that has begun. Without
        one its bytes do not count: they are ours already.

        With a *name* the owner finds it under that too. A name that stands for another file of the owner's
        then stands for this one with *replace*; else FileNameTaken is raised, and nothing is noted. The other
        file stays what its key stands for.
        """

    async def known(self, owner: str, keys: Collection[str]) -> list[Upload]:
        """Return those of these files that the owner may use."""

    async def named(self, owner: str, name: str) -> Upload | None:
        """Return the file that stands under this name of the owner's, None if there is none."""

    async def forget(self, older_seconds: float, limit: int) -> int:
        """Forget at most *limit* files that were brought last more than *older_seconds* ago, and their names,
        and uploads that have begun more than DAY_SECONDS ago; return how many. No file is deleted."""
