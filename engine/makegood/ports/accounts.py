"""Provider accounts in the store: how many slots each has, when it rests, and how it is doing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from makegood.job import Attempt, Occupancy, ProviderAccount
from makegood.outcome import Capacity

GROW_SECONDS = 30.0
FOREIGN_SECONDS = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A count of an account's tasks that was begun: `tasks` are the attempts that the provider had then."""

    account: str
    began_at: datetime
    tasks: tuple[Attempt, ...]


class Accounts(Protocol):
    """Provider accounts: what is known of them is one row, which all workers see.

    The capacity is what is configured, else what the provider told, else 1; never more than was learned from
    refusals.
    """

    async def register(self, account: ProviderAccount, grow_seconds: float = GROW_SECONDS) -> None:
        """Add the account or change what is configured of it; what was told and learned stays. A learned
        capacity grows at most once in *grow_seconds*."""

    async def rest(
        self, account: str, first_seconds: float, seconds_max: float, *, refused: bool = False
    ) -> int:
        """Dispatch nothing to the account for *first_seconds*, twice as long each time in a row up to
        *seconds_max*; a task that was submitted later and is accepted ends the row. With *refused* it rests
        because it was refused for its own sake; return how many such rests there were in a row. While it
        rests nothing changes."""

    async def shrink(self, attempt: Attempt) -> None:
        """Learn from a refusal of *attempt* for lack of room: the account holds no more tasks than its other
        open attempts that were submitted, and at least 1. An accepted task that comes up to what was learned
        makes it one more, and at last forgotten; so does a dispatch that finds all its slots held by
        submissions without a known outcome, where nothing could be accepted."""

    async def unfit(self, account: str, problem: str, first_seconds: float, seconds_max: float) -> bool:
        """Note that the account cannot be used, and why; it rests as `rest` does, by a row of its own, and
        then one job at a time tries. A task that was submitted later and is accepted ends it. Return whether
        another account of the pool is fit: some worker has it, it has slots, and nothing is known against
        it."""

    async def to_survey(self, accounts: Sequence[str], again_seconds: float) -> list[str]:
        """Return those of *accounts* that may be asked how they are; each is next due *again_seconds* later.
        Whoever calls it has these accounts: a fit account is one for which somebody did in the last hour."""

    async def served_pools(self) -> set[str]:
        """Return the pools with an account that some worker has had within the last hour, fit or not."""

    async def mark(self, account: str) -> str | None:
        """Return a mark of the tasks that the account has now; None while one of its attempts is submitted,
        when nobody can say."""

    async def surveyed(
        self,
        account: str,
        told: Capacity,
        *,
        mark: str | None = None,
        valid_seconds: float = FOREIGN_SECONDS,
    ) -> None:
        """Keep what the provider told of the account. An unfit account whose last surveys went unanswered is
        fit again: its key works. At first it has one slot more than tasks.

        Its count is held against ours only if *mark*, taken before the provider was asked, is still that of
        the account: what it counts beyond our tasks is `foreign`, and takes places for *valid_seconds*,
        though never the last one.
        """

    async def ask_all(self, account: str, after_seconds: float) -> int:
        """Make every task of the account due to be asked about now, if the provider has counted fewer for
        *after_seconds*, once for each time that it does; return how many."""

    async def unanswered(self, account: str, error: str) -> None:
        """Note that the provider told nothing, and why."""

    async def begin_reading(self, account: str) -> Reading | None:
        """Begin to count the account's tasks; None while one of its attempts is being submitted."""

    async def end_reading(
        self, reading: Reading, in_use: int, *, gap_seconds: float, settle_seconds: float
    ) -> list[Attempt]:
        """Keep for each uncertain attempt of the account what the count says, and return those of which it is
        proved that they have no task.

        Nothing is kept if an attempt was submitted or ended meanwhile. The count is clean if *in_use* is the
        number of the reading's tasks. Proved: each count since the submission was clean, none came more than
        *gap_seconds* after the one before it began (the first: after the submission), at least two began
        *settle_seconds* after the submission, and no webhook came. What fails once is never proved.
        """

    async def occupancy(self) -> list[Occupancy]:
        """Return use, capacity and health of every account."""
