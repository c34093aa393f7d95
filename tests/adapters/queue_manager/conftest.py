"""The scene for the queue manager's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.adapters.queue_manager.scene import Scene, opened


@pytest_asyncio.fixture
async def scene(database: str, tmp_path: Path) -> AsyncIterator[Scene]:
    async with opened(database, tmp_path) as made:
        yield made
