"""Replicate's HTTP calls: which address each question goes to, and what is sent."""

import json
from collections.abc import AsyncGenerator
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote

import aiohttp

from makegood.ports import Moved, unheard
from makegood_adapters.bearer import BearerCalls, open_session
from makegood_adapters.exchange import Exchange, Reply
from makegood_adapters.outgoing import Outgoing
from makegood_adapters.sites import check_site

__all__ = ["BASE_URL", "ReplicateClient", "detail_of", "open_session"]

BASE_URL: Final = "https://api.replicate.com"


def detail_of(reply: Reply) -> str | None:
    """Return what Replicate says is wrong, in its own words; None: this is no error of Replicate's."""
    detail = (reply.body or {}).get("detail")
    return detail if isinstance(detail, str) else None if detail is None else json.dumps(detail)


class ReplicateClient:
    """The calls of one API token; the session belongs to the caller.

    *timeout_seconds* bounds one JSON call, *transfer_seconds* one download. ValueError tells what is wrong
    with an address or a token.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        api_key: str,
        base_url: str = BASE_URL,
        *,
        timeout_seconds: float = 50.0,
        connect_seconds: float = 10.0,
        transfer_seconds: float = 120.0,
    ) -> None:
        check_site(base_url, BASE_URL)
        self.base_url = base_url.rstrip("/")
        self._calls = BearerCalls(
            session,
            api_key,
            timeout_seconds=timeout_seconds,
            connect_seconds=connect_seconds,
            transfer_seconds=transfer_seconds,
        )

    def __repr__(self) -> str:
        return f"ReplicateClient({self.base_url!r})"

    async def create(self, body: str) -> Exchange:
        """Make the create call with a JSON text: one request, never repeated."""
        return await self._calls.post(f"{self.base_url}/v1/predictions", body)

    async def get(self, prediction: str) -> Exchange:
        """Ask for a prediction."""
        return await self._calls.get(self._prediction(prediction))

    async def cancel(self, prediction: str) -> Exchange:
        """Ask for the end of a prediction; the reply is the prediction as it is now."""
        return await self._calls.post(f"{self._prediction(prediction)}/cancel")

    async def webhook_secret(self) -> Exchange:
        """Ask with which secret Replicate signs the account's webhooks."""
        return await self._calls.get(f"{self.base_url}/v1/webhooks/default/secret")

    async def upload(
        self, name: str, data: bytes, moved: Moved = unheard, idle_seconds: float = 110.0
    ) -> Exchange:
        """Upload a file; only the extension of *name* is sent. See `BearerCalls.send`."""
        suffix = PurePosixPath(name).suffix
        safe = suffix if suffix[1:].isascii() and suffix[1:].isalnum() else ""

        def form(file: Outgoing) -> aiohttp.FormData:
            made = aiohttp.FormData()
            # As a file: aiohttp warns of bytes above 1 MiB, since writing them at once blocks the loop.
            made.add_field("content", file, filename=f"input{safe}", content_type="application/octet-stream")
            return made

        return await self._calls.send(f"{self.base_url}/v1/files", data, form, moved, idle_seconds)

    def download(self, url: str, size_max: int) -> AsyncGenerator[bytes, None]:
        """Yield a result file of at most *size_max* bytes; see `download`."""
        return self._calls.download(url, size_max)

    def clean(self, text: str) -> str:
        """Return *text* fit to be stored and shown: without the key, short, and valid Unicode."""
        return self._calls.clean(text)

    def _prediction(self, name: str) -> str:
        return f"{self.base_url}/v1/predictions/{quote(name, safe='')}"
