"""RunningHub's HTTP calls: every reply, however broken, becomes a value; the key never leaves."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import aiohttp

from makegood.errors import ProviderUnavailable

AuthMode = Literal["both", "body", "bearer"]

_REPLY_BYTES_MAX: Final = 4 * 1024 * 1024
_TEXT_MAX: Final = 500
_RETRY_AFTER_SECONDS_MAX: Final = 3600


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP reply; `body` is None when it was no JSON object, and `problem` says what it was."""

    status: int
    body: Mapping[str, Any] | None
    problem: str = ""
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class NoReply:
    """No complete reply came; `sent` is False only if not one byte of the request can have left."""

    problem: str
    sent: bool


Exchange = Reply | NoReply


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
    """The calls of one API key at one site; keys of runninghub.cn and .ai are not shared.

    The session belongs to the caller; `open_session` opens one that suits, and a session of another
    make needs what is said there.
    Redirects of a POST are never followed. *auth_mode* says how the key travels on v1 calls: in the
    body, as a bearer, or both (default); enterprise wallet keys need "bearer". v2 is always bearer.
    *timeout_seconds* bounds one JSON call, *transfer_seconds* one upload or download.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        api_key: str,
        auth_mode: AuthMode = "both",
        *,
        timeout_seconds: float = 50.0,
        connect_seconds: float = 10.0,
        transfer_seconds: float = 120.0,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise ValueError(f"{base_url!r} is no address like https://www.runninghub.cn")
        if not api_key or not all("!" <= sign <= "~" for sign in api_key):
            raise ValueError("The RunningHub API key is empty or has a character no key has.")
        if auth_mode not in ("both", "body", "bearer"):
            raise ValueError(f"auth_mode is {auth_mode!r}; it must be both, body or bearer.")
        self.base_url = base_url.rstrip("/")
        self._session, self._key, self._auth_mode = session, api_key, auth_mode
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, connect=connect_seconds)
        self._transfer = aiohttp.ClientTimeout(total=transfer_seconds, connect=connect_seconds)

    def __repr__(self) -> str:
        return f"RunningHubClient({self.base_url!r})"

    async def run_ai_app(self, app: str, nodes: Sequence[Mapping[str, str]], webhook: str | None) -> Exchange:
        """Make the v1 create call, `/task/openapi/ai-app/run`: one request, never repeated.

        *nodes* are {nodeId, fieldName, fieldValue}. No middleware of the session takes part, since
        one that retries would create, and pay for, a second task.
        """
        body: dict[str, Any] = {"webappId": app, "nodeInfoList": list(nodes)}
        if webhook is not None:
            body["webhookUrl"] = webhook
        return await self._v1("/task/openapi/ai-app/run", body)

    async def query(self, task_id: str) -> Exchange:
        """Ask v2 for state, results and usage; it also knows tasks created through v1."""
        return await self._post("/openapi/v2/query", self._timeout, bearer=True, json={"taskId": task_id})

    async def cancel(self, task_id: str) -> Exchange:
        """Ask v1 to cancel; no v2 route exists."""
        return await self._v1("/task/openapi/cancel", {"taskId": task_id})

    async def webhook_detail(self, task_id: str) -> Exchange:
        """Ask v1 what it keeps about the webhook of a task."""
        return await self._v1("/task/openapi/getWebhookDetail", {"taskId": task_id})

    async def upload(self, name: str, data: bytes) -> Exchange:
        """Upload a file through v2; the name in the reply is derived from the content.

        v2 because v1's upload is deprecated, stops at 30 MB and wants the key in the body, which
        wallet keys do not allow. Only the extension of *name* matters to RunningHub.
        """
        suffix = PurePosixPath(name).suffix
        safe = suffix if suffix[1:].isascii() and suffix[1:].isalnum() else ""
        form = aiohttp.FormData()
        # As a file: aiohttp warns of bytes above 1 MiB, since writing them at once blocks the loop.
        form.add_field(
            "file", io.BytesIO(data), filename=f"input{safe}", content_type="application/octet-stream"
        )
        return await self._post("/openapi/v2/media/upload/binary", self._transfer, bearer=True, data=form)

    async def download(self, url: str, size_max: int) -> bytes:
        """Return a result file of at most *size_max* bytes; the key is not sent to its host.

        Raises ProviderUnavailable when the file is missing, empty, cut off or larger. RunningHub
        keeps results for 24 hours; afterwards its storage answers 403.
        """
        problem = "it is empty"
        try:
            async with self._session.get(
                url,
                timeout=self._transfer,
                max_redirects=3,
                # Compressed content could grow past the limit, and hides a cut.
                headers={"Accept-Encoding": "identity"},
            ) as response:
                if response.status != 200:
                    problem = f"HTTP {response.status}"
                elif (response.content_length or 0) > size_max:
                    problem = f"it is larger than {size_max} bytes"
                else:
                    data = await _read_up_to(response, size_max)
                    if data:
                        return data
                    if data is None:
                        problem = f"it is larger than {size_max} bytes"
        except TimeoutError:
            problem = f"not complete within {self._transfer.total} s"
        except Exception as error:
            # Only the type: the text may hold a signed address, which is as good as a password.
            problem = f"the download broke off ({type(error).__name__})"
        raise ProviderUnavailable(self.clean(f"The result cannot be downloaded: {problem}"))

    def clean(self, text: str) -> str:
        """Return *text* fit to be stored and shown: without the key, short, and valid Unicode."""
        shown = text.replace(self._key, "[key]").replace("\x00", "")
        shown = shown.encode("utf-8", "replace").decode("utf-8")
        return shown if len(shown) <= _TEXT_MAX else shown[: _TEXT_MAX - 1] + "…"

    async def _v1(self, path: str, body: Mapping[str, Any]) -> Exchange:
        key = {} if self._auth_mode == "bearer" else {"apiKey": self._key}
        return await self._post(path, self._timeout, bearer=self._auth_mode != "body", json={**key, **body})

    async def _post(
        self, path: str, bounds: aiohttp.ClientTimeout, *, bearer: bool, **content: Any
    ) -> Exchange:
        if self._session.closed:
            return NoReply("our own HTTP session is closed", sent=False)
        headers = {"Authorization": f"Bearer {self._key}"} if bearer else {}
        try:
            async with self._session.post(
                self.base_url + path,
                headers=headers,
                timeout=bounds,
                allow_redirects=False,
                middlewares=(),
                **content,
            ) as response:
                raw = await _read_up_to(response, _REPLY_BYTES_MAX)
                body, problem = _parse(raw)
                if body is None:
                    problem = f"HTTP {response.status} with {problem}"
                after = _retry_after(response.headers.get("Retry-After"))
                return Reply(response.status, body, problem, after)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return NoReply(self.clean(f"no connection: {error}"), sent=False)
        except TimeoutError:
            return NoReply(f"no answer within {bounds.total} s", sent=True)
        except Exception as error:
            # Whatever else a server can provoke comes after the request may have left, and a
            # submission must end in a value. Only the type: some of these print request headers.
            return NoReply(f"the exchange broke off ({type(error).__name__})", sent=True)


async def _read_up_to(response: aiohttp.ClientResponse, size_max: int) -> bytes | None:
    """Return the body, None if it is longer than *size_max* bytes."""
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > size_max:
            return None
    return bytes(data)


def _parse(raw: bytes | None) -> tuple[Mapping[str, Any] | None, str]:
    """Parse JSON whatever the content type says; return an object, or what is wrong."""
    if raw is None:
        return None, "an endless body"
    if not raw.strip():
        return None, "an empty body"
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        is_page = raw.lstrip()[:1] == b"<"
        return None, "an HTML page" if is_page else "a body that is not JSON"
    if not isinstance(value, dict):
        return None, "JSON that is no object"
    return value, ""


def _retry_after(header: str | None) -> float | None:
    """Read the form in seconds; the form with a date is not worth trusting two clocks."""
    if header is None or not header.isascii() or not header.isdigit() or len(header) > 9:
        return None
    return float(min(int(header), _RETRY_AFTER_SECONDS_MAX))
