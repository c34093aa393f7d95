"""Credits of any owner, for who sells them: grants, plans, payments that were taken back."""

from typing import Annotated

from pydantic import Field

from makegood.administration import REASON_MAX
from makegood.buckets import PRIORITY_MAX, check_texts
from makegood.telling import of_wallet
from makegood_adapters.http.callers import Scope
from makegood_adapters.http.operation import Call, Op
from makegood_adapters.http.v1.api import Api
from makegood_adapters.http.v1.asked import Asked, Credits, Moment, Name, Person
from makegood_adapters.http.v1.money import GrantView, StatementView, WalletNow, WalletView
from makegood_adapters.http.v1.offers import Offers
from makegood_adapters.http.v1.told import ToldView
from makegood_adapters.http.v1.wallets import Lines, statement

_Priority = Annotated[int, Field(ge=-PRIORITY_MAX, le=PRIORITY_MAX)]
_LOWER = "Lower ones are spent first; without one that of the kind."


class Signed(Asked):
    """Who decides, and why, where a person does: kept with the acts of operators."""

    by: Person | None = None
    reason: str | None = Field(None, min_length=1, max_length=REASON_MAX)


class NewGrant(Signed):
    """Credits to add, once for each owner and `source_ref`: an order's number, say."""

    amount: Credits
    source_ref: Name
    kind: Name = "purchased"
    priority: _Priority | None = Field(None, description=_LOWER)
    expires_at: Moment | None = Field(None, description="Without one that of the kind, if it has any.")


class NewUnlimited(Signed):
    """A time in which no price is too high, once for each owner and `source_ref`."""

    source_ref: Name
    kind: Name = "unlimited"
    priority: _Priority | None = Field(None, description=_LOWER)
    expires_at: Moment | None = None


class NewCycle(Signed):
    """The credits of a plan's next cycle, once for each owner, `plan` and `cycle`."""

    amount: Credits
    plan: Name
    cycle: Name
    ends_at: Moment | None = Field(None, description="Without it they live until the next cycle.")
    rolls_over: bool = Field(False, description="True: what remains of former cycles lives on with this one.")
    kind: Name = "monthly"
    priority: _Priority | None = Field(None, description=_LOWER)


class TakenBack(Signed):
    """A payment that was taken back, by the `source_ref` of its grant."""

    source_ref: Name


async def grant_credits(api: Api, call: Call, owner: str, body: NewGrant) -> GrantView:
    """The same `source_ref` adds its credits once, however often it is sent; `done` tells. A debt of the
    wallet is paid first."""
    done = await api.engine.grant(
        owner,
        body.amount,
        source_ref=body.source_ref,
        kind=body.kind,
        priority=body.priority,
        expires_at=body.expires_at,
    )
    return await _after(api, owner, done)


async def grant_unlimited(api: Api, call: Call, owner: str, body: NewUnlimited) -> GrantView:
    """Jobs hold and capture as always, and nothing of it ever remains."""
    done = await api.engine.grant_unlimited(
        owner,
        source_ref=body.source_ref,
        kind=body.kind,
        priority=body.priority,
        expires_at=body.expires_at,
    )
    return await _after(api, owner, done)


async def start_cycle(api: Api, call: Call, owner: str, body: NewCycle) -> GrantView:
    """What remains of the plan's former cycles expires at the same moment, unless it rolls over."""
    done = await api.engine.start_cycle(
        owner,
        body.amount,
        plan=body.plan,
        cycle=body.cycle,
        ends_at=body.ends_at,
        rolls_over=body.rolls_over,
        kind=body.kind,
        priority=body.priority,
    )
    return await _after(api, owner, done)


async def charge_back(api: Api, call: Call, owner: str, body: TakenBack) -> GrantView:
    """What remains of the payment's credits is withdrawn, what was spent becomes a debt; jobs stay."""
    check_texts(owner=owner)
    return await _after(api, owner, await api.engine.charge_back(owner, body.source_ref))


