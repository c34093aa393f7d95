"""What an audit of a store finds: every invariant with its code, what breaks it, and who has what."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

#: Every invariant: a code that never changes, and what its violation means. The order is that of a report.
INVARIANTS: Mapping[str, str] = {
    "bucket_sums": "a bucket is not what its journal says",
    "hold_sums": "a hold is not what its journal says",
    "journal_hold": "a journal line has no hold",
    "wallet_sequence": "the journal of a wallet has a gap",
    "wallet_sums": "a wallet is not what its journal says",
    "journal_balance": "a journal line has another balance than its replay",
    "owner_totals": "issued is not remaining + held + captured + expired",
    "owner_crossed": "credits of one owner were moved for another",
    "job_credits": "the credits of a job do not fit its state",
    "failed_refund": "a failed job kept credits",
    "history_end": "the history of a job has a gap or another end",
    "history_chain": "a step of a history does not follow from the one before",
    "history_edge": "a step of a history is no edge of its machine",
    "history_evidence": "a step lacks the evidence that its edge demands",
    "outbox_rows": "a transition and its announcement are not a pair",
    "stream_places": "a transition has no place in the stream that fits",
    "attempt_numbers": "the attempts of a job have a gap or another end",
    "attempt_phase": "an attempt is closed without an end, or open with one",
    "attempt_open": "an attempt is open that its job does not need",
    "attempt_intent": "job and attempt disagree on whether it was submitted",
    "attempt_draining": "an attempt drains without a last moment",
    "account_slots": "an account has more open attempts than slots",
    "task_once": "a task of a provider belongs to two attempts",
    "job_times": "a live job has no deadline, or one that is over no end",
    "job_overdue": "a job is more than two days past its deadline",
    "job_key": "a key of an owner belongs to two jobs",
}

#: How long after its deadline a job may live: loops act on deadlines, and a service may be down for a while.
OVERDUE = timedelta(days=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One broken invariant: which, and what breaks it; owner and job where there is one."""

    code: str
    subject: str
    owner: str | None = None
    job_id: UUID | None = None

    @property
    def invariant(self) -> str:
        """What is broken, in words."""
        return INVARIANTS[self.code]

    def __str__(self) -> str:
        return f"{self.invariant}: {self.subject}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The credits of one owner, or of all when `owner` is None; issued is the sum of the other four."""

    owner: str | None
    issued: int
    remaining: int
    held: int
    captured: int
    expired: int

    @property
    def difference(self) -> int:
        """What is missing (above 0) or too much (below 0); always 0."""
        return self.issued - self.remaining - self.held - self.captured - self.expired


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What a store looked like at one moment; all figures belong together.

    `counts` has every code of INVARIANTS, also those that nothing breaks; `violations` may hold fewer rows
    than are counted. `owners` is how many there are, `totals` holds the first of them, those with a
    difference before others, then by name.
    """

    at: datetime
    counts: Mapping[str, int]
    violations: tuple[Violation, ...]
    total: Totals
    owners: int
    totals: tuple[Totals, ...]

    @property
    def broken(self) -> int:
        """How many violations there are."""
        return sum(self.counts.values())
