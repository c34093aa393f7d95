"""Addresses of files: told to pages, and taken back as names of files of ours, never to be fetched."""

import logging
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Self
from urllib.parse import unquote_to_bytes

from makegood.engine import Engine
from makegood.errors import FileNotTaken, UnknownFile, UnknownJob
from makegood.filing import NAME_BYTES_MAX
from makegood.job import Job
from makegood_adapters.http.v1 import links

log = logging.getLogger("makegood.http")

#: Below the address of the service: files that users have brought, and results.
PUBLIC, RESULTS = "/storage/v1/object/public/", "/storage/v1/object/results/"
#: So long after the end of its job the address of a result works; the page itself keeps it for a day.
RESULT_SECONDS = 30 * 86_400
_URL_LENGTH_MAX = 2_048
# What a browser leaves of an address that it has encoded: no backslash, which some read as a slash.
_PRINTED = re.compile(r"[A-Za-z0-9\-._~:/@!$&'()*+,;=%]+")
_BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2})")
_RESULT = re.compile(r"([A-Za-z0-9_-]+)\.[a-z0-9]{1,8}")
#: An address that would be one of ours if the service had another name.
_ELSEWHERE = re.compile(r"(https?://[a-z0-9.:-]{1,100})/storage/v1/object/(?:public|results)/", re.IGNORECASE)
_ELSEWHERE_MAX = 10
#: `folder/user/file`, of which the file may lie deeper.
_SEGMENTS_MIN = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page has put a file of its user: `name` is the whole path, the bucket first."""

    bucket: str
    owner: str
    name: str

    @classmethod
    def of(cls, bucket: str, path: str) -> Self | None:
        """Read `folder/user/file` as it stands in an address, None for what is no such path.

        It is decoded once. No segment may be empty, `.` or `..`, or have a slash, a backslash or a control
        character in it.
        """
        segments = [_decoded(segment) for segment in path.split("/")]
        names = [segment for segment in segments if segment is not None and _is_plain(segment)]
        if len(names) < len(segments) or len(names) < _SEGMENTS_MIN:
            return None
        name = "/".join([bucket, *names])
        return cls(bucket, names[1], name) if len(name.encode()) <= NAME_BYTES_MAX else None


class Addresses:
    """Tells addresses of results, and what file of ours an address stands for.

    *base_url* is the address of this service for its pages, the one that they are built with; without it
    no address is one of ours. Results have addresses only with a *link_secret*, which signs them.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        base_url: str | None = None,
        buckets: Collection[str] = (),
        link_secret: bytes | None = None,
    ) -> None:
        self._engine, self._buckets, self._secret = engine, frozenset(buckets), link_secret
        self._base = None if base_url is None else base_url.rstrip("/")
        self._elsewhere: set[str] = set()

    async def key_of(self, owner: str, url: object) -> str | None:
        """Return the key of the file of ours that *url* stands for, if the owner may use it: what the owner
        has brought, or a result of a job of its own that is paid. None for everything else.

        It has to be one of our addresses to the letter. Nothing is fetched and no name looked up, so that
        where an address would lead is never a question.
        """
        path = self._path(url)
        if path is None:
            self._tell_of(url)
            return None
        if path.startswith(PUBLIC):
            bucket, _, below = path.removeprefix(PUBLIC).partition("/")
            place = Place.of(bucket, below) if bucket in self._buckets else None
            if place is None or place.owner != owner:
                return None
            upload = await self._engine.named(owner, place.name)
            return upload.key if upload else None
        if path.startswith(RESULTS):
            return await self._key_of_result(owner, path.removeprefix(RESULTS))
        return None

    def of_result(self, job: Job, number: int) -> str | None:
        """Return the address of a result file of *job*, by its place from 0; it is always the same.

        Whoever has it reads the file, without credentials, for RESULT_SECONDS after the end of the job. None
        while the job is under way, and where this service has no address or no secret.
        """
        if self._base is None or self._secret is None or job.finished_at is None:
            return None
        until = job.finished_at + timedelta(seconds=RESULT_SECONDS)
        token = links.sign(self._secret, job.id, number, until)
        files = (job.output or {}).get("files", ())
        kind = str(files[number].get("kind", "")) if number < len(files) else ""
        # By its ending pages tell a film from a picture.
        return f"{self._base}{RESULTS}{token}.{kind if re.fullmatch('[a-z0-9]{1,8}', kind) else 'bin'}"

    async def result_at(self, name: str) -> tuple[Job, int]:
        """Return the job and the number of the file that the last part of an address of a result stands for.
        Raises UnknownFile, also when its time is over."""
        found = _RESULT.fullmatch(name)
        if found is None or self._secret is None:
            raise UnknownFile(name)
        what = links.read(self._secret, found[1], await self._engine.now())
        if what is None:
            raise UnknownFile(name)
        try:
            return await self._engine.get(what[0]), what[1]
        except UnknownJob:
            raise UnknownFile(name) from None

    async def _key_of_result(self, owner: str, name: str) -> str | None:
        try:
            job, number = await self.result_at(name)
            return (await self._engine.reuse(job, number)).key if job.owner == owner else None
        except (UnknownFile, FileNotTaken):
            return None

    def _tell_of(self, url: object) -> None:
        """Say it once where pages look for files of ours somewhere else: if that is this service by another
        name, all their jobs are refused. Users can send any name, so that only so many are told."""
        found = _ELSEWHERE.match(url) if isinstance(url, str) else None
        if found and found[1] not in self._elsewhere and len(self._elsewhere) < _ELSEWHERE_MAX:
            self._elsewhere.add(found[1])
            told = "an input was refused whose file is under %s, for public_url is %s: if pages are built "
            log.warning(told + "with the former, set it", found[1], self._base or "not set")

    def _path(self, url: object) -> str | None:
        if self._base is None or not isinstance(url, str) or len(url) > _URL_LENGTH_MAX:
            return None
        # The slash behind it is a part of the comparison: another host, port or user may begin like ours.
        if not url.startswith(f"{self._base}/") or not _PRINTED.fullmatch(url):
            return None
        return url.removeprefix(self._base)


def _decoded(segment: str) -> str | None:
    """Return the text of a segment of a path, None for one that is not encoded as it should be."""
    if _BROKEN.search(segment):
        return None
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeError:
        return None


def _is_plain(segment: str) -> bool:
    return segment not in ("", ".", "..") and segment.isprintable() and not set(segment) & set("/\\")
