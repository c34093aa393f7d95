"""What this process has lately uploaded to an account, so that the next try of a job need not again."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Final

#: RunningHub derives the names from the content and keeps input files for a day; a job that is put back
#: because its account is full comes again within minutes.
KEPT_SECONDS: Final = 3600.0
_FILES_MAX: Final = 1000


Key = tuple[bytes, str]


async def key_of(name: str, data: bytes) -> Key:
    """Return what a file is known by, its content and extension; a large one would hold up the loop."""
    digest = await asyncio.to_thread(lambda: hashlib.sha256(data).digest())
    return digest, PurePosixPath(name).suffix.lower()


class Uploads:
    """Names at RunningHub by content and extension; *clock* counts seconds.

    `addresses` are where the uploads can be read for a day, by their names, as far as RunningHub has told.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: OrderedDict[Key, tuple[float, str]] = OrderedDict()
        self.addresses: OrderedDict[str, str] = OrderedDict()

    def find(self, key: Key) -> str | None:
        """Return the name at RunningHub of this file, None if it must be uploaded."""
        at, stored = self._known.get(key, (0.0, None))
        return stored if stored is not None and self._clock() - at < KEPT_SECONDS else None

    def keep(self, key: Key, stored: str, address: str | None = None) -> None:
        """Remember what an upload returned; the oldest of many is forgotten."""
        self._known[key] = (self._clock(), stored)
        self._known.move_to_end(key)
        if address is not None:
            self.addresses[stored] = address
            self.addresses.move_to_end(stored)
        for known in (self._known, self.addresses):
            while len(known) > _FILES_MAX:
                known.popitem(last=False)

    def forget(self) -> None:
        """Upload everything anew, since RunningHub has lost a file."""
        # The addresses stay: a job that has uploaded its file is about to name it.
        self._known.clear()
