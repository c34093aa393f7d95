"""The ledger of all owners for operators: the line that must add up, and what was written last."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from makegood.audit import Audit
from makegood.buckets import check_texts
from makegood.statement import Entry, EntryKind
from makegood.telling import of_books
from makegood_adapters.access import LOOKS
from makegood_adapters.http.callers import Scope
from makegood_adapters.http.operation import Call, Op
from makegood_adapters.http.v1.api import Api
from makegood_adapters.http.v1.asked import Asked, Name, Whole
from makegood_adapters.http.v1.oversight import ViolationView
from makegood_adapters.http.v1.shared import Reading
from makegood_adapters.http.v1.told import ToldView
from makegood_adapters.http.v1.views import View
from makegood_adapters.redaction import Redaction

#: So many violations are shown; all are counted.
_VIOLATIONS_MAX = 20
#: No journal comes to it.
_PLACE_MAX = 10**15


class BooksView(View):
    """The credits of all owners as of one moment: `issued` is the sum of the next four, `difference` what is
    missing or too much: always 0. `age_seconds` ago it was looked at, which took `took_seconds`. `broken`
    counts all violations of the invariants, of which the first are listed. `told` says the whole line."""

    at: datetime
    age_seconds: float
    took_seconds: float
    issued: int
    remaining: int
    held: int
    captured: int
    expired: int
    difference: int
    broken: int
    violations: list[ViolationView]
    told: ToldView

    @classmethod
    def of(cls, found: Reading[Audit], redaction: Redaction) -> "BooksView":
        """Return the view."""
        audit, total = found.result, found.result.total
        return cls(
            at=audit.at,
            age_seconds=found.age,
            took_seconds=found.took,
            issued=total.issued,
            remaining=total.remaining,
            held=total.held,
            captured=total.captured,
            expired=total.expired,
            difference=total.difference,
            broken=audit.broken,
            violations=[
                ViolationView.model_validate(each, from_attributes=True)
                for each in audit.violations[:_VIOLATIONS_MAX]
            ],
            told=ToldView.of(of_books(total, audit.broken), redaction),
        )


class LedgerAsked(Asked):
    """Which entries are wanted, and how many."""

    after: Whole | None = Field(
        None, ge=1, le=_PLACE_MAX, description="The `next` of the page before, of the same owner or of all."
    )
    limit: Whole = Field(50, ge=1, le=200)
    owner: Name | None = None


class LedgerEntryView(View):
    """One movement of an owner's credits: `amount` is what moved, `change` what that did to the credits that
    remain, `balance` what remained afterwards; `text` says it. `cursor` stands for its place."""

    cursor: int
    owner: str
    kind: EntryKind
    amount: int
    change: int
    balance: int | None
    text: str
    at: datetime
    job_id: UUID | None
    job_type: str | None

    @classmethod
    def of(cls, owner: str, entry: Entry, cursor: int) -> "LedgerEntryView":
        """Return the view."""
        return cls(
            cursor=cursor,
            owner=owner,
            kind=entry.kind,
            amount=entry.amount,
            change=entry.change,
            balance=entry.balance,
            text=entry.text,
            at=entry.at,
            job_id=entry.job_id,
            job_type=entry.job_type,
        )


class LedgerView(View):
    """Some entries, newest first; `next` leads to the page that follows, null behind the last."""

    entries: list[LedgerEntryView]
    next: int | None


async def get_books(api: Api, call: Call) -> BooksView:
    """Whether every credit is accounted for, by the audit that `GET /operations/audit` makes. It reads the
    whole store, so all callers of a process share one. Another is made once it is older than 5 seconds and
    than 20 times what it took; who asks gets it, or the last one where it is not there within a moment."""
    return BooksView.of(await api.books.latest(), api.redaction)


async def get_ledger(api: Api, call: Call, query: LedgerAsked) -> LedgerView:
    """What has happened to the credits of all owners, or of one, newest first, each entry with one
    sentence."""
    if query.owner is None:
        feed = await api.engine.feed(after=query.after, limit=query.limit)
        entries = [LedgerEntryView.of(each.owner, each.entry, each.cursor) for each in feed.entries]
        return LedgerView(entries=entries, next=feed.next)
    check_texts(owner=query.owner)
    told = await api.engine.statement(query.owner, after=query.after, limit=query.limit, to_owner=False)
    entries = [LedgerEntryView.of(query.owner, each, each.cursor) for each in told.entries]
    return LedgerView(entries=entries, next=told.next)


OPERATIONS = (
    Op(
        method="GET",
        path="/operations/books",
        name="get_books",
        summary="Whether every credit is accounted for",
        run=get_books,
        who=Scope.OBSERVE,
        cost=LOOKS,
        out=BooksView,
        tag="operations",
    ),
    Op(
        method="GET",
        path="/operations/ledger",
        name="get_ledger",
        summary="What has happened to the credits of all owners",
        run=get_ledger,
        who=Scope.OBSERVE,
        cost=LOOKS,
        query=LedgerAsked,
        out=LedgerView,
        codes=("invalid_request",),
        tag="operations",
    ),
)
