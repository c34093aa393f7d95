"""The rows of the store in memory: frozen snapshots, each with what only the store needs to know."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from makegood.buckets import GRACE_SECONDS
from makegood.fairness import Rule, Scope
from makegood.job import Attempt, Bucket, Evidence, Job, Phase, ProviderAccount, Transition, Verdict
from makegood.machine import Spec
from makegood.outcome import JSON
from makegood.ports import Act, Endpoint, StoredHint, Try, Upload, Worker


@dataclass(slots=True)
class JobRow:
    """A job with its place in the queue, which it keeps when it comes back to it; `ordered` is the input with
    which it was inserted."""

    job: Job
    specs: Mapping[tuple[str, int], Spec]
    place: int
    ordered: JSON
    queued_at: datetime | None = None
    queue_deadline_at: datetime | None = None
    watched_until: datetime | None = None
    start_tag: float = 0.0
    parked: str = "no"

    @property
    def spec(self) -> Spec:
        """The machine as it was declared last: within a version its deadlines may change."""
        return self.specs[self.job.type, self.job.type_version]

    @property
    def in_slot(self) -> bool:
        """Whether the job is in a state in which an attempt lives."""
        return self.spec.state[self.job.state].slot

    @property
    def waits(self) -> bool:
        """Whether the job waits for a slot."""
        return self.job.state in self.spec.waiting


@dataclass(slots=True)
class AccountRow:
    """A provider account with what was told, learned and found out about it."""

    account: ProviderAccount
    grow_seconds: float
    next_survey_at: datetime
    told: int | None = None
    learned: int | None = None
    learned_at: datetime | None = None
    rests_until: datetime | None = None
    rested_at: datetime | None = None
    rests: int = 0
    refusals: int = 0
    problem: str | None = None
    problem_since: datetime | None = None
    unfits: int = 0
    in_use: int | None = None
    told_at: datetime | None = None
    differs_since: datetime | None = None
    others: int = 0
    others_until: datetime | None = None
    fewer_since: datetime | None = None
    fewer_asked: bool = False
    failures: int = 0
    last_error: str | None = None
    ask_tokens: float = 0.0
    asked_at: datetime | None = None
    #: The attempts that were open when the capacity changed last: they may be too many.
    kept: frozenset[tuple[UUID, int]] = frozenset()

    @property
    def limit(self) -> int:
        """How many slots the account has, before anything was learned of it."""
        if self.account.capacity is not None:
            return self.account.capacity
        return 1 if self.told is None else self.told

    @property
    def capacity(self) -> int:
        """How many slots the account has."""
        return self.limit if self.learned is None else min(self.limit, self.learned)

    @property
    def on_the_way_max(self) -> int | None:
        """How many of its attempts may be opened or submitting; None: as many as it has slots."""
        if self.problem:
            return 1
        return 2 if self.account.exclusive else None


@dataclass(slots=True)
class AttemptRow:
    """An attempt with its lease, its next turns and the evidence about it."""

    attempt: Attempt
    lease_until: datetime | None = None
    next_ask_at: datetime | None = None
    next_fetch_at: datetime | None = None
    counted_at: datetime | None = None
    counted_late_at: datetime | None = None
    count_void: bool = False
    evidence: dict[Verdict, Evidence] = field(default_factory=dict)

    @property
    def open(self) -> bool:
        """Whether the attempt holds a slot."""
        return self.attempt.phase is not Phase.CLOSED


@dataclass(frozen=True, slots=True)
class Learned:
    """A time that was learned from so many samples; of a type also when its tasks are first asked about."""

    seconds: float
    samples: int
    at: datetime
    first_ask_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Hold:
    """What one job reserved in one bucket, `unlimited` or not; `captured` is None until it is settled."""

    bucket_id: int
    amount: int
    captured: int | None = None
    unlimited: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a wallet's journal; `seq` has no gaps, `balance` is what the wallet may spend after it,
    `place` counts the lines of all owners."""

    seq: int
    kind: str
    bucket_id: int
    job_id: UUID | None
    amount: int
    balance: int
    at: datetime
    place: int


@dataclass(slots=True)
class Wallet:
    """The buckets of one owner and the journal from which they can be computed again."""

    buckets: dict[int, Bucket] = field(default_factory=dict)
    journal: list[Line] = field(default_factory=list)
    debt: int = 0
    origins: dict[int, int] = field(default_factory=dict)  # grace bucket -> where its credits come from

    @property
    def balance(self) -> int:
        """What remains in all buckets, also in those that have just expired."""
        return self.journal[-1].balance if self.journal else 0


@dataclass(slots=True)
class HintRow:
    """A hint with its body, and the digest by which the same message is known again."""

    hint: StoredHint
    digest: bytes
    body: str
    read: bool = False


@dataclass(slots=True)
class ParkedHint:
    """A message about a task of which no attempt is known."""

    task_id: str
    source: str
    body: str
    received_at: datetime
    copies: int = 1


@dataclass(slots=True)
class OutboxRow:
    """An announcement; `done` ones stay, so that the audit can count them."""

    id: int
    transition: Transition
    delivered: tuple[str, ...] = ()
    leased_until: datetime | None = None
    tries: int = 0
    done: bool = False


@dataclass(frozen=True, slots=True)
class UploadRow:
    """A file that an owner may use, and how many of its bytes count for the day on which it was brought."""

    upload: Upload
    counted: int


@dataclass(slots=True)
class EndpointRow:
    """An endpoint with what signs messages to it, and the place after which it hears."""

    endpoint: Endpoint
    secret: str
    after: int
    old_secret: str | None = None
    old_until: datetime | None = None


