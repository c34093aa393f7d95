"""The part of the engine that deals with files of owners: what they bring, and what is theirs to use."""

import asyncio
import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Mapping
from typing import Any
from uuid import UUID

from makegood.buckets import check_texts
from makegood.catalog import Catalog
from makegood.errors import (
    FileNameTaken,
    FileNotTaken,
    FileTooLarge,
    InvalidInput,
    InvalidRequest,
    UnknownFile,
    UploadsExhausted,
)
from makegood.intake import missing
from makegood.job import Job
from makegood.jobtype import MEGABYTE, sniff
from makegood.machine import Money
from makegood.media import HEAD_BYTES
from makegood.mover import Mover
from makegood.outcome import JSON
from makegood.ports import Blobs, Store, Upload
from makegood.settings import Settings

#: What is brought at one time, and by one owner in a day, unless a caller says otherwise.
UPLOAD_BYTES_MAX, DAY_BYTES_MAX = 30 * MEGABYTE, 1_000 * MEGABYTE
#: Of a name under which an owner brings a file, in bytes as UTF-8: it is part of an index.
NAME_BYTES_MAX = 500
#: What can be a key of ours; of anything else no store is asked.
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


class Filing:
    """What a service does with its users' files; `Engine` is one.

    A host may put files into `blobs` itself, and `submit` takes every key: this is for those who let users
    bring files and name them.
    """

    catalog: Catalog
    blobs: Blobs
    _store: Store
    settings: Settings
    _mover: Mover
    _new_id: Callable[[], UUID]

    async def bring(
        self,
        owner: str,
        content: AsyncIterable[bytes],
        *,
        size: int | None = None,
        bytes_max: int = UPLOAD_BYTES_MAX,
        day_bytes_max: int = DAY_BYTES_MAX,
        name: str | None = None,
        replace: bool = False,
    ) -> Upload:
        """Keep a file of the owner, which comes in pieces of which never more than a few are in memory.

        *size* is what the sender says, and no more is taken; None if it says nothing. Its kind is told by
        its first bytes, and has to be one that a job type of the catalog takes. Under its *name*, if it has
        one, `named` finds it; one that stands for another file is taken over with *replace*, and what was
        ordered with that file goes on with it. Raises FileTooLarge, FileNotTaken, FileNameTaken,
        UploadsExhausted when the owner has brought too much within a day, what *content* raises, and what
        `blobs` does; nothing is kept then.
        """
        check_texts(owner=owner)
        if name is not None:
            _check_name(name)
            if not replace and await self._store.uploads.named(owner, name) is not None:
                raise FileNameTaken(name)
        bytes_max = min(bytes_max, day_bytes_max)
        if (size or 0) > bytes_max:
            raise FileTooLarge(bytes_max)
        upload_id, store = self._new_id(), self._store.uploads
        again = await store.begin(upload_id, owner, bytes_max if size is None else size, day_bytes_max)
        if again is not None:
            raise UploadsExhausted(day_bytes_max, again)
        upload: Upload | None = None
        try:
            incoming = _Incoming(
                self._beating(owner, content), bytes_max if size is None else size, self._kinds()
            )
            kind = await incoming.begin()
            key = await self.blobs.put(incoming.pieces(), f"upload.{kind}")
            upload = await store.keep(
                owner, key, kind, incoming.size, upload_id=upload_id, name=name, replace=replace
            )
        finally:
            if upload is None:
                await store.drop(upload_id)
        return upload

    async def _beating(self, owner: str, content: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """Yield the pieces; while they come, the drafts that may wait for them do not end."""
        clock, due = asyncio.get_running_loop().time, 0.0
        async for piece in content:
            if clock() >= due:
                await self._store.drafts.renew(owner)
                due = clock() + self.settings.heartbeat_seconds
            yield piece

    async def brought(self, owner: str, keys: Collection[str]) -> dict[str, Upload]:
        """Return those of these files that the owner may use, by their keys."""
        asked = [key for key in keys if _KEY.fullmatch(key)]
        return (
            {upload.key: upload for upload in await self._store.uploads.known(owner, asked)} if asked else {}
        )

    async def named(self, owner: str, name: str) -> Upload | None:
        """Return the file that the owner has brought under this name, None if there is none."""
        return await self._store.uploads.named(owner, name) if _is_name(name) else None

    async def check_files(self, owner: str, job_type: str, input: Mapping[str, Any]) -> None:
        """Raise InvalidInput if the input of a new job names a file that the owner may not use; it is told as
        if there were no such file. Raises what `Engine.submit` raises for a type or an input."""
        offered = self.catalog.offered(job_type)
        if not offered.file_fields():
            return
        files = list(offered.files_of(offered.parse(input)))
        known = await self.brought(owner, [key for _, _, key in files])
        if problems := [(field, missing(key)) for field, _, key in files if key not in known]:
            raise InvalidInput(offered.name, problems)

    async def given(self, job: Job) -> dict[str, tuple[str, int | None]]:
        """Return the files that were given for the job, by the names of its input: of each its key, and how
        many bytes it has; None: it is gone."""
        known = await self.brought(job.owner, list(job.files.values()))
        sizes = {key: upload.size for key, upload in known.items()}
        for key in set(job.files.values()) - sizes.keys():
            if (size := await self.blobs.size(key)) is not None:
                sizes[key] = size
        return {name: (key, sizes.get(key)) for name, key in job.files.items()}

    async def result(self, job: Job, number: int) -> JSON:
        """Return what is known of a result file of the job, by its place from 0: `key` and `kind` at least.

        What is not paid for is not handed out: UnknownFile while the job is under way, and after an end that
        did not capture.
        """
        output: object = job.output  # of a job that another program has ended it may be any JSON
        files = output.get("files") if isinstance(output, Mapping) else None
        if not isinstance(files, (list, tuple)) or not 0 <= number < len(files):
            raise UnknownFile(f"{job.id}/{number}")
        file = files[number]
        if not (isinstance(file, Mapping) and isinstance(file.get("key"), str) and await self.paid(job)):
            raise UnknownFile(f"{job.id}/{number}")
        return file

    async def reuse(self, job: Job, number: int) -> Upload:
        """Let the owner of the job use one of its result files as the input of another. Raises UnknownFile,
        FileNotTaken."""
        file = await self.result(job, number)
        size = await self.blobs.size(file["key"])
        if size is None:
            raise UnknownFile(file["key"])
        head = b"".join([piece async for piece in self.blobs.read(file["key"], 0, HEAD_BYTES)])
        return await self._store.uploads.keep(job.owner, file["key"], _kind(head, self._kinds()), size)

    async def paid(self, job: Job) -> bool:
        """Return whether the results of the job are handed out: its last step captured credits."""
        if job.finished_at is None:
            return False
        [last] = await self._store.jobs.history(job.id, job.version - 1)
        edges = (await self._mover.type_of(job)).spec.edges
        step = (last.event, last.from_state, last.to_state)
        return any(e.money is Money.CAPTURE for e in edges if (e.event, e.source, e.dest) == step)

    def _kinds(self) -> set[str]:
        """Return what the job types of the catalog take."""
        return {kind for t in self.catalog for mark in t.file_fields().values() for kind in mark.formats}


class _Incoming:
    """The pieces of a file on their way in: looked at and counted, never gathered."""

    def __init__(self, content: AsyncIterable[bytes], bytes_max: int, kinds: Collection[str]) -> None:
        self._content, self._bytes_max, self._kinds = aiter(content), bytes_max, kinds
        self._head = bytearray()
        self.size = 0

    async def begin(self) -> str:
        """Read as much as tells what it is, and return that."""
        while len(self._head) < HEAD_BYTES and (piece := await anext(self._content, None)) is not None:
            self._head += self._counted(piece)
        return _kind(bytes(self._head), self._kinds)

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield all of it."""
        yield bytes(self._head)
        async for piece in self._content:
            yield self._counted(piece)

    def _counted(self, piece: bytes) -> bytes:
        self.size += len(piece)
        if self.size > self._bytes_max:
            raise FileTooLarge(self._bytes_max)
        return piece


def _is_name(name: str) -> bool:
    return name.isprintable() and 0 < len(name.encode()) <= NAME_BYTES_MAX


def _check_name(name: str) -> None:
    if not _is_name(name):
        raise InvalidRequest(
            f"The name of a file must be 1 to {NAME_BYTES_MAX} bytes of printable characters. "
            "Nothing was kept."
        )


def _kind(head: bytes, kinds: Collection[str]) -> str:
    found = sniff(head) if head else None
    if found is None or found not in kinds:
        raise FileNotTaken(found or ("of an unknown kind" if head else "empty"), kinds)
    return found
