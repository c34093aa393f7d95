"""Every measure that there is moves when what it tells of happens: a real service, a simulated provider."""

import asyncio
import shutil
import subprocess
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families

from makegood import BaseJob, InsufficientCredits, Verdict
from makegood.mover import POLL
from makegood.ports import Endpoint, Posted
from makegood.testing.drive import Advance
from makegood_adapters.config import ServiceConfig
from makegood_adapters.front import Front, bind
from makegood_adapters.measures import Measures
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.postgres.wakeups import PostgresWakeups
from makegood_adapters.telemetry import METRICS, EngineMetrics, Lives, MeasuredBlobs, watch_lag
from tests.api.scene import NamingGate
from tests.scenarios.stage import ACCOUNT, Holds, Stage, engine_beside, staged

Values = frozenset[tuple[str, tuple[tuple[str, str], ...], float]]
#: It never changes while a process lives.
CONSTANT = {"makegood_build_info", "makegood_database_connections_max"}


@dataclass
class Sight:
    """A service whose measures are looked at again and again; `seen` are the values of each."""

    stage: Stage
    metrics: EngineMetrics
    lives: Lives
    url: str
    left_out: dict[str, str]
    seen: dict[str, list[Values]] = field(default_factory=lambda: defaultdict(list))

    async def look(self) -> str:
        """Read `/metrics` as Prometheus does."""
        async with self.stage.session.get(f"{self.url}/metrics") as reply:
            assert reply.status == 200
            text = await reply.text()
        for family in text_string_to_metric_families(text):
            counts = family.type == "counter"
            name = family.name + ("_total" if counts else "")
            if name.endswith("_created"):
                continue
            samples = frozenset(
                (sample.name, tuple(sorted(sample.labels.items())), sample.value) for sample in family.samples
            )
            self.seen[name].append(samples)
        return text

    def moved(self) -> set[str]:
        """Return the measures that have had values, and others before or after."""
        return {name for name, found in self.seen.items() if any(found) and len(set(found)) > 1}


@asynccontextmanager
async def sight(database: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sight]:
    """Open a service that reads the store at every look, and checks its books as often."""
    monkeypatch.setitem(Measures.__init__.__kwdefaults__ or {}, "fresh_seconds", 0.0)
    monkeypatch.setattr("makegood_adapters.measures.ANSWER_SECONDS", 60.0)
    monkeypatch.setattr("makegood_adapters.measures._CREDITS_PART", 0)
    metrics, left_out = EngineMetrics(), dict[str, str]()
    made: list[Lives] = []

    def observe(store: PostgresStore) -> list[Any]:
        made.append(Lives(store, [metrics], wholly=False))
        return [metrics, made[0]]

    async with AsyncExitStack() as stack:
        wakeups = await stack.enter_async_context(PostgresWakeups(database))
        stage = await stack.enter_async_context(
            staged(database, folder, capacity=2, observe=observe, wakeups=wakeups)
        )
        await stack.enter_async_context(made[0].reading())
        await stack.enter_async_context(watch_lag(metrics.loop_lag, 0.01))
        config = ServiceConfig.model_validate(
            {
                "database_url": database,
                "port": 0,
                "metrics_public": True,
                "metrics_audit_seconds": 0.001,
                "http": {"connections_max": 8},
            }
        )
        front = Front(
            config=config, engine=stage.engine, store=stage.store, wakeups=wakeups, worker=None,
            left_out=left_out, gate=NamingGate(), metrics=metrics,
        )  # fmt: skip
        listener = bind(config)
        await stack.enter_async_context(front.open(listener))
        yield Sight(stage, metrics, made[0], f"http://127.0.0.1:{listener.getsockname()[1]}", left_out)


async def test_each_of_them_moves(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, advance: Advance
) -> None:
    async with sight(database, tmp_path, monkeypatch) as seen:
        await seen.look()
        await some_wait_and_some_pay(seen)
        await somebody_is_at_work(seen, monkeypatch)
        await people_are_needed(seen)
        await endpoints_fail(seen)
        await clients_come_and_go(seen)
        await parts_fail(seen, monkeypatch)
        await time_passes(seen, advance)
        await connections_run_out(seen, monkeypatch)
        expected = {row.name for row in METRICS} - CONSTANT - TAMPERED
        assert expected - seen.moved() == set()
        assert set(seen.seen) <= {row.name for row in METRICS}


