"""One trace for each job, from submit to settle, over all processes: what they did, and how long it waited.

A process tells of what it does itself (submit, accept, uploads, create calls, inquiries, fetches) as it does
it. Who brings the job to its end tells the rest from its history: the job, its waits, its attempts, the runs
at the provider, and what became of the credits. Parents are known before they are told, for their ids follow
from that of the job; see docs/decisions/0021-a-trace-has-the-id-of-its-job.md.
"""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import UUID

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, Tracer, TracerProvider

from makegood.job import Attempt, Job, Verdict
from makegood.ports import Call, Move, Operation, Reception, Word
from makegood_adapters.telemetry.lives import Life
from makegood_adapters.telemetry.spans import ChosenIds, below, chosen, is_in

_NAMES = {
    Operation.UPLOAD: "upload",
    Operation.SUBMIT: "create call",
    Operation.QUERY: "inquiry",
    Operation.CANCEL: "cancel call",
    Operation.FETCH: "fetch",
    Operation.CONFIRM: "inquiry",
}
#: A poll that learns nothing is not told: `makegood.attempt.asked` counts them all.
_NOTHING_NEW = frozenset({"running", "waiting"})
_BAD = frozenset({"failed", "cut_off", "uncertain", "rejected", "too_large"})
_BY_CALLER = frozenset({"submit", "accept"})

Value = str | int | float | bool


