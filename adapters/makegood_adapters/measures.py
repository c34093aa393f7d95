"""What `/metrics` tells besides requests: store, loops, wake-ups, batches, connections; never an owner."""

import asyncio
import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from makegood import Engine
from makegood.errors import StoreError
from makegood_adapters.http.guard import Guard
from makegood_adapters.http.hub import Hub
from makegood_adapters.postgres.gauged import Credits, OpenAttempts, credits_of_all, open_attempts
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
from makegood_adapters.telemetry.table import family

log = logging.getLogger("makegood.metrics")

#: How old a reading of the store may be, and how long /metrics waits for a new one.
FRESH_SECONDS, ANSWER_SECONDS = 5.0, 3.0
#: All credits are added up by reading every bucket: that takes at most one part in so many of the time.
_CREDITS_PART = 20


@dataclass(frozen=True, slots=True)
class _Reading:
    at: float
    overview: Overview
    jobs: list[OpenJobs]
    webhooks: WebhooksOut
    attempts: list[OpenAttempts]


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
        release: str = "unknown",
        audit_seconds: float = 0.0,
        fresh_seconds: float = FRESH_SECONDS,
    ) -> None:
        self._engine, self._store, self._guard, self._hub = engine, store, guard, hub
        self._wakeups, self._left_out = wakeups, left_out
        self._fresh, self._audit_seconds, self._release = fresh_seconds, audit_seconds, release
        self._reading: _Reading | None = None
        self._works: dict[str, asyncio.Task[None]] = {}
        self._answers = True
        self._audited: tuple[float, int] | None = None
        self._credits: Credits | None = None
        self._credits_due = 0.0

    async def refresh(self, within_seconds: float = math.inf) -> None:
        """Read the store if the last reading is old; who scrapes often or at the same time shares one. Who
        has less patience than ANSWER_SECONDS is told *within_seconds* that the store does not answer."""
        now = asyncio.get_running_loop().time()
        if self._audit_seconds and (not self._audited or now - self._audited[0] > self._audit_seconds):
            self._begin("audit")  # it may take minutes: a later scrape tells it
        works = set()
        if now >= self._credits_due:
            adding = self._begin("add_up")
            works |= set() if self._credits else {adding}  # later a scrape tells what it has found
        if self._reading is None or now - self._reading.at > self._fresh:
            works.add(self._begin("read"))
        if works:
            await asyncio.wait(works, timeout=min(within_seconds, ANSWER_SECONDS))
        self._answers = self._reading is not None and now - self._reading.at <= self._fresh

    async def close(self) -> None:
        """End what is being read."""
        for work in self._works.values():
            work.cancel()
        await asyncio.gather(*self._works.values(), return_exceptions=True)

    def collect(self) -> Iterable[Metric]:
        """Return everything; what only the store knows is left out while it does not answer."""
        yield from self._of_process()
        yield family("makegood_store_up", {(): float(self._answers)})
        if self._reading is not None and self._answers:
            yield from _of_store(self._reading)
        if self._credits is not None and self._answers:
            yield from _of_credits(self._credits)
        if self._audited is not None:
            age = asyncio.get_running_loop().time() - self._audited[0]
            yield family("makegood_violations", {(): float(self._audited[1])})
            yield family("makegood_audit_age_seconds", {(): age})
        elif self._audit_seconds:  # one that never comes to its end is to be heard of, too
            yield family("makegood_audit_age_seconds", {(): math.inf})

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
            webhooks, attempts = await webhooks_out(self._store), await open_attempts(self._store)
        except StoreError as error:
            log.warning("the store does not tell how it is: %s", error)
        else:
            self._reading = _Reading(now, found, jobs, webhooks, attempts)

    async def _add_up(self) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            self._credits = await credits_of_all(self._store)
        except StoreError as error:
            log.warning("the store does not tell of its credits: %s", error)
        self._credits_due = clock() + max(self._fresh, _CREDITS_PART * (clock() - began))

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
        yield family("makegood_build_info", {(self._release,): 1.0})
        yield family("makegood_loop_turns_total", {(name,): each.turns for name, each in loops.items()})
        yield family("makegood_loop_failures", {(name,): each.failures for name, each in loops.items()})
        yield family("makegood_loop_lag_seconds", {(name,): each.lag(now) for name, each in loops.items()})
        yield family("makegood_loop_working", {(name,): each.working for name, each in loops.items()})
        left_out = len(self._left_out) + len(self._engine.refused)
        yield family("makegood_left_out", {(): left_out})
        yield from self._of_database()
        yield family("makegood_http_connections", {(): self._guard.connections})
        yield family("makegood_http_connections_cut_total", {(r,): n for r, n in self._guard.cut.items()})
        yield family("makegood_event_readers", {(): self._hub.count})

    def _of_database(self) -> Iterable[Metric]:
        connections = self._store.connections
        by_state = {("used",): connections.used, ("idle",): connections.idle}
        yield family("makegood_database_connections", by_state)
        yield family("makegood_database_connections_max", {(): connections.most})
        yield family("makegood_database_waiting", {(): connections.waiting})
        batches = self._store.commits.batches
        yield family("makegood_commit_batches_total", {(k,): b.batches for k, b in batches.items()})
        yield family("makegood_commit_items_total", {(k,): b.items for k, b in batches.items()})
        yield family("makegood_commit_alone_total", {(k,): b.alone for k, b in batches.items()})
        if self._wakeups is not None:
            yield family("makegood_wakeups_connected", {(): float(self._wakeups.connected)})
            yield family("makegood_wakeups_sent_total", {(): self._wakeups.sent})
            yield family("makegood_wakeups_received_total", {(): self._wakeups.received})
            yield family("makegood_wakeups_reconnects_total", {(): self._wakeups.reconnects})


