"""A page that creates a job before it has its input: drafts, completed once, charged only then."""

from typing import Any
from uuid import uuid4

import pytest

from makegood import IllegalTransition, InvalidInput, JobMoney, KeyReused, UnknownJob
from makegood.errors import GuardFailed, InvalidRequest, JobTypeClosed, UnknownJobType
from makegood.job import Job
from makegood.lifecycle import Failure
from makegood.settings import Settings
from tests.engine.world import PRICE, WALLET, Upscale, World


async def a_draft(world: World, **given: Any) -> Job:
    return await world.engine.submit(Upscale, "ada", {"scale": "?"}, draft=True, **given)


async def test_a_draft_is_prepared_then_accepted_and_charged_only_then(world: World) -> None:
    engine = world.engine
    draft = await a_draft(world, session="page-1", metadata={"n": 1})
    assert (draft.draft, draft.state, draft.price, draft.metadata) == (True, "pending", 0, {"n": 1})
    with pytest.raises(GuardFailed, match="prepare it first"):
        await engine.accept(draft.id)
    job = await engine.prepare(draft.id, {"scale": 4}, owner="ada")
    assert (job.draft, job.price, job.input) == (False, PRICE, {"image": None, "scale": 4})
    assert await world.money(job) == JobMoney()
    assert await engine.prepare(draft.id, {"nonsense": True}) == job, "the first complete input stays"
    assert (await engine.accept(job.id)).state == "queued"
    assert (await world.money(job)).held == PRICE


async def test_a_draft_is_refused_only_while_it_is_one(world: World) -> None:
    engine, failure = world.engine, Failure(category="refused", message="no such file")
    draft = await a_draft(world)
    job = await engine.prepare((await a_draft(world)).id, {"scale": 4})
    assert await engine.refuse_draft(job.id, failure) == job, "somebody else has completed it"
    queued = await engine.accept(job.id)
    assert await engine.refuse_draft(job.id, failure) == queued
    refused = await engine.refuse_draft(draft.id, failure, actor="client")
    assert (refused.state, refused.draft, await world.money(refused)) == ("failed", True, JobMoney())
    with pytest.raises(IllegalTransition):
        await engine.refuse_draft(draft.id, failure)


async def test_what_is_wrong_with_its_input_is_told_when_it_is_completed(world: World) -> None:
    engine = world.engine
    draft = await a_draft(world)
    for wrong in ({"scale": "?"}, {"scale": 2, "image": "0.png"}, {"more": 1}):
        with pytest.raises(InvalidInput):
            await engine.prepare(draft.id, wrong)
    assert await engine.get(draft.id) == draft
    with pytest.raises(UnknownJob):
        await engine.prepare(draft.id, {}, owner="bob")
    with pytest.raises(UnknownJob):
        await engine.prepare(uuid4(), {})


async def test_a_draft_has_only_known_inputs_that_can_be_stored(world: World) -> None:
    for wrong in ({"more": 1}, {"scale": float("nan")}, {"scale": "x" * 80_000}, {"scale": "\ud800"}):
        with pytest.raises(InvalidRequest):
            await world.engine.submit(Upscale, "ada", wrong, draft=True)
    unfit: Any
    for unfit in ([], {"x": object()}, {"x": "y" * 80_000}):
        with pytest.raises(InvalidRequest):
            await world.engine.submit(Upscale, "ada", {}, metadata=unfit)


async def test_a_type_that_was_closed_meanwhile_completes_no_draft(world: World) -> None:
    draft = await a_draft(world)
    world.engine.catalog.closed = {Upscale.name: "no more"}
    with pytest.raises(JobTypeClosed):
        await world.engine.prepare(draft.id, {})


async def test_a_draft_that_nobody_completes_ends_by_its_deadline_uncharged(world: World) -> None:
    draft = await a_draft(world)
    await world.after(181)
    over = await world.engine.get(draft.id)
    assert (over.state, await world.money(over)) == ("failed", JobMoney())
    assert await world.engine.prepare(draft.id, {}) == over
    with pytest.raises(IllegalTransition):
        await world.engine.accept(draft.id)
    assert (await world.engine.wallet("ada")).available == WALLET


async def test_the_same_key_gives_the_draft_before_and_after_it_is_complete(world: World) -> None:
    draft = await a_draft(world, key="k")
    assert await a_draft(world, key="k") == draft
    job = await world.engine.prepare(draft.id, {})
    assert await a_draft(world, key="k") == job
    with pytest.raises(KeyReused):
        await world.engine.submit(Upscale, "ada", {"scale": 3}, draft=True, key="k")


async def test_a_page_that_leaves_takes_back_what_was_never_submitted(world: World) -> None:
    engine = world.engine
    draft = await a_draft(world, session="page-1")
    waiting = await engine.accept((await engine.submit(Upscale, "ada", {}, session="page-1")).id)
    other = await engine.submit(Upscale, "ada", {}, session="page-2")
    ended = await engine.end_session("page-1")
    assert {job.id: job.state for job in ended} == {draft.id: "cancelled", waiting.id: "cancelled"}
    assert (await engine.get(other.id)).state == "pending"
    assert (await engine.wallet("ada")).available == WALLET
    assert await engine.end_session("page-1") == []
    with pytest.raises(InvalidRequest):
        await engine.end_session("")


async def test_what_is_kept_beside_a_job_is_its_owners_to_change(world: World) -> None:
    job = await world.engine.submit(Upscale, "ada", {}, metadata={"a": 1})
    assert (await world.engine.annotate(job.id, {"b": 2}, owner="ada")).metadata == {"a": 1, "b": 2}
    with pytest.raises(UnknownJob):
        await world.engine.annotate(job.id, {"b": 3}, owner="bob")
    with pytest.raises(UnknownJob):
        await world.engine.annotate(uuid4(), {})
    assert (await world.engine.get(job.id)).metadata == {"a": 1, "b": 2}


class Refined(Upscale):
    """What a row may turn out to be."""

    name = "upscale_refined"
    price = 2 * PRICE
    pool = "other"
    attempts_max = 9


class Apart(Upscale):
    """As `Upscale`, but one at a time."""

    name = "upscale_apart"
    exclusive_by = "upscale"


async def test_a_draft_goes_on_as_another_type_and_is_priced_as_that() -> None:
    world = World([Upscale, Refined, Apart], 1, Settings(), None)
    async with world.engine:
        await world.engine.grant("ada", WALLET, source_ref="order")
        draft = await a_draft(world)
        with pytest.raises(InvalidRequest, match="exclusive_by"):
            await world.engine.prepare(draft.id, {}, job_type=Apart.name)
        with pytest.raises(UnknownJobType):
            await world.engine.prepare(draft.id, {}, job_type="nobody")
        assert await world.engine.get(draft.id) == draft
        job = await world.engine.prepare(draft.id, {}, job_type=Refined.name)
        assert (job.type, job.pool, job.attempts_max, job.price) == (Refined.name, "other", 9, 2 * PRICE)
        assert await world.engine.prepare(draft.id, {}, job_type=Upscale.name) == job
        assert (await world.engine.accept(job.id)).state == "queued"
        assert (await world.money(job)).held == 2 * PRICE
