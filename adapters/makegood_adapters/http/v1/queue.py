"""Who waits, in the order of the queue, how long yet, and what holds it back, for a page of operators."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from makegood.overseeing import expected_wait
from makegood.ports import Line, Waiter
from makegood.telling import Told, Tone, of_hindrance, of_lanes, of_start
from makegood_adapters.http.operation import Call
from makegood_adapters.http.v1.api import Api
from makegood_adapters.http.v1.asked import Asked, Name, Whole
from makegood_adapters.http.v1.overview import look
from makegood_adapters.http.v1.told import ToldView
from makegood_adapters.http.v1.views import View
from makegood_adapters.redaction import Redaction


class Wanted(Asked):
    """Of which pool, and how many."""

    pool: Name | None = Field(None, description="Left out: of all, the first of each before the second.")
    limit: Annotated[Whole, Field(ge=1, le=200)] = 50


class WaiterView(View):
    """A job that waits: its place in its pool, from 1, since when, and for how long yet, null where nothing
    is known of it. `held_back` says what has to change before it is started, whatever becomes free; `starts`
    says in how long it is started about, or what holds it back."""

    id: UUID
    owner: str
    type: str
    pool: str
    priority: int
    position: int
    waited_seconds: float
    wait_seconds: float | None
    not_before: datetime | None
    held_back: str | None
    starts: ToldView


class QueueView(View):
    """Who waits first, and (`told`) how many wait, of the pool that was asked for, a moment ago."""

    at: datetime
    told: ToldView
    pools: list[str]
    jobs: list[WaiterView]


async def get_queue(api: Api, call: Call, query: Wanted) -> QueueView:
    """The jobs that are next, in the order in which slots go to them; now and then one goes to the job that
    waits longest."""
    line = await api.engine.line(query.pool, query.limit)
    found = await api.overview.get()
    works = any(not worker.is_lost(found.at) for worker in found.workers)
    jobs = [_view(line, each, api.redaction, works) for each in line.waiters]
    lanes = [lane for lane in found.lanes if query.pool in (None, lane.pool)]
    told = ToldView.of(of_lanes(lanes), api.redaction)
    return QueueView(at=line.at, told=told, pools=list(line.pools), jobs=jobs)


def _view(line: Line, waiter: Waiter, redaction: Redaction, works: bool) -> WaiterView:
    """Return the view; where no process *works*, nothing is started, whatever the slots say."""
    hindrance = of_hindrance(line, waiter) or (None if works else "No process works on this database.")
    wait = expected_wait(line, waiter) if works else None
    starts = Told(Tone.WARN, hindrance) if hindrance else of_start(line, waiter, wait)
    return WaiterView(
        id=waiter.job_id,
        owner=waiter.owner,
        type=waiter.type,
        pool=waiter.pool,
        priority=waiter.priority,
        position=waiter.position,
        waited_seconds=round((line.at - waiter.queued_at).total_seconds(), 3),
        wait_seconds=wait,
        not_before=waiter.not_before,
        held_back=hindrance and redaction.clean(hindrance),
        starts=ToldView.of(starts, redaction),
    )


OPERATIONS = (look("/queue", get_queue, "Who waits", QueueView, query=Wanted),)