class Traces:
    """An observer of an engine, and a listener of `Lives` that reads *wholly*.

    *provider* is a tracer provider of OpenTelemetry's SDK, the global one if left out; without the SDK
    nothing is told. *share* of the jobs are traced, 0 to 1. The owner is told only with *owners*. *clean*
    takes secrets out of reasons, which may be texts of others; left out: no reasons are told.
    """

    def __init__(
        self,
        provider: TracerProvider | None = None,
        *,
        share: float = 1.0,
        owners: bool = False,
        clean: Callable[[str], str] | None = None,
    ) -> None:
        self._provider, self._share, self._owners, self._clean = provider, share, owners, clean
        self._tracer: Tracer | None = None

    def moved(self, move: Move) -> None:
        """See `Observer.moved`."""
        if move.event not in _BY_CALLER or not self._tells(move.job.id):
            return
        caller = trace.get_current_span().get_span_context()
        at = move.job.created_at if move.event == "submit" else move.job.entered_at
        self._tell(
            move.event,
            below(move.job.id),
            at,
            at,
            {**_of_job(move.job), "makegood.actor": self._actor(move.job, move.actor)},
            links=(Link(caller),) if caller.is_valid else (),
        )

    def dispatched(self, attempt: Attempt) -> None:
        """See `Observer.dispatched`: told at the end, as a wait and an attempt."""

    def called(self, call: Call) -> None:
        """See `Observer.called`."""
        subject, name = call.subject, _NAMES.get(call.operation)
        if subject is None or name is None or call.outcome in _NOTHING_NEW:
            return
        if not self._tells(subject.job_id):
            return
        place = ("attempt", subject.attempt) if subject.attempt else ()
        attributes: dict[str, Value] = {
            "makegood.job.id": str(subject.job_id),
            "makegood.attempt.number": subject.attempt or 0,
            "makegood.account": call.account,
            "makegood.outcome": call.outcome,
        }
        if subject.type:
            attributes["makegood.job.type"] = subject.type
        if call.bytes:
            attributes["makegood.bytes"] = call.bytes
        if call.problem:
            attributes["error.type"] = call.problem
        end = time.time_ns()
        begin = end - int(call.seconds * 1e9)
        bad = call.outcome if call.outcome in _BAD else None
        self._tell(
            name,
            below(subject.job_id, *place),
            begin,
            end,
            attributes,
            kind=SpanKind.CLIENT,
            bad=bad,
        )

    def received(self, account: str | None, reception: Reception) -> None:
        """See `Observer.received`: of which job a message is, is told when it is looked into."""

    def learned(self, attempt: Attempt, word: Word, heard_at: datetime | None) -> None:
        """See `Observer.learned`."""
        if heard_at is None or not self._tells(attempt.job_id):
            return
        name = "webhook received" if word is Word.WEBHOOK else "hint received"
        attributes = {"makegood.job.id": str(attempt.job_id), "makegood.account": attempt.account}
        place = below(attempt.job_id, "attempt", attempt.number)
        self._tell(name, place, heard_at, heard_at, attributes, kind=SpanKind.CONSUMER)

    def ended(self, life: Life) -> None:
        """See `Listener.ended`."""
        job = life.job
        if job.finished_at is None or not self._tells(job.id):
            return
        with chosen(job.id):
            self._tell(
                f"job {job.type}",
                Context(),
                job.created_at,
                job.finished_at,
                self._of_life(life),
                bad=_category(job) if job.error is not None else None,
            )
        for step, seconds in life.waits:
            begin = _ns(step.at) - int(seconds * 1e9)
            self._tell("wait in queue", below(job.id), begin, step.at, _of_job(job))
        for attempt in life.attempts:
            self._tell_attempt(job, attempt)
        self._tell_end(life)

    def left_out(self) -> None:
        """See `Listener.left_out`."""

    def _tell_attempt(self, job: Job, attempt: Attempt) -> None:
        end = attempt.closed_at or job.finished_at or attempt.opened_at
        verdict = attempt.verdict.value if attempt.verdict else "none"
        attributes: dict[str, Value] = {
            **_of_job(job),
            "makegood.attempt.number": attempt.number,
            "makegood.attempt.verdict": verdict,
            "makegood.attempt.asked": attempt.asked,
            "makegood.account": attempt.account,
        }
        if attempt.task_id:
            attributes["makegood.task.id"] = attempt.task_id
        good = attempt.verdict in (None, Verdict.SUCCEEDED, Verdict.CANCELLED)
        with chosen(job.id, "attempt", attempt.number):
            # Its parent is given, and so is its own id: others have told of what is below it.
            self._tell(
                f"attempt {attempt.number}",
                below(job.id),
                attempt.opened_at,
                end,
                attributes,
                bad=None if good else verdict,
                events=[(f"evidence: {each.verdict.value}", each.at, each.source) for each in attempt.known],
            )
        if attempt.accepted_at:
            place = below(job.id, "attempt", attempt.number)
            self._tell(
                "provider run", place, attempt.accepted_at, end, attributes, bad=None if good else verdict
            )

    def _tell_end(self, life: Life) -> None:
        job, last = life.job, life.steps[-1]
        attributes = {**_of_job(job), **_of_money(life), "makegood.event": last.event}
        attributes["makegood.actor"] = self._actor(job, last.actor)
        if self._clean and last.reason:
            attributes["makegood.reason"] = self._clean(last.reason)
        self._tell("settle", below(job.id), last.at, last.at, attributes)

    def _of_life(self, life: Life) -> dict[str, Value]:
        job = life.job
        found: dict[str, Value] = {
            **_of_job(job),
            **_of_money(life),
            "makegood.job.state": job.state,
            "makegood.job.pool": job.pool,
            "makegood.job.version": job.type_version,
            "makegood.job.attempts": job.attempt,
        }
        if job.retry_of:
            found["makegood.job.retry_of"] = str(job.retry_of)
        if job.error is not None:
            found["error.type"] = _category(job)
        if self._owners:
            found["user.id"] = job.owner
        return found

    def _actor(self, job: Job, actor: str) -> str:
        return actor if self._owners or job.owner not in actor else "owner"

    def _tells(self, job_id: UUID) -> bool:
        if not is_in(self._share, job_id):
            return False
        if self._tracer is None:
            tracer = (self._provider or trace.get_tracer_provider()).get_tracer("makegood")
            ids = getattr(tracer, "id_generator", None)
            if ids is None:  # no SDK, or not yet: it may be set up later than we are
                return False
            if not isinstance(ids, ChosenIds):
                tracer.id_generator = ChosenIds(ids)  # type: ignore[attr-defined]  # of our own tracer alone
            self._tracer = tracer
        return True

    def _tell(
        self,
        name: str,
        place: Context,
        begin: datetime | int,
        end: datetime | int,
        attributes: Mapping[str, Value],
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        bad: str | None = None,
        links: tuple[Link, ...] = (),
        events: "list[tuple[str, datetime | None, str]] | tuple[()]" = (),
    ) -> None:
        assert self._tracer is not None
        span = self._tracer.start_span(
            name, place, kind, attributes=dict(attributes), links=links, start_time=_ns(begin)
        )
        for told, at, source in events:
            span.add_event(told, {"makegood.source": source}, _ns(at) if at else None)
        if bad:
            span.set_status(Status(StatusCode.ERROR, bad))
        span.end(max(_ns(begin), _ns(end)))


def _of_job(job: Job) -> dict[str, Value]:
    return {"makegood.job.id": str(job.id), "makegood.job.type": job.type}


def _of_money(life: Life) -> dict[str, Value]:
    found: dict[str, Value] = {"makegood.credits.price": life.job.price}
    if life.money:
        found["makegood.credits.captured"] = life.money.captured
        found["makegood.credits.released"] = life.money.released
    return found


def _category(job: Job) -> str:
    category = (job.error or {}).get("category")
    return category if isinstance(category, str) else "failed"


def _ns(at: datetime | int) -> int:
    return at if isinstance(at, int) else int(at.timestamp() * 1_000_000) * 1_000
