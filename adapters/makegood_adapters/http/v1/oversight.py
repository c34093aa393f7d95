"""What `/v1` shows to operators: jobs with all that is known, queues, accounts, the audit."""

from datetime import datetime
from typing import Any
from uuid import UUID

from makegood.administration import needs_person
from makegood.audit import Audit
from makegood.fairness import Rule, Scope
from makegood.job import Attempt, Evidence, Occupancy, Phase, Transition, Verdict
from makegood_adapters.http.v1.offers import Offer
from makegood_adapters.http.v1.views import FailureView, StateName, View
from makegood_adapters.redaction import Redaction


def without_secrets(fields: dict[str, Any], redaction: Redaction) -> dict[str, Any]:
    """Return the *fields* of a job as operators see them: what its owner keeps beside it, and what others
    told of its failure, may have secrets of theirs in it."""
    return {
        **fields,
        "metadata": redaction.shown(fields["metadata"]),
        "error": told_of(fields["error"], redaction),
    }


def told_of(error: FailureView | None, redaction: Redaction) -> FailureView | None:
    """Return the failure without secrets."""
    return error and error.model_copy(update={"message": redaction.clean(error.message)})


class StepView(View):
    """One step of a job, with who made it and why."""

    version: int
    event: str
    from_state: StateName | None
    to_state: StateName
    actor: str
    reason: str | None
    attempt: int
    at: datetime

    @classmethod
    def of(cls, step: Transition, redaction: Redaction) -> "StepView":
        """Return the view, without secrets."""
        told = {name: getattr(step, name) for name in cls.model_fields}
        return cls(**{**told, "reason": step.reason and redaction.clean(step.reason)})


class EvidenceView(View):
    """A fact about an attempt, with where it was learned."""

    verdict: Verdict
    source: str
    task_id: str | None
    detail: dict[str, Any]
    at: datetime | None

    @classmethod
    def of(cls, fact: Evidence, redaction: Redaction) -> "EvidenceView":
        """Return the view, without secrets."""
        return cls(
            verdict=fact.verdict,
            source=fact.source,
            task_id=fact.task_id,
            detail=redaction.shown(dict(fact.detail)),
            at=fact.at,
        )


class AttemptView(View):
    """One try at the provider, with what is known of it. `needs_person`: no program can settle it, and it can
    be resolved; `acts` is what the caller may do to it."""

    number: int
    account: str
    phase: Phase
    task_id: str | None
    ran: bool
    opened_at: datetime
    intent_at: datetime | None
    accepted_at: datetime | None
    closed_at: datetime | None
    verdict: Verdict | None
    cancel_sent_at: datetime | None
    draining_until: datetime | None
    needs_person: bool
    known: list[EvidenceView]
    acts: list[Offer]

    @classmethod
    def of(cls, attempt: Attempt, redaction: Redaction, acts: list[Offer]) -> "AttemptView":
        """Return the view, without secrets."""
        known = [EvidenceView.of(fact, redaction) for fact in attempt.known]
        made = ("known", "needs_person", "acts")
        told = {name: getattr(attempt, name) for name in cls.model_fields if name not in made}
        return cls(known=known, needs_person=needs_person(attempt), acts=acts, **told)


class RuleView(View):
    """What was decided of a pool, a job type or an owner; what is null follows the rule `*` of its scope."""

    scope: Scope
    name: str
    running_max: int | None
    weight: float | None
    oldest_every: int | None
    paused_at: datetime | None
    paused_until: datetime | None
    reason: str | None
    closed: bool
    actor: str
    changed_at: datetime

    @classmethod
    def of(cls, rule: Rule, redaction: Redaction) -> "RuleView":
        """Return the view, without secrets."""
        view = cls.model_validate(rule, from_attributes=True)
        return view.model_copy(update={"reason": view.reason and redaction.clean(view.reason)})


class Rules(View):
    """Every limit, share and pause; and the job types whose rules the store refused, each with the reason."""

    rules: list[RuleView]
    refused: dict[str, str]


class Resumed(View):
    """Whether there was a pause to end."""

    resumed: bool


class AccountView(View):
    """A provider account: its slots, and how it is doing. `capacity` is what counts, of what is `configured`,
    `stated` by the provider, and `learned`; `problem` says why it cannot be used."""

    account: str
    pool: str
    capacity: int
    open: int
    draining: int
    waiting: int
    configured: int | None
    stated: int | None
    learned: int | None
    in_use: int | None
    stated_at: datetime | None
    differs_since: datetime | None
    foreign: int
    rests_until: datetime | None
    problem: str | None
    problem_since: datetime | None
    failures: int
    last_error: str | None
    abandoned: int
    late: int

    @classmethod
    def of(cls, seen: Occupancy, redaction: Redaction) -> "AccountView":
        """Return the view, without secrets: providers are quoted."""
        return cls(**cls.fields_of(seen, redaction))

    @staticmethod
    def fields_of(seen: Occupancy, redaction: Redaction) -> dict[str, Any]:
        """Return the fields that every view of an account has."""
        plain = AccountView.model_fields.keys() - {"stated", "stated_at"}
        fields = {name: getattr(seen, name) for name in plain}
        for name in ("problem", "last_error"):
            fields[name] = fields[name] and redaction.clean(fields[name])
        return {**fields, "stated": seen.told, "stated_at": seen.told_at}


class Accounts(View):
    """Every provider account."""

    accounts: list[AccountView]


class ViolationView(View):
    """One broken invariant, and what breaks it."""

    code: str
    invariant: str
    subject: str
    owner: str | None
    job_id: UUID | None


class TotalsView(View):
    """Credits of one owner, or of all (null); `difference` is what is missing or too much: always 0."""

    owner: str | None
    issued: int
    remaining: int
    held: int
    captured: int
    expired: int
    difference: int


class AuditView(View):
    """The whole store at one moment: `broken` counts all violations, of which the first are listed; `owners`
    all owners, of whom the first are listed, those with a difference before others."""

    at: datetime
    broken: int
    counts: dict[str, int]
    violations: list[ViolationView]
    total: TotalsView
    owners: int
    totals: list[TotalsView]

    @classmethod
    def of(cls, audit: Audit) -> "AuditView":
        """Return the view."""
        return cls.model_validate(audit, from_attributes=True)
