"""Effects run inside the transaction of an event; states carry data; hooks hear of leaving."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from makegood import (
    BaseJob,
    Catalog,
    DeclarationError,
    Event,
    Failure,
    InvalidRequest,
    Job,
    Money,
    State,
    Transition,
)
from tests.engine.world import PRICE, a_world

HOUR = timedelta(hours=1)


class Review(BaseModel):
    reviewer: str
    stars: int = 3


def reviewed() -> type[BaseJob]:
    """Return a type of its own for each test, so that its hooks belong to that test alone."""

    class Reviewed(BaseJob):
        pool, price = "gpu", PRICE
        in_review = State(deadline=HOUR, data=Review)
        ask = Event(BaseJob.queued >> in_review, Review)
        approve = Event(in_review >> BaseJob.completed, money=Money.CAPTURE)
        decline = Event(in_review >> BaseJob.failed, Failure, money=Money.RELEASE)

    return Reviewed


async def test_effects_run_in_order_with_the_moved_job_and_the_payload() -> None:
    kind, seen = reviewed(), list[tuple[str, str, Any]]()

    @kind.events()["ask"].effect
    async def note(_: Any, job: Job, review: Review) -> None:
        seen.append(("event", job.state, review.reviewer))

    @kind.states()["in_review"].effect_on_leave
    async def leave(_: Any, job: Job, __: BaseModel) -> None:
        seen.append(("leave", job.state, job.version))

    @kind.states()["in_review"].effect_on_enter
    async def enter(_: Any, job: Job, __: BaseModel) -> None:
        seen.append(("enter", job.state, job.data))

    async with a_world(kind) as world:
        job = await world.queued(kind)
        await world.engine.fire(job.id, kind.events()["ask"], Review(reviewer="eve"))
        data = {"reviewer": "eve", "stars": 3}
        assert seen == [("event", "in_review", "eve"), ("enter", "in_review", data)]
        seen.clear()
        await world.engine.fire(job.id, kind.events()["approve"])
        assert seen == [("leave", "completed", 3)]


async def test_an_effect_that_raises_leaves_nothing_of_the_transition() -> None:
    kind = reviewed()

    @kind.fail.effect
    async def refuse(_: Any, __: Job, ___: Failure) -> None:
        raise RuntimeError("the shop's own table is locked")

    async with a_world(kind) as world:
        job = await world.queued(kind)
        with pytest.raises(RuntimeError, match="the shop's own table"):
            await world.engine.fire(job.id, kind.fail, Failure())
        assert await world.job(job) == job
        assert (await world.money(job)).held == PRICE
        assert len(await world.engine.history(job.id)) == 2


async def test_a_state_carries_its_data_and_the_next_one_does_not() -> None:
    kind = reviewed()
    async with a_world(kind) as world:
        job = await world.queued(kind)
        asked = await world.engine.fire(job.id, kind.events()["ask"], Review(reviewer="eve", stars=5))
        assert asked.data == {"reviewer": "eve", "stars": 5}
        done = await world.engine.fire(job.id, kind.events()["approve"])
        assert (done.state, done.data, done.settled) == ("completed", None, PRICE)


async def test_a_state_of_ones_own_ends_at_its_deadline_with_the_credits_back() -> None:
    kind = reviewed()
    async with a_world(kind) as world:
        job = await world.queued(kind)
        await world.engine.fire(job.id, kind.events()["ask"], Review(reviewer="eve"))
        await world.after(HOUR)
        ended = await world.ended(job, "failed")
        assert ended.error is not None
        assert ended.error["category"] == "timeout"


async def test_a_payload_of_another_event_is_refused_and_nothing_happens() -> None:
    kind = reviewed()
    async with a_world(kind) as world:
        job = await world.queued(kind)
        with pytest.raises(InvalidRequest, match="'ask' takes a Review, not a Failure"):
            await world.engine.fire(job.id, kind.events()["ask"], Failure())
        assert await world.job(job) == job


async def test_hooks_hear_of_leaving_before_they_hear_of_entering() -> None:
    kind, heard = reviewed(), list[str]()

    @kind.queued.on_leave
    async def left(transition: Transition) -> None:
        heard.append(f"left {transition.from_state}")

    @kind.failed.on_enter
    async def entered(transition: Transition) -> None:
        heard.append(f"entered {transition.to_state}")

    async with a_world(kind) as world:
        job = await world.queued(kind)
        await world.engine.fire(job.id, kind.fail, Failure())
        await world.tell()
    assert heard == ["left queued", "entered failed"]


def test_an_event_must_bring_the_data_of_the_state_it_leads_to() -> None:
    with pytest.raises(
        DeclarationError, match="'ask' leads to 'in_review', which carries Review, and brings Empty"
    ):

        class Wrong(BaseJob):
            in_review = State(deadline=HOUR, data=Review)
            ask = Event(BaseJob.queued >> in_review)
            decline = Event(in_review >> BaseJob.failed, money=Money.RELEASE)


def test_an_effect_that_could_never_run_is_refused() -> None:
    kind = reviewed()

    @kind.dispatch.effect
    async def never(_: Any, __: Job, ___: BaseModel) -> None:
        raise AssertionError

    with pytest.raises(DeclarationError, match="effects of 'dispatch' never run"):
        Catalog([kind])


def test_every_state_has_one_of_the_seven_public_statuses() -> None:
    kind = reviewed()

    class Kept(kind):  # type: ignore[valid-type, misc]  # made for this test
        archived = State(final=True)
        shown = State(deadline=HOUR, public="completed")
        store = Event(kind.states()["in_review"] >> archived, money=Money.CAPTURE)
        show = Event(kind.states()["in_review"] >> shown)
        hide = Event(shown >> kind.failed, money=Money.RELEASE)

    public = {state.name: state.public for state in Kept.spec.states}
    assert public["in_review"] == "running"
    assert public["archived"] == "completed"
    assert public["shown"] == "completed"
    assert all(public[name] == name for name in BaseJob.spec.state)
