"""The scene for the tests of the API, once behind each server."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.api.scene import Scene, opened


@pytest_asyncio.fixture(params=["aiohttp", "asgi"])
async def scene(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> AsyncIterator[Scene]:
    async with opened(database, tmp_path, asgi=request.param == "asgi") as made:
        yield made


@pytest.fixture(scope="session")
def template(stocked_template: str) -> str:
    """Databases of these tests know the job types that come with makegood."""
    return stocked_template
