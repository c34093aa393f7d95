"""Every measure that `/metrics` may tell: its name, kind, unit, labels, meaning, and of what it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import CollectorRegistry


class Kind(StrEnum):
    """A kind of Prometheus's."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Of(StrEnum):
    """Of what a value is: of the process that is asked, or of the database, so that all tell the same."""

    PROCESS = "process"
    STORE = "store"


#: Times within a process; times at others; times of a job's life.
_MOMENTS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_REQUESTS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_CALLS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_LIVES = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 10_800.0, 86_400.0)


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure; `name` is the one that is scraped, with `_total` where it counts."""

    name: str
    kind: Kind
    of: Of
    told: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    buckets: tuple[float, ...] = ()


def _counter(name: str, of: Of, told: str, *labels: str, unit: str = "") -> Measure:
    return Measure(name, Kind.COUNTER, of, told, labels, unit)


def _gauge(name: str, of: Of, told: str, *labels: str, unit: str = "") -> Measure:
    return Measure(name, Kind.GAUGE, of, told, labels, unit)


def _seconds(name: str, buckets: tuple[float, ...], told: str, *labels: str) -> Measure:
    return Measure(name, Kind.HISTOGRAM, Of.PROCESS, told, labels, "seconds", buckets)


_P, _S = Of.PROCESS, Of.STORE
METRICS: tuple[Measure, ...] = (
    # Money.
    _gauge("makegood_remaining_credits", _S, "Credits in all wallets that a job may spend.", unit="credits"),
    _gauge("makegood_held_credits", _S, "Credits that are held for jobs now.", unit="credits"),
    _counter("makegood_issued_credits_total", _S, "Credits that were ever issued.", unit="credits"),
    _counter("makegood_captured_credits_total", _S, "Credits that were earned.", unit="credits"),
    _counter(
        "makegood_expired_credits_total", _S, "Credits that expired or were taken back.", unit="credits"
    ),
    _gauge(
        "makegood_unaccounted_credits",
        _S,
        "Issued, less remaining, held, captured and expired; anything but 0 is an alarm.",
        unit="credits",
    ),
    _counter(
        "makegood_moved_credits_total",
        _P,
        "Credits that transitions have moved: held, captured, released.",
        "type",
        "move",
        unit="credits",
    ),
    _gauge("makegood_violations", _S, "Broken invariants at the last audit."),
    _gauge(
        "makegood_audit_age_seconds",
        _P,
        "Since the last audit; +Inf while none has come to its end.",
        unit="seconds",
    ),
    # Jobs.
    _gauge("makegood_jobs", _S, "Jobs that are not over.", "type", "state"),
    _gauge(
        "makegood_jobs_oldest_seconds",
        _S,
        "How long the oldest is in its state.",
        "type",
        "state",
        unit="seconds",
    ),
    _gauge("makegood_recent_jobs", _S, "Jobs of the last minute.", "outcome"),
    _counter(
        "makegood_transitions_total", _P, "Transitions that were committed.", "type", "event", "to_state"
    ),
    _counter(
        "makegood_dispatches_total",
        _P,
        "Jobs that were given a slot; these transitions are counted here alone.",
        "account",
    ),
    _gauge("makegood_queue_jobs", _S, "Jobs that wait.", "pool"),
    _gauge("makegood_queue_oldest_seconds", _S, "How long the oldest of them waits.", "pool", unit="seconds"),
    _seconds(
        "makegood_queue_wait_seconds",
        _LIVES,
        "How long a job waited for each of its slots, told at its end.",
        "type",
    ),
    _seconds(
        "makegood_run_seconds",
        _LIVES,
        "From a task's creation until the provider said it was over, told at the job's end.",
        "type",
        "account",
    ),
    _seconds("makegood_job_life_seconds", _LIVES, "From a job's submission to its end.", "type", "state"),
    _counter("makegood_lives_unread_total", _P, "Jobs that ended and whose times were left out."),
    # Accounts and providers.
    _gauge("makegood_slots", _S, "Slots there are, of accounts that a process has.", "account", "pool"),
    _gauge("makegood_slots_open", _S, "Slots in use.", "account", "pool"),
    _gauge(
        "makegood_slots_draining", _S, "Slots whose job is over and whose task is not.", "account", "pool"
    ),
    _gauge(
        "makegood_draining_oldest_seconds",
        _S,
        "How long the oldest of them drains.",
        "account",
        unit="seconds",
    ),
    _gauge(
        "makegood_account_healthy",
        _S,
        "Whether the account can be used, of those that a process has.",
        "account",
        "pool",
    ),
    _gauge(
        "makegood_account_late_results",
        _S,
        "Results that came after their job was over and paid back.",
        "account",
        "pool",
    ),
    _gauge(
        "makegood_account_abandoned",
        _S,
        "Tasks of which nobody knows how they ended.",
        "account",
        "pool",
    ),
    _gauge(
        "makegood_uncertain_submits",
        _S,
        "Create calls of which nobody knows yet whether they made a task.",
        "account",
    ),
    _counter(
        "makegood_provider_calls_total",
        _P,
        "Calls to providers that are over.",
        "account",
        "operation",
        "outcome",
    ),
    _seconds("makegood_provider_call_seconds", _CALLS, "How long they took.", "account", "operation"),
    _counter(
        "makegood_provider_bytes_total",
        _P,
        "Bytes of files on the way to providers and from them.",
        "account",
        "operation",
        unit="bytes",
    ),
    _counter("makegood_provider_webhooks_total", _P, "Webhooks of providers that came in.", "outcome"),
    _counter(
        "makegood_results_heard_total",
        _P,
        "Tasks that were over, by what was heard first: webhook, hint, or nothing before the poll.",
        "account",
        "word",
    ),
    # Webhooks to endpoints.
    _gauge(
        "makegood_webhook_messages",
        _S,
        "Messages that wait for a try, and of those still kept the ones that were given up, but for an "
        "endpoint that is switched off.",
        "state",
    ),
    _gauge("makegood_webhook_late_seconds", _S, "How long a message has been due.", unit="seconds"),
    _gauge("makegood_recent_webhook_tries", _S, "Posts to endpoints in the last minute.", "outcome"),
    _gauge(
        "makegood_webhook_endpoints",
        _S,
        "Endpoints by whether they hear, were disabled since they failed, or were switched off.",
        "state",
    ),
    # Processes, loops, database.
    _gauge("makegood_build_info", _P, "The release that runs.", "version"),
    _gauge("makegood_processes", _S, "Processes that run their loops on this database and were seen lately."),
    _gauge("makegood_store_up", _P, "Whether the store answers."),
    _gauge(
        "makegood_left_out", _P, "Job types, accounts and plugins that cannot be used; /health names them."
    ),
    _counter("makegood_loop_turns_total", _P, "Turns that went well.", "loop"),
    _gauge("makegood_loop_failures", _P, "Turns in a row that did not.", "loop"),
    _gauge("makegood_loop_lag_seconds", _P, "How late the next turn is.", "loop", unit="seconds"),
    _gauge("makegood_loop_working", _P, "Tasks at work beside the loop.", "loop"),
    _seconds("makegood_event_loop_lag_seconds", _MOMENTS, "How late the event loop wakes who sleeps."),
    _gauge("makegood_database_connections", _P, "Open connections to the database.", "state"),
    _gauge("makegood_database_connections_max", _P, "How many there may be."),
    _gauge("makegood_database_waiting", _P, "Who waits for a connection."),
    _counter("makegood_commit_batches_total", _P, "Group commits.", "kind"),
    _counter("makegood_commit_items_total", _P, "What was committed in them.", "kind"),
    _counter("makegood_commit_alone_total", _P, "Of these, done again by themselves.", "kind"),
    _gauge("makegood_wakeups_connected", _P, "Whether wake-ups of other processes arrive."),
    _counter("makegood_wakeups_sent_total", _P, "Wake-ups between processes: sent."),
    _counter("makegood_wakeups_received_total", _P, "Wake-ups between processes: received."),
    _counter("makegood_wakeups_reconnects_total", _P, "Wake-ups between processes: reconnects."),
    # Files.
    _seconds("makegood_blob_seconds", _CALLS, "How long files of ours took.", "operation", "outcome"),
    _counter("makegood_blob_bytes_total", _P, "Bytes that were kept and read.", "operation", unit="bytes"),
    # HTTP.
    _counter("makegood_http_requests_total", _P, "Requests that were answered.", "method", "route", "status"),
    _seconds(
        "makegood_http_request_seconds",
        _REQUESTS,
        "Until a request was answered; a stream, until it ended.",
        "method",
        "route",
    ),
    _gauge(
        "makegood_http_requests_in_progress",
        _P,
        "Requests that are being answered now; of a route with events, its readers.",
        "method",
        "route",
    ),
    _gauge("makegood_http_connections", _P, "Open connections."),
    _counter(
        "makegood_http_connections_cut_total", _P, "Connections that were refused or cut off.", "reason"
    ),
    _gauge("makegood_event_readers", _P, "Streams of events that are open."),
)
_BY_NAME: Mapping[str, Measure] = {each.name: each for each in METRICS}


def measure(name: str) -> Measure:
    """Return the measure of this name."""
    return _BY_NAME[name]


def counter(name: str, registry: CollectorRegistry) -> Counter:
    """Make the counter of this name in *registry*."""
    row = measure(name)
    return Counter(row.name, row.told, row.labels, registry=registry)


def gauge(name: str, registry: CollectorRegistry) -> Gauge:
    """Make the gauge of this name in *registry*."""
    row = measure(name)
    return Gauge(row.name, row.told, row.labels, registry=registry)


def histogram(name: str, registry: CollectorRegistry) -> Histogram:
    """Make the histogram of this name in *registry*."""
    row = measure(name)
    return Histogram(row.name, row.told, row.labels, registry=registry, buckets=row.buckets)


def family(name: str, values: Mapping[Any, float]) -> Metric:
    """Return a counter or gauge with its values by labels, for who collects when asked."""
    row = measure(name)
    kind = CounterMetricFamily if row.kind is Kind.COUNTER else GaugeMetricFamily
    found = kind(row.name, row.told, labels=row.labels)
    for key, value in values.items():
        found.add_metric(key, value)
    return found