def _of_store(reading: _Reading) -> Iterable[Metric]:
    found = reading.overview
    jobs = {(each.type, each.state): each for each in reading.jobs}
    yield family("makegood_jobs", {key: each.jobs for key, each in jobs.items()})
    yield family("makegood_jobs_oldest_seconds", {key: each.oldest_seconds for key, each in jobs.items()})
    lengths: dict[tuple[str, ...], float] = {}
    ages: dict[tuple[str, ...], float] = {}
    for lane in found.lanes:
        age = (found.at - lane.oldest).total_seconds() if lane.oldest else 0.0
        lengths[lane.pool,] = lengths.get((lane.pool,), 0.0) + lane.waiting
        ages[lane.pool,] = max(ages.get((lane.pool,), 0.0), age)
    yield family("makegood_queue_jobs", lengths)
    yield family("makegood_queue_oldest_seconds", ages)
    # A rate is jobs a minute, of the last minute: their number.
    yield family("makegood_recent_jobs", {(outcome,): rate for outcome, rate in found.rates.items()})
    alive = [worker for worker in found.workers if not worker.is_lost(found.at)]
    served = {account for worker in alive for account in worker.accounts}
    for name, field, always in (
        ("slots_open", "open", True),
        ("slots", "capacity", False),
        ("slots_draining", "draining", True),
        ("account_late_results", "late", True),
        ("account_abandoned", "abandoned", True),
    ):  # an account that was taken away is not ill; what it left behind is told until it is done with
        uses = [use for use in found.accounts if always or use.account in served]
        yield family(
            f"makegood_{name}", {(use.account, use.pool): float(getattr(use, field)) for use in uses}
        )
    # A provider that does not tell how the account is has refused nothing: its calls are counted.
    usable = {(use.account, use.pool): use.problem is None for use in found.accounts if use.account in served}
    yield family("makegood_account_healthy", usable)
    yield family("makegood_uncertain_submits", {(each.account,): each.uncertain for each in reading.attempts})
    draining = {(each.account,): each.draining_seconds for each in reading.attempts}
    yield family("makegood_draining_oldest_seconds", draining)
    yield family("makegood_processes", {(): len(alive)})
    yield from _of_webhooks(reading.webhooks)


def _of_webhooks(found: WebhooksOut) -> Iterable[Metric]:
    tries = {("delivered",): found.tries_delivered, ("failed",): found.tries_failed}
    yield family("makegood_recent_webhook_tries", tries)
    yield family("makegood_webhook_messages", {("waiting",): found.waiting, ("failed",): found.failed})
    yield family("makegood_webhook_late_seconds", {(): found.late_seconds})
    endpoints = {"enabled": found.endpoints, "disabled": found.disabled, "switched_off": found.switched_off}
    yield family("makegood_webhook_endpoints", {(state,): count for state, count in endpoints.items()})


def _of_credits(found: Credits) -> Iterable[Metric]:
    yield family("makegood_remaining_credits", {(): found.remaining})
    yield family("makegood_held_credits", {(): found.held})
    yield family("makegood_issued_credits_total", {(): found.issued})
    yield family("makegood_captured_credits_total", {(): found.captured})
    yield family("makegood_expired_credits_total", {(): found.expired})
    yield family("makegood_unaccounted_credits", {(): found.unaccounted})
