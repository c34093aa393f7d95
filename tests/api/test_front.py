"""What the service answers besides jobs: probes, measures, ids of requests; and how it leaves."""

import asyncio
import logging
import math
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from makegood import Engine, ProviderAccount
from makegood.errors import StoreError
from makegood.ports import LOST_SECONDS, SWITCHED_OFF, Endpoint, Posted, Worker, WorkerName, WorkerState
from makegood.runtime import Health
from makegood_adapters.config import ServiceConfig, StreamsConfig
from makegood_adapters.folder import FolderBlobs
from makegood_adapters.front import Front, bind
from makegood_adapters.http.callers import Gate
from makegood_adapters.http.hub import StreamLimits
from makegood_adapters.job_types import load_catalog
from makegood_adapters.logs import REQUEST_ID
from makegood_adapters.measures import Measures
from makegood_adapters.plugins import Plugins
from makegood_adapters.postgres.store import PostgresStore
from tests.adapters.postgres.proxy import proxy_before
from tests.api.scene import OWNER, PNG, Client, NamingGate
from tests.api.streams import PATIENCE_SECONDS
from tests.engine.world import DatabaseClock

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "metrics.md").read_text("utf-8")


@dataclass
class Site:
    """A front that answers, and what stands behind it."""

    front: Front
    engine: Engine
    store: PostgresStore
    client: Client

    async def order(self, owner: str = OWNER) -> None:
        """Put a job of the owner into the queue."""
        await self.engine.grant(owner, 100, source_ref="order-1")
        key = await self.engine.blobs.put(PNG, "person.png")
        given = {"image": key, "category": "comida", "resolution": 1024}
        job = await self.engine.submit("upscaler", owner, given)
        await self.engine.accept(job.id)


@asynccontextmanager
async def opened(
    dsn: str, folder: Path, gate: Gate | None = None, left_out: dict[str, str] | None = None, **given: Any
) -> AsyncIterator[Site]:
    config = ServiceConfig.model_validate({"database_url": dsn, "port": 0, **given})
    catalog = load_catalog(config, Plugins())
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(PostgresStore.open(dsn))
        await store.attempts.register(ProviderAccount(name="main", pool="runninghub", capacity=2))
        engine = Engine(store, catalog, blobs=FolderBlobs(folder), run_loops=False)
        await stack.enter_async_context(engine)
        front = Front(
            config=config, engine=engine, store=store, wakeups=None, worker=None,
            left_out=left_out or {}, gate=gate or NamingGate(),
        )  # fmt: skip
        listener = bind(config)
        await stack.enter_async_context(front.open(listener))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Site(front, engine, store, Client(session, f"http://127.0.0.1:{listener.getsockname()[1]}"))


