"""What may need a person, found in the store in memory."""

from collections.abc import Iterator
from datetime import datetime
from operator import attrgetter

from makegood.fairness import Scope
from makegood.job import Evidence, Phase, Verdict
from makegood.ports import (
    DRAINING_SECONDS,
    OVERDUE_SECONDS,
    SWITCHED_OFF,
    TROUBLES_MAX,
    Heard,
    Trouble,
    TroubleKind,
)
from makegood_adapters.memory.admission import is_paused
from makegood_adapters.memory.tables import AttemptRow, Tables

_ALARMS = {"draining deadline": TroubleKind.ABANDONED, "late webhook": TroubleKind.LATE}
_ENDED = (Verdict.SUCCEEDED, Verdict.FAILED)


def troubles(tables: Tables) -> list[Trouble]:
    """Return what `Oversight.troubles` promises."""
    found = sorted(
        [*_attempts(tables), *_closed(tables), *_endpoints(tables), *_overdue(tables)],
        key=attrgetter("since"),
    )
    of_kind = [[each for each in found if each.kind is kind][:TROUBLES_MAX] for kind in TroubleKind]
    return [each for kind in of_kind for each in kind]


def heard(tables: Tables, last: int, before: int) -> Heard:
    """Return what `Oversight.heard` promises."""
    ended = [
        fact for row in tables.attempts.values() for fact in row.evidence.values() if fact.verdict in _ENDED
    ]
    ended.sort(key=attrgetter("at"), reverse=True)
    new, old = ended[:last], ended[last : last + before]
    return Heard(
        since=new[-1].at if new else None,
        last=len(new),
        last_by_webhook=sum(_by_webhook(tables, fact) for fact in new),
        before=len(old),
        before_by_webhook=sum(_by_webhook(tables, fact) for fact in old),
    )


def _by_webhook(tables: Tables, fact: Evidence) -> bool:
    key = (fact.job_id, fact.attempt, "webhook")
    return any(
        (row.hint.job_id, row.hint.attempt, row.hint.source) == key
        and fact.at is not None
        and row.hint.received_at <= fact.at
        for row in tables.hints
    )


def _attempts(tables: Tables) -> Iterator[Trouble]:
    for row in tables.attempts.values():
        attempt, job = row.attempt, tables.jobs[row.attempt.job_id].job
        if attempt.phase is Phase.UNCERTAIN:
            yield _trouble(row, TroubleKind.UNCERTAIN, job.owner, since=attempt.intent_at)
        if row.open and tables.passed(job.finished_at, DRAINING_SECONDS):
            until, task = attempt.draining_until, attempt.task_id
            yield _trouble(
                row, TroubleKind.DRAINING, job.owner, since=job.finished_at, until=until, detail=task
            )
        for fact in row.evidence.values():
            if fact.source in _ALARMS and Verdict.RESOLVED not in row.evidence:
                task = fact.task_id or attempt.task_id
                yield _trouble(row, _ALARMS[fact.source], job.owner, since=fact.at, detail=task)


def _trouble(
    row: AttemptRow,
    kind: TroubleKind,
    owner: str,
    since: datetime | None,
    until: datetime | None = None,
    detail: str | None = None,
) -> Trouble:
    attempt = row.attempt
    return Trouble(
        kind=kind,
        subject=attempt.account,
        job_id=attempt.job_id,
        attempt=attempt.number,
        owner=owner,
        since=since,
        until=until,
        detail=detail,
    )


def _closed(tables: Tables) -> Iterator[Trouble]:
    for (scope, name), rule in tables.rules.items():
        if scope is Scope.TYPE and rule.closed and is_paused(tables, rule):
            yield Trouble(
                kind=TroubleKind.CLOSED,
                subject=name,
                since=rule.paused_at,
                until=rule.paused_until,
                detail=rule.reason,
            )


def _endpoints(tables: Tables) -> Iterator[Trouble]:
    for row in tables.endpoints.values():
        endpoint = row.endpoint
        since = endpoint.failing_since or endpoint.disabled_at
        if since is not None and endpoint.disabled_why != SWITCHED_OFF:
            yield Trouble(
                kind=TroubleKind.ENDPOINT,
                subject=str(endpoint.id),
                owner=endpoint.owner,
                since=since,
                until=endpoint.disabled_at,
                detail=endpoint.description or None,
            )


def _overdue(tables: Tables) -> Iterator[Trouble]:
    for job in (row.job for row in tables.jobs.values()):
        if job.finished_at is None and tables.passed(job.deadline_at, OVERDUE_SECONDS):
            yield Trouble(
                kind=TroubleKind.OVERDUE,
                subject=job.state,
                job_id=job.id,
                owner=job.owner,
                since=job.deadline_at,
            )
