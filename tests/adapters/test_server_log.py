"""What the server writes about requests that it cannot read: a line, and nothing of what they hold."""

import asyncio
import logging

import pytest

from makegood_adapters.http import application
from tests.adapters.queue_manager.scene import served

RUBBISH = (
    b"GET /hooks/a-token HTTP/1.1\r\nHost: x\r\r\nA: b\r\n\r\n",
    b"a-token\r\n\r\n",
    b"GET /a-token\x00 HTTP/1.1\r\n\r\n",
)


async def test_what_cannot_be_parsed_is_answered_and_logged_in_a_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with served(application()) as page:
        host, port = page.base.removeprefix("http://").split(":")
        for sent in RUBBISH:
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(sent)
            assert (await reader.read()).startswith(b"HTTP/1.0 400 ")
            writer.close()
    assert "unreadable 400" in caplog.text
    assert "a-token" not in caplog.text
    assert not [record for record in caplog.records if record.exc_info]
