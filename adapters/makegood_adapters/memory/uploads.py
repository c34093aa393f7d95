"""Who brought which file, in memory."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from makegood.errors import FileNameTaken
from makegood.ports import DAY_SECONDS, Upload
from makegood_adapters.memory.tables import Tables, UploadRow


class MemoryUploads:
    """The port `Uploads`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def begin(self, upload_id: UUID, owner: str, size: int, day_bytes_max: int) -> float | None:
        """Set bytes aside, or tell when there is room again."""
        tables = self._tables
        counted = [*_brought(tables, owner), *_begun(tables, owner, but=upload_id)]
        if sum(each.size for each in counted) + size <= day_bytes_max:
            tables.uploading.setdefault(upload_id, (owner, size, tables.now()))
            return None
        oldest = min((each.at for each in counted), default=tables.now())
        return max((oldest - tables.now()).total_seconds() + DAY_SECONDS, 1.0)

    async def drop(self, upload_id: UUID) -> None:
        """Forget what has begun."""
        self._tables.uploading.pop(upload_id, None)

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
        """Write the row anew, and its name."""
        tables = self._tables
        if name is not None:
            if not replace and tables.upload_names.get((owner, name), key) != key:
                raise FileNameTaken(name)
            tables.upload_names[owner, name] = key
        before = tables.uploads.get((owner, key))
        counted = max(before.counted if before else 0, size if upload_id else 0)
        upload = Upload(owner=owner, key=key, kind=kind, size=size, brought_at=tables.now())
        tables.uploads[owner, key] = UploadRow(upload, counted)
        if upload_id:
            tables.uploading.pop(upload_id, None)
        return upload

    async def known(self, owner: str, keys: Collection[str]) -> list[Upload]:
        """Return the rows."""
        rows = (self._tables.uploads.get((owner, key)) for key in dict.fromkeys(keys))
        return [row.upload for row in rows if row]

    async def named(self, owner: str, name: str) -> Upload | None:
        """Return the row."""
        key = self._tables.upload_names.get((owner, name))
        return self._tables.uploads[owner, key].upload if key is not None else None

    async def forget(self, older_seconds: float, limit: int) -> int:
        """Remove the oldest rows."""
        tables = self._tables
        begun = [key for key, (_, _, at) in tables.uploading.items() if tables.passed(at, DAY_SECONDS)]
        rows = sorted(tables.uploads.items(), key=lambda item: item[1].upload.brought_at)
        old = [key for key, row in rows if tables.passed(row.upload.brought_at, older_seconds)]
        for upload_id in begun[:limit]:
            del tables.uploading[upload_id]
        for owner_and_key in old[:limit]:
            del tables.uploads[owner_and_key]
        for (owner, name), key in [*tables.upload_names.items()]:
            if (owner, key) not in tables.uploads:
                del tables.upload_names[owner, name]
        return len(begun[:limit]) + len(old[:limit])


@dataclass(frozen=True, slots=True)
class _Counted:
    size: int
    at: datetime


def _brought(tables: Tables, owner: str) -> list[_Counted]:
    rows = [row for row in tables.uploads.values() if row.upload.owner == owner and row.counted]
    found = [_Counted(row.counted, row.upload.brought_at) for row in rows]
    return [each for each in found if not tables.passed(each.at, DAY_SECONDS)]


def _begun(tables: Tables, owner: str, *, but: UUID) -> list[_Counted]:
    rows = [row for upload_id, row in tables.uploading.items() if upload_id != but and row[0] == owner]
    found = [_Counted(size, at) for _, size, at in rows]
    return [each for each in found if not tables.passed(each.at, DAY_SECONDS)]
