"""What `/v1` shows of credits: wallets and statements."""

from datetime import datetime
from uuid import UUID

from makegood.job import Wallet
from makegood.statement import EntryKind, Statement
from makegood_adapters.http.v1.offers import Offer
from makegood_adapters.http.v1.told import ToldView
from makegood_adapters.http.v1.views import View


class BucketView(View):
    """Part of a wallet with one origin and one expiry; `priority`: lower ones are spent first."""

    kind: str
    priority: int
    expires_at: datetime | None
    source_ref: str
    issued: int
    remaining: int
    held: int
    plan: str | None
    unlimited: bool


class WalletView(View):
    """A wallet in whole credits. `available` is what a new job may spend; with `unlimited` no price is too
    high. `debt` was spent of payments that were taken back since."""

    owner: str
    available: int
    held: int
    debt: int
    unlimited: bool
    buckets: list[BucketView]

    @classmethod
    def of(cls, wallet: Wallet) -> "WalletView":
        """Return the view; buckets in the order in which they are spent, without those that are empty."""
        return cls(
            owner=wallet.owner,
            available=wallet.available,
            held=wallet.held,
            debt=wallet.debt,
            unlimited=wallet.unlimited,
            buckets=[
                BucketView.model_validate(bucket, from_attributes=True)
                for bucket in wallet.buckets
                if bucket.remaining or bucket.held or bucket.unlimited
            ],
        )


class WalletNow(WalletView):
    """A wallet as operators see it: `told` says what is in it, `acts` is what the caller may do to it."""

    told: ToldView
    acts: list[Offer]


class PartView(View):
    """The share of one bucket in an entry."""

    bucket: str
    amount: int
    expires_at: datetime | None
    source_ref: str


class EntryView(View):
    """One movement of credits. `amount` is what moved, `change` what that did to the credits that remain,
    `balance` what remained afterwards; `text` says it to a person."""

    kind: EntryKind
    amount: int
    change: int
    balance: int
    text: str
    at: datetime
    parts: list[PartView]
    job_id: UUID | None
    job_type: str | None


class StatementView(View):
    """A page of a statement, newest first; `next` leads to the page that follows, null behind the last."""

    owner: str
    entries: list[EntryView]
    next: int | None

    @classmethod
    def of(cls, statement: Statement) -> "StatementView":
        """Return the view."""
        return cls.model_validate(statement, from_attributes=True)


class GrantView(View):
    """Whether it was `done` now, false: before; and the wallet afterwards."""

    done: bool
    wallet: WalletView
