"""The store: jobs, ledger, attempts, queues, rules, messages, stream, endpoints, keys: small Protocols.

Every store method is one transaction and may be called again after an error: what it wrote once it
does not write twice. Times are the store's own; a caller passes durations in seconds.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from makegood.audit import Audit
from makegood.job import (
    Announcement,
    Attempt,
    Evidence,
    Job,
    JobMoney,
    NewJob,
    Transition,
)
from makegood.machine import Spec
from makegood.outcome import JSON
from makegood.ports.accounts import Accounts
from makegood.ports.acts import Acts
from makegood.ports.drafts import Drafts
from makegood.ports.endpoints import Deliveries, Endpoints
from makegood.ports.hints import Hints
from makegood.ports.keys import Keys
from makegood.ports.ledger import Ledger
from makegood.ports.listing import Cursor, JobFilter
from makegood.ports.oversight import Oversight
from makegood.ports.queue import Queue
from makegood.ports.rules import Rules
from makegood.ports.stream import Stream
from makegood.ports.uploads import Uploads
from makegood.ports.workers import Workers

RESULT_SECONDS = 86_400.0  # RunningHub keeps results for a day
ORPHAN_SECONDS = 600.0
PROLONGED_TIMES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One transition to be made if the job is still as *job* says in all that a decision may rest on:
    state, version, submission intent, whether it shall be cancelled, and whether it is a draft.

    `settle` is what is captured when the edge settles; `evidence` is recorded in the same commit;
    `defer_seconds` keeps a job that goes back to waiting from being dispatched at once.
    """

    operation_id: UUID
    job: Job
    event: str
    to_state: str
    actor: str
    reason: str | None = None
    settle: int | None = None
    output: JSON | None = None
    error: JSON | None = None
    evidence: Evidence | None = None
    defer_seconds: float | None = None
    data: JSON | None = None

    def is_of(self, job: Job) -> bool:
        """Whether *job*, as it is now, is still what was decided upon."""
        return _decided_upon(self.job) == _decided_upon(job)


def _decided_upon(job: Job) -> tuple[object, ...]:
    return (job.state, job.version, job.intent_attempt, job.cancel_requested_at is not None, job.draft)


#: What a job type adds to a transaction: gets the store's transaction and the moved job.
Effect = Callable[[Any, Job], Awaitable[None]]


class Jobs(Protocol):
    """Jobs and their transitions.

    With *conn*, a connection of the host's own, insert, get and apply are part of the host's transaction.
    """

    async def insert(self, new: NewJob, *, conn: Any = None) -> Job:
        """Insert in the type's initial state; the same (owner, key) returns the first job, and
        raises KeyReused when type or input differ. ActiveJob where the owner has a job of its
        `exclusive_scope` that is not over; one that another transaction is about to commit is waited for."""

    async def get(self, job_id: UUID, *, owner: str | None = None, conn: Any = None) -> Job | None:
        """Return the job as it is now; with *owner* only if it is that owner's."""

    async def by_key(self, owner: str, key: str) -> Job | None:
        """Return the job that the owner has submitted with this key, None if there is none."""

    async def page(self, wanted: JobFilter, limit: int, after: Cursor | None = None) -> list[Job]:
        """Return at most *limit* of the wanted jobs behind *after*, newest first, by (created_at, id): a job
        that comes later never moves another one to a page that was read, or from one that was not."""

    async def active(self, owner: str, scope: str) -> Job | None:
        """Return the owner's job of an exclusive scope that is not over, None if there is none."""

    async def apply(self, change: Change, effects: Sequence[Effect] = (), *, conn: Any = None) -> Job | None:
        """Make the transition with its history, money and announcement, or return None if the job
        has moved; the same operation id is carried out once. *effects* run one after another in the same
        transaction, with it and the moved job; one that raises leaves nothing of the transition. Raises
        InsufficientCredits."""

    async def end(
        self,
        job: Job,
        *,
        operation_id: UUID,
        actor: str,
        reason: str,
        error: JSON,
        evidence: Evidence | None = None,
    ) -> Job | None:
        """Take the edge that the stored machine has for the deadline of the job's state, by the rows alone:
        no guard, effect or type of a process can hold it back. None if the job has moved from *job*, has no
        such edge, or has had a result for less than RESULT_SECONDS, which only has to be fetched."""

    async def request_cancel(self, job_id: UUID, wish: str | None = None) -> Job | None:
        """Note durably that the job shall be cancelled, and in the same transaction the *wish*, whose and
        why, as a message of the source WISH; return the job, None if there is none. One that is over stays as
        it is, and the first request keeps its time."""

    async def history(
        self, job_id: UUID, after_version: int = -1, *, owner: str | None = None
    ) -> list[Transition]:
        """Return the transitions with a version above *after_version*, in order; with *owner* none of a job
        that is not that owner's."""

    async def position(self, job_id: UUID) -> int:
        """Return the job's place in the queue of its pool, from 1; 0 when it does not wait."""

    async def money(self, job_id: UUID, *, owner: str | None = None) -> JobMoney:
        """Return what the ledger shows for the job; with *owner* nothing of one that is not that owner's."""

    async def overdue(self, accounts: Sequence[str], limit: int, again_seconds: float) -> list[Job]:
        """Return jobs whose state's deadline has passed, longest overdue first, and jobs that wait although
        their cancel is requested; each comes again *again_seconds* later if it still is so.

        A job whose result is known comes only RESULT_SECONDS after the provider was done, since until then
        it only has to be fetched. A submitted job of an account that is not among *accounts* is left to
        those who can ask the provider, and comes ORPHAN_SECONDS later.
        """

    async def hand_back(self, job_id: UUID) -> None:
        """Let a job that `overdue` returned come again at once: whoever took it has not dealt with it."""


