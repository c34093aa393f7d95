"""Wake-ups inside one process and those over Postgres keep one contract."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from makegood.ports import Wakeups
from makegood.runtime import LocalWakeups
from makegood.testing.contract import WakeupsContract
from makegood_adapters.postgres.wakeups import PostgresWakeups


class TestLocalWakeups(WakeupsContract):
    @pytest.fixture
    def wakeups(self) -> Wakeups:
        return LocalWakeups()

    @pytest.fixture
    def elsewhere(self, wakeups: Wakeups) -> Wakeups:
        return wakeups


class TestPostgresWakeups(WakeupsContract):
    @pytest_asyncio.fixture
    async def wakeups(self, database: str) -> AsyncIterator[Wakeups]:
        async with PostgresWakeups(database) as opened:
            yield opened

    @pytest_asyncio.fixture
    async def elsewhere(self, database: str) -> AsyncIterator[Wakeups]:
        async with PostgresWakeups(database) as opened:
            yield opened
