"""The scene for the queue manager's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.adapters.queue_manager.scene import Scene, opened


@pytest_asyncio.fixture
async def scene(database: str, tmp_path: Path) -> AsyncIterator[Scene]:
    async with opened(database, tmp_path) as made:
        yield made


@pytest.fixture(scope="session")
def template(stocked_template: str) -> str:
    """Databases of these tests know the job types that come with makegood."""
    return stocked_template
