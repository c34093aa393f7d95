"""Frozen snapshots of what the store holds: jobs, attempts, transitions, evidence, money."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from makegood.outcome import JSON


class Phase(StrEnum):
    """How far the submission of one attempt has come."""

    OPENED = "opened"  # a slot is taken, nothing was sent
    SUBMITTING = "submitting"  # the intent is committed, the create call may be under way
    ACCEPTED = "accepted"  # the provider gave a task id
    UNCERTAIN = "uncertain"  # nobody knows whether a task exists
    CLOSED = "closed"  # known to be over; the slot is free


class Verdict(StrEnum):
    """What one piece of evidence says about one attempt."""

    ACCEPTED = "accepted"  # the provider has a task
    REJECTED = "rejected"  # the provider refused: no task
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ABSENT = "absent"  # the provider knows no such task
    DEADLINE = "deadline"  # our own last moment has passed
    ADMINISTRATOR = "administrator"  # a named person decided, with a reason
    RESOLVED = "resolved"  # a named person has looked into what no program could settle


#: Verdicts after which the provider holds nothing more for the attempt: its slot is free.
FINAL_VERDICTS = frozenset(
    {Verdict.REJECTED, Verdict.SUCCEEDED, Verdict.FAILED, Verdict.CANCELLED, Verdict.ABSENT}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job as it is inserted: everything that is fixed for its whole life.

    `price` is in whole credits and was computed on the server. `request` is what the provider will
    be asked, `files` maps input names to blob keys; both are frozen here, so that a change of the
    job type's settings never touches a job that waits. Of the jobs that an owner has in one
    `exclusive_scope`, one at a time is not over; none is dispatched before its `not_before`. A `draft` has
    an input that is not complete, and neither price nor request. `session` is the page that has sent it,
    `metadata` what a host keeps beside it.
    """

    id: UUID
    owner: str
    type: str
    type_version: int
    pool: str
    price: int
    input: JSON
    request: JSON
    files: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    priority: int = 0
    attempts_max: int = 3
    retry_of: UUID | None = None
    exclusive_scope: str | None = None
    not_before: datetime | None = None
    draft: bool = False
    session: str | None = None
    metadata: JSON = field(default_factory=dict)
    actor: str = "engine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job as it was when it was read; times are the database's, with zone.

    `version` counts transitions and starts at 0. `attempt` is the number of the current attempt, 0
    before the first; `reruns` counts how often the job waited again after the provider had accepted its
    task. `intent_attempt` equals `attempt` from the moment at which the create call may
    have been made. `settled` is the number of credits captured at the end, None before.
    `data` is what the present state carries, None where its type declares none. A `draft` has an input that
    is not complete, and no price yet; `session` is a weak secret of the page that has sent it.
    """

    id: UUID
    owner: str
    type: str
    type_version: int
    pool: str
    state: str
    version: int
    price: int
    input: JSON
    request: JSON
    files: Mapping[str, str]
    key: str | None
    priority: int
    attempt: int
    attempts_max: int
    reruns: int
    intent_attempt: int | None
    created_at: datetime
    entered_at: datetime
    deadline_at: datetime | None
    not_before: datetime | None
    cancel_requested_at: datetime | None
    finished_at: datetime | None
    settled: int | None
    output: JSON | None
    error: JSON | None
    retry_of: UUID | None = None
    data: JSON | None = None
    exclusive_scope: str | None = None
    draft: bool = False
    session: str | None = field(default=None, repr=False)
    metadata: JSON = field(default_factory=dict)

    @property
    def submitted(self) -> bool:
        """Whether the provider may know the current attempt."""
        return self.intent_attempt is not None and self.intent_attempt == self.attempt

    @property
    def imported(self) -> bool:
        """Whether it was over in another system before it was here: its credits were another ledger's."""
        return self.version == 0 and self.finished_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at the provider; it holds a slot of its provider account until it is closed.

    `epoch` grows with every claim, so that a worker which lost its lease cannot write any more.
    `ran` tells whether the provider was ever seen working on the task, `cancel_late` that it was over
    before our first request to cancel. `known` is the evidence about it, in the order in which it was
    learned; only `Engine.attempts` fills it in.
    """

    job_id: UUID
    number: int
    account: str
    phase: Phase
    epoch: int
    task_id: str | None
    ran: bool
    opened_at: datetime
    intent_at: datetime | None
    accepted_at: datetime | None
    closed_at: datetime | None
    verdict: Verdict | None
    outputs: tuple[JSON, ...]
    cancel_sent_at: datetime | None
    draining_until: datetime | None
    asked: int
    token_hash: bytes | None = None
    cancel_answered: bool = False
    cancel_late: bool = False
    known: "tuple[Evidence, ...]" = ()

    def evidence(
        self,
        verdict: Verdict,
        source: str,
        *,
        task_id: str | None = None,
        outputs: tuple[JSON, ...] = (),
        detail: JSON | None = None,
    ) -> "Evidence":
        """Return a fact about this attempt; `source` says how it was learned."""
        return Evidence(
            job_id=self.job_id,
            attempt=self.number,
            verdict=verdict,
            source=source,
            task_id=task_id,
            outputs=outputs,
            detail=detail or {},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A fact about one attempt, with where it was learned; recorded before it moves the job.

    `at` is when the store has kept it, None before. The outputs stay with the attempt.
    """

    job_id: UUID
    attempt: int
    verdict: Verdict
    source: str
    task_id: str | None = None
    outputs: tuple[JSON, ...] = ()
    detail: JSON = field(default_factory=dict)
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One line of a job's history: who moved it, by which event, from where to where.

    `version` is its place in the life of its job. `seq` is its place in the stream of all jobs, None where it
    was not read from there.
    """

    job_id: UUID
    version: int
    operation_id: UUID
    owner: str
    type: str
    event: str
    from_state: str | None
    to_state: str
    actor: str
    reason: str | None
    attempt: int
    at: datetime
    seq: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A job's place in its queue of `of` jobs, from 1, and how long it may still wait.

    Where `exact` is false, the position was reckoned from one of the time `at`; it is wrong by no more jobs
    than entered or left the queue since, not counting who left at its head or came behind. `wait_seconds` is
    an estimate, None where nothing is known to make one of: see docs/explanation/waiting.md. `version` is
    that of the job which had this place.
    """

    position: int
    exact: bool
    of: int
    wait_seconds: float | None
    at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobMoney:
    """What the ledger shows for one job, in whole credits: still `held`, `captured`, `released` to its owner,
    and `unused`: an unlimited plan had covered that, nothing was given for it, so nothing came back."""

    held: int = 0
    captured: int = 0
    released: int = 0
    unused: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a job ended: its last `version`, what the ledger shows for it, and why it failed, if it did."""

    version: int
    money: JobMoney
    error: JSON | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Part of a wallet with one origin and one expiry; issued = the sum of the other four.

    `expired` is all that left it unused: by expiry, withdrawn with its payment, or taken for a debt. An
    `unlimited` bucket has nothing remaining: a hold issues what it takes, and what is released expires.
    `plan` names the plan whose cycle it is.
    """

    id: int
    owner: str
    kind: str
    priority: int
    expires_at: datetime | None
    source_ref: str
    issued: int
    remaining: int
    held: int
    captured: int
    expired: int
    plan: str | None = None
    unlimited: bool = False
    charged_back_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wallet:
    """A wallet at one moment, in whole credits; `available` is what a new job may spend.

    With `unlimited` no price is too high, whatever is available. `debt` was spent of payments that were
    taken back since; the next grant pays it.
    """

    owner: str
    available: int
    held: int
    buckets: tuple[Bucket, ...] = ()
    debt: int = 0
    unlimited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLine:
    """One line of an owner's journal, in whole credits, with what explains it.

    `seq` counts the owner's lines from 1 without gaps, `balance` is what remains in the wallet after it.
    `origin_id` is the bucket in which the credits of a grace bucket were at first. `cause` is the transition
    that wrote a line of a job and `money` what that edge does; `category` is that of the failure with which
    it ended the job. `place` is that among the lines of all owners, None where they were not asked for.
    """

    owner: str
    seq: int
    kind: str
    amount: int
    balance: int
    at: datetime
    bucket_id: int
    bucket_kind: str
    expires_at: datetime | None
    source_ref: str
    unlimited: bool
    origin_id: int
    job_id: UUID | None = None
    job_type: str | None = None
    cause: Transition | None = None
    money: str | None = None
    category: str | None = None
    place: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """A committed transition on its way to whoever must hear of it, at least once, in job order.

    `delivered` names those who have heard, `tries` counts how often it was taken, this time included.
    """

    id: int
    transition: Transition
    delivered: tuple[str, ...] = ()
    tries: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderAccount:
    """An account at a provider: `capacity` is how many tasks it may hold at one time, None: as many as the
    provider tells, and 1 until it has.

    `draining_seconds` bounds how long an attempt may hold its slot after its job is over. `exclusive`: nobody
    else uses this key, so the provider's count of its tasks can prove that a lost submission made none.
    """

    name: str
    pool: str
    capacity: int | None = None
    draining_seconds: float = 7200.0
    exclusive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupancy:
    """Slots of one provider account, and how it is doing.

    `draining` are open attempts whose job is already over. `capacity` is what counts; `configured`, `told`
    and `learned` are what it was made of, None where there is none. `in_use` is how many tasks the provider
    counted at `told_at`, `foreign` how many of them are not ours, as far as is known by now, and
    `differs_since` since when its count is not ours. `problem` says
    why the account cannot be used, `failures` how many surveys in a row went unanswered. `abandoned` attempts
    held their slot to the last moment: a person should look at the provider whether their tasks still run;
    `late` ones turned out to have a task when they were closed already. Both until `Engine.resolve`.
    """

    account: str
    pool: str
    capacity: int
    open: int
    draining: int
    waiting: int
    configured: int | None = None
    told: int | None = None
    learned: int | None = None
    in_use: int | None = None
    told_at: datetime | None = None
    differs_since: datetime | None = None
    foreign: int = 0
    rests_until: datetime | None = None
    problem: str | None = None
    problem_since: datetime | None = None
    failures: int = 0
    last_error: str | None = None
    abandoned: int = 0
    late: int = 0

    @property
    def healthy(self) -> bool:
        """Whether nothing is known against the account; a single survey may go unanswered."""
        return self.problem is None and self.failures < 3
