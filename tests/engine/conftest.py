"""What most tests of the engine work with."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.engine.world import World, a_world


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    async with a_world() as opened:
        yield opened
