"""The part of the engine that deals with wallets: credits come in, are read and are explained here.

Jobs move credits by their transitions alone; nothing in this file touches a job.
"""

from datetime import datetime
from uuid import UUID

from makegood.job import JobMoney, Wallet
from makegood.ports import Store


class Accounting:
    """What a service does with its users' credits; `Engine` is one."""

    _store: Store

    async def grant(
        self,
        owner: str,
        amount: int,
        *,
        source_ref: str,
        kind: str = "purchased",
        priority: int = 100,
        expires_at: datetime | None = None,
    ) -> bool:
        """Issue credits, once per (owner, *source_ref*); lower priorities are spent first."""
        return await self._store.ledger.grant(
            owner,
            amount,
            kind=kind,
            source_ref=source_ref,
            priority=priority,
            expires_at=expires_at,
        )

    async def wallet(self, owner: str) -> Wallet:
        """Return the owner's wallet."""
        return await self._store.ledger.wallet(owner)

    async def money(self, job_id: UUID) -> JobMoney:
        """Return what the ledger shows for the job: the only source of words about refunds."""
        return await self._store.jobs.money(job_id)

    async def violations(self) -> list[str]:
        """Return every broken invariant; the list is always empty."""
        return await self._store.violations()