@dataclass(slots=True)
class DeliveryRow:
    """A message on its way to an endpoint, with its log."""

    transition: Transition
    due_at: datetime | None
    created_at: datetime
    tries: int = 0
    epoch: int = 0
    leased: bool = False
    delivered_at: datetime | None = None
    failed_at: datetime | None = None
    log: list[Try] = field(default_factory=list)


@dataclass(slots=True)
class Tables:
    """Everything the store knows. Nothing here awaits, so every method of the store is atomic."""

    clock: Callable[[], datetime]
    specs: dict[tuple[str, int], Spec] = field(default_factory=dict)
    jobs: dict[UUID, JobRow] = field(default_factory=dict)
    keys: dict[tuple[str, str], UUID] = field(default_factory=dict)
    exclusive: dict[tuple[str, str], UUID] = field(default_factory=dict)  # the last job of each
    history: dict[UUID, list[Transition]] = field(default_factory=dict)
    operations: set[UUID] = field(default_factory=set)
    attempts: dict[tuple[UUID, int], AttemptRow] = field(default_factory=dict)
    accounts: dict[str, AccountRow] = field(default_factory=dict)
    wallets: dict[str, Wallet] = field(default_factory=lambda: defaultdict(Wallet))
    holds: dict[UUID, list[Hold]] = field(default_factory=lambda: defaultdict(list))
    hints: list[HintRow] = field(default_factory=list)
    parked: list[ParkedHint] = field(default_factory=list)
    outbox: list[OutboxRow] = field(default_factory=list)
    placed: list[Transition] = field(default_factory=list)
    run_times: dict[str, Learned] = field(default_factory=dict)  # by type
    slot_times: dict[str, Learned] = field(default_factory=dict)  # by pool
    rules: dict[tuple[Scope, str], Rule] = field(default_factory=dict)
    #: When jobs of a type were refused for its own sake, since one was accepted or its rule was changed.
    refused: dict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    since_oldest: Counter[str] = field(default_factory=Counter)  # by pool: slots since one went by age
    lanes: dict[tuple[str, int], float] = field(default_factory=dict)  # virtual times, by pool and priority
    shares: dict[tuple[str, str, int], float] = field(default_factory=dict)  # finish tags, by owner and lane
    workers: dict[UUID, Worker] = field(default_factory=dict)
    uploads: dict[tuple[str, str], UploadRow] = field(default_factory=dict)  # by owner and key
    upload_names: dict[tuple[str, str], str] = field(default_factory=dict)  # by owner and name, the key
    uploading: dict[UUID, tuple[str, int, datetime]] = field(default_factory=dict)  # owner, bytes, since when
    endpoints: dict[UUID, EndpointRow] = field(default_factory=dict)
    deliveries: dict[tuple[UUID, int], DeliveryRow] = field(default_factory=dict)  # by endpoint and seq
    acts: list[Act] = field(default_factory=list)
    fanned_out: int = 0  # how far the stream was read
    bucket_ids: int = 0
    journal_lines: int = 0
    grace_seconds: float = GRACE_SECONDS

    def now(self) -> datetime:
        """Return the store's time."""
        return self.clock()

    def later(self, seconds: float) -> datetime:
        """Return the store's time in so many seconds."""
        return self.clock() + timedelta(seconds=seconds)

    def passed(self, moment: datetime | None, seconds: float = 0.0) -> bool:
        """Whether *moment* is set and so many seconds ago, or longer."""
        return moment is not None and moment + timedelta(seconds=seconds) <= self.clock()

    def current(self, row: JobRow) -> AttemptRow | None:
        """Return the current attempt of a job, None before the first."""
        return self.attempts.get((row.job.id, row.job.attempt))

    def open_at(self, account: str) -> list[AttemptRow]:
        """Return the attempts that hold a slot of *account*."""
        return [a for a in self.attempts.values() if a.open and a.attempt.account == account]

    def heard_of(self, attempt: Attempt, *, unread: bool = False) -> bool:
        """Return whether a webhook came with the attempt's token, or an *unread* one that names a task."""
        key = (attempt.job_id, attempt.number, "webhook")
        return any(
            (row.hint.job_id, row.hint.attempt, row.hint.source) == key
            and not (unread and (row.read or row.hint.task_id is None))
            for row in self.hints
        )

    @contextmanager
    def resizing(self, row: AccountRow) -> Iterator[None]:
        """Remember which attempts were open if the account's capacity changes."""
        before = row.capacity
        yield
        if row.capacity != before:
            used = [a.attempt for a in self.open_at(row.account.name)]
            row.kept = frozenset((a.job_id, a.number) for a in used)

    def attempts_at(self, accounts: Collection[str]) -> Iterator[AttemptRow]:
        """Yield the attempts at these accounts, oldest first."""
        return (row for row in self.attempts.values() if row.attempt.account in accounts)

    def hasten(self, job_id: UUID) -> None:
        """Make the job's open attempts due now."""
        for row in self.attempts.values():
            if row.attempt.job_id == job_id and row.open:
                row.next_ask_at = self.hinted_at()

    def hinted_at(self) -> datetime:
        """Return since when a task is due of which somebody says something now: before usual questions."""
        return self.later(-3_600)

    def queue(self, pool: str) -> list[JobRow]:
        """Return the jobs that wait in *pool*, next one first."""
        waiting = [row for row in self.jobs.values() if row.job.pool == pool and row.waits]
        return sorted(waiting, key=self.turn)

    @staticmethod
    def turn(row: JobRow) -> tuple[int, float, datetime, int]:
        """Return by what the jobs of a pool are put in order."""
        return (-row.job.priority, row.start_tag, row.queued_at or row.job.created_at, row.place)