class Attempts(Accounts, Protocol):
    """Attempts, and so slots: occupancy of an account is the number of its open attempts."""

    async def dispatch(self, pool: str, accounts: Sequence[str], limit: int) -> list[Attempt]:
        """Move waiting jobs of the pool to free slots of these accounts, each with a new attempt: in queue
        order, but every so many slots, as the pool's rule says, the job that waits longest. A job is passed
        over whose time has not come, or whose owner or type is paused or has its fill. Of an unfit account
        one at a time is on its way to the provider, of an exclusive one two: the others wait better in the
        queue, where their time to be submitted does not run."""

    async def claim(self, accounts: Sequence[str], limit: int, lease_seconds: float) -> list[Attempt]:
        """Take over opened attempts that nobody works on, with the next epoch and a lease. Of an exclusive
        account one at a time, and none while another is leased or being submitted."""

    async def give_back(self, attempt: Attempt) -> None:
        """End this worker's lease on an opened attempt, so that another may take it at once."""

    async def renew(self, attempt: Attempt, lease_seconds: float) -> bool:
        """Prolong this worker's lease on an opened attempt, since its upload goes on, and put the deadline of
        its job off to a whole one from now, at most to PROLONGED_TIMES of it since the state was entered;
        False: job or lease are no longer this worker's."""

    async def intend(self, attempt: Attempt, token_hash: bytes, lease_seconds: float) -> bool:
        """Commit that the create call is about to be made; False: the job or lease is no longer
        this worker's, and nothing may be sent."""

    async def doubt(self, attempt: Attempt, reason: str) -> None:
        """Mark a submitting attempt as uncertain."""

    async def record(self, evidence: Evidence) -> Attempt:
        """Keep the evidence and bring the attempt up to it, without moving the job."""

    async def get(self, job_id: UUID, number: int) -> Attempt | None:
        """Return one attempt."""

    async def of(self, job_id: UUID) -> list[Attempt]:
        """Return the job's attempts, first one first, without `token_hash`: who may only read gets none."""

    async def evidence(self, job_id: UUID) -> list[Evidence]:
        """Return what is known about the job's attempts, in the order in which it was learned."""

    async def due(
        self,
        accounts: Sequence[str],
        limit: int,
        again_seconds: float,
        again_max_seconds: float = 0.0,
        per_second: float | None = None,
    ) -> list[Attempt]:
        """Return open attempts that may be asked about now, of each account at most *per_second*, whoever
        calls; each is next due *again_seconds* later, and one whose type is known (`Queue.reckon`) after a
        tenth of its usual time, or a twentieth of its own if that is more, but at most *again_max_seconds*
        later. A submitting attempt whose lease has ended comes back as uncertain."""

    async def ask_after(self, attempt: Attempt, seconds: float) -> None:
        """Let nobody ask about the attempt until *seconds* from now, unless a hint comes; 0: it is due."""

    async def saw_running(self, attempt: Attempt) -> None:
        """Note that the provider has begun to work."""

    async def sent_cancel(self, attempt: Attempt) -> bool:
        """Note that the provider is about to be asked to cancel, and when it first was; return whether it is
        now."""

    async def cancel_answered(self, attempt: Attempt, *, late: bool = False) -> None:
        """Note that the provider has answered, so that it need not be asked again; *late*: that the task
        was over before."""

    async def to_fetch(self, accounts: Sequence[str], limit: int, again_seconds: float) -> list[Attempt]:
        """Return attempts that succeeded while their job still waits for the result, as `due`."""

    async def fetch_after(self, attempt: Attempt, seconds: float) -> None:
        """Let nobody fetch the attempt's result until *seconds* from now."""

    async def late(self, accounts: Sequence[str], limit: int, again_seconds: float) -> list[Attempt]:
        """Return closed attempts about which an unread webhook tells more than is known: another task than
        theirs, or one although there should be none; each comes again *again_seconds* later. Other webhooks
        about closed attempts are marked as dealt with."""

    async def spent(self, limit: int) -> list[Attempt]:
        """Return open attempts that have held their slot for longer than they may after their job
        was over."""


