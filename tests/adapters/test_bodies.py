"""One reader of bodies: what it refuses has the same status and words at the webhooks and in the API."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web

from makegood_adapters.http.application import BodyRefused, application, read_body, read_chunks
from makegood_adapters.http.problems import CODES, problem_of
from tests.adapters.queue_manager.scene import served


async def large() -> AsyncIterator[bytes]:
    """Send more than may be, and fail if it is asked for once too much has come."""
    yield b"12345678"
    yield b"9"
    raise AssertionError


async def slow() -> AsyncIterator[bytes]:
    yield b"1"
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("body", "problem", "told"),
    [
        (large, "body_too_large", "The body is larger than 8 bytes."),
        (slow, "body_too_slow", "The body did not arrive within 0.05 seconds."),
    ],
)
async def test_what_is_too_large_or_too_slow_is_told_alike(
    body: Callable[[], AsyncIterator[bytes]], problem: str, told: str
) -> None:
    with pytest.raises(BodyRefused) as refused:
        await read_chunks(body(), bytes_max=8, seconds=0.05)
    of_api = problem_of(refused.value)
    assert (of_api.code, of_api.detail, str(refused.value)) == (problem, told, told)
    assert of_api.status == refused.value.status == CODES[problem][0]


async def test_what_comes_with_its_head_and_what_comes_later_have_the_same_bound() -> None:
    async def hear(request: web.Request) -> web.Response:
        return web.Response(body=await read_body(request, bytes_max=8))

    async def later(body: bytes) -> AsyncIterator[bytes]:
        yield body[:1]
        await asyncio.sleep(0)
        yield body[1:]

    app = application()
    app.add_routes([web.post("/", hear)])
    async with served(app) as page:
        for body, status in ((b"", 200), (b"12345678", 200), (b"123456789", 413)):
            for data in (body, later(body)):
                assert (await page.call("POST", "/", data=data)).status == status, (body, data)
