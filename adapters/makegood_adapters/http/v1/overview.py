"""How everything is at this moment, and who looks, for a page of operators."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from makegood.fairness import Scope as RuleScope
from makegood.job import Occupancy
from makegood.ports import ENDED_MAX, ENDED_SECONDS, Lane, Overview, Worker
from makegood.telling import of_account, of_pace, of_pause, of_process, of_worker
from makegood_adapters.access import LOOKS
from makegood_adapters.http.callers import Scope
from makegood_adapters.http.operation import Call, Op
from makegood_adapters.http.release import release
from makegood_adapters.http.v1.api import Api
from makegood_adapters.http.v1.offers import Offer, Offers
from makegood_adapters.http.v1.oversight import AccountView
from makegood_adapters.http.v1.told import ToldView
from makegood_adapters.http.v1.views import StateName, View
from makegood_adapters.redaction import Redaction


class PageView(View):
    """What a page of operators is to know of where it runs."""

    demo: bool


class Me(View):
    """Who looks, and what it may: `acts` beside looking, with `credits` also grant them. `caller` is how
    history names it."""

    caller: str
    scopes: list[str]
    acts: bool
    credits: bool
    release: str
    page: PageView


class TypeCounts(View):
    """Jobs of one type in all its versions, of which the newest is named. `states` counts those that are not
    over, `ended` those that ended in the last `ended_hours`, each to `capped` at most; `under_way` is the sum
    of the first, `jobs` that of both. `told` says who has paused the type, `acts` what the caller may do."""

    name: str
    version: int
    label: str
    states: dict[StateName, int]
    ended: dict[StateName, int]
    under_way: int
    jobs: int
    ended_hours: int = int(ENDED_SECONDS / 3_600)
    capped: int = ENDED_MAX
    told: list[ToldView]
    acts: list[Offer]


class LoopView(View):
    """How a loop of a process was doing at its last beat: turns since it began, errors in a row, by how many
    seconds its turn was late or went on, and the kind of its last error."""

    name: str
    healthy: bool
    turns: int
    failures: int
    lag_seconds: float
    hanging: bool
    over: bool
    working: int
    last_error: str | None


class WorkerView(View):
    """A process; `lost`: it was not seen for so long that it is taken for dead, and so says its `state`.
    `process` is what it is called, `told` says how its loops are doing."""

    id: UUID
    process: str
    host: str
    pid: int
    number: int
    version: str
    state: str
    accounts: list[str]
    started_at: datetime | None
    seen_at: datetime | None
    lost: bool
    loops: list[LoopView]
    told: ToldView

    @classmethod
    def of(cls, worker: Worker, now: datetime, redaction: Redaction) -> "WorkerView":
        """Return the view."""
        name = worker.name
        return cls(
            id=worker.id,
            process=of_process(name),
            host=name.host,
            pid=name.pid,
            number=name.number,
            version=name.version,
            state="lost" if worker.is_lost(now) else worker.state,
            accounts=list(worker.accounts),
            started_at=worker.started_at,
            seen_at=worker.seen_at,
            lost=worker.is_lost(now),
            loops=[LoopView.model_validate(loop, from_attributes=True) for loop in worker.loops],
            told=ToldView.of(of_worker(worker, now), redaction),
        )


class AccountNow(AccountView):
    """A provider account; `told` says how its slots are used and what keeps jobs from them, `acts` is what
    the caller may do to its pool."""

    told: list[ToldView]
    acts: list[Offer]


class LaneView(View):
    """The waiting jobs of one pool and priority; `parked` of them may not start yet."""

    pool: str
    priority: int
    waiting: int
    parked: int
    oldest: datetime | None

    @classmethod
    def of(cls, lane: Lane) -> "LaneView":
        """Return the view."""
        return cls.model_validate(lane, from_attributes=True)


class Rates(View):
    """Jobs a minute, over the last one."""

    accepted: float
    completed: float
    failed: float
    cancelled: float


class OverviewView(View):
    """Everything at one moment, as the stream of all jobs tells it up to `last_seq`: who goes on there counts
    no step twice. `pace` says the rates."""

    at: datetime
    types: list[TypeCounts]
    workers: list[WorkerView]
    accounts: list[AccountNow]
    lanes: list[LaneView]
    rates: Rates
    pace: str
    last_seq: int


async def get_me(api: Api, call: Call) -> Me:
    """What the caller may: whether a page offers it what changes something."""
    caller = call.caller
    return Me(
        caller=caller.actor,
        scopes=[scope for scope in Scope if caller.may(scope)],
        acts=caller.may(Scope.OPERATIONS),
        credits=caller.may(Scope.CREDITS),
        release=release(),
        page=PageView(demo=api.page.demo),
    )


async def get_overview(api: Api, call: Call) -> OverviewView:
    """Jobs by type and state, processes and their loops, provider accounts, queues, how fast it goes, and
    what the caller may do. All who look share one reading, which may be a moment old; what was done over this
    process is in it."""
    found, offers = await api.overview.get(), Offers(call.caller)
    return OverviewView(
        at=found.at,
        types=list(_types(api, found, offers)),
        workers=[WorkerView.of(worker, found.at, api.redaction) for worker in found.workers],
        accounts=[_account(api, found, each, offers) for each in found.accounts],
        lanes=[LaneView.of(lane) for lane in found.lanes],
        rates=Rates(**found.rates),
        pace=of_pace(found.rates),
        last_seq=found.last_seq,
    )


def _types(api: Api, found: Overview, offers: Offers) -> Iterable[TypeCounts]:
    """Yield the types that are on offer here, and those of which there are jobs."""
    here = {spec.name: spec.version for spec in sorted(api.engine.catalog.specs, key=lambda s: s.version)}
    for name in sorted(here.keys() | found.live.keys() | found.ended.keys()):
        states, ended = dict(found.live.get(name, {})), dict(found.ended.get(name, {}))
        pause = found.pause_of(RuleScope.TYPE, name)
        unknown = None if name in found.versions else "The database does not know it yet."
        yield TypeCounts(
            name=name,
            version=here.get(name) or found.versions.get(name, 1),
            label=api.engine.catalog.label(name),
            states=states,
            ended=ended,
            under_way=sum(states.values()),
            jobs=sum(states.values()) + sum(ended.values()),
            told=ToldView.all_of([of_pause(pause, found.at)] if pause else [], api.redaction),
            acts=offers.of_rule(RuleScope.TYPE, name, pause, unknown),
        )


def _account(api: Api, found: Overview, use: Occupancy, offers: Offers) -> AccountNow:
    pause = found.pause_of(RuleScope.POOL, use.pool)
    return AccountNow(
        **AccountNow.fields_of(use, api.redaction),
        told=ToldView.all_of(of_account(use, pause, found.at), api.redaction),
        acts=offers.of_rule(RuleScope.POOL, use.pool, pause, None),
    )


def look(path: str, run: Callable[..., Any], summary: str, out: type[View], **given: Any) -> Op:
    """Return an operation for who observes; it has the name of its function."""
    return Op(
        method="GET",
        path=f"/operations{path}",
        name=run.__name__,
        summary=summary,
        run=run,
        who=Scope.OBSERVE,
        out=out,
        cost=LOOKS,
        tag="operations",
        **given,
    )


OPERATIONS = (
    look("/me", get_me, "Who looks, and what it may", Me),
    look("/overview", get_overview, "How everything is now", OverviewView),
)
