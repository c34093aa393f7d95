"""A RunningHub that answers with given bytes, and the bytes that no client expects."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from makegood.outcome import Rejected, Submission, Uncertain
from tests.loop_time import hasten

T = TypeVar("T")

KEY = "0123456789abcdef0123456789abcdef"
TASK = "1904163390028185602"
PAGE = b"<html><body>nginx</body></html>"


def reply(body: Any, status: int = 200, kind: str = "application/json", extra: str = "") -> bytes:
    """Return a whole HTTP reply; *extra* are more header lines."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(raw)}\r\n{extra}\r\n"
    return head.encode() + raw


class Script:
    """A server that reads each request to its end, keeps it, and answers with the given bytes."""

    def __init__(self) -> None:
        self.answer: bytes | None = b""  # None: never answer
        self.before: list[bytes] = []  # answers that are given first, one each
        self.routes: dict[str, bytes] = {}  # answers by path, before all others
        self.reset = False
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.received = asyncio.Event()
        self.url = ""

    def reply(self, body: Any, status: int = 200, kind: str = "application/json", extra: str = "") -> None:
        self.answer = reply(body, status, kind, extra)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *rest = head.strip().split("\r\n")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in rest)}
            body = await self.body(reader, headers)
            self.requests.append((first, headers, body))
            self.received.set()
            path = first.split(" ")[1].split("?")[0]
            queued = self.before.pop(0) if self.before and path not in self.routes else self.answer
            answer = self.routes.get(path, queued)
            if answer is None:
                await reader.read()  # until the client gives up
            elif self.reset:
                writer.transport.abort()
            else:
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def body(self, reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            raw = b""
            while size := int(await reader.readline(), 16):
                raw += await reader.readexactly(size)
                await reader.readline()
            await reader.readline()
            return raw
        return await reader.readexactly(int(headers.get("content-length", 0)))

    @property
    def paths(self) -> list[str]:
        return [first.split(" ")[1] for first, _, _ in self.requests]

    @property
    def sent(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.requests[-1][2])
        return value


@asynccontextmanager
async def serve_script() -> AsyncIterator[Script]:
    """Serve a script on a free port."""
    scripted = Script()
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0)
    scripted.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield scripted
    finally:
        server.close()
        await server.wait_closed()


async def given_up(call: Coroutine[Any, Any, T], script: Script) -> T:
    """Return what becomes of a call that *script* has got and never answers, once its time has passed."""
    script.received.clear()
    calling = asyncio.create_task(call)
    await script.received.wait()
    hasten(1_000)
    return await calling


Bytes = Callable[[Script], None]
#: Name -> how to answer, what a submission makes of it, and whether it may be repeated.
HOSTILE: dict[str, tuple[Bytes, type[Submission], str]] = {
    "page 200": (lambda s: s.reply(PAGE, 200, "text/html"), Uncertain, ""),
    "page 403": (lambda s: s.reply(PAGE, 403, "text/html"), Uncertain, ""),
    "page 408": (lambda s: s.reply(PAGE, 408, "text/html"), Uncertain, ""),
    "page 500": (lambda s: s.reply(PAGE, 500, "text/html"), Uncertain, ""),
    "page 502": (lambda s: s.reply(PAGE, 502, "text/html"), Uncertain, ""),
    "page 504": (lambda s: s.reply(PAGE, 504, "text/html"), Uncertain, ""),
    "page 429": (lambda s: s.reply(PAGE, 429, "text/html"), Rejected, "later"),
    "page 401": (lambda s: s.reply(PAGE, 401, "text/html"), Rejected, "later"),
    "page 404": (lambda s: s.reply(PAGE, 404, "text/html"), Rejected, "never"),
    "page 413": (lambda s: s.reply(PAGE, 413, "text/html"), Rejected, "never"),
    "page 301": (
        lambda s: s.reply(PAGE, 301, "text/html", f"Location: {s.url}/moved\r\n"),
        Rejected,
        "never",
    ),
    "page 307": (
        lambda s: s.reply(PAGE, 307, "text/html", f"Location: {s.url}/moved\r\n"),
        Rejected,
        "never",
    ),
    "key -1 with 401": (lambda s: s.reply({"code": -1, "msg": "no"}, 401), Rejected, "later"),
    "key 401 with 200": (
        lambda s: s.reply({"code": 401, "message": "no", "data": None}),
        Rejected,
        "later",
    ),
    "busy with 503": (lambda s: s.reply({"code": 1003, "msg": "slow"}, 503), Uncertain, ""),
    "object without code, 429": (lambda s: s.reply({"error": "slow"}, 429), Rejected, "later"),
    "empty 200": (lambda s: s.reply(b""), Uncertain, ""),
    "empty 204": (lambda s: s.reply(b"", 204), Uncertain, ""),
    "blank": (lambda s: s.reply(b"  \r\n"), Uncertain, ""),
    "truncated JSON": (lambda s: s.reply(b'{"code":0,"data":{"taskId":"19'), Uncertain, ""),
    "array": (lambda s: s.reply([{"code": 421}]), Uncertain, ""),
    "null": (lambda s: s.reply(b"null"), Uncertain, ""),
    "no code": (lambda s: s.reply({"msg": "success"}), Uncertain, ""),
    "null code": (lambda s: s.reply({"code": None, "msg": "success"}), Uncertain, ""),
    "code 0, no data": (lambda s: s.reply({"code": 0, "data": None}), Uncertain, ""),
    "code 0, empty id": (lambda s: s.reply({"code": 0, "data": {"taskId": ""}}), Uncertain, ""),
    "id is null as text": (lambda s: s.reply({"code": 0, "data": {"taskId": "null"}}), Uncertain, ""),
    "id as float": (lambda s: s.reply(b'{"code":0,"data":{"taskId":1.9e18}}'), Uncertain, ""),
    "id as object": (lambda s: s.reply({"code": 0, "data": {"taskId": {}}}), Uncertain, ""),
    "data as text": (lambda s: s.reply({"code": 0, "data": "1904"}), Uncertain, ""),
    "unlisted code": (lambda s: s.reply({"code": 31337, "msg": "?"}), Uncertain, ""),
    "code as object": (lambda s: s.reply({"code": {"a": 1}}), Uncertain, ""),
    "deep JSON": (lambda s: s.reply(b"[" * 100_000), Uncertain, ""),
    "huge number": (lambda s: s.reply(b'{"code":' + b"9" * 6000 + b"}"), Uncertain, ""),
    "bad UTF-8": (lambda s: s.reply(b'{"code":421,"msg":"\xff\xfe\xff"}'), Uncertain, ""),
    "five megabytes": (lambda s: s.reply(b" " * 5_000_000), Uncertain, ""),
    "no gzip": (lambda s: s.reply(b"{}", extra="Content-Encoding: gzip\r\n"), Uncertain, ""),
    "no HTTP": (lambda s: setattr(s, "answer", b"\x00\x01 what\r\n\r\n"), Uncertain, ""),
    "nothing": (lambda s: setattr(s, "answer", b""), Uncertain, ""),
    "reset after the request": (lambda s: setattr(s, "reset", True), Uncertain, ""),
    "cut body": (
        lambda s: setattr(s, "answer", b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"code":421}'),
        Uncertain,
        "",
    ),
    "bad chunks": (
        lambda s: setattr(s, "answer", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        Uncertain,
        "",
    ),
}
