"""What most tests of the engine work with; a test named after an incident works with Postgres too."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.engine.world import World, a_postgres_world, a_world

#: The ids of docs/reference/incidents.md at the front of a test's name.
INCIDENT = re.compile(r"test_(?:[cdfmps]\d+_)+")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "world" in metafunc.fixturenames and INCIDENT.match(metafunc.function.__name__):
        metafunc.parametrize("world", ["memory", "postgres"], indirect=True)


@pytest_asyncio.fixture
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if getattr(request, "param", "memory") == "memory":
        async with a_world() as opened:
            yield opened
        return
    async with a_postgres_world(request.getfixturevalue("database")) as opened:
        yield opened
