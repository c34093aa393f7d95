"""What an import would do, found by reading both sides and changing nothing."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import asyncpg

from makegood import BaseJob
from makegood.buckets import KINDS
from makegood_adapters.cli.imports.old import OldRows, OldSide
from makegood_adapters.cli.imports.rows import FINISHED, OldBalance, OldJob, Pot, Row, read_balance, read_job
from makegood_adapters.cli.imports.types import Types
from makegood_adapters.postgres.imports import Known, granted_before, known_jobs

#: The kind of bucket that a pot becomes; kinds say what is spent first.
KIND = {Pot.MONTHLY: "monthly", Pot.LIFETIME: "purchased", Pot.TEST: "trial", Pot.LIVE: "purchased"}
#: Before all other buckets: a job that is taken over is paid with what the old ledger had taken for it.
ADOPTED_PRIORITY = -1


class Fate(StrEnum):
    """What becomes of an old job."""

    HISTORY = "history"
    ADOPT = "taken over"
    GIVE_BACK = "given back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with one row; nothing of its owner, if there is one, is brought in."""

    owner: str | None
    place: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Credits that become a bucket."""

    owner: str
    pot: Pot
    amount: int
    source_ref: str
    expires_at: datetime | None
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveJob:
    """A job under way and what becomes of it; `account` is the name here of the one that has its task."""

    job: OldJob
    owner: str
    id: UUID
    job_type: type[BaseJob]
    fate: Fate
    account: str
    grant: Grant | None


@dataclass(slots=True)
class Sums:
    """One pot in whole credits: what the old side has, was brought in before and is now; the last two stay
    behind."""

    old: int = 0
    here: int = 0
    new: int = 0
    expired: int = 0
    left_out: int = 0

    @property
    def difference(self) -> int:
        """What is not accounted for; 0."""
        return self.old - self.here - self.new - self.expired - self.left_out


@dataclass(slots=True, kw_only=True)
class Plan:
    """All that is to be done. `here` counts old jobs that were brought in before, `left_out` those of owners
    with a problem; `expected` are the buckets that the ledger has in the end, by owner and source; `undone`
    is what could not be done when it was tried."""

    grants: list[Grant] = field(default_factory=list)
    live: list[LiveJob] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    undone: list[Problem] = field(default_factory=list)
    sums: dict[Pot, Sums] = field(default_factory=lambda: {pot: Sums() for pot in Pot})
    owners: int = 0
    history: Counter[str] = field(default_factory=Counter)
    here: int = 0
    left_out: int = 0
    left_behind: Counter[str] = field(default_factory=Counter)
    expected: dict[tuple[str, str], Pot] = field(default_factory=dict)

    @property
    def broken(self) -> set[str]:
        """The owners of whom nothing is brought in."""
        return {problem.owner for problem in self.problems if problem.owner is not None}

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.grants or self.live or self.history)


class Survey:
    """Reads the old rows and compares them with what is here."""

    def __init__(self, side: OldSide, types: Types, accounts: Sequence[str], now: datetime) -> None:
        self._side, self._types, self._accounts, self._now = side, types, accounts, now
        self._balances: dict[str, OldBalance] = {}
        self._seen: set[UUID] = set()
        self._here: list[Grant] = []
        self._counted: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.plan = Plan()

    async def take(self, old: OldRows, new: asyncpg.Connection) -> Plan:
        """Return the plan. Raises InvalidRequest for statements that do not fit."""
        granted = await granted_before(new)
        async with aclosing(old.balances()) as pages:
            async for rows in pages:
                for row in rows:
                    self._balance(row)
        async with aclosing(old.jobs()) as pages:
            async for rows in pages:
                jobs = [read_job(row, self._now) for row in rows]
                before = await known_jobs(new, [job.id for job in jobs if job.id])
                for job in jobs:
                    self._job(job, before, granted)
        self._add_up(granted)
        return self.plan

    def _balance(self, row: Row) -> None:
        balance = read_balance(row)
        if balance is None:
            amounts = {name: row[name] for name in ("monthly", "lifetime", "test")}
            if any(amounts.values()):
                self._wrong(None, "balances", f"a row without an owner has {amounts}")
            return
        if balance.owner in self._balances:
            self._wrong(balance.owner, "balances", "the owner has two rows: add them up in the statement")
            return
        self._balances[balance.owner] = balance
        for text in balance.problems:
            self._wrong(balance.owner, "balances", text)

    def _job(self, job: OldJob, before: Mapping[UUID, Known], granted: Mapping[tuple[str, str], int]) -> None:
        if job.table in self._side.leave_out:
            self.plan.left_behind[job.table] += 1
            return
        for text in job.problems:
            self._wrong(job.owner, job.place, text)
        if job.id is None or job.owner is None or job.problems:
            return
        if job.id in self._seen:
            self._wrong(job.owner, job.place, "its id is that of a job before it")
            return
        self._seen.add(job.id)
        job_type = self._types.of(job)
        if isinstance(job_type, str):
            self._wrong(job.owner, job.place, job_type)
            return
        if known := before.get(job.id):
            if known != (job.owner, job_type.name):
                self._wrong(job.owner, job.place, f"here its id is a {known.type} of {known.owner}")
            self.plan.here += 1
            if paid := granted.get((job.owner, job_source(job.id))):
                self._here.append(_for_job(job.owner, job.id, paid, Fate.ADOPT))
        elif job.status in FINISHED:
            self._counted[job.owner][job.status] += 1
        else:
            self._live(job, job.id, job.owner, job_type)

    def _live(self, job: OldJob, job_id: UUID, owner: str, job_type: type[BaseJob]) -> None:
        fate, account = Fate.GIVE_BACK, self._side.accounts.get(job.account, job.account)
        if job.task_id and job.status in ("starting", "running") and job.account not in self._side.give_back:
            fate = Fate.ADOPT
            if account not in self._accounts:
                self._wrong(
                    owner,
                    job.place,
                    f"its task {job.task_id} runs at the account {job.account!r}, which is none of "
                    f"{', '.join(self._accounts) or 'ours, of which there are none'}: give it its name here "
                    "under [accounts] in the old side's file, or name it under give_back",
                )
        grant = _for_job(owner, job_id, job.paid, fate) if job.paid else None
        self.plan.live.append(
            LiveJob(
                job=job, owner=owner, id=job_id, job_type=job_type, fate=fate, account=account, grant=grant
            )
        )

    def _wrong(self, owner: str | None, place: str, text: str) -> None:
        self.plan.problems.append(Problem(owner=owner, place=place, text=text))

    def _add_up(self, granted: Mapping[tuple[str, str], int]) -> None:
        """Say of each credit where it goes, and leave out what is new of an owner with a problem."""
        plan = self.plan
        wanted = [grant for balance in self._balances.values() for grant in self._grants(balance, granted)]
        wanted += [*self._here, *(each.grant for each in plan.live if each.grant)]
        broken = plan.broken
        plan.live = [each for each in plan.live if each.owner not in broken]
        for grant in wanted:
            sums, key = plan.sums[grant.pot], (grant.owner, grant.source_ref)
            sums.old += grant.amount
            if (before := granted.get(key)) is not None:
                sums.here += before
                plan.expected[key] = grant.pot
            elif grant.owner in broken:
                sums.left_out += grant.amount
            elif grant.expires_at is not None and grant.expires_at <= self._now:
                sums.expired += grant.amount
            else:
                sums.new += grant.amount
                plan.expected[key] = grant.pot
                if grant.pot is not Pot.LIVE:
                    plan.grants.append(grant)
        for owner, counted in self._counted.items():
            if owner in broken:
                plan.left_out += counted.total()
            else:
                plan.history += counted
        plan.owners = len(self._balances)

    def _grants(self, balance: OldBalance, granted: Mapping[tuple[str, str], int]) -> Iterator[Grant]:
        """Yield the pots that are not empty; what was granted before with another amount is a problem."""
        for pot, amount in balance.amounts.items():
            source_ref = pot_source(balance.owner, pot)
            before = granted.get((balance.owner, source_ref))
            if before is not None and before != amount and not balance.problems:
                self._wrong(
                    balance.owner,
                    "balances",
                    f"{pot.value} is {amount:,}, and {before:,} were brought in before: the old app must not "
                    "take or give credits any more once they are here",
                )
            if amount or before:
                yield Grant(
                    owner=balance.owner,
                    pot=pot,
                    amount=amount,
                    source_ref=source_ref,
                    expires_at=balance.expires_at.get(pot),
                    priority=KINDS[KIND[pot]].priority,
                )


def _for_job(owner: str, job_id: UUID, amount: int, fate: Fate) -> Grant:
    usual = KINDS[KIND[Pot.LIVE]].priority
    return Grant(
        owner=owner,
        pot=Pot.LIVE,
        amount=amount,
        source_ref=job_source(job_id),
        expires_at=None,
        priority=ADOPTED_PRIORITY if fate is Fate.ADOPT else usual,
    )


def pot_source(owner: str, pot: Pot) -> str:
    """Return the source under which a pot is granted, once."""
    return f"import:{owner}:{pot.value}"


def job_source(job_id: UUID) -> str:
    """Return the source under which the credits are granted that an old job under way had taken."""
    return f"import:job:{job_id}"
