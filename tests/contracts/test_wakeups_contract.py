"""Wake-ups inside one process and those over Postgres keep one contract."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from makegood.ports import Wakeups
from makegood.runtime import LocalWakeups
from makegood.testing.contract import WakeupsContract
from makegood_adapters.postgres import wakeups as module
from makegood_adapters.postgres.wakeups import PostgresWakeups


class TestLocalWakeups(WakeupsContract):
    @pytest.fixture
    def wakeups(self) -> Wakeups:
        return LocalWakeups()

    @pytest.fixture
    def elsewhere(self, wakeups: Wakeups) -> Wakeups:
        return wakeups


class TestPostgresWakeups(WakeupsContract):
    @pytest.fixture(autouse=True)
    def patient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let a slow answer be an answer: a connection that is given up rings every bell."""
        monkeypatch.setattr(module, "_ANSWER_SECONDS", 60.0)

    @pytest_asyncio.fixture
    async def wakeups(self, database: str) -> AsyncIterator[Wakeups]:
        async with PostgresWakeups(database) as opened:
            yield opened

    @pytest_asyncio.fixture
    async def elsewhere(self, database: str) -> AsyncIterator[Wakeups]:
        async with PostgresWakeups(database) as opened:
            yield opened
