"""Files of ours in a bucket of S3 or of what speaks like it, each named by the SHA-256 of its content."""

import re
import tempfile
from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from makegood.errors import StorageError, UnknownFile
from makegood.ports import PIECE_BYTES
from makegood_adapters.addressed import is_key, key_of, write

if TYPE_CHECKING:  # obstore has this type in its stubs alone
    from obstore.store import S3Config

#: What is smaller is never written to this machine's disk on its way.
_IN_MEMORY_BYTES = 1 << 20
#: How much of a file one request asks for. The bucket bounds the time of each, and whoever reads may be slow.
_ASKED_BYTES = 1 << 20
_PROBE = b"makegood can keep files here\n"


class S3Error(StorageError):
    """The bucket cannot be used; the message says why."""


class S3Blobs:
    """`makegood.ports.Blobs` in *bucket*, below *prefix*.

    A key is known only when all of a file has come, so a file waits in this machine's folder for temporary
    files, without a name there, and is sent when it is whole; a large one in parts. A file that the bucket
    has is not sent again. Without *access_key_id* and *secret_access_key* the AWS_* variables of the
    environment or the machine's role are used. *tries_seconds* bounds the repetitions of one request.
    """

    def __init__(
        self,
        bucket: str,
        *,
        prefix: str = "",
        endpoint: str | None = None,
        region: str = "us-east-1",
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        tries_seconds: float = 20.0,
    ) -> None:
        self._bucket = bucket
        self._at = endpoint or f"AWS, region {region}"
        config: S3Config = {"region": region}
        if endpoint is not None:
            config["endpoint"] = endpoint
        if access_key_id is not None and secret_access_key is not None:
            config |= {"access_key_id": access_key_id, "secret_access_key": secret_access_key}
        self._store = S3Store(
            bucket,
            prefix=prefix.strip("/") or None,
            config=config,
            client_options={"allow_http": (endpoint or "").startswith("http://")},
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=tries_seconds)},
        )

    async def prepare(self) -> None:
        """Write a small file into the bucket and read it back. Raises S3Error with a sentence."""
        key = await self.put(_PROBE, "probe.txt")
        if await self.get(key) != _PROBE:
            raise S3Error(f"The bucket {self._bucket!r} does not give back what is put into it.")

    async def put(self, content: bytes | AsyncIterable[bytes], name: str) -> str:
        """Keep *content* and return its key; *name* only lends its extension. Raises S3Error."""
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as spool:
            key = key_of(await write(content, spool), name)
            with self._telling():
                if await self._size(key) is None:
                    spool.seek(0)
                    await obstore.put_async(self._store, key, spool)
        return key

    async def get(self, key: str) -> bytes | None:
        """Return the content; None also for anything that is not a key of ours. Raises S3Error."""
        if not is_key(key):
            return None
        with self._telling():
            try:
                found = await obstore.get_async(self._store, key)
                return bytes(await found.bytes_async())
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):
                    raise
                return None

    async def size(self, key: str) -> int | None:
        """Return how many bytes the file has; None also for anything that is not a key of ours."""
        if not is_key(key):
            return None
        with self._telling():
            return await self._size(key)

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """Yield a part of the content in pieces, asked for one mebibyte at a time. Raises UnknownFile and
        S3Error."""
        size = await self.size(key)
        if size is None:
            raise UnknownFile(key)
        end = size if end is None else min(end, size)
        for first in range(start, end, _ASKED_BYTES):
            with self._telling():
                last = min(first + _ASKED_BYTES, end)
                part = bytes(await obstore.get_range_async(self._store, key, start=first, end=last))
            for place in range(0, len(part), PIECE_BYTES):
                yield part[place : place + PIECE_BYTES]

    async def _size(self, key: str) -> int | None:
        try:
            return (await obstore.head_async(self._store, key))["size"]
        except FileNotFoundError:  # or there is no bucket, which a put tells
            return None

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Say in a sentence what is wrong with the bucket."""
        try:
            yield
        except FileNotFoundError:
            raise S3Error(
                f"There is no bucket {self._bucket!r} at {self._at}. Make it, or change `blobs` or `[s3]`."
            ) from None
        except (PermissionDeniedError, UnauthenticatedError):
            raise S3Error(
                f"The bucket {self._bucket!r} at {self._at} refuses our key: it must be right, and may put "
                "and get objects."
            ) from None
        except BaseError as error:
            raise S3Error(
                f"The bucket {self._bucket!r} at {self._at} cannot be used: {_first_words(error)}."
            ) from None


def _first_words(error: BaseError) -> str:
    """Return what went wrong; what obstore prints below is for its own developers."""
    told = str(error).split("\n\n")[0].splitlines()[0]
    return re.sub(r"\s+", " ", told).strip(" .-")[:300]
