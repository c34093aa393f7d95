"""What `/metrics` tells besides requests: store, loops, wake-ups, batches, connections; never an owner."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from makegood import Engine
from makegood.errors import StoreError
from makegood_adapters.http.guard import Guard
from makegood_adapters.http.hub import Hub
from makegood_adapters.postgres.overview import (
    OpenJobs,
    Overview,
    WebhooksOut,
    open_jobs,
    overview,
    webhooks_out,
)
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.postgres.wakeups import PostgresWakeups

log = logging.getLogger("makegood.metrics")

#: How old a reading of the store may be, and how long /metrics waits for a new one.
FRESH_SECONDS, ANSWER_SECONDS = 5.0, 3.0


@dataclass(frozen=True, slots=True)
class _Reading:
    at: float
    overview: Overview
    jobs: list[OpenJobs]
    webhooks: WebhooksOut


class Measures(Collector):
    """Collects from what this process has at hand, and from the last reading of the store."""

    def __init__(
        self,
        engine: Engine,
        store: PostgresStore,
        guard: Guard,
        hub: Hub,
        wakeups: PostgresWakeups | None,
        left_out: Mapping[str, str],
        *,
        audit_seconds: float = 0.0,
        fresh_seconds: float = FRESH_SECONDS,
    ) -> None:
        self._engine, self._store, self._guard, self._hub = engine, store, guard, hub
        self._wakeups, self._left_out = wakeups, left_out
        self._fresh, self._audit_seconds = fresh_seconds, audit_seconds
        self._reading: _Reading | None = None
        self._works: dict[str, asyncio.Task[None]] = {}
        self._answers = True
        self._audited: tuple[float, int] | None = None

    async def refresh(self) -> None:
        """Read the store if the last reading is old; who scrapes often or at the same time shares one."""
        now = asyncio.get_running_loop().time()
        if self._audit_seconds and (not self._audited or now - self._audited[0] > self._audit_seconds):
            self._begin("audit")  # it may take minutes: a later scrape tells it
        if self._reading is None or now - self._reading.at > self._fresh:
            await asyncio.wait({self._begin("read")}, timeout=ANSWER_SECONDS)
            self._answers = self._reading is not None and self._reading.at >= now

    async def close(self) -> None:
        """End what is being read."""
        for work in self._works.values():
            work.cancel()
        await asyncio.gather(*self._works.values(), return_exceptions=True)

    def collect(self) -> Iterable[Metric]:
        """Return everything; what only the store knows is left out while it does not answer."""
        yield from self._of_process()
        yield _gauge("makegood_store_up", "Whether the store answers.", {(): float(self._answers)})
        if self._reading is not None and self._answers:
            yield from _of_store(self._reading)
        if self._audited is not None:
            age = asyncio.get_running_loop().time() - self._audited[0]
            yield _gauge(
                "makegood_violations", "Broken invariants at the last audit.", {(): float(self._audited[1])}
            )
            yield _gauge("makegood_audit_age_seconds", "Since the last audit.", {(): age})

    def _begin(self, name: str) -> "asyncio.Task[None]":
        work = self._works.get(name)
        if work is None or work.done():
            work = asyncio.create_task(getattr(self, f"_{name}")(), name=f"makegood metrics {name}")
            self._works[name] = work
        return work

    async def _read(self) -> None:
        now = asyncio.get_running_loop().time()
        try:
            found, jobs = await overview(self._store), await open_jobs(self._store)
            webhooks = await webhooks_out(self._store)
        except StoreError as error:
            log.warning("the store does not tell how it is: %s", error)
        else:
            self._reading = _Reading(now, found, jobs, webhooks)

    async def _audit(self) -> None:
        try:
            audit = await self._store.audit(owners_max=0, rows_max=1)
        except StoreError as error:
            log.warning("the books could not be checked: %s", error)
        else:
            self._audited = (asyncio.get_running_loop().time(), audit.broken)

    def _of_process(self) -> Iterable[Metric]:
        now = asyncio.get_running_loop().time()
        loops = self._engine.health
        yield _counter(
            "makegood_loop_turns", "Turns that went well.", {(n,): s.turns for n, s in loops.items()}, "loop"
        )
        for name, told, values in (
            ("failures", "Turns in a row that did not.", {n: s.failures for n, s in loops.items()}),
            ("lag_seconds", "How late the next turn is.", {n: s.lag(now) for n, s in loops.items()}),
            ("working", "Tasks at work beside the loop.", {n: s.working for n, s in loops.items()}),
        ):
            yield _gauge(f"makegood_loop_{name}", told, {(n,): float(v) for n, v in values.items()}, "loop")
        batches = self._store.commits.batches
        for name, told, counts in (
            ("batches", "Group commits.", {k: b.batches for k, b in batches.items()}),
            ("items", "What was committed in them.", {k: b.items for k, b in batches.items()}),
            ("alone", "Of these, done again by themselves.", {k: b.alone for k, b in batches.items()}),
        ):
            yield _counter(f"makegood_commit_{name}", told, {(k,): v for k, v in counts.items()}, "kind")
        if self._wakeups is not None:
            up = {(): float(self._wakeups.connected)}
            yield _gauge("makegood_wakeups_connected", "Whether wake-ups of other processes arrive.", up)
            for name in ("sent", "received", "reconnects"):
                count = {(): getattr(self._wakeups, name)}
                yield _counter(f"makegood_wakeups_{name}", f"Wake-ups between processes: {name}.", count)
        connections = {(): float(self._guard.connections)}
        yield _gauge("makegood_http_connections", "Open connections.", connections)
        readers = {(): float(self._hub.count)}
        yield _gauge("makegood_event_readers", "Streams of events that are open.", readers)
        cut = {(reason,): count for reason, count in self._guard.cut.items()}
        told = "Connections that were refused or cut off."
        yield _counter("makegood_http_connections_cut", told, cut, "reason")
        left_out = len(self._left_out) + len(self._engine.refused)
        told = "Job types, accounts and plugins that cannot be used; /health names them."
        yield _gauge("makegood_left_out", told, {(): float(left_out)})


def _of_store(reading: _Reading) -> Iterable[Metric]:
    found, by = reading.overview, ("type", "state")
    jobs = {(each.type, each.state): each for each in reading.jobs}
    yield _gauge("makegood_jobs", "Jobs that are not over.", {k: float(j.jobs) for k, j in jobs.items()}, *by)
    oldest = {key: each.oldest_seconds for key, each in jobs.items()}
    yield _gauge("makegood_jobs_oldest_seconds", "How long the oldest is in its state.", oldest, *by)
    lengths: dict[tuple[str, ...], float] = {}
    ages: dict[tuple[str, ...], float] = {}
    for lane in found.lanes:
        age = (found.at - lane.oldest).total_seconds() if lane.oldest else 0.0
        lengths[lane.pool,] = lengths.get((lane.pool,), 0.0) + lane.waiting
        ages[lane.pool,] = max(ages.get((lane.pool,), 0.0), age)
    yield _gauge("makegood_queue_jobs", "Jobs that wait.", lengths, "pool")
    yield _gauge("makegood_queue_oldest_seconds", "How long the oldest of them waits.", ages, "pool")
    per_minute = {(outcome,): rate for outcome, rate in found.rates.items()}
    yield _gauge("makegood_jobs_per_minute", "Over the last minute.", per_minute, "outcome")
    uses = {(use.account, use.pool): use for use in found.accounts}
    for name, told, field in (
        ("slots_open", "Slots in use.", "open"),
        ("slots", "Slots there are.", "capacity"),
        ("slots_draining", "Slots whose job is over and whose task is not.", "draining"),
        ("account_healthy", "Whether the account can be used.", "healthy"),
        ("account_late_results", "Results that came after their job was over and paid back.", "late"),
        ("account_abandoned", "Tasks of which nobody knows how they ended.", "abandoned"),
    ):
        values = {key: float(getattr(use, field)) for key, use in uses.items()}
        yield _gauge(f"makegood_{name}", told, values, "account", "pool")
    yield _gauge("makegood_processes", "Processes on this database.", {(): float(len(found.workers))})
    yield from _of_webhooks(reading.webhooks)


def _of_webhooks(found: WebhooksOut) -> Iterable[Metric]:
    tries = {("delivered",): float(found.tries_delivered), ("failed",): float(found.tries_failed)}
    yield _gauge("makegood_webhook_tries_per_minute", "Posts to endpoints.", tries, "outcome")
    messages = {("waiting",): float(found.waiting), ("failed",): float(found.failed)}
    told = "Messages that wait for a try, and of those still kept the ones that were given up."
    yield _gauge("makegood_webhook_messages", told, messages, "state")
    late = {(): found.late_seconds}
    yield _gauge("makegood_webhook_late_seconds", "How long a message has been due.", late)
    endpoints = {("enabled",): float(found.endpoints), ("disabled",): float(found.disabled)}
    yield _gauge("makegood_webhook_endpoints", "Endpoints by whether they hear.", endpoints, "state")


def _gauge(name: str, told: str, values: Mapping[Any, float], *labels: str) -> Metric:
    family = GaugeMetricFamily(name, told, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _counter(name: str, told: str, values: Mapping[Any, int], *labels: str) -> Metric:
    family = CounterMetricFamily(name, told, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family
