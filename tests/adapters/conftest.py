"""RunningHub's adapter, pointed at a server that replies with the bytes a test wrote."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from makegood_adapters.runninghub import RunningHub, open_session
from tests.adapters.scripted_runninghub import KEY, Script, serve_script
from tests.scenarios.line import client_to, patient


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    async with serve_script() as scripted:
        yield scripted


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as opened:
        yield opened


@pytest.fixture
def provider(script: Script, session: aiohttp.ClientSession) -> RunningHub:
    return RunningHub(client_to(session, script.url, KEY), patience=patient(0.001))