async def some_wait_and_some_pay(seen: Sight) -> None:
    """Two jobs run, one waits; one of them fails; one has an owner with too few credits."""
    stage = seen.stage
    held = [await stage.order(hold="running") for _ in range(2)]
    for job in held:
        await stage.reached(job, "running")
    last = await stage.order(fail="the machine burns", webhooks=0)
    poor = await stage.engine.submit("upscaler", "bob", {"image": last.files["image"]})
    with suppress(InsufficientCredits):
        await stage.engine.accept(poor.id)
    await seen.look()
    for task in stage.simulator.tasks[:2]:
        stage.simulator.release(task.id)
    for job in (*held, last):
        await stage.settled(job)
    await seen.lives.read()
    await seen.look()


async def somebody_is_at_work(seen: Sight, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task beside the loop that submits is looked at before it sends."""
    stage = seen.stage
    intend = stage.store.attempts.intend

    async def seen_at_work(*given: Any) -> bool:
        await seen.look()
        return await intend(*given)

    with monkeypatch.context() as watched:
        watched.setattr(stage.store.attempts, "intend", seen_at_work)
        await stage.settled(await stage.order())


async def people_are_needed(seen: Sight) -> None:
    """A create call stays without an answer; a job ends before its task; both are looked into too late."""
    stage = seen.stage
    uncertain = await stage.order(drop_reply=True, webhooks=0, hold="running")
    over = await stage.reached(await stage.order(hold="running"), "running")

    async def nobody_knows() -> bool:
        return bool(await stage.value("select count(*) from makegood.attempt where phase = 'uncertain'"))

    await stage.until(nobody_knows)
    for job in (uncertain, over):
        await stage.engine.administer(job.id, BaseJob.fail, actor="eve", reason="nobody waits for it")
    await seen.look()
    [attempt] = await stage.engine.attempts(uncertain.id)
    await stage.store.attempts.record(attempt.evidence(Verdict.ABSENT, "draining deadline"))
    await stage.store.attempts.record(attempt.evidence(Verdict.ACCEPTED, "late webhook", task_id="late-1"))
    await stage.store.attempts.unfit(ACCOUNT, "the key was refused", 60, 60)
    await seen.look()


async def endpoints_fail(seen: Sight) -> None:
    """One message is heard, one is not, one waits and is late; one endpoint is disabled."""
    endpoints, deliveries = seen.stage.store.endpoints, seen.stage.store.deliveries
    now = await seen.stage.store.now()
    hears, gone = (Endpoint(id=uuid4(), url="https://shop.example/", created_at=now) for _ in "12")
    for endpoint in (hears, gone):
        assert await endpoints.add(endpoint, "whsec_x")
    await endpoints.disable(gone.id, "it is gone")
    late = "update makegood.delivery set due_at = due_at - interval '90s' where due_at is not null"

    async def one_fails() -> bool:
        for parcel in await deliveries.take(1, 1, 60):
            await deliveries.ended(parcel, Posted(status=500), None)
            return True
        return False

    async def one_is_late() -> bool:
        return await seen.stage.sql.execute(late) != "UPDATE 0"

    for happened in (one_fails, one_is_late):
        await seen.stage.draft()
        await seen.stage.until(partial(fanned_out, seen, happened))
    await seen.look()


async def fanned_out(seen: Sight, happened: Holds) -> bool:
    """Make messages of all steps, unless a loop is just at it, and return whether *happened*."""
    await seen.stage.store.stream.place(100)
    await seen.stage.store.deliveries.fan_out(100)
    return await happened()


async def clients_come_and_go(seen: Sight) -> None:
    """Somebody reads events, somebody opens too many connections, a stranger sends a webhook."""
    assert await seen.stage.hook("A" * 43, {"taskId": "1"}) == 404
    assert await MeasuredBlobs(seen.stage.blobs, seen.metrics).put(b"a file", "a.txt")
    headers = {"Authorization": "Bearer user:ada"}
    async with seen.stage.session.get(f"{seen.url}/v1/events", headers=headers) as reply:
        assert reply.status == 200
        await seen.look()
    port = int(seen.url.rpartition(":")[2])
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(12)]
    for _, writer in opened:
        writer.close()

    async def there_is_room() -> bool:
        async with seen.stage.session.get(f"{seen.url}/livez") as reply:
            return reply.status == 200

    await seen.stage.until(there_is_room)
    seen.metrics.left_out()
    seen.left_out["account: x"] = "no key"
    await seen.look()


async def parts_fail(seen: Sight, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop fails, another process comes, and the connection that hears of it is lost."""
    failed = asyncio.Event()

    async def fails(*_: object) -> None:
        failed.set()
        raise RuntimeError("a test")

    with monkeypatch.context() as broken:
        broken.setattr(seen.stage.store.ledger, "expire", fails)
        await failed.wait()
        await seen.look()
    stage = seen.stage
    await stage.store.attempts.register(replace(stage.account, capacity=3))
    await seen.look()
    async with engine_beside(stage), PostgresWakeups(stage.dsn) as other:
        other.wake(POLL)

        async def both_are_there() -> bool:
            text = await seen.look()
            return "makegood_processes 2.0" in text and "wakeups_received_total 0.0" not in text

        await stage.until(both_are_there)
    allow = "update pg_database set datallowconn = $1 where datname = current_database()"
    await stage.sql.execute(allow, False)  # so that it is seen to be lost
    await stage.sql.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and application_name = 'makegood wake-ups'"
    )

    async def lost() -> bool:
        return "makegood_wakeups_connected 0.0" in await seen.look()

    async def heard_again() -> bool:
        return "makegood_wakeups_reconnects_total 0.0" not in await seen.look()

    await stage.until(lost)
    await stage.sql.execute(allow, True)
    await stage.until(heard_again)


