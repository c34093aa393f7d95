"""Provider accounts in memory: their slots, their rests, and how they are doing."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from makegood.job import Attempt, Occupancy, Phase, ProviderAccount, Verdict
from makegood.outcome import Capacity
from makegood.ports import FOREIGN_SECONDS, GROW_SECONDS, Reading
from makegood_adapters.memory.tables import AccountRow, AttemptRow, Tables

_AT_PROVIDER = (Phase.ACCEPTED, Phase.UNCERTAIN)
_WORKED_SECONDS = 3_600.0


class MemoryAccounts:
    """The port `Accounts`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def register(self, account: ProviderAccount, grow_seconds: float = GROW_SECONDS) -> None:
        """Add the account or change what is configured of it."""
        row = self._tables.accounts.get(account.name)
        if row is None:
            self._tables.accounts[account.name] = AccountRow(account, grow_seconds, self._tables.now())
            return
        with self._tables.resizing(row):
            row.account, row.grow_seconds = account, grow_seconds

    async def rest(
        self, account: str, first_seconds: float, seconds_max: float, *, refused: bool = False
    ) -> int:
        """Let an account rest, longer each time in a row, and tell how often it was refused."""
        row = self._tables.accounts.get(account)
        if row is None:
            return 0
        if self._rest_of(row) is None:
            row.rests_until = self._tables.later(min(first_seconds * 2 ** min(row.rests, 20), seconds_max))
            row.rests, row.refusals = row.rests + 1, row.refusals + refused
            row.rested_at = self._tables.now()
        return row.refusals

    async def shrink(self, attempt: Attempt) -> None:
        """Learn that the account has room for no more than its other submitted attempts."""
        row, key = self._tables.accounts[attempt.account], (attempt.job_id, attempt.number)
        sent = [a.attempt for a in self._tables.open_at(attempt.account) if a.attempt.intent_at is not None]
        others = sum((a.job_id, a.number) != key for a in sent)
        with self._tables.resizing(row):
            row.learned = max(1, others if row.learned is None else min(row.learned, others))
            row.learned_at = self._tables.now()

    async def unfit(self, account: str, problem: str, first_seconds: float, seconds_max: float) -> bool:
        """Note that the account cannot be used, and tell whether another one of its pool can."""
        row = self._tables.accounts[account]
        if row.problem is None or self._rest_of(row) is None:
            row.problem, row.problem_since = problem, row.problem_since or self._tables.now()
            seconds = min(first_seconds * 2 ** min(row.unfits, 20), seconds_max)
            row.rests_until, row.rests, row.refusals = self._tables.later(seconds), 0, 0
            row.unfits += 1
        return any(
            other is not row and other.account.pool == row.account.pool and is_fit(self._tables, other)
            for other in self._tables.accounts.values()
        )

    async def to_survey(self, accounts: Sequence[str], again_seconds: float) -> list[str]:
        """Return the accounts that may be asked how they are."""
        rows = [row for name, row in sorted(self._tables.accounts.items()) if name in accounts]
        due = [row for row in rows if self._tables.passed(row.next_survey_at)]
        for row in due:
            row.next_survey_at = self._tables.later(again_seconds)
        return [row.account.name for row in due]

    async def served_pools(self) -> set[str]:
        """See `Accounts.served_pools`."""
        return {row.account.pool for row in self._tables.accounts.values() if _worked(self._tables, row)}

    async def mark(self, account: str) -> str | None:
        """Mark which tasks the account has; None while one is submitted."""
        open_ = [row.attempt for row in self._tables.open_at(account)]
        if any(attempt.phase is Phase.SUBMITTING for attempt in open_):
            return None
        return " ".join(sorted(f"{a.job_id}/{a.number}" for a in open_ if a.phase in _AT_PROVIDER))

    async def surveyed(
        self,
        account: str,
        told: Capacity,
        *,
        mark: str | None = None,
        valid_seconds: float = FOREIGN_SECONDS,
    ) -> None:
        """Keep what the provider told of the account."""
        row = self._tables.accounts[account]
        ours = sum(a.attempt.phase in _AT_PROVIDER for a in self._tables.open_at(account))
        if mark is not None and mark == await self.mark(account):
            self._hold_against(row, told.in_use, ours, valid_seconds)
        with self._tables.resizing(row):
            row.told = row.told if told.limit is None else told.limit
            if row.failures and row.problem:  # it answers again: one task tries, beside those there
                _fit_again(row)
                row.learned, row.learned_at = ours + 1, self._tables.now()
        row.in_use, row.told_at = told.in_use, self._tables.now()
        row.failures, row.last_error = 0, None

    async def ask_all(self, account: str, after_seconds: float) -> int:
        """Make every task of the account due, once, whose provider counts fewer for so long."""
        row = self._tables.accounts[account]
        if row.fewer_asked or not self._tables.passed(row.fewer_since, after_seconds):
            return 0
        row.fewer_asked = True
        tasks = [a for a in self._tables.open_at(account) if a.attempt.phase in _AT_PROVIDER]
        for task in tasks:
            task.next_ask_at = self._tables.now()
        return len(tasks)

    async def unanswered(self, account: str, error: str) -> None:
        """Note that the provider told nothing."""
        row = self._tables.accounts[account]
        row.failures, row.last_error = row.failures + 1, error

    async def begin_reading(self, account: str) -> Reading | None:
        """Begin to count the account's tasks."""
        open_ = self._tables.open_at(account)
        submitting = any(row.attempt.phase is Phase.SUBMITTING for row in open_)
        if submitting or not any(_countable(row) for row in open_):
            return None
        return Reading(account=account, began_at=self._tables.now(), tasks=self._accepted(account))

    async def end_reading(
        self, reading: Reading, in_use: int, *, gap_seconds: float, settle_seconds: float
    ) -> list[Attempt]:
        """Keep what a count says of uncertain attempts, and return those that have no task."""
        open_ = self._tables.open_at(reading.account)
        sent = [row.attempt.intent_at for row in open_ if row.attempt.intent_at is not None]
        before = {(task.job_id, task.number) for task in reading.tasks}
        now = {(task.job_id, task.number) for task in self._accepted(reading.account)}
        submitting = any(row.attempt.phase is Phase.SUBMITTING for row in open_)
        if not (submitting or before != now or any(intent_at > reading.began_at for intent_at in sent)):
            for row in open_:
                if _countable(row):
                    clean = in_use == len(reading.tasks)
                    self._count(row, reading.began_at, clean, gap_seconds, settle_seconds)
        return [row.attempt for row in open_ if _countable(row) and self._proved(row)]

    async def occupancy(self) -> list[Occupancy]:
        """Return use, capacity and health of every account, by name."""
        return [self._use(row) for _, row in sorted(self._tables.accounts.items())]

    def _use(self, row: AccountRow) -> Occupancy:
        name, pool = row.account.name, row.account.pool
        open_ = self._tables.open_at(name)
        over = [a for a in open_ if self._tables.jobs[a.attempt.job_id].job.finished_at]
        return Occupancy(
            account=name,
            pool=pool,
            capacity=row.capacity,
            open=len(open_),
            draining=len(over),
            waiting=len(self._tables.queue(pool)),
            configured=row.account.capacity,
            told=row.told,
            learned=row.learned,
            in_use=row.in_use,
            told_at=row.told_at,
            differs_since=row.differs_since,
            foreign=self._foreign(row),
            rests_until=self._rest_of(row),
            problem=row.problem,
            problem_since=row.problem_since,
            failures=row.failures,
            last_error=row.last_error,
            abandoned=self._alarms(name, "draining deadline"),
            late=self._alarms(name, "late webhook"),
        )

    def _hold_against(self, row: AccountRow, told: int | None, ours: int, valid_seconds: float) -> None:
        """Compare the provider's count with ours."""
        now = self._tables.now()
        row.differs_since = (row.differs_since or now) if told not in (None, ours) else None
        fewer = told is not None and told < ours
        row.fewer_since = (row.fewer_since or now) if fewer else None
        row.fewer_asked = row.fewer_asked and fewer
        if told is not None:
            row.others, row.others_until = max(told - ours, 0), self._tables.later(valid_seconds)

    def _foreign(self, row: AccountRow) -> int:
        """Return how many tasks of others the account has, as far as is known by now."""
        known = row.others_until is not None and not self._tables.passed(row.others_until)
        return row.others if known else 0

    def _alarms(self, account: str, source: str) -> int:
        """Return how many attempts have evidence of this source that no person has looked into."""
        known = [row.evidence for row in self._tables.attempts_at([account])]
        open_ = [facts for facts in known if Verdict.RESOLVED not in facts]
        return sum(fact.source == source for facts in open_ for fact in facts.values())

    def _rest_of(self, row: AccountRow) -> datetime | None:
        """Return until when the account rests, None if it does not."""
        return None if self._tables.passed(row.rests_until) else row.rests_until

    def _accepted(self, account: str) -> tuple[Attempt, ...]:
        open_ = self._tables.open_at(account)
        return tuple(row.attempt for row in open_ if row.attempt.phase is Phase.ACCEPTED)

    def _count(self, row: AttemptRow, at: datetime, clean: bool, gap: float, settle: float) -> None:
        """Keep what a count that began *at* this moment says of one attempt."""
        last = row.counted_at or row.attempt.intent_at or at
        row.count_void = not clean or self._tables.now() > last + timedelta(seconds=gap)
        row.counted_at = at if row.counted_at is None else max(row.counted_at, at)
        if row.attempt.intent_at and row.attempt.intent_at + timedelta(seconds=settle) <= at:
            row.counted_late_at = row.counted_late_at or at

    def _proved(self, row: AttemptRow) -> bool:
        two = (
            row.counted_at is not None
            and row.counted_late_at is not None
            and row.counted_at >= row.counted_late_at + timedelta(seconds=1)
        )
        return two and not self._tables.heard_of(row.attempt)


