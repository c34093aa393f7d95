"""Replicate's HTTP calls: every reply, however broken, becomes a value; the key never leaves."""

import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote

import aiohttp

from makegood.ports import Moved, unheard
from makegood_adapters.download import download
from makegood_adapters.exchange import Exchange, NoReply, Reply, read_reply
from makegood_adapters.outgoing import Outgoing, outgoing
from makegood_adapters.sites import check_site

BASE_URL: Final = "https://api.replicate.com"

_REPLY_BYTES_MAX: Final = 4 * 1024 * 1024
_TEXT_MAX: Final = 500


def detail_of(reply: Reply) -> str | None:
    """Return what Replicate says is wrong, in its own words; None: this is no error of Replicate's."""
    detail = (reply.body or {}).get("detail")
    return detail if isinstance(detail, str) else None if detail is None else json.dumps(detail)


def open_session() -> aiohttp.ClientSession:
    """Open a session for ReplicateClient; the caller closes it.

    It takes no proxy from the environment, which would see the key, and keeps no connection: one that
    the site has dropped meanwhile breaks the next request, and a broken submission is uncertain.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True, limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )


class ReplicateClient:
    """The calls of one API token; the session belongs to the caller.

    *timeout_seconds* bounds one JSON call, *transfer_seconds* one upload or download. ValueError tells
    what is wrong with an address or a token.
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
        if not api_key or not all("!" <= sign <= "~" for sign in api_key):
            raise ValueError("the Replicate API token is empty or has a character no token has")
        self.base_url = base_url.rstrip("/")
        self._session, self._key = session, api_key
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, connect=connect_seconds)
        self._transfer = aiohttp.ClientTimeout(total=transfer_seconds, connect=connect_seconds)
        self._sending = aiohttp.ClientTimeout(total=None, connect=connect_seconds)

    def __repr__(self) -> str:
        return f"ReplicateClient({self.base_url!r})"

    async def create(self, body: str) -> Exchange:
        """Make the create call with a JSON text: one request, never repeated."""
        kind = {"Content-Type": "application/json"}
        return await self._call("POST", "/v1/predictions", self._timeout, headers=kind, data=body.encode())

    async def get(self, prediction: str) -> Exchange:
        """Ask for a prediction."""
        return await self._call("GET", f"/v1/predictions/{quote(prediction, safe='')}", self._timeout)

    async def cancel(self, prediction: str) -> Exchange:
        """Ask for the end of a prediction; the reply is the prediction as it is now."""
        path = f"/v1/predictions/{quote(prediction, safe='')}/cancel"
        return await self._call("POST", path, self._timeout)

    async def webhook_secret(self) -> Exchange:
        """Ask with which secret Replicate signs the account's webhooks."""
        return await self._call("GET", "/v1/webhooks/default/secret", self._timeout)

    async def upload(
        self, name: str, data: bytes, moved: Moved = unheard, idle_seconds: float = 110.0
    ) -> Exchange:
        """Upload a file; only the extension of *name* is sent. It takes as long as it takes, but ends when
        for *idle_seconds* nothing was *moved* and no reply came."""
        try:
            async with outgoing(data, moved, idle_seconds) as file:
                return await self._upload(name, file)
        except TimeoutError:
            return NoReply(f"nothing moved for {idle_seconds:g} s", sent=True)

    async def _upload(self, name: str, file: Outgoing) -> Exchange:
        suffix = PurePosixPath(name).suffix
        safe = suffix if suffix[1:].isascii() and suffix[1:].isalnum() else ""
        form = aiohttp.FormData()
        # As a file: aiohttp warns of bytes above 1 MiB, since writing them at once blocks the loop.
        form.add_field("content", file, filename=f"input{safe}", content_type="application/octet-stream")
        return await self._call("POST", "/v1/files", self._sending, data=form)

    def download(self, url: str, size_max: int) -> AsyncGenerator[bytes, None]:
        """Yield a result file of at most *size_max* bytes; see `download`."""
        return download(self._session, url, size_max, self._transfer)

    def clean(self, text: str) -> str:
        """Return *text* fit to be stored and shown: without the key, short, and valid Unicode."""
        shown = text.replace(self._key, "[key]").replace("\x00", "")
        shown = shown.encode("utf-8", "replace").decode("utf-8")
        return shown if len(shown) <= _TEXT_MAX else shown[: _TEXT_MAX - 1] + "…"

    async def _call(
        self,
        method: str,
        path: str,
        bounds: aiohttp.ClientTimeout,
        *,
        headers: Mapping[str, str] | None = None,
        **content: Any,
    ) -> Exchange:
        if self._session.closed:
            return NoReply("our own HTTP session is closed", sent=False)
        try:
            async with self._session.request(
                method,
                self.base_url + path,
                headers={"Authorization": f"Bearer {self._key}", **(headers or {})},
                timeout=bounds,
                allow_redirects=False,
                middlewares=(),  # one that repeats requests would create, and pay for, a second prediction
                **content,
            ) as response:
                reply = await read_reply(response, _REPLY_BYTES_MAX)
                return replace(reply, problem=self.clean(reply.problem))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return NoReply(self.clean(f"no connection: {error}"), sent=False)
        except aiohttp.InvalidURL:
            return NoReply("the address of Replicate cannot be used", sent=False)
        except TimeoutError:
            return NoReply(f"no answer within {bounds.total} s", sent=True)
        except Exception as error:
            # Whatever else a server can provoke comes after the request may have left, and a submission
            # must end in a value. Only the type: some of these print request headers.
            return NoReply(f"the exchange broke off ({type(error).__name__})", sent=True)
