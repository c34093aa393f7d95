"""What /health tells of the process and its accounts, read over the wire."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from makegood import Catalog, Engine, ProviderAccount
from makegood.errors import StoreUnavailable
from makegood.outcome import Capacity
from makegood.testing.clock import FakeClock
from makegood.testing.drive import Plain
from makegood_adapters.http import application, health_route
from makegood_adapters.memory import MemoryBlobs, MemoryStore
from tests.adapters.queue_manager.scene import Page, served


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(FakeClock())


@pytest_asyncio.fixture
async def page(store: MemoryStore) -> AsyncIterator[Page]:
    await store.attempts.register(ProviderAccount(name="main", pool="studio", capacity=3))
    async with Engine(store, Catalog([Plain]), blobs=MemoryBlobs(), run_loops=False) as engine:
        app = application()
        app.add_routes([health_route(engine)])
        async with served(app) as opened:
            yield opened


async def health(page: Page) -> tuple[int, Any]:
    reply = await page.call("GET", "/health")
    return reply.status, reply.body


async def test_it_tells_how_each_account_is(store: MemoryStore, page: Page) -> None:
    mark = await store.attempts.mark("main")
    await store.attempts.surveyed("main", Capacity(limit=5, in_use=2), mark=mark)
    status, body = await health(page)
    now = store.tables.now().isoformat()
    assert (status, body["ok"]) == (200, True)
    assert body["accounts"] == {
        "main": {
            "healthy": True,
            "problem": None,
            "problem_since": None,
            "rests_until": None,
            "capacity": 3,
            "configured": 3,
            "told": 5,
            "learned": None,
            "open": 0,
            "draining": 0,
            "waiting": 0,
            "in_use": 2,
            "told_at": now,
            "differs_since": now,
            "foreign": 2,
            "unanswered": 0,
            "needs_a_person": 0,
        }
    }


async def test_an_account_that_cannot_be_used_is_shown_and_keeps_the_service_up(
    store: MemoryStore, page: Page
) -> None:
    await store.attempts.unfit("main", "416: no coins", 300, 300)
    await store.attempts.unanswered("main", "Cannot connect to host secret.example")
    status, body = await health(page)
    account = body["accounts"]["main"]
    assert (status, account["healthy"], account["problem"]) == (200, False, "416: no coins")
    assert (account["capacity"], account["rests_until"] is None) == (3, False)
    assert "secret.example" not in str(body)


async def test_without_a_store_it_is_not_well(
    store: MemoryStore, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> None:
        raise StoreUnavailable("The database cannot be reached.")

    monkeypatch.setattr(store.attempts, "occupancy", away)
    assert await health(page) == (503, {"ok": False, "loops": {}, "accounts": None})
