"""Rows of the tables as the engine's snapshots, by column name."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from asyncpg import DataError, Record

from makegood.audit import Totals, Violation
from makegood.fairness import Rule, Scope
from makegood.job import (
    Announcement,
    Attempt,
    Bucket,
    Ending,
    Evidence,
    Job,
    JobMoney,
    JournalLine,
    Occupancy,
    Phase,
    Transition,
    Verdict,
)
from makegood.machine import Edge, Money, Spec, StateSpec
from makegood.ports import KeptMessage, ServiceKey, StoredHint, Worker, WorkerName, WorkerState


def to_job(row: Record) -> Job:
    """Build a Job from a row of `jobs/get`."""
    return Job(
        id=row["job_id"],
        owner=row["owner_id"],
        type=row["type"],
        type_version=row["type_version"],
        pool=row["pool"],
        state=row["state"],
        version=row["version"],
        price=row["price"],
        input=json.loads(row["input"]),
        request=json.loads(row["request"]),
        files=json.loads(row["files"]),
        key=row["key"],
        priority=row["priority"],
        attempt=row["attempt"],
        attempts_max=row["attempts_max"],
        reruns=row["reruns"],
        intent_attempt=row["intent_attempt"],
        created_at=row["created_at"],
        entered_at=row["entered_at"],
        deadline_at=row["deadline_at"],
        not_before=row["not_before"],
        cancel_requested_at=row["cancel_requested_at"],
        finished_at=row["finished_at"],
        settled=row["settled"],
        output=_read(row["output"]),
        error=_read(row["error"]),
        data=_read(row["data"]),
        retry_of=row["retry_of"],
        exclusive_scope=row["exclusive_scope"],
        draft=row["draft"],
        session=row["session"],
        metadata=json.loads(row["metadata"]),
    )


def moved_on(job: Job, row: Record) -> Job:
    """Build the Job that a row of `jobs/move` has made of *job*; the rest of it never changes."""
    return Job(  # spelled out: dataclasses.replace takes twice as long, and this is done for every transition
        id=job.id,
        owner=job.owner,
        type=job.type,
        type_version=job.type_version,
        pool=job.pool,
        state=row["state"],
        version=row["version"],
        price=job.price,
        input=job.input,
        request=job.request,
        files=job.files,
        key=job.key,
        priority=row["priority"],
        attempt=row["attempt"],
        attempts_max=job.attempts_max,
        reruns=row["reruns"],
        intent_attempt=row["intent_attempt"],
        created_at=job.created_at,
        entered_at=row["entered_at"],
        deadline_at=row["deadline_at"],
        not_before=row["not_before"],
        cancel_requested_at=row["cancel_requested_at"],
        finished_at=row["finished_at"],
        settled=row["settled"],
        output=_read(row["output"]),
        error=_read(row["error"]),
        data=_read(row["data"]),
        retry_of=job.retry_of,
        exclusive_scope=job.exclusive_scope,
        draft=job.draft,
        session=job.session,
        metadata=json.loads(row["metadata"]),
    )


def to_attempt(row: Record) -> Attempt:
    """Build an Attempt from a row of `attempts/get`."""
    return Attempt(
        job_id=row["job_id"],
        number=row["number"],
        account=row["account"],
        phase=Phase(row["phase"]),
        epoch=row["epoch"],
        task_id=row["task_id"],
        ran=row["ran"],
        asked=row["asked"],
        token_hash=row["token_hash"],
        cancel_answered=row["cancel_answered"],
        cancel_late=row["cancel_late"],
        opened_at=row["opened_at"],
        intent_at=row["intent_at"],
        accepted_at=row["accepted_at"],
        closed_at=row["closed_at"],
        verdict=Verdict(row["verdict"]) if row["verdict"] else None,
        outputs=tuple(json.loads(row["outputs"])),
        cancel_sent_at=row["cancel_sent_at"],
        draining_until=row["draining_until"],
        known=(),
    )


def to_evidence(row: Record) -> Evidence:
    """Build an Evidence from a row of `attempts/evidence`; its outputs are kept with the attempt."""
    return Evidence(
        job_id=row["job_id"],
        attempt=row["attempt"],
        verdict=Verdict(row["verdict"]),
        source=row["source"],
        task_id=row["task_id"],
        outputs=(),
        detail=json.loads(row["detail"]),
        at=row["at"],
    )


def to_transition(row: Record, seq: int | None = None) -> Transition:
    """Build a Transition from a row of `jobs/history`, `outbox/take` or `stream/read`."""
    return Transition(
        job_id=row["job_id"],
        version=row["version"],
        operation_id=row["operation_id"],
        owner=row["owner_id"],
        type=row["type"],
        event=row["event"],
        from_state=row["from_state"],
        to_state=row["to_state"],
        actor=row["actor"],
        reason=row["reason"],
        attempt=row["attempt"],
        at=row["at"],
        seq=seq,
    )


def to_announcement(row: Record) -> Announcement:
    """Build an Announcement from a row of `outbox/take`."""
    return Announcement(
        id=row["outbox_id"],
        transition=to_transition(row),
        delivered=tuple(row["delivered"]),
        tries=row["tries"],
    )


def to_bucket(row: Record) -> Bucket:
    """Build a Bucket from a row of `ledger/buckets`."""
    return Bucket(
        id=row["bucket_id"],
        owner=row["owner_id"],
        kind=row["kind"],
        priority=row["priority"],
        expires_at=row["expires_at"],
        source_ref=row["source_ref"],
        issued=row["issued"],
        remaining=row["remaining"],
        held=row["held"],
        captured=row["captured"],
        expired=row["expired"],
        plan=row["plan"],
        unlimited=row["unlimited"],
        charged_back_at=row["charged_back_at"],
    )


def to_line(row: Record) -> JournalLine:
    """Build a JournalLine from a row of `ledger/lines` or `ledger/lines_of`."""
    return JournalLine(
        owner=row["owner_id"],
        seq=row["seq"],
        kind=row["kind"],
        amount=row["amount"],
        balance=row["balance"],
        at=row["written_at"],
        bucket_id=row["bucket_id"],
        bucket_kind=row["bucket_kind"],
        expires_at=row["expires_at"],
        source_ref=row["source_ref"],
        unlimited=row["unlimited"],
        origin_id=row["origin_id"],
        job_id=row["job_id"],
        job_type=row["type"],
        cause=to_transition(row) if row["version"] is not None else None,
        money=row["money"],
        category=row["category"],
        place=row.get("journal_id"),
    )


def to_money(row: Record) -> JobMoney:
    """Build a JobMoney from a row of `jobs/money`."""
    return JobMoney(
        held=row["held"], captured=row["captured"], released=row["released"], unused=row["unused"]
    )


def to_ending(row: Record) -> Ending:
    """Build an Ending from a row of `stream/endings`."""
    return Ending(version=row["version"], money=to_money(row), error=_read(row["error"]))


def to_occupancy(row: Record) -> Occupancy:
    """Build an Occupancy from a row of `accounts/occupancy`."""
    return Occupancy(
        account=row["name"],
        pool=row["pool"],
        capacity=row["capacity"],
        open=row["open"],
        draining=row["draining"],
        waiting=row["waiting"],
        configured=row["configured"],
        told=row["told"],
        learned=row["learned"],
        in_use=row["in_use"],
        told_at=row["told_at"],
        differs_since=row["differs_since"],
        foreign=row["foreign_tasks"],
        rests_until=row["rests_until"],
        problem=row["problem"],
        problem_since=row["problem_since"],
        failures=row["failures"],
        last_error=row["last_error"],
        abandoned=row["abandoned"],
        late=row["late"],
    )


def to_hint(row: Record) -> StoredHint:
    """Build a StoredHint from a row of `hints/unread`."""
    return StoredHint(
        id=row["inbox_id"],
        job_id=row["job_id"],
        attempt=row["attempt"],
        source=row["source"],
        task_id=row["task_id"],
        received_at=row["received_at"],
    )


def to_message(row: Record) -> KeptMessage:
    """Build a KeptMessage from a row of `hints/of`."""
    return KeptMessage(
        attempt=row["attempt"],
        source=row["source"],
        task_id=row["task_id"],
        at=row["received_at"],
        read=row["read"],
        body=row["body"],
        length=row["length"],
    )


def to_violation(row: Record) -> Violation:
    """Build a Violation from a row of `audit/violations` that has one."""
    return Violation(code=row["code"], subject=row["subject"], owner=row["owner_id"], job_id=row["job_id"])


def to_totals(row: Record) -> Totals:
    """Build Totals from a row of `audit/totals`."""
    return Totals(
        owner=row["owner_id"],
        issued=row["issued"],
        remaining=row["remaining"],
        held=row["held"],
        captured=row["captured"],
        expired=row["expired"],
    )


def spec_from_rows(name: str, version: int, states: Sequence[Record], edges: Sequence[Record]) -> Spec:
    """Build a Spec from the rows of `machine/states` and `machine/edges`."""
    return Spec(
        name,
        version,
        tuple(
            StateSpec(
                name=row["name"],
                initial=row["is_initial"],
                terminal=row["is_terminal"],
                slot=row["is_slot"],
                deadline_seconds=row["deadline_seconds"],
                public=row["public_status"] or "",
            )
            for row in states
        ),
        tuple(Edge(row["event"], row["from_state"], row["to_state"], Money(row["money"])) for row in edges),
    )


def to_worker(row: Record) -> Worker:
    """Build a Worker from a row of `workers/present`."""
    return Worker(
        id=row["worker_id"],
        name=WorkerName(host=row["host"], pid=row["pid"], number=row["number"], version=row["version"]),
        state=WorkerState(row["state"]),
        accounts=tuple(row["accounts"]),
        health=json.loads(row["health"]),
        started_at=row["started_at"],
        seen_at=row["seen_at"],
    )


def _read(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise ValueError(f"{type(value).__name__} has no form in JSON")


_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=_plain)
#: How the characters that Postgres cannot hold look in JSON; pairs of surrogates, which it can, look so too.
_SUSPECT = ("\\u0000", "\\ud")


def as_json(value: Any) -> str:
    """Return *value* as JSON that Postgres can hold, see `storable`; DataError for what is no JSON."""
    try:
        text = _ENCODER.encode(value)
        if any(sign in text for sign in _SUSPECT):
            text = _ENCODER.encode(storable(value))
    except ValueError as error:
        raise DataError(f"not a JSON value: {error}") from error
    return text


def storable(value: Any) -> Any:
    """Return *value* without the characters that Postgres cannot hold, NUL and lone surrogates: what a
    provider or a client has sent must never keep a fact from being stored."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [storable(item) for item in value]
    return value


def to_service_key(row: Record) -> ServiceKey:
    """Build a ServiceKey from a row of `keys/all`."""
    return ServiceKey(
        id=row["key_id"],
        name=row["name"],
        scopes=tuple(row["scopes"]),
        created_at=row["created_at"],
        created_by=row["created_by"],
        expires_at=row["expires_at"],
        previous_until=row["previous_until"],
        revoked_at=row["revoked_at"],
        revoked_by=row["revoked_by"],
        last_used_at=row["last_used_at"],
    )


def to_rule(row: Record) -> Rule:
    """Build a Rule from a row of `rules/all`."""
    return Rule(
        scope=Scope(row["scope"]),
        name=row["name"],
        running_max=row["running_max"],
        weight=row["weight"],
        oldest_every=row["oldest_every"],
        paused_at=row["paused_at"],
        paused_until=row["paused_until"],
        reason=row["reason"],
        closed=row["closed"],
        actor=row["actor"],
        changed_at=row["changed_at"],
    )
