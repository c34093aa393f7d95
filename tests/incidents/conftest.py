"""The engine, its loops and its queue manager over a real database, for tests named after incidents."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest_asyncio

from makegood import BaseJob
from tests.adapters.queue_manager.scene import Scene, opened
from tests.engine.world import Upscale, World, a_postgres_world


class Free(BaseJob):
    """Costs nothing, as a job does that runs on its owner's own key."""

    name, pool, price = "free", "gpu", 0


class Another(Upscale):
    """The same work under another name."""

    name = "another"


@pytest_asyncio.fixture
async def world(database: str) -> AsyncIterator[World]:
    async with a_postgres_world(database, Upscale, Free, Another) as opened_world:
        yield opened_world


@pytest_asyncio.fixture
async def scene(database: str, tmp_path: Path) -> AsyncIterator[Scene]:
    async with opened(database, tmp_path) as made:
        yield made


@pytest_asyncio.fixture
async def plain(database: str) -> AsyncIterator[asyncpg.Connection]:
    """Yield a connection of another program, which knows nothing of makegood."""
    connection = await asyncpg.connect(database)
    try:
        yield connection
    finally:
        connection.terminate()
