"""The engine, its loops and its queue manager over a real database, for tests named after incidents."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
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


@pytest_asyncio.fixture
async def nobody(database: str) -> AsyncIterator[asyncpg.Connection]:
    """Yield a connection of a role that was given nothing, as an anonymous caller of a public API has it."""
    name = f"makegood_nobody_{secrets.token_hex(6)}"
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(f"CREATE ROLE {name}")
        await connection.execute(f"SET SESSION AUTHORIZATION {name}")
        yield connection
    finally:
        await connection.execute("RESET SESSION AUTHORIZATION")
        await connection.execute(f"DROP ROLE {name}")
        await connection.close()


@pytest.fixture(scope="session")
def template(stocked_template: str) -> str:
    """Databases of these tests know the job types that come with makegood."""
    return stocked_template
