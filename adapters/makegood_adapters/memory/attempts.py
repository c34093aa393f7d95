"""Attempts in memory, and so slots: opened only here, closed only by evidence or by their job."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from makegood.errors import InsufficientCredits
from makegood.job import Attempt, Evidence, Phase, Verdict
from makegood.ports import PROLONGED_TIMES, Change
from makegood_adapters.memory import asking, moves
from makegood_adapters.memory.accounts import MemoryAccounts, outgrow
from makegood_adapters.memory.admission import Round
from makegood_adapters.memory.evidence import record
from makegood_adapters.memory.tables import AccountRow, AttemptRow, JobRow

#: Ends after which nobody has seen the provider's task be over.
_MAY_HAVE_A_TASK = (None, Verdict.REJECTED, Verdict.ABSENT)
_MAY_BE_ASKED = (Phase.ACCEPTED, Phase.UNCERTAIN)


class MemoryAttempts(MemoryAccounts):
    """The port `Attempts`."""

    async def dispatch(self, pool: str, accounts: Sequence[str], limit: int) -> list[Attempt]:
        """Move waiting jobs to free slots, the emptiest account first; of equals any."""
        free = {
            name: self._free(row)
            for name, row in self._tables.accounts.items()
            if row.account.pool == pool and name in accounts and self._rest_of(row) is None
        }
        if max(free.values(), default=0) <= 0:
            rows = [self._tables.accounts[name] for name in free]
            free |= {row.account.name: self._free(row) for row in rows if outgrow(self._tables, row)}
        opened: list[Attempt] = []
        this = Round(self._tables, pool)
        while (most := max(free.values(), default=0)) > 0 and len(opened) < limit:
            name = random.choice([account for account, left in free.items() if left == most])
            row = this.next()
            if row is None:
                break
            if new := self._open(row, name):
                this.started(row)
                opened += new
                free[name] -= 1
        return opened

    async def claim(self, accounts: Sequence[str], limit: int, lease_seconds: float) -> list[Attempt]:
        """Lease opened attempts that nobody works on, each with the next epoch."""
        free: list[AttemptRow] = []
        for row in self._tables.attempts_at(accounts):
            if self._claimable(row) and not self._waits_its_turn(row, free):
                free.append(row)
        for row in free[: max(limit, 0)]:
            row.attempt = replace(row.attempt, epoch=row.attempt.epoch + 1)
            row.lease_until = self._tables.later(lease_seconds)
        return [row.attempt for row in free[: max(limit, 0)]]

    async def give_back(self, attempt: Attempt) -> None:
        """End the lease if it is still this worker's."""
        row = self._mine(attempt)
        if row and row.attempt.phase is Phase.OPENED:
            row.lease_until = None

    async def renew(self, attempt: Attempt, lease_seconds: float) -> bool:
        """Prolong the lease of an upload that goes on, and let the job's deadline follow."""
        row = self._mine(attempt)
        if row is None or not self._leased(row) or not self._needed(row):
            return False
        if row.attempt.phase is not Phase.OPENED:
            return False
        row.lease_until = self._tables.later(lease_seconds)
        job_row = self._tables.jobs[attempt.job_id]
        job, seconds = job_row.job, job_row.spec.state[job_row.job.state].deadline_seconds
        if job.deadline_at and seconds:
            last = job.entered_at + timedelta(seconds=PROLONGED_TIMES * seconds)
            put_off = max(job.deadline_at, min(self._tables.later(seconds), last))
            job_row.job = replace(job, deadline_at=put_off)
        return True

    async def intend(self, attempt: Attempt, token_hash: bytes, lease_seconds: float) -> bool:
        """Note that the create call is about to be made; the same call again gives the same answer."""
        row = self._mine(attempt)
        if row is None or not self._leased(row) or not self._needed(row):
            return False
        if row.attempt.phase is not Phase.OPENED:
            return row.attempt.phase is Phase.SUBMITTING and row.attempt.token_hash == token_hash
        row.attempt = replace(
            row.attempt, phase=Phase.SUBMITTING, intent_at=self._tables.now(), token_hash=token_hash
        )
        row.lease_until = self._tables.later(lease_seconds)
        job_row = self._tables.jobs[attempt.job_id]
        job_row.job = replace(job_row.job, intent_attempt=attempt.number)
        return True

    async def doubt(self, attempt: Attempt, reason: str) -> None:
        """Mark a submitting attempt as uncertain; it may be asked about at once."""
        row = self._mine(attempt)
        if row and row.attempt.phase is Phase.SUBMITTING:
            self._to_uncertain(row)

    async def record(self, evidence: Evidence) -> Attempt:
        """Keep the evidence and bring the attempt up to it."""
        return record(self._tables, evidence)

    async def get(self, job_id: UUID, number: int) -> Attempt | None:
        """Return one attempt."""
        row = self._tables.attempts.get((job_id, number))
        return row.attempt if row else None

    async def of(self, job_id: UUID) -> list[Attempt]:
        """Return the job's attempts, first one first, without their tokens."""
        mine = [row.attempt for (job, _), row in self._tables.attempts.items() if job == job_id]
        return sorted((replace(each, token_hash=None) for each in mine), key=lambda attempt: attempt.number)

    async def evidence(self, job_id: UUID) -> list[Evidence]:
        """Return what is known about the job's attempts, in the order in which it was learned."""
        rows = [row for (job, _), row in self._tables.attempts.items() if job == job_id]
        kept = [replace(evidence, outputs=()) for row in rows for evidence in row.evidence.values()]
        return sorted(kept, key=lambda evidence: evidence.at or self._tables.now())

    async def due(
        self,
        accounts: Sequence[str],
        limit: int,
        again_seconds: float,
        again_max_seconds: float = 0.0,
        per_second: float | None = None,
    ) -> list[Attempt]:
        """Return open attempts that may be asked about now, longest due first."""
        for row in self._tables.attempts_at(accounts):
            if row.attempt.phase is Phase.SUBMITTING and not self._leased(row):
                self._to_uncertain(row)
        asked = [
            (row.next_ask_at, row)
            for row in self._tables.attempts_at(accounts)
            if row.attempt.phase in _MAY_BE_ASKED and row.next_ask_at and self._tables.passed(row.next_ask_at)
        ]
        due = asking.within_budget(self._tables, _earliest(asked, len(asked)), limit, per_second)
        for row in due:
            row.attempt = replace(row.attempt, asked=row.attempt.asked + 1)
            pause = asking.pause(self._tables, row.attempt, again_seconds, again_max_seconds)
            row.next_ask_at = self._tables.later(pause)
        return [row.attempt for row in due]

    async def ask_after(self, attempt: Attempt, seconds: float) -> None:
        """Let nobody ask about the attempt until then, unless a hint comes."""
        if (row := self._row(attempt)) and row.next_ask_at:
            row.next_ask_at = self._tables.later(seconds)

    async def saw_running(self, attempt: Attempt) -> None:
        """Note that the provider has begun to work."""
        if row := self._row(attempt):
            row.attempt = replace(row.attempt, ran=True)

    async def sent_cancel(self, attempt: Attempt) -> bool:
        """Note when the provider was first asked to cancel; return whether it is now."""
        row = self._row(attempt)
        if row is None or row.attempt.cancel_sent_at is not None:
            return False
        row.attempt = replace(row.attempt, cancel_sent_at=self._tables.now())
        return True

    async def cancel_answered(self, attempt: Attempt, *, late: bool = False) -> None:
        """Note that the provider has answered."""
        if (row := self._row(attempt)) and not row.attempt.cancel_answered:
            row.attempt = replace(row.attempt, cancel_answered=True, cancel_late=late)

    async def to_fetch(self, accounts: Sequence[str], limit: int, again_seconds: float) -> list[Attempt]:
        """Return attempts that succeeded while their job still waits for the result."""
        ready = [
            (row.next_fetch_at, row)
            for row in self._tables.attempts_at(accounts)
            if row.attempt.verdict is Verdict.SUCCEEDED
            and row.next_fetch_at
            and self._tables.passed(row.next_fetch_at)
            and self._needed(row)
        ]
        rows = _earliest(ready, limit)
        for row in rows:
            row.next_fetch_at = self._tables.later(again_seconds)
        return [row.attempt for row in rows]

    async def fetch_after(self, attempt: Attempt, seconds: float) -> None:
        """Let nobody fetch the attempt's result until then."""
        if (row := self._row(attempt)) and row.next_fetch_at:
            row.next_fetch_at = self._tables.later(seconds)

    async def late(self, accounts: Sequence[str], limit: int, again_seconds: float) -> list[Attempt]:
        """Return closed attempts about which a webhook tells more than is known."""
        found: dict[tuple[UUID, int], AttemptRow] = {}
        for hint_row in self._tables.hints:
            hint = hint_row.hint
            row = self._tables.attempts[hint.job_id, hint.attempt]
            if hint_row.read or hint.source != "webhook" or row.open or row.attempt.account not in accounts:
                continue
            if hint.task_id is None or (
                hint.task_id == row.attempt.task_id and row.attempt.verdict not in _MAY_HAVE_A_TASK
            ):
                hint_row.read = True
            elif row.next_ask_at is None or self._tables.passed(row.next_ask_at):
                found[hint.job_id, hint.attempt] = row
        rows = list(found.values())[: max(limit, 0)]
        for row in rows:
            row.next_ask_at = self._tables.later(again_seconds)
        return [row.attempt for row in rows]

    async def spent(self, limit: int) -> list[Attempt]:
        """Return open attempts whose time to drain is over, longest first."""
        over = [
            (row.attempt.draining_until, row)
            for row in self._tables.attempts.values()
            if row.open and row.attempt.draining_until and self._tables.passed(row.attempt.draining_until)
        ]
        return [row.attempt for row in _earliest(over, limit)]

    def _free(self, row: AccountRow) -> int:
        """Return how many more attempts may be opened at an account now."""
        open_ = self._tables.open_at(row.account.name)
        free = row.capacity - len(open_)
        if foreign := self._foreign(row):
            room = (row.capacity if row.told is None else row.told) - foreign
            free = min(free, max(1, room) - len(open_))
        if row.on_the_way_max is None:
            return free
        on_the_way = sum(a.attempt.phase in (Phase.OPENED, Phase.SUBMITTING) for a in open_)
        return min(free, row.on_the_way_max - on_the_way)

    def _open(self, row: JobRow, account: str) -> list[Attempt]:
        edge = next(e for e in row.spec.leaving(row.job.state) if row.spec.opens_attempt(e))
        number = row.job.attempt + 1
        change = Change(
            operation_id=uuid4(),
            job=row.job,
            event=edge.event,
            to_state=edge.dest,
            actor="dispatcher",
        )
        try:
            moves.carry_out(self._tables, row, change, edge, number)
        except InsufficientCredits:
            # A machine may hold credits only here; one empty wallet must not stop the queue.
            return []
        attempt = Attempt(
            job_id=row.job.id,
            number=number,
            account=account,
            phase=Phase.OPENED,
            epoch=0,
            task_id=None,
            ran=False,
            opened_at=self._tables.now(),
            intent_at=None,
            accepted_at=None,
            closed_at=None,
            verdict=None,
            outputs=(),
            cancel_sent_at=None,
            draining_until=None,
            asked=0,
        )
        self._tables.attempts[attempt.job_id, number] = AttemptRow(attempt)
        return [attempt]

    def _row(self, attempt: Attempt) -> AttemptRow | None:
        return self._tables.attempts.get((attempt.job_id, attempt.number))

    def _mine(self, attempt: Attempt) -> AttemptRow | None:
        row = self._row(attempt)
        return row if row and row.attempt.epoch == attempt.epoch else None

    def _leased(self, row: AttemptRow) -> bool:
        return row.lease_until is not None and not self._tables.passed(row.lease_until)

    def _needed(self, row: AttemptRow) -> bool:
        """Whether the attempt is the current one of a job that is in a slot state."""
        job_row = self._tables.jobs[row.attempt.job_id]
        return job_row.in_slot and job_row.job.attempt == row.attempt.number

    def _claimable(self, row: AttemptRow) -> bool:
        return row.attempt.phase is Phase.OPENED and not self._leased(row) and self._needed(row)

    def _waits_its_turn(self, row: AttemptRow, taken: Sequence[AttemptRow]) -> bool:
        """Whether another attempt of an exclusive account is on its way to the provider, or just *taken*."""
        name = row.attempt.account
        if not self._tables.accounts[name].account.exclusive:
            return False
        on_its_way = [
            other
            for other in self._tables.open_at(name)
            if other.attempt.phase is Phase.SUBMITTING
            or (other.attempt.phase is Phase.OPENED and self._leased(other))
        ]
        return bool(on_its_way) or any(other.attempt.account == name for other in taken)

    def _to_uncertain(self, row: AttemptRow) -> None:
        row.attempt = replace(row.attempt, phase=Phase.UNCERTAIN)
        row.lease_until, row.next_ask_at = None, self._tables.now()


def _earliest(rows: list[tuple[datetime, AttemptRow]], limit: int) -> list[AttemptRow]:
    return [row for _, row in sorted(rows, key=lambda pair: pair[0])[: max(limit, 0)]]