async def get_owners_wallet(api: Api, call: Call, owner: str) -> WalletView:
    """What the owner can spend; who is not known has nothing."""
    check_texts(owner=owner)
    return WalletView.of(await api.engine.wallet(owner))


async def look_at_wallet(api: Api, call: Call, owner: str) -> WalletNow:
    """What the owner can spend; who is not known has nothing."""
    check_texts(owner=owner)
    wallet = await api.engine.wallet(owner)
    return WalletNow(
        **dict(WalletView.of(wallet)),
        told=ToldView.of(of_wallet(wallet), api.redaction),
        acts=Offers(call.caller).of_wallet(owner),
    )


async def get_owners_statement(api: Api, call: Call, owner: str, query: Lines) -> StatementView:
    """What has happened to the owner's credits, newest first."""
    check_texts(owner=owner)
    return await statement(api, owner, query)


async def _after(api: Api, owner: str, done: bool) -> GrantView:
    return GrantView(done=done, wallet=WalletView.of(await api.engine.wallet(owner)))


OPERATIONS = (
    Op(
        method="POST",
        path="/owners/{owner}/grants",
        name="grant_credits",
        summary="Add credits",
        run=grant_credits,
        who=Scope.CREDITS,
        body=NewGrant,
        out=GrantView,
        codes=("invalid_request",),
        tag="credits",
        example={"amount": 500, "source_ref": "order-4711"},
    ),
    Op(
        method="POST",
        path="/owners/{owner}/unlimited",
        name="grant_unlimited",
        summary="Let every price be covered for a time",
        run=grant_unlimited,
        who=Scope.CREDITS,
        body=NewUnlimited,
        out=GrantView,
        codes=("invalid_request",),
        tag="credits",
        example={"source_ref": "plan-gold-2026-05", "expires_at": "2099-06-01T00:00:00Z"},
    ),
    Op(
        method="POST",
        path="/owners/{owner}/cycles",
        name="start_cycle",
        summary="Begin the next cycle of a plan",
        run=start_cycle,
        who=Scope.CREDITS,
        body=NewCycle,
        out=GrantView,
        codes=("invalid_request",),
        tag="credits",
        example={"amount": 1000, "plan": "studio", "cycle": "2026-05", "ends_at": "2099-06-01T00:00:00Z"},
    ),
    Op(
        method="POST",
        path="/owners/{owner}/charge-backs",
        name="charge_back",
        summary="Take a payment back",
        run=charge_back,
        who=Scope.CREDITS,
        body=TakenBack,
        out=GrantView,
        codes=("invalid_request",),
        tag="credits",
        example={"source_ref": "order-4711"},
    ),
    Op(
        method="GET",
        path="/owners/{owner}/wallet",
        name="get_owners_wallet",
        summary="What an owner can spend",
        run=get_owners_wallet,
        who=Scope.CREDITS,
        out=WalletView,
        codes=("invalid_request",),
        tag="credits",
    ),
    Op(
        method="GET",
        path="/owners/{owner}/statement",
        name="get_owners_statement",
        summary="What has happened to an owner's credits",
        run=get_owners_statement,
        who=Scope.CREDITS,
        query=Lines,
        out=StatementView,
        codes=("invalid_request",),
        tag="credits",
    ),
    Op(
        method="GET",
        path="/operations/owners/{owner}/wallet",
        name="look_at_wallet",
        summary="What any owner can spend",
        run=look_at_wallet,
        who=Scope.OBSERVE,
        out=WalletNow,
        codes=("invalid_request",),
        tag="operations",
    ),
    Op(
        method="GET",
        path="/operations/owners/{owner}/statement",
        name="look_at_statement",
        summary="What has happened to any owner's credits",
        run=get_owners_statement,
        who=Scope.OBSERVE,
        query=Lines,
        out=StatementView,
        codes=("invalid_request",),
        tag="operations",
    ),
)
