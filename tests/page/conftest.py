"""A browser for all tests of a worker, and a service of its own for each that asks for one.

The tests of this folder share one event loop, because the browser belongs to it.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.page.scene import Service, Watched, launched, serving

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    shared = pytest.mark.asyncio(loop_scope="session")
    for item in items:
        if HERE in item.path.parents and pytest_asyncio.is_async_test(item):
            item.add_marker(shared, append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Yield the Chromium of this machine; skips without one."""
    async with launched() as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def look(browser: Browser) -> AsyncIterator[Watched]:
    """Open pages, `await look(url, width=360, dark=True)`; any complaint of theirs fails the test."""
    watched = Watched(browser)
    yield watched
    await watched.close()


@pytest_asyncio.fixture(loop_scope="session")
async def service(database: str, tmp_path: Path) -> AsyncIterator[Service]:
    """Yield a real service with its loops, on a database of its own, and a provider that a test directs."""
    async with serving(database, tmp_path) as running:
        yield running