def is_fit(tables: Tables, row: AccountRow) -> bool:
    """Whether some worker has the account, it has slots, and nothing is known against it."""
    return row.problem is None and row.capacity > 0 and _worked(tables, row)


def _worked(tables: Tables, row: AccountRow) -> bool:
    return not tables.passed(row.next_survey_at, _WORKED_SECONDS)


def _countable(row: AttemptRow) -> bool:
    return row.attempt.phase is Phase.UNCERTAIN and row.attempt.task_id is None and not row.count_void


def accepts(tables: Tables, attempt: Attempt) -> None:
    """Learn from an accepted task: its account is not full, can be used, and has perhaps more room."""
    row = tables.accounts[attempt.account]
    if row.problem_since and attempt.intent_at and attempt.intent_at <= row.problem_since:
        return
    if row.rests and row.rested_at and attempt.intent_at and attempt.intent_at < row.rested_at:
        return
    with tables.resizing(row):
        if row.rests or row.refusals or row.problem:
            _fit_again(row)
        grown = row.learned is not None and tables.passed(row.learned_at, row.grow_seconds)
        if grown and row.learned is not None and row.learned <= len(tables.open_at(attempt.account)):
            _grow(tables, row, row.learned)


def outgrow(tables: Tables, row: AccountRow) -> bool:
    """Let an account try one task more than was learned, if nobody knows of any of its slots whether there is
    a task: nothing could be accepted there, and so nothing be learned."""
    open_, learned = tables.open_at(row.account.name), row.learned
    if learned is None or learned != len(open_) or learned >= row.limit or row.problem:
        return False
    certain = any(a.attempt.phase is not Phase.UNCERTAIN for a in open_)
    if certain or not tables.passed(row.learned_at, row.grow_seconds):
        return False
    with tables.resizing(row):
        _grow(tables, row, learned)
    return True


def _grow(tables: Tables, row: AccountRow, learned: int) -> None:
    row.learned = learned + 1 if learned + 1 < row.limit else None
    row.learned_at = tables.now()


def _fit_again(row: AccountRow) -> None:
    row.problem = row.problem_since = row.rests_until = None
    row.rests = row.refusals = row.unfits = 0
