"""Credits of an owner: the wallet and its statement."""

from pydantic import Field

from makegood_adapters.http.operation import Call, Op
from makegood_adapters.http.v1.api import Api
from makegood_adapters.http.v1.asked import Asked, Moment, Whole
from makegood_adapters.http.v1.money import StatementView, WalletView

#: No journal is as long.
_LINES_MAX = 10**15


class Lines(Asked):
    """Which entries of a statement are wanted, and how many."""

    since: Moment | None = Field(None, description="None from before that time.")
    after: Whole | None = Field(None, ge=1, le=_LINES_MAX, description="The `next` of the page before.")
    limit: Whole = Field(50, ge=1, le=200)


async def get_wallet(api: Api, call: Call) -> WalletView:
    """What can be spent, what is held for jobs, and the buckets that it comes from, each with its expiry."""
    return WalletView.of(await api.engine.wallet(call.for_owner))


async def get_statement(api: Api, call: Call, query: Lines) -> StatementView:
    """What has happened to the credits, newest first, each entry with one sentence."""
    return await statement(api, call.for_owner, query)


async def statement(api: Api, owner: str, query: Lines) -> StatementView:
    """Return a page of the owner's statement."""
    told = await api.engine.statement(owner, since=query.since, after=query.after, limit=query.limit)
    return StatementView.of(told)


OPERATIONS = (
    Op(
        method="GET",
        path="/wallet",
        name="get_wallet",
        summary="What can be spent",
        run=get_wallet,
        out=WalletView,
        codes=("invalid_request",),
        tag="credits",
    ),
    Op(
        method="GET",
        path="/statement",
        name="get_statement",
        summary="What has happened to the credits",
        run=get_statement,
        query=Lines,
        out=StatementView,
        codes=("invalid_request",),
        tag="credits",
    ),
)
