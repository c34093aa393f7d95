"""The part of the engine that deals with wallets: credits come in, are read and are explained here.

Jobs move credits by their transitions alone; nothing in this file touches a job.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from uuid import UUID

from makegood.audit import Audit
from makegood.buckets import resolve
from makegood.catalog import Catalog
from makegood.errors import InvalidRequest
from makegood.gathering import newest
from makegood.job import JobMoney, JournalLine, Wallet
from makegood.ports import Store
from makegood.statement import (
    Entry,
    Feed,
    Movement,
    OwnersEntry,
    Statement,
    entry,
    line_by_line,
    movements,
)

#: How much of a statement one call returns.
ENTRIES_MAX = 500


class Accounting:
    """What a service does with its users' credits; `Engine` is one."""

    _store: Store
    catalog: Catalog

    async def grant(
        self,
        owner: str,
        amount: int,
        *,
        source_ref: str,
        kind: str = "purchased",
        priority: int | None = None,
        expires_at: datetime | None = None,
    ) -> bool:
        """Issue whole credits, once per (owner, *source_ref*); False: it was done before.

        Priority (lower ones are spent first) and expiry are those of the kind in `makegood.buckets.KINDS`
        unless given; a kind of your own needs a priority. The wallet's debt is paid out of it first. Raises
        InvalidRequest.
        """
        defaults = resolve(kind, priority)
        if expires_at is None and defaults.lifetime is not None:
            expires_at = await self._store.now() + defaults.lifetime
        return await self._store.ledger.grant(
            owner,
            amount,
            kind=kind,
            source_ref=source_ref,
            priority=defaults.priority,
            expires_at=expires_at,
        )

    async def grant_unlimited(
        self,
        owner: str,
        *,
        source_ref: str,
        kind: str = "unlimited",
        priority: int | None = None,
        expires_at: datetime | None = None,
    ) -> bool:
        """Let every price be covered until *expires_at*, once per (owner, *source_ref*).

        Its jobs hold and capture as all do, but nothing of it ever remains: what a failed job gives back is
        gone again at once. It covers what the buckets before it in spending order do not. Raises
        InvalidRequest.
        """
        place = resolve(kind, priority).priority
        return await self._store.ledger.grant_unlimited(
            owner, kind=kind, source_ref=source_ref, priority=place, expires_at=expires_at
        )

    async def start_cycle(
        self,
        owner: str,
        amount: int,
        *,
        plan: str,
        cycle: str,
        ends_at: datetime | None = None,
        rolls_over: bool = False,
        kind: str = "monthly",
        priority: int | None = None,
    ) -> bool:
        """Issue the credits of a plan's next cycle, once per (owner, *plan*, *cycle*).

        What remains of the plan's former cycles expires in the same transaction, unless it *rolls_over*:
        then it lives until the new *ends_at*. What a job holds stays held and comes back as grace. Without
        *ends_at* the credits live until the next cycle. The source_ref is `plan:<plan>:<cycle>`. Raises
        InvalidRequest, also for a cycle that ends before one already begun.
        """
        place = resolve(kind, priority).priority
        return await self._store.ledger.start_cycle(
            owner,
            amount,
            plan=plan,
            cycle=cycle,
            kind=kind,
            priority=place,
            ends_at=ends_at,
            rolls_over=rolls_over,
        )

    async def charge_back(self, owner: str, source_ref: str) -> bool:
        """Take back the payment *source_ref*, once; False: it was done before.

        What remains of its credits is withdrawn. What was spent of them, or is held by a job, becomes the
        wallet's debt, which the next grant pays first; of what is held, that which comes back pays it too.
        No job is touched. Raises InvalidRequest for an unknown source.
        """
        return await self._store.ledger.charge_back(owner, source_ref)

    async def wallet(self, owner: str) -> Wallet:
        """Return the owner's wallet."""
        return await self._store.ledger.wallet(owner)

    async def statement(
        self,
        owner: str,
        *,
        since: datetime | None = None,
        after: int | None = None,
        limit: int = 50,
        to_owner: bool = True,
    ) -> Statement:
        """Return what happened to the owner's credits, newest first, as a bank shows it to the owner, or to
        others.

        At most *limit* entries (1 to 500) and none from before *since*, a time with zone. *after* is the
        `next` of the page before: it stays good while new entries arrive. Raises InvalidRequest.
        """
        _check_page(since, after, limit)
        entries: list[Entry] = []
        # One more than is wanted, and two lines each: most pages are one question to the store.
        async with aclosing(self._movements(owner, after, 2 * limit + 20)) as newest_first:
            async for movement in newest_first:
                if movement[0].seq == after:  # the last of the page before, wherever in it the cursor points
                    continue
                told = entry(movement, self.catalog.label, to_owner=to_owner)
                if since is not None and told.at < since:
                    break
                if len(entries) == limit:
                    return Statement(owner=owner, entries=tuple(entries), next=entries[-1].cursor)
                entries.append(told)
        return Statement(owner=owner, entries=tuple(entries))

    async def _movements(self, owner: str, upto: int | None, chunk: int) -> AsyncGenerator[Movement, None]:
        """Yield the owner's movements from line *upto* downwards, each of them whole: whether one goes on
        is seen by the line below it."""
        rest: Movement = ()
        while True:
            found = await self._store.ledger.lines(owner, chunk, upto)
            whole = movements([*rest, *found])
            rest = whole.pop() if len(found) == chunk else ()
            for movement in whole:
                yield movement
            if len(found) < chunk:
                return
            upto = found[-1].seq - 1

    async def feed(self, *, after: int | None = None, limit: int = 50) -> Feed:
        """Return what happened to the credits of all owners, newest first, told to others than the owners.

        At most *limit* entries (1 to 500), each of them whole. *after* is the `next` of the page before: it
        stays good while new entries arrive. Raises InvalidRequest.
        """
        _check_page(None, after, limit)
        found = await newest(self._store.ledger, after, limit + 1)
        entries = tuple(
            OwnersEntry(
                owner=movement[0].owner,
                entry=entry(movement, self.catalog.label, to_owner=False),
                cursor=place,
            )
            for place, movement in found[:limit]
        )
        return Feed(entries=entries, next=entries[-1].cursor if len(found) > limit else None)

    async def money(self, job_id: UUID, *, owner: str | None = None) -> JobMoney:
        """Return what the ledger shows for the job: the only source of words about refunds; with *owner*
        nothing of a job that is not that owner's."""
        return await self._store.jobs.money(job_id, owner=owner)

    async def money_lines(self, job_id: UUID) -> list[tuple[JournalLine, str]]:
        """Return every line of the journal that the job wrote, in order, each with the sentence of the
        movement that it is part of, as others than the owner read it."""
        lines = await self._store.ledger.lines_of(job_id)
        return list(zip(lines, line_by_line(lines, self.catalog.label), strict=True))

    async def violations(self) -> list[str]:
        """Return every broken invariant as a sentence, at most 100 of a kind; the list is always empty."""
        return [str(broken) for broken in (await self.audit(owners_max=0)).violations]

    async def audit(self, *, owners_max: int = 100) -> Audit:
        """Return every invariant with what breaks it, and the totals of at most *owners_max* owners, all as
        of one moment. It reads the whole store: it is for a person who asks, not for every request."""
        return await self._store.audit(owners_max=owners_max)


def _check_page(since: datetime | None, after: int | None, limit: int) -> None:
    if since is not None and since.tzinfo is None:
        raise InvalidRequest(f"since {since} must be a time with zone, as datetime.now(UTC) gives it.")
    if not 1 <= limit <= ENTRIES_MAX:
        raise InvalidRequest(f"limit {limit} must be 1 to {ENTRIES_MAX} entries.")
    if after is not None and after < 1:
        raise InvalidRequest(f"after {after} is no cursor: give the `next` of the page before.")
