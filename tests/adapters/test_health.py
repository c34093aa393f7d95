"""What /health tells of the process and its accounts, read over the wire."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from makegood import Catalog, Engine, ProviderAccount
from makegood.errors import StoreUnavailable
from makegood.outcome import Capacity
from makegood.ports import WorkerName
from makegood.runtime import Health
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
    status, body = await health(page)
    assert (status, body["ok"], body["accounts"]) == (503, False, None)


class Stuck(Engine):
    """An engine one of whose loops is as the test says."""

    def __init__(self, store: MemoryStore, state: Health) -> None:
        super().__init__(store, Catalog([Plain]), blobs=MemoryBlobs(), run_loops=False)
        self.health = {state.name: state}


@dataclass
class Line:
    """The connection of the wake-ups."""

    connected: bool = False
    sent: int = 3
    received: int = 5
    reconnects: int = 1


@asynccontextmanager
async def page_of(engine: Engine, **given: Any) -> AsyncIterator[Page]:
    app = application()
    app.add_routes([health_route(engine, **given)])
    async with engine, served(app) as opened:
        yield opened


@pytest.mark.parametrize("ill", ["failed", "hangs", "over"])
async def test_a_loop_that_fails_hangs_or_is_gone_is_a_503_and_tells_no_secret(
    store: MemoryStore, ill: str
) -> None:
    now = asyncio.get_running_loop().time()
    state = Health("relay")
    state.begins(now - 100)
    match ill:
        case "failed":
            state.fails(OSError("secret.example is away"), now)
            state.ends(now)
        case "hangs":
            state.hangs(60)
        case _:
            state.over = True
    async with page_of(Stuck(store, state)) as opened:
        status, body = await health(opened)
    told = body["loops"]["relay"]
    assert (status, body["ok"]) == (503, False)
    assert (told["failures"], told["hanging"], told["over"]) == (
        ill == "failed",
        ill == "hangs",
        ill == "over",
    )
    assert told["last_error"] == ("OSError" if ill == "failed" else None)
    assert (told["lag_seconds"] >= 100) == (ill != "failed")
    assert "secret.example" not in str(body)


async def test_wake_ups_and_the_process_are_told_and_a_lost_line_is_no_reason_for_a_503(
    store: MemoryStore,
) -> None:
    worker = WorkerName(host="gpu", pid=7, number=2, version="1")
    engine = Stuck(store, Health("relay"))
    async with page_of(engine, wakeups=Line(), worker=worker) as opened:
        status, body = await health(opened)
    assert (status, body["ok"]) == (200, True)
    assert body["wakeups"] == {"connected": False, "sent": 3, "received": 5, "reconnects": 1}
    assert body["worker"] == {"host": "gpu", "pid": 7, "number": 2, "version": "1"}
