"""What came of an HTTP request to a provider, as a value: a reply however broken, or none."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

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


async def read_reply(response: aiohttp.ClientResponse, bytes_max: int) -> Reply:
    """Read a reply of at most *bytes_max* bytes, whatever it is and says of its type."""
    body, problem = _parse(await _read_up_to(response, bytes_max))
    if body is None:
        problem = f"HTTP {response.status} with {problem}"
    return Reply(response.status, body, problem, retry_after_seconds(response.headers.get("Retry-After")))


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


def retry_after_seconds(header: str | None) -> float | None:
    """Read `Retry-After` in its form in seconds, an hour at most; the form with a date is not worth trusting
    two clocks."""
    if header is None or not header.isascii() or not header.isdigit():
        return None
    return float(_RETRY_AFTER_SECONDS_MAX if len(header) > 9 else min(int(header), _RETRY_AFTER_SECONDS_MAX))