async def time_passes(seen: Sight, advance: Advance) -> None:
    """Credits of a promotion expire."""
    soon = await seen.stage.store.now() + timedelta(seconds=30)
    await seen.stage.engine.grant("cy", 7, kind="promo", source_ref="promotion-1", expires_at=soon)
    await advance(40)
    await seen.stage.store.ledger.expire(10)
    await seen.look()


async def connections_run_out(seen: Sight, monkeypatch: pytest.MonkeyPatch) -> None:
    """All connections are at work while somebody asks for one: the store seems to be away."""
    monkeypatch.setattr("makegood_adapters.measures.ANSWER_SECONDS", 0.1)
    database = seen.stage.store._database
    async with AsyncExitStack() as stack:
        for _ in range(seen.stage.store.connections.most):
            await stack.enter_async_context(database.connection())
        await seen.look()


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool on PATH: apt install prometheus")
async def test_prometheus_finds_nothing_wrong_with_them(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sight(database, tmp_path, monkeypatch) as seen:
        await some_wait_and_some_pay(seen)
        text = await seen.look()
    check = ["promtool", "check", "metrics"]
    done = await asyncio.to_thread(
        subprocess.run, check, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.tampers
async def test_broken_books_are_seen(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with sight(database, tmp_path, monkeypatch) as seen:

        async def whole() -> bool:
            text = await seen.look()
            return "makegood_violations 0.0" in text and "makegood_unaccounted_credits 0.0" in text

        await seen.stage.until(whole)  # the check of the books is told by the look after it
        await seen.stage.sql.execute("set session_replication_role = replica")
        await seen.stage.sql.execute("alter table makegood.bucket drop constraint conserved")
        await seen.stage.sql.execute("update makegood.bucket set issued = issued + 7")

        async def told() -> bool:
            await seen.look()
            return seen.moved() >= TAMPERED

        await seen.stage.until(told)


#: What only somebody moves who changes tables behind the ledger's back.
TAMPERED = {"makegood_violations", "makegood_unaccounted_credits"}
