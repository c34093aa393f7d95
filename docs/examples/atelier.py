# atelier.py
"""A provider in one file: the account of a studio, whose small API is spoken here and nowhere else."""

import hashlib
import json
from contextlib import asynccontextmanager

import aiohttp

from makegood import ProviderRefused, ProviderUnavailable, ResultTooLarge
from makegood.outcome import (
    Accepted,
    Cancelled,
    CancelReply,
    Capacity,
    Cause,
    Failed,
    Features,
    Hint,
    NotFound,
    Output,
    Rejected,
    Retry,
    Succeeded,
    Trouble,
    Uncertain,
    Unfinished,
)
from makegood.ports import unheard


class Atelier:
    features = Features(tells_webhook=True, results_seconds=86_400, upload_bytes_max=10_000_000)

    def __init__(self, session, base_url, api_key):
        self._session, self._base = session, base_url
        self._headers = {"Authorization": f"Bearer {api_key}"}

    async def upload(self, name, data, moved=unheard):
        status, body = await self._ask("POST", "/files", data=data)
        moved(len(data))  # a large file tells of its pieces: an upload that is silent for long is given up
        if status == 413:
            raise ProviderRefused("The file is larger than the studio takes.")
        if status != 201:
            raise ProviderUnavailable(f"the studio took no file: {status}")
        return body["name"]

    async def submit(self, request, files, webhook):
        try:
            call = json.dumps({"picture": files[request["picture"]["file"]], "hook": webhook})
        except (KeyError, TypeError) as error:
            return Rejected("request", f"The request cannot be sent: {error}", Retry.NEVER)
        try:
            status, body = await self._call("POST", "/tasks", data=call)
        except aiohttp.ClientConnectorError as error:  # nothing was sent
            return Rejected("connection", str(error), Retry.LATER, cause=Cause.PACE)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return Uncertain(f"no usable reply: {type(error).__name__}")
        match status:
            case 201 if isinstance(body.get("id"), str):
                return Accepted(body["id"])
            case 409:
                return Rejected("full", "all painters are busy", Retry.LATER, cause=Cause.ROOM)
            case 401:
                return Rejected("key", "the key is not known", Retry.LATER, cause=Cause.ACCOUNT)
            case 422:
                return Rejected("input", str(body.get("why")), Retry.NEVER)
            case _:
                return Uncertain(f"HTTP {status}")

    async def query(self, task_id):
        status, body = await self._ask("GET", f"/tasks/{task_id}")
        match (status, body.get("state")):
            case (200, "waiting" | "painting" as state):
                return Unfinished(running=state == "painting")
            case (200, "done"):
                return Succeeded((Output(body["file"], "png"),), {"minutes": body["minutes"]})
            case (200, "spoiled"):
                return Failed(body["why"], trouble=Trouble.PASSING)
            case (200, "stopped"):
                return Cancelled(ran=body["minutes"] > 0)
            case (404, _):
                return NotFound()
        raise ProviderUnavailable(f"the studio gave no usable answer: {status}")

    async def cancel(self, task_id):
        status, _ = await self._ask("DELETE", f"/tasks/{task_id}")
        replies = {202: CancelReply.REQUESTED, 409: CancelReply.ALREADY_OVER, 404: CancelReply.NOT_FOUND}
        if status not in replies:
            raise ProviderUnavailable(f"the studio gave no usable answer: {status}")
        return replies[status]

    async def capacity(self):
        return Capacity()  # the studio tells nothing, and its features say so

    async def fetch(self, output, size_max):
        size = 0
        try:
            async with self._session.get(output.url) as reply:
                async for piece in reply.content.iter_chunked(65_536):
                    size += len(piece)
                    if reply.status != 200 or size > size_max:
                        break
                    yield piece
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ProviderUnavailable(f"the result broke off: {type(error).__name__}") from None
        if size > size_max:
            raise ResultTooLarge(size_max)
        if not size or reply.status != 200:
            raise ProviderUnavailable(f"no result: HTTP {reply.status}")

    async def confirm_binding(self, task_id, token_hash):
        _, body = await self._ask("GET", f"/tasks/{task_id}")
        token = (body.get("hook") or "").rpartition("/")[2]
        return hashlib.sha256(token.encode()).digest() == token_hash

    def parse_webhook(self, headers, raw):
        body = _object(raw)
        if not isinstance(body.get("id"), str):
            raise ValueError("the message names no task")
        return Hint(body["id"])

    async def _ask(self, method, path, **content):
        try:
            return await self._call(method, path, **content)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ProviderUnavailable(f"the studio gave no usable answer: {type(error).__name__}") from None

    async def _call(self, method, path, **content):
        address, bound = self._base + path, aiohttp.ClientTimeout(total=50)
        async with self._session.request(
            method, address, headers=self._headers, timeout=bound, allow_redirects=False, **content
        ) as reply:
            return reply.status, _object(await reply.read())


def _object(raw):
    try:
        body = json.loads(raw)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return body if isinstance(body, dict) else {}


@asynccontextmanager
async def open_account(*, name, base_url, api_key):
    if not base_url:
        raise ValueError("base_url is missing: the address of the studio")
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        yield Atelier(session, base_url, api_key)
