"""RunningHub's HTTP calls: every reply, however broken, becomes a value; the key never leaves."""

from collections.abc import AsyncGenerator, Mapping
from pathlib import PurePosixPath
from typing import Any, Final, Literal

import aiohttp

from makegood.ports import Moved, unheard
from makegood_adapters.download import download
from makegood_adapters.exchange import Exchange, NoReply, read_reply
from makegood_adapters.outgoing import Outgoing, outgoing
from makegood_adapters.runninghub.request import Api, Call
from makegood_adapters.sites import check_site

AuthMode = Literal["both", "body", "bearer"]

_REPLY_BYTES_MAX: Final = 4 * 1024 * 1024
_TEXT_MAX: Final = 500


def open_session() -> aiohttp.ClientSession:
    """Open a session for RunningHubClient; the caller closes it.

    It takes no proxy from the environment, which would see key and images. It keeps no connection:
    one that the site has dropped meanwhile breaks the next request, and a broken submission is
    uncertain and blocks its slot. It keeps no cookies.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True, limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )


class RunningHubClient:
    """The calls of one API key at one site, each one request; keys of runninghub.cn and .ai are not shared.

    The session belongs to the caller; `open_session` opens one that suits, and a session of another
    make needs what is said there. No middleware of it takes part: one that retries would create, and pay
    for, a second task. Redirects are never followed. *auth_mode* says how the key travels on v1 calls: in
    the body, as a bearer, or both (default); enterprise wallet keys need "bearer". v2 is always bearer.
    *timeout_seconds* bounds a create call, *read_seconds* any other JSON call, *transfer_seconds* one
    download. Raises ValueError for an address or a key that cannot be used.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        api_key: str,
        auth_mode: AuthMode = "both",
        *,
        timeout_seconds: float = 50.0,
        read_seconds: float = 15.0,
        connect_seconds: float = 10.0,
        transfer_seconds: float = 120.0,
    ) -> None:
        check_site(base_url, "https://www.runninghub.cn")
        if not api_key or not all("!" <= sign <= "~" for sign in api_key):
            raise ValueError("The RunningHub API key is empty or has a character no key has.")
        if auth_mode not in ("both", "body", "bearer"):
            raise ValueError(f"auth_mode is {auth_mode!r}; it must be both, body or bearer.")
        self.base_url = base_url.rstrip("/")
        self._session, self._key, self._auth_mode = session, api_key, auth_mode
        self._create = aiohttp.ClientTimeout(total=timeout_seconds, connect=connect_seconds)
        self._read = aiohttp.ClientTimeout(
            total=min(read_seconds, timeout_seconds), connect=min(connect_seconds, read_seconds)
        )
        self._transfer = aiohttp.ClientTimeout(total=transfer_seconds, connect=connect_seconds)
        self._sending = aiohttp.ClientTimeout(total=None, connect=connect_seconds)

    def __repr__(self) -> str:
        return f"RunningHubClient({self.base_url!r})"

    async def create(self, call: Call, api: Api) -> Exchange:
        """Make the create call of an app or a workflow through v1 or v2: one request, never repeated."""
        path, body = call.path_and_body(api)
        if api == "v1":
            return await self._v1(path, body, self._create)
        return await self._send("POST", path, self._create, bearer=True, json=body)

    async def query(self, task_id: str) -> Exchange:
        """Ask v2 for state, results and usage; it also knows tasks created through v1."""
        return await self._send(
            "POST", "/openapi/v2/query", self._read, bearer=True, json={"taskId": task_id}
        )

    async def outputs(self, task_id: str) -> Exchange:
        """Ask v1 for state and results; deprecated and alive."""
        return await self._v1("/task/openapi/outputs", {"taskId": task_id})

    async def status(self, task_id: str) -> Exchange:
        """Ask v1 for the state alone, which tells a cancelled task from a failed one."""
        return await self._v1("/task/openapi/status", {"taskId": task_id})

    async def cancel(self, task_id: str) -> Exchange:
        """Ask v1 to cancel; no v2 route exists."""
        return await self._v1("/task/openapi/cancel", {"taskId": task_id})

    async def webhook_detail(self, task_id: str) -> Exchange:
        """Ask v1 what it keeps about the webhook of a task."""
        return await self._v1("/task/openapi/getWebhookDetail", {"taskId": task_id})

    async def retry_webhook(self, webhook_id: str, url: str | None = None) -> Exchange:
        """Ask v1 to send a webhook again, to *url* or where it went first.

        *webhook_id* is the `id` of its detail, not that of the task.
        """
        told = {"webhookId": webhook_id} if url is None else {"webhookId": webhook_id, "webhookUrl": url}
        return await self._v1("/task/openapi/retryWebhook", told)

    async def account_status(self) -> Exchange:
        """Ask for balance and number of tasks; this one call spells the key `apikey`."""
        return await self._v1("/uc/openapi/accountStatus", {}, key_name="apikey")

    async def queue_status(self) -> Exchange:
        """Ask v2 for the concurrency limit and the load of the whole account."""
        return await self._send("GET", "/openapi/v2/queue/status", self._read, bearer=True)

    async def app_inputs(self, app: str) -> Exchange:
        """Ask which inputs an AI app has; the key is part of the address here, as RunningHub wants it."""
        params = {"webappId": app, **self._key_in_body("apiKey")}
        bearer = self._auth_mode != "body"
        return await self._send("GET", "/api/webapp/apiCallDemo", self._read, bearer=bearer, params=params)

    async def workflow_graph(self, workflow: str) -> Exchange:
        """Ask for the API graph of a workflow."""
        return await self._v1("/api/openapi/getJsonApiFormat", {"workflowId": workflow})

    async def upload(
        self, name: str, data: bytes, api: Api = "v2", moved: Moved = unheard, idle_seconds: float = 110.0
    ) -> Exchange:
        """Upload a file; the name in the reply is derived from the content.

        v1's upload is deprecated and stops at 30 MB. Only the extension of *name* matters to RunningHub. It
        takes as long as it takes, but ends when for *idle_seconds* nothing was *moved* and no reply came.
        """
        try:
            async with outgoing(data, moved, idle_seconds) as file:
                return await self._upload(name, file, api)
        except TimeoutError:
            return NoReply(f"nothing moved for {idle_seconds:g} s", sent=True)

    async def _upload(self, name: str, file: Outgoing, api: Api) -> Exchange:
        suffix = PurePosixPath(name).suffix
        safe = suffix if suffix[1:].isascii() and suffix[1:].isalnum() else ""
        form = aiohttp.FormData(self._key_in_body("apiKey") if api == "v1" else {})
        if api == "v1":
            form.add_field("fileType", "input")
        # As a file: aiohttp warns of bytes above 1 MiB, since writing them at once blocks the loop.
        form.add_field("file", file, filename=f"input{safe}", content_type="application/octet-stream")
        if api == "v1":
            bearer = self._auth_mode != "body"
            return await self._send("POST", "/task/openapi/upload", self._sending, bearer=bearer, data=form)
        path = "/openapi/v2/media/upload/binary"
        return await self._send("POST", path, self._sending, bearer=True, data=form)

    def download(self, url: str, size_max: int) -> AsyncGenerator[bytes, None]:
        """Yield a result file of at most *size_max* bytes; see `download`."""
        return download(self._session, url, size_max, self._transfer)

    def clean(self, text: str) -> str:
        """Return *text* fit to be stored and shown: without the key, short, and valid Unicode."""
        shown = self.storable(text)
        return shown if len(shown) <= _TEXT_MAX else shown[: _TEXT_MAX - 1] + "…"

    def storable(self, text: str) -> str:
        """Return all of *text*, without the key and without what no database keeps."""
        shown = text.replace(self._key, "[key]").replace("\x00", "")
        return shown.encode("utf-8", "replace").decode("utf-8")

    def _key_in_body(self, name: str) -> dict[str, str]:
        return {} if self._auth_mode == "bearer" else {name: self._key}

    async def _v1(
        self,
        path: str,
        body: Mapping[str, Any],
        bounds: aiohttp.ClientTimeout | None = None,
        key_name: str = "apiKey",
    ) -> Exchange:
        content = {**self._key_in_body(key_name), **body}
        bearer = self._auth_mode != "body"
        return await self._send("POST", path, bounds or self._read, bearer=bearer, json=content)

    async def _send(
        self, method: str, path: str, bounds: aiohttp.ClientTimeout, *, bearer: bool, **content: Any
    ) -> Exchange:
        if self._session.closed:
            return NoReply("our own HTTP session is closed", sent=False)
        headers = {"Authorization": f"Bearer {self._key}"} if bearer else {}
        try:
            async with self._session.request(
                method,
                self.base_url + path,
                headers=headers,
                timeout=bounds,
                allow_redirects=False,
                middlewares=(),
                **content,
            ) as response:
                return await read_reply(response, _REPLY_BYTES_MAX)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return NoReply(self.clean(f"no connection: {error}"), sent=False)
        except aiohttp.InvalidURL:
            return NoReply("the address of the site cannot be used", sent=False)
        except TimeoutError:
            return NoReply(f"no answer within {bounds.total} s", sent=True)
        except Exception as error:
            # Whatever else a server can provoke comes after the request may have left, and a
            # submission must end in a value. Only the type: some of these print request headers.
            return NoReply(f"the exchange broke off ({type(error).__name__})", sent=True)
