"""Jobs of several owners are moved by one commit; whatever befalls it, each of them moves once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from makegood.errors import StoreError
from makegood.job import JobMoney, NewJob
from makegood.ports import Store
from makegood.testing.drive import PLAIN, PRICE, Drive, change, edge_of, new_job
from tests.adapters.postgres.flights import Fate, FlightProxy, flights_to
from tests.adapters.postgres.strikes import Rows, Strike, rows_of
from tests.adapters.postgres.test_crash_points import CUTS, STRIKES, dies, every_point, is_struck, lives_on
from tests.conftest import Tally

OWNERS = ("ada", "bo", "cy")
EACH = 2  # jobs of each owner
SAMPLE = 25  # a point costs six jobs here: `make test` takes one of so many, `make soak` all
#: What each act leaves of the credits, and the events of the job.
ENDS = {
    "submit": (JobMoney(), ["submit"]),
    "accept": (JobMoney(held=PRICE), ["submit", "accept"]),
    "fail": (JobMoney(released=PRICE), ["submit", "accept", "fail"]),
}
# Hundreds of points take their time where other programs work too; the bound is for what hangs.
pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]


async def act_on(store: Store, new: NewJob, act: str) -> None:
    """Do *act* with the job, unless it was done."""
    job = await store.jobs.insert(new)
    if job.state == {"accept": "pending", "fail": "queued"}.get(act):
        moved = await store.jobs.apply(change(job, edge_of(PLAIN, job.state, act)))
        assert moved == await store.jobs.get(new.id), "what the caller was told is not what was committed"


@pytest_asyncio.fixture
async def fault(request: pytest.FixtureRequest, database: str) -> AsyncIterator[FlightProxy | Rows]:
    """Yield what brings the fault: between client and server, or inside the server."""
    opened: Any = rows_of(database) if request.param == "rows" else flights_to(database)
    async with opened as made:
        yield made


@pytest.mark.parametrize("act", ENDS)
@pytest.mark.parametrize(
    ("fault", "how"), [("flights", dies), ("flights", lives_on), ("rows", is_struck)], indirect=["fault"]
)
async def test_every_job_of_a_commit_moves_once_whatever_befell_it(
    drive: Drive,
    plain: asyncpg.Connection,
    database: str,
    act: str,
    fault: Any,
    how: Any,
    soak: bool,
    tally: Tally,
) -> None:
    for owner in OWNERS:
        await drive.grant(10_000 * PRICE, owner=owner)
    pool = await drive.pool()

    async def befall(kind: Fate | Strike, at: int) -> bool:
        news = [new_job(pool=pool, owner=owner) for owner in OWNERS * EACH]
        for before in list(ENDS)[: list(ENDS).index(act)]:
            await asyncio.gather(*(act_on(drive.store, new, before) for new in news))

        async def work(store: Store) -> None:
            told = await asyncio.gather(*(act_on(store, new, act) for new in news), return_exceptions=True)
            for answer in told:
                if isinstance(answer, BaseException) and not isinstance(answer, StoreError):
                    raise answer

        met: bool = (
            await is_struck(fault, database, at, kind, work)
            if isinstance(kind, Strike)
            else await how(fault, at, kind, work)
        )
        for new in news:
            await act_on(drive.store, new, act)
            lines = "SELECT array_agg(kind ORDER BY seq) FROM makegood.journal WHERE job_id = $1"
            money, events = ENDS[act]
            assert [t.event for t in await drive.store.jobs.history(new.id)] == events
            assert await drive.store.jobs.money(new.id) == money
            assert len(await plain.fetchval(lines, new.id) or ()) == len(events) - 1
        return met

    inside = how is is_struck
    assert not await befall(Strike.REFUSED if inside else Fate.UNSENT, 10_000)
    usual = await fault.seen() if inside else fault.seen
    points = await every_point(STRIKES if inside else CUTS, befall, usual=usual, soak=soak, sample=SAMPLE)
    assert points > 0
    assert (await drive.store.audit()).violations == ()
    tally("crash points", points)
