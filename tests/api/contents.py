"""What the tests of files share: contents, a connection that is served by hand, and what is kept."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from tests.api.scene import Answer, Client, Scene

MP4 = b"\x00\x00\x00\x18ftypisom" + bytes(range(256)) * 400
PAGE = b"<html><script>alert(document.cookie)</script>"
NOBODYS = "0" * 64 + ".png"


async def pieces(data: bytes, size: int = 1_000) -> AsyncIterator[bytes]:
    for place in range(0, len(data), size):
        yield data[place : place + size]


def kept(scene: Scene) -> list[str]:
    return sorted(path.name for path in scene.blobs.path(NOBODYS).parent.iterdir())


def of_kind(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.body["code"]


def lower(answer: Answer) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


def order(key: str) -> dict[str, Any]:
    return {"type": "upscaler", "input": {"image": key, "category": "comida", "resolution": 1024}}


@asynccontextmanager
async def line(
    client: Client, head: str, *, body: bytes = b""
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Yield a connection on which a request of the owner was begun by hand; it takes little at a time."""
    url = urlsplit(client.base)
    assert url.hostname
    reader, writer = await asyncio.open_connection(url.hostname, url.port, limit=1_024)
    method, _, rest = head.partition(" ")
    path, _, headers = rest.partition("\n")
    told = [f"{method} {url.path}{path} HTTP/1.1", "Host: x", f"Authorization: Bearer {client.who}"]
    writer.write("\r\n".join([*told, *headers.splitlines(), "", ""]).encode() + body)
    try:
        yield reader, writer
    finally:
        writer.close()