class Outbox(Protocol):
    """Committed transitions that somebody must hear of."""

    async def take(self, types: Sequence[str], limit: int, lease_seconds: float) -> list[Announcement]:
        """Return undelivered announcements about jobs of these types, at most the first of each job, count
        the try and lease them, for longer with each try."""

    async def delivered(self, announcement: Announcement, name: str) -> None:
        """Note that the hook *name* has heard of it, so that a repetition leaves it out."""

    async def give_back(self, announcement: Announcement) -> None:
        """End the lease of an announcement that was not told, if it is still this worker's; the try does not
        count."""

    async def done(self, announcements: Sequence[Announcement]) -> None:
        """Mark as delivered; the next announcement of each job may follow."""


class Store(Protocol):
    """Everything durable, behind small ports."""

    @property
    def jobs(self) -> Jobs:
        """Jobs and their transitions."""

    @property
    def ledger(self) -> Ledger:
        """Wallets."""

    @property
    def attempts(self) -> Attempts:
        """Attempts and slots."""

    @property
    def queue(self) -> Queue:
        """Places in the queues."""

    @property
    def rules(self) -> Rules:
        """Limits, shares and pauses."""

    @property
    def hints(self) -> Hints:
        """The inbox."""

    @property
    def outbox(self) -> Outbox:
        """Announcements."""

    @property
    def stream(self) -> Stream:
        """The history of all jobs in one order."""

    @property
    def endpoints(self) -> Endpoints:
        """Who is told of transitions."""

    @property
    def deliveries(self) -> Deliveries:
        """Messages to them."""

    @property
    def workers(self) -> Workers:
        """Processes."""

    @property
    def drafts(self) -> Drafts:
        """What is ordered piece by piece."""

    @property
    def uploads(self) -> Uploads:
        """Who brought which file."""

    @property
    def keys(self) -> Keys:
        """Keys of programs that call."""

    @property
    def oversight(self) -> Oversight:
        """What people see of all of it."""

    @property
    def acts(self) -> Acts:
        """What operators did."""

    async def declare(self, specs: Sequence[Spec], *, grace_seconds: float | None = None) -> None:
        """Make the machines known, and how long grace credits live that are issued from now on; a
        (name, version) whose rules differ from the stored ones is refused with DeclarationError; deadlines
        and public statuses, which are none, follow what is declared last. None keeps the stored
        grace_seconds, at first GRACE_SECONDS."""

    async def spec(self, type: str, version: int) -> Spec | None:
        """Return the stored machine of a type, None if it was never declared."""

    async def live(self, type: str, version: int) -> dict[str, int]:
        """Return how many jobs of a type, in this version, stand in each state that is not final."""

    async def declared(self) -> list[tuple[str, int]]:
        """Return the name and version of every type that was ever declared, in order."""

    async def now(self) -> datetime:
        """Return the store's time, the only one that counts."""

    async def audit(self, *, owner: str | None = None, owners_max: int = 20, rows_max: int = 100) -> Audit:
        """Check every invariant and add up all credits, as they were at one moment; nothing is ever broken.

        At most *rows_max* violations of each invariant, at least one, are returned; all are counted. Totals
        are those of *owner*, or of the first *owners_max* owners.
        """