@pytest.fixture(autouse=True)
def no_slow_store_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that takes its time on a full machine answers; a test that means a limit sets it."""
    monkeypatch.setattr("makegood_adapters.front._READY_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr("makegood_adapters.measures.ANSWER_SECONDS", PATIENCE_SECONDS)


async def test_it_tells_what_it_is_and_serves_the_api(database: str, tmp_path: Path) -> None:
    async with opened(database, tmp_path) as site:
        index = await site.client.get("/")
        assert index.body["service"] == "makegood"
        for link in index.body["links"].values():
            assert (await site.client.get(link)).status == 200, link
        document = await site.client.get("/v1/openapi.json")
        assert "/jobs" in document.body["paths"]
        assert [t["name"] for t in (await site.client.get("/v1/job-types")).body["types"]]
        assert (await site.client.get("/v1/nowhere")).body["code"] == "not_found"


async def test_a_request_has_an_id_in_the_answer_and_in_the_log(
    database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "aiohttp.access")
    seen: list[str] = []

    def note(_: logging.LogRecord) -> bool:
        seen.append(REQUEST_ID.get())
        return True

    caplog.handler.addFilter(note)
    async with opened(database, tmp_path) as site:
        told = []
        for given in ("abc-1:2.3_4", "a" * 129, "a b", "-x", ""):
            headers = {"X-Request-Id": given} if given else {}
            answer = await site.client.get("/v1/nowhere", headers=headers)
            [found] = [value for name, value in answer.headers.items() if name.lower() == "x-request-id"]
            told.append(found)
    assert told[0] == "abc-1:2.3_4"
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in told[1:])
    assert len(set(told)) == len(told)
    assert set(told) <= set(seen)


class TestProbes:
    """What a balancer and a service manager ask."""

    async def test_ready_until_the_end_begins(self, database: str, tmp_path: Path) -> None:
        async with opened(database, tmp_path) as site:
            told = await site.client.get("/readyz")
            assert (told.status, told.body) == (200, {"ok": True, "reasons": []})
            site.front.leaving = True
            told = await site.client.get("/readyz")
            assert (told.status, told.body["reasons"]) == (503, ["the service is being ended"])
            assert (await site.client.get("/livez")).status == 200

    async def test_a_database_that_is_away_or_older_is_no_reason_to_die(
        self, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with proxy_before(database) as proxy, opened(proxy.dsn, tmp_path, metrics_public=True) as site:
            plain = await asyncpg.connect(database)
            await plain.execute(
                "create table kept as table makegood.migration; delete from makegood.migration"
                " where version = (select max(version) from makegood.migration)"
            )
            told = await site.client.get("/readyz")
            assert (told.status, told.body["reasons"]) == (
                503,
                ["the schema of the database is older than this release"],
            )
            await plain.execute(
                "insert into makegood.migration select * from kept on conflict do nothing; drop table kept"
            )
            await plain.close()
            proxy.pause()
            monkeypatch.setattr("makegood_adapters.front._READY_SECONDS", 0.2)
            told = await site.client.get("/readyz")
            assert (told.status, told.body["reasons"]) == (503, ["the store does not answer"])
            assert (await site.client.get("/livez")).status == 200
            proxy.resume()

    async def test_only_a_loop_that_has_ended_by_itself_is_a_reason_to_die(
        self, database: str, tmp_path: Path
    ) -> None:
        async with opened(database, tmp_path) as site:
            state = Health("relay")
            site.engine.health = {"relay": state}
            state.hangs(60)
            assert (await site.client.get("/livez")).status == 200
            state.over = True
            told = await site.client.get("/livez")
            assert (told.status, told.body) == (503, {"ok": False, "over": ["relay"]})
            site.front.leaving = True
            assert (await site.client.get("/livez")).status == 200

    async def test_what_is_left_out_is_named_without_a_reason(self, database: str, tmp_path: Path) -> None:
        async with opened(database, tmp_path, left_out={"tool file: a.toml": "/srv/a.toml:3: wrong"}) as site:
            told = await site.client.get("/health")
            assert (told.status, told.body["left_out"]) == (200, ["tool file: a.toml"])
            assert b"/srv" not in told.raw


async def test_the_bounds_of_streams_are_configured(database: str, tmp_path: Path) -> None:
    assert StreamLimits(**StreamsConfig().model_dump()) == StreamLimits()
    async with opened(database, tmp_path, streams={"streams_per_owner_max": 1}) as site:
        site.client.who = f"user:{OWNER}"
        events = f"{site.client.base}/v1/events"
        async with site.client.session.get(events, headers=site.client.headers) as first:
            assert first.status == 200
            told = await site.client.get("/v1/events")
            assert (told.status, told.body["code"]) == (429, "too_many_streams")


def shown(name: str) -> str:
    """Return the name under which the page explains a sample."""
    return re.sub(r"_seconds_(bucket|count|sum)$", "_seconds", name)


class TestMetrics:
    """`GET /metrics`, read by the parser of Prometheus's own client."""

    async def read(self, site: Site, **given: Any) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
        told = await site.client.get("/metrics", **given)
        assert told.status == 200, told
        assert told.headers["Content-Type"].startswith("text/plain")
        found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
        for family in text_string_to_metric_families(told.raw.decode()):
            assert family.documentation
            for sample in family.samples:
                found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
        return found

    @pytest.mark.parametrize(
        ("who", "status"),
        [("", 401), ("public", 403), ("user:ada", 403), ("service:owners", 403), ("service:metrics", 200)],
    )
    async def test_who_may_read_them(self, database: str, tmp_path: Path, who: str, status: int) -> None:
        async with opened(database, tmp_path) as site:
            site.client.who = who
            assert (await site.client.get("/metrics")).status == status

    async def test_they_tell_of_requests_and_of_the_store(self, database: str, tmp_path: Path) -> None:
        more: dict[str, Any] = {"metrics_public": True, "metrics_audit_seconds": 60}
        async with opened(database, tmp_path, left_out={"account: x": "no"}, **more) as site:
            await site.order()
            for path in ("/livez", "/livez", "/nowhere", f"/hooks/{43 * 'n'}", "/v1/jobs/no-id", "/v1/x"):
                await site.client.get(path)
            found = await self.read(site)
            answered = found["makegood_http_requests_total"].items()
            by_route = {(dict(key)["route"], dict(key)["status"]): count for key, count in answered}
            assert by_route == {
                ("/livez", "200"): 2,
                ("unknown path", "404"): 2,
                ("unknown path", "405"): 1,
                ("/v1/jobs/{job_id}", "404"): 1,
            }
            assert found["makegood_http_request_seconds_count"][("method", "GET"), ("route", "/livez")] == 2
            assert found["makegood_jobs"] == {(("state", "queued"), ("type", "upscaler")): 1}
            assert found["makegood_queue_jobs"] == {(("pool", "runninghub"),): 1}
            assert found["makegood_slots_open"] == {(("account", "main"), ("pool", "runninghub")): 0}
            assert found["makegood_store_up"] == {(): 1}
            assert found["makegood_left_out"] == {(): 1}
            assert found["makegood_http_connections"][()] >= 1
            assert found["makegood_commit_batches_total"]
            assert not [
                name for name in map(shown, found) if not (f"`{name}`" in PAGE or name.endswith("_created"))
            ]
            async with asyncio.timeout(PATIENCE_SECONDS):
                while "makegood_violations" not in found:  # the books are checked beside
                    found = await self.read(site)
            assert found["makegood_violations"] == {(): 0}

    async def test_a_process_that_died_and_an_account_that_was_taken_away_are_not_told(
        self, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The time of the database stands still, so that nobody is lost before it is said."""
        monkeypatch.setitem(Measures.__init__.__kwdefaults__ or {}, "fresh_seconds", 0.0)
        async with AsyncExitStack() as stack:
            plain = await asyncpg.connect(database)
            stack.callback(plain.terminate)
            clock = DatabaseClock(plain)
            await clock.advance(0)
            site = await stack.enter_async_context(opened(database, tmp_path, metrics_public=True))
            main = (("account", "main"), ("pool", "runninghub"))

            async def works(*accounts: str) -> None:
                worker = Worker(
                    id=uuid4(), name=WorkerName(), state=WorkerState.RUNNING, accounts=accounts, health={}
                )
                await site.store.workers.beat(worker)

            async def told() -> list[dict[tuple[tuple[str, str], ...], float]]:
                found = await self.read(site)
                names = ("processes", "account_healthy", "slots", "slots_open")
                return [found.get(f"makegood_{name}", {}) for name in names]

            await works("main")
            for _ in range(3):  # a provider that does not tell how the account is has refused nothing
                await site.store.attempts.unanswered("main", "it is away")
            assert await told() == [{(): 1}, {main: 1}, {main: 2}, {main: 0}]
            await site.store.attempts.unfit("main", "the key was refused", 60, 60)
            assert await told() == [{(): 1}, {main: 0}, {main: 2}, {main: 0}]
            await clock.advance(LOST_SECONDS + 1)  # it was killed: its row stays, for people to read
            await works()
            assert await told() == [{(): 1}, {}, {}, {main: 0}]

    async def test_an_audit_that_does_not_end_is_infinitely_old(
        self, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fails(*_: Any, **__: Any) -> None:
            raise StoreError("it takes too long")

        monkeypatch.setattr(PostgresStore, "audit", fails)
        async with opened(database, tmp_path, metrics_public=True, metrics_audit_seconds=60) as site:
            found = await self.read(site)
            assert found["makegood_audit_age_seconds"] == {(): math.inf}
            assert "makegood_violations" not in found

    async def test_they_tell_of_webhooks_out(self, database: str, tmp_path: Path) -> None:
        async with opened(database, tmp_path, metrics_public=True) as site:
            endpoints, deliveries = site.store.endpoints, site.store.deliveries
            now = await site.store.now()
            hears, gone, off = (
                Endpoint(id=uuid4(), url="https://shop.example/", created_at=now) for _ in "123"
            )
            assert await endpoints.add(hears, "whsec_x")
            assert await endpoints.add(gone, "whsec_x")
            await endpoints.disable(gone.id, "it is gone")
            await endpoints.add(off, "whsec_x")
            await site.order()
            await site.store.stream.place(100)
            assert (await deliveries.fan_out(100)).deliveries == 4
            await endpoints.disable(off.id, SWITCHED_OFF)  # with its message, which nobody has given up
            [first, second] = await deliveries.take(2, 2, 60)
            await deliveries.ended(first, Posted(status=204), None)
            await deliveries.ended(second, Posted(status=500), None)
            await site.order("bob")
            await site.store.stream.place(100)
            await deliveries.fan_out(100)
            connection = await asyncpg.connect(database)
            await connection.execute(
                "update makegood.delivery set due_at = due_at - interval '90s' where due_at is not null"
            )
            await connection.close()
            found = await self.read(site)
            assert found["makegood_webhook_messages"] == {
                (("state", "waiting"),): 2,
                (("state", "failed"),): 1,
            }
            assert found["makegood_recent_webhook_tries"] == {
                (("outcome", "delivered"),): 1,
                (("outcome", "failed"),): 1,
            }
            assert found["makegood_webhook_endpoints"] == {
                (("state", "enabled"),): 1,
                (("state", "disabled"),): 1,
                (("state", "switched_off"),): 1,
            }
            assert 90 <= found["makegood_webhook_late_seconds"][()] < 1_000

    async def test_paths_methods_and_owners_of_callers_make_no_series(
        self, database: str, tmp_path: Path
    ) -> None:
        async with opened(database, tmp_path, metrics_public=True) as site:
            await site.order()
            before = len((await site.client.get("/metrics")).raw.splitlines())
            for n in range(20):
                await site.client.get(f"/nowhere/{n}?token={n}")
                await site.client.call(f"VERB{n}", "/livez")
            raw = (await site.client.get("/metrics")).raw
            assert OWNER.encode() not in raw
            assert len(raw.splitlines()) - before < 3 * 20 + 4

    async def test_without_a_store_it_tells_of_the_process(
        self, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("makegood_adapters.measures.ANSWER_SECONDS", 0.2)
        async with proxy_before(database) as proxy, opened(proxy.dsn, tmp_path, metrics_public=True) as site:
            proxy.pause()
            found = await self.read(site)
            assert found["makegood_store_up"] == {(): 0}
            assert "makegood_jobs" not in found
            assert found["makegood_http_connections"][()] >= 1
            proxy.resume()

    @pytest.mark.parametrize("told", ["0.1", "nan", "-1", "soon"])
    async def test_a_scraper_hears_of_it_before_its_own_time_is_over(
        self, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str
    ) -> None:
        async def never(*_: object) -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr("makegood_adapters.measures.overview", never)
        monkeypatch.setattr("makegood_adapters.measures.ANSWER_SECONDS", 3_600 if told == "0.1" else 0.2)
        async with opened(database, tmp_path, metrics_public=True) as site:
            async with asyncio.timeout(PATIENCE_SECONDS):  # only so that the test ends where it fails
                headers = {"X-Prometheus-Scrape-Timeout-Seconds": told}
                found = await self.read(site, headers=headers)
            assert found["makegood_store_up"] == {(): 0}
