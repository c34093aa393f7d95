"""Evolink's HTTP calls: which address each question goes to, and what is sent.

Addresses and bodies are from docs.evolink.ai: quickstart, the pages of the image and video models,
task-management/get-task-detail, file-series/upload-stream and account-management/get-credits.
"""

import mimetypes
from collections.abc import AsyncGenerator
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote, urlsplit

import aiohttp

from makegood.media import HEAD_BYTES, format_of
from makegood.ports import Moved, unheard
from makegood_adapters.bearer import BearerCalls, open_session
from makegood_adapters.exchange import Exchange
from makegood_adapters.outgoing import Outgoing
from makegood_adapters.sites import check_site

__all__ = ["BASE_URL", "FILES_URL", "PLACES", "EvolinkClient", "open_session"]

BASE_URL: Final = "https://api.evolink.ai"
#: Files are taken by a site of their own, with the same key.
FILES_URL: Final = "https://files-api.evolink.ai"

#: Where a task is created, by what its model makes. The place for audio is known from Evolink's own examples.
PLACES: Final = {"image": "images", "video": "videos", "audio": "audios"}


class EvolinkClient:
    """The calls of one API key; the session belongs to the caller.

    Files go to *files_url*; left out, to Evolink's own site for them if *base_url* is Evolink's, else to
    *base_url*. *timeout_seconds* bounds one JSON call, *transfer_seconds* one download. ValueError tells
    what is wrong with an address or a key.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        api_key: str,
        base_url: str = BASE_URL,
        *,
        files_url: str | None = None,
        timeout_seconds: float = 50.0,
        connect_seconds: float = 10.0,
        transfer_seconds: float = 120.0,
    ) -> None:
        check_site(base_url, BASE_URL)
        self.base_url = base_url.rstrip("/")
        if files_url is None:
            own = urlsplit(base_url).hostname == urlsplit(BASE_URL).hostname
            files_url = FILES_URL if own else base_url
        check_site(files_url, FILES_URL)
        self.files_url = files_url.rstrip("/")
        self._calls = BearerCalls(
            session,
            api_key,
            timeout_seconds=timeout_seconds,
            connect_seconds=connect_seconds,
            transfer_seconds=transfer_seconds,
        )

    def __repr__(self) -> str:
        return f"EvolinkClient({self.base_url!r})"

    async def create(self, makes: str, body: str) -> Exchange:
        """Make the create call with a JSON text, for a model that makes one of PLACES: one request, never
        repeated."""
        return await self._calls.post(f"{self.base_url}/v1/{PLACES[makes]}/generations", body)

    async def get(self, task: str) -> Exchange:
        """Ask for a task."""
        return await self._calls.get(f"{self.base_url}/v1/tasks/{quote(task, safe='')}")

    async def credits(self) -> Exchange:
        """Ask how many credits key and account have left; it costs nothing and needs the key."""
        return await self._calls.get(f"{self.base_url}/v1/credits")

    async def upload(
        self, name: str, data: bytes, moved: Moved = unheard, idle_seconds: float = 110.0
    ) -> Exchange:
        """Upload a file. Its name there is made of its own bytes, for Evolink's models want an address with
        the extension of an image; only where they say nothing is the extension of *name* sent."""
        known = format_of(data[:HEAD_BYTES])
        suffix = known.kind if known else PurePosixPath(name).suffix[1:]
        safe = f".{suffix}" if suffix.isascii() and suffix.isalnum() else ""
        kind = mimetypes.guess_type(f"input{safe}")[0] or "application/octet-stream"

        def form(file: Outgoing) -> aiohttp.FormData:
            made = aiohttp.FormData()
            # As a file: aiohttp warns of bytes above 1 MiB, since writing them at once blocks the loop.
            made.add_field("file", file, filename=f"input{safe}", content_type=kind)
            return made

        url = f"{self.files_url}/api/v1/files/upload/stream"
        return await self._calls.send(url, data, form, moved, idle_seconds)

    def download(self, url: str, size_max: int) -> AsyncGenerator[bytes, None]:
        """Yield a result file of at most *size_max* bytes; see `download`."""
        return self._calls.download(url, size_max)

    def clean(self, text: str) -> str:
        """Return *text* fit to be stored and shown: without the key, short, and valid Unicode."""
        return self._calls.clean(text)
