"""Drafts: completed once, never queued before; what is kept beside a job; the jobs of a page that leaves."""

# ruff: noqa: D102 - the name of a test is its sentence

import asyncio
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from makegood.errors import InsufficientCredits, InvalidRequest, KeyReused
from makegood.ports import METADATA_BYTES_MAX, PROLONGED_TIMES, Becomes, Prepared
from makegood.testing.drive import PLAIN, REVIEWED, Drive, change, edge_of

PRICE = 7
WHOLE = Prepared(price=PRICE, input={"scale": 2}, request={"input": {"scale": 2}}, files={"image": "a.png"})


class DraftsContract:
    """What `Store.drafts` promises, and `Jobs` promises of drafts."""

    async def test_a_draft_is_completed_once_and_then_like_any_other(self, drive: Drive) -> None:
        await drive.grant(100)
        draft = await drive.insert(
            draft=True, price=0, input={"scale": "?"}, request={}, files={}, session="page"
        )
        assert (draft.draft, draft.price, draft.input, draft.session) == (True, 0, {"scale": "?"}, "page")
        job = await drive.store.drafts.prepare(draft.id, WHOLE)
        assert job == await drive.store.jobs.get(draft.id)
        assert job is not None
        assert (job.draft, job.price, job.input, job.request, dict(job.files)) == (
            False, PRICE, WHOLE.input, WHOLE.request, WHOLE.files,
        )  # fmt: skip
        assert (job.version, job.state, job.deadline_at) == (0, draft.state, draft.deadline_at)
        other = Prepared(price=1, input={"scale": 4}, request={}, files={})
        assert await drive.store.drafts.prepare(draft.id, other) == job
        queued = await drive.take(job, edge_of(PLAIN, "pending", "accept"))
        assert (queued.state, (await drive.store.jobs.money(job.id)).held) == ("queued", PRICE)

    async def test_a_draft_goes_on_as_another_type(self, drive: Drive) -> None:
        await drive.grant(100)
        draft = await drive.insert(draft=True, price=0, request={})
        becomes = Becomes(REVIEWED.name, REVIEWED.version, f"{draft.pool}-other", 7)
        job = await drive.store.drafts.prepare(draft.id, replace(WHOLE, becomes=becomes))
        assert job is not None
        assert job == await drive.store.jobs.get(draft.id)
        assert (job.type, job.type_version, job.pool, job.attempts_max) == (
            REVIEWED.name, REVIEWED.version, becomes.pool, 7,
        )  # fmt: skip
        assert (job.price, job.state, job.version) == (PRICE, "pending", 0)
        assert (await drive.take(job, edge_of(REVIEWED, "pending", "accept"))).state == "queued"

    async def test_of_many_at_once_one_completes_it(self, drive: Drive) -> None:
        draft = await drive.insert(draft=True, price=0, request={})
        asked = [Prepared(price=n, input={"n": n}, request={"n": n}, files={}) for n in range(1, 21)]
        told = await asyncio.gather(*(drive.store.drafts.prepare(draft.id, each) for each in asked))
        [price] = {job.price for job in told if job}
        assert all(job and job.input == {"n": price} and job.request == {"n": price} for job in told)

    async def test_what_was_decided_on_the_draft_does_not_move_the_complete_job(self, drive: Drive) -> None:
        draft = await drive.insert(draft=True, price=0, request={})
        await drive.store.drafts.prepare(draft.id, WHOLE)
        refuse = change(draft, edge_of(PLAIN, "pending", "refuse"), error={"category": "x", "message": "x"})
        assert await drive.store.jobs.apply(refuse) is None
        kept = await drive.store.jobs.get(draft.id)
        assert kept is not None
        assert (kept.state, kept.price) == ("pending", PRICE)

    async def test_a_draft_that_is_over_stays_so(self, drive: Drive) -> None:
        draft = await drive.insert(draft=True, price=0, request={})
        refuse = change(draft, edge_of(PLAIN, "pending", "refuse"), error={"category": "x", "message": "x"})
        over = await drive.store.jobs.apply(refuse)
        assert over is not None
        assert (over.state, over.draft) == ("failed", True)
        assert await drive.store.jobs.apply(refuse) == over, "the same operation again"
        assert await drive.store.drafts.prepare(draft.id, WHOLE) == over

    async def test_the_same_key_gives_the_draft_also_when_it_is_complete(self, drive: Drive) -> None:
        given: dict[str, Any] = {
            "draft": True,
            "price": 0,
            "input": {"scale": "?"},
            "request": {},
            "key": "k",
        }
        draft = await drive.insert(pool="p", **given)
        done = await drive.store.drafts.prepare(draft.id, WHOLE)
        assert await drive.insert(pool="p", **given) == done
        with pytest.raises(KeyReused):
            await drive.insert(pool="p", **{**given, "input": {"scale": 2}})

    async def test_too_few_credits_are_told_of_the_price_that_it_has_now(self, drive: Drive) -> None:
        draft = await drive.insert(draft=True, price=0, request={}, owner="poor")
        job = await drive.store.drafts.prepare(draft.id, WHOLE)
        assert job is not None
        with pytest.raises(InsufficientCredits) as told:
            await drive.store.jobs.apply(change(job, edge_of(PLAIN, "pending", "accept")))
        assert told.value.price == PRICE

    async def test_what_is_kept_beside_a_job_is_merged_and_bounded(self, drive: Drive) -> None:
        job = await drive.insert(metadata={"a": 1, "b": {"c": [None, "é"]}})
        assert job.metadata == {"a": 1, "b": {"c": [None, "é"]}}
        kept = await drive.store.drafts.annotate(job.id, {"b": 2, "d": "x"})
        assert kept is not None
        assert kept.metadata == {"a": 1, "b": 2, "d": "x"}
        assert await drive.store.jobs.get(job.id) == kept
        with pytest.raises(InvalidRequest, match="Nothing was kept"):
            await drive.store.drafts.annotate(job.id, {"e": "x" * METADATA_BYTES_MAX})
        assert await drive.store.jobs.get(job.id) == kept
        over = await drive.to("failed")
        told = await drive.store.drafts.annotate(over.id, {"late": True})
        assert told is not None
        assert (told.metadata, told.state, told.version) == ({"late": True}, "failed", over.version)

    async def test_a_session_has_its_jobs_that_were_never_submitted(self, drive: Drive) -> None:
        await drive.grant(10_000)
        drafted = await drive.insert(session="s", draft=True, price=0, request={})
        waiting = await drive.to("queued", session="s")
        for state in ("running", "failed", "cancelled"):
            await drive.to(state, session="s")
        await drive.insert(session="t")
        await drive.insert()
        assert {job.id for job in await drive.store.drafts.of_session("s")} == {drafted.id, waiting.id}
        assert await drive.store.drafts.of_session("nobody's") == []

    async def test_the_end_of_a_draft_is_put_off_while_files_come_not_for_ever(self, drive: Drive) -> None:
        draft = await drive.insert(draft=True, price=0, request={}, owner="slow")
        other = await drive.insert(draft=True, price=0, request={}, owner="other")
        whole = await drive.insert(owner="slow")
        assert draft.deadline_at is not None
        patience = (draft.deadline_at - draft.created_at).total_seconds()
        for turn in range(1, PROLONGED_TIMES + 2):
            await drive.advance(patience - 1)
            await drive.store.drafts.renew("slow")
            kept = await drive.store.jobs.get(draft.id)
            assert kept is not None
            assert kept.deadline_at is not None
            lived = (kept.deadline_at - draft.created_at).total_seconds()
            assert lived <= PROLONGED_TIMES * patience
            assert turn > PROLONGED_TIMES - 2 or lived > turn * (patience - 1) + patience - 1
            assert (kept.version, kept.state, kept.draft) == (0, draft.state, True)
        for job in (other, whole):
            assert await drive.store.jobs.get(job.id) == job

    async def test_there_is_none_of_an_unknown_id(self, drive: Drive) -> None:
        assert await drive.store.drafts.prepare(uuid4(), WHOLE) is None
        assert await drive.store.drafts.annotate(uuid4(), {"a": 1}) is None
