"""What one process has done, as measures: an observer of its engine and a collector of Prometheus's."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from makegood.job import Attempt
from makegood.ports import Call, Move, Operation, Reception, Word
from makegood_adapters.telemetry.lives import Life
from makegood_adapters.telemetry.table import counter, histogram


class EngineMetrics(Collector):
    """Give it to an engine as an observer, to `Lives` as a listener, and register it where you scrape.

    The number of series is bounded by types, states, accounts and operations: no owner and no job is a label.
    """

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self._transitions = counter("makegood_transitions_total", registry)
        self._dispatches = counter("makegood_dispatches_total", registry)
        self._credits = counter("makegood_moved_credits_total", registry)
        self._calls = counter("makegood_provider_calls_total", registry)
        self._call_seconds = histogram("makegood_provider_call_seconds", registry)
        self._call_bytes = counter("makegood_provider_bytes_total", registry)
        self._webhooks = counter("makegood_provider_webhooks_total", registry)
        self._words = counter("makegood_results_heard_total", registry)
        self._waits = histogram("makegood_queue_wait_seconds", registry)
        self._runs = histogram("makegood_run_seconds", registry)
        self._lives = histogram("makegood_job_life_seconds", registry)
        self._unread = counter("makegood_lives_unread_total", registry)
        self.loop_lag = histogram("makegood_event_loop_lag_seconds", registry)
        self.blob_seconds = histogram("makegood_blob_seconds", registry)
        self.blob_bytes = counter("makegood_blob_bytes_total", registry)
        for reception in Reception:  # what never came is 0, not nothing: an alert compares with it
            self._webhooks.labels(reception.value)

    def collect(self) -> Iterable[Metric]:
        """See `Collector`."""
        return self.registry.collect()

    def moved(self, move: Move) -> None:
        """See `Observer.moved`."""
        job = move.job
        self._transitions.labels(job.type, move.event, job.state).inc()
        for name, amount in _moved(move):
            self._credits.labels(job.type, name).inc(amount)

    def dispatched(self, attempt: Attempt) -> None:
        """See `Observer.dispatched`."""
        self._dispatches.labels(attempt.account).inc()

    def called(self, call: Call) -> None:
        """See `Observer.called`."""
        operation = call.operation.value
        self._calls.labels(call.account, operation, call.outcome).inc()
        self._call_seconds.labels(call.account, operation).observe(call.seconds)
        if call.bytes and call.operation in (Operation.UPLOAD, Operation.FETCH):
            self._call_bytes.labels(call.account, operation).inc(call.bytes)

    def received(self, account: str | None, reception: Reception) -> None:
        """See `Observer.received`."""
        self._webhooks.labels(reception.value).inc()

    def learned(self, attempt: Attempt, word: Word, heard_at: datetime | None) -> None:
        """See `Observer.learned`."""
        self._words.labels(attempt.account, word.value).inc()

    def ended(self, life: Life) -> None:
        """See `Listener.ended`."""
        job = life.job
        for _, seconds in life.waits:
            self._waits.labels(job.type).observe(seconds)
        for attempt in life.attempts:
            if attempt.accepted_at and attempt.closed_at:
                seconds = (attempt.closed_at - attempt.accepted_at).total_seconds()
                self._runs.labels(job.type, attempt.account).observe(max(0.0, seconds))
        if job.finished_at:
            seconds = (job.finished_at - job.created_at).total_seconds()
            self._lives.labels(job.type, job.state).observe(max(0.0, seconds))

    def left_out(self) -> None:
        """See `Listener.left_out`."""
        self._unread.inc()


def _moved(move: Move) -> Iterator[tuple[str, int]]:
    """Yield what the transition did to the credits of its job, as the ledger does it."""
    price, settled = move.job.price, move.job.settled or 0
    match move.money:
        case "hold":
            yield "held", price
        case "release":
            yield "released", price
        case "capture" | "policy":
            yield "captured", settled
            yield "released", price - settled
