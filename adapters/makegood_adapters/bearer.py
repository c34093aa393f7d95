"""Calls of a provider's JSON API with a bearer key: every reply becomes a value; the key never leaves."""

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import aiohttp

from makegood.ports import Moved, unheard
from makegood_adapters.download import download
from makegood_adapters.exchange import Exchange, NoReply, read_reply
from makegood_adapters.outgoing import Outgoing, outgoing

_REPLY_BYTES_MAX: Final = 4 * 1024 * 1024
_TEXT_MAX: Final = 500


def open_session() -> aiohttp.ClientSession:
    """Open a session for BearerCalls; the caller closes it.

    It takes no proxy from the environment, which would see the key, and keeps no connection: one that
    the site has dropped meanwhile breaks the next request, and a broken submission is uncertain.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True, limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )


class BearerCalls:
    """The calls of one key; the session belongs to the caller.

    *timeout_seconds* bounds one JSON call, *transfer_seconds* one download. ValueError for a key that no
    header can carry.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        api_key: str,
        *,
        timeout_seconds: float,
        connect_seconds: float,
        transfer_seconds: float,
    ) -> None:
        if not api_key or not all("!" <= sign <= "~" for sign in api_key):
            raise ValueError("the API key or token is empty or has a character no key has")
        self._session, self._key = session, api_key
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, connect=connect_seconds)
        self._transfer = aiohttp.ClientTimeout(total=transfer_seconds, connect=connect_seconds)
        self._sending = aiohttp.ClientTimeout(total=None, connect=connect_seconds)

    async def get(self, url: str) -> Exchange:
        """Ask."""
        return await self._call("GET", url, self._timeout)

    async def post(self, url: str, body: str | None = None) -> Exchange:
        """Post a JSON text, or nothing: one request, never repeated."""
        if body is None:
            return await self._call("POST", url, self._timeout)
        kind = {"Content-Type": "application/json"}
        return await self._call("POST", url, self._timeout, headers=kind, data=body.encode())

    async def send(
        self,
        url: str,
        data: bytes,
        form: Callable[[Outgoing], aiohttp.FormData],
        moved: Moved = unheard,
        idle_seconds: float = 110.0,
    ) -> Exchange:
        """Post a file in a form. It takes as long as it takes, but ends when for *idle_seconds* nothing was
        *moved* and no reply came."""
        try:
            async with outgoing(data, moved, idle_seconds) as file:
                return await self._call("POST", url, self._sending, data=form(file))
        except TimeoutError:
            return NoReply(f"nothing moved for {idle_seconds:g} s", sent=True)

    def download(self, url: str, size_max: int) -> AsyncGenerator[bytes, None]:
        """Yield a result file of at most *size_max* bytes, asked for without the key; see `download`."""
        return download(self._session, url, size_max, self._transfer)

    def clean(self, text: str) -> str:
        """Return *text* fit to be stored and shown: without the key, short, and valid Unicode."""
        shown = text.replace(self._key, "[key]").replace("\x00", "")
        shown = shown.encode("utf-8", "replace").decode("utf-8")
        return shown if len(shown) <= _TEXT_MAX else shown[: _TEXT_MAX - 1] + "…"

    async def _call(
        self,
        method: str,
        url: str,
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
                url,
                headers={"Authorization": f"Bearer {self._key}", **(headers or {})},
                timeout=bounds,
                allow_redirects=False,
                middlewares=(),  # one that repeats requests would create, and pay for, a second task
                **content,
            ) as response:
                reply = await read_reply(response, _REPLY_BYTES_MAX)
                return replace(reply, problem=self.clean(reply.problem))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return NoReply(self.clean(f"no connection: {error}"), sent=False)
        except aiohttp.InvalidURL:
            return NoReply("the address of the provider cannot be used", sent=False)
        except TimeoutError:
            return NoReply(f"no answer within {bounds.total} s", sent=True)
        except Exception as error:
            # Whatever else a server can provoke comes after the request may have left, and a submission
            # must end in a value. Only the type: some of these print request headers.
            return NoReply(f"the exchange broke off ({type(error).__name__})", sent=True)
