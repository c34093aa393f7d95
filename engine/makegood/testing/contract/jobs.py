"""Jobs: inserted once, moved once, refused without a trace, timed by their states."""

# ruff: noqa: D102 - the name of a test is its sentence

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from makegood.errors import DeclarationError, IllegalTransition, KeyReused, MakegoodError
from makegood.job import Job, Verdict
from makegood.machine import Edge, Spec
from makegood.ports import WISH
from makegood.testing.drive import PLAIN, REVIEWED, SPECS, Drive, accounts, change, edge_of, fact, new_job

STATES = [(spec, state.name) for spec in SPECS for state in spec.states]
# Between two readings of a store's clock real time may pass, never this much.
SLACK = timedelta(seconds=30)


class JobsContract:
    """What `Store.jobs` and `Store.declare` promise."""

    async def test_a_new_job_is_as_it_was_asked_for(self, drive: Drive) -> None:
        new = new_job(priority=3, key="k", files={"image": "blob-1"}, attempts_max=2)
        job = await drive.store.jobs.insert(new)
        given = (new.id, new.owner, new.type, new.type_version, new.pool, new.price, new.input, new.request)
        kept = (job.id, job.owner, job.type, job.type_version, job.pool, job.price, job.input, job.request)
        assert given == kept
        assert (job.files, job.key, job.priority, job.attempts_max) == ({"image": "blob-1"}, "k", 3, 2)
        assert (job.state, job.version, job.attempt, job.submitted) == ("pending", 0, 0, False)
        assert job.deadline_at is not None
        assert abs(job.deadline_at - job.created_at - timedelta(minutes=3)) < SLACK
        assert await drive.store.jobs.get(job.id) == job

    async def test_a_new_job_has_one_line_of_history(self, drive: Drive) -> None:
        job = await drive.store.jobs.insert(new_job(actor="bo"))
        [line] = await drive.store.jobs.history(job.id)
        assert (line.version, line.event, line.from_state, line.to_state) == (0, "submit", None, "pending")
        assert (line.actor, line.owner, line.type, line.attempt) == ("bo", "ada", PLAIN.name, 0)

    async def test_the_same_key_returns_the_first_job(self, drive: Drive) -> None:
        first = await drive.store.jobs.insert(new_job(key="k"))
        again = await drive.store.jobs.insert(new_job(key="k"))
        assert again == first
        assert len(await drive.store.jobs.history(first.id)) == 1

    async def test_the_same_key_returns_the_first_job_as_it_is_now(self, drive: Drive) -> None:
        first = await drive.store.jobs.insert(new_job(key="k"))
        moved = await drive.event(first, "refuse")
        assert await drive.store.jobs.insert(new_job(key="k")) == moved

    async def test_the_same_key_at_the_same_moment_makes_one_job(self, drive: Drive) -> None:
        jobs = await asyncio.gather(*(drive.store.jobs.insert(new_job(key="k")) for _ in range(10)))
        assert len({job.id for job in jobs}) == 1

    async def test_the_same_id_makes_one_job(self, drive: Drive) -> None:
        new = new_job()
        first = await drive.store.jobs.insert(new)
        assert await drive.store.jobs.insert(new) == first

    @pytest.mark.parametrize("other", [{"input": {"scale": 4}}, {"type": REVIEWED.name}])
    async def test_a_key_stands_for_one_request(self, drive: Drive, other: dict[str, Any]) -> None:
        first = await drive.store.jobs.insert(new_job(key="k"))
        with pytest.raises(KeyReused):
            await drive.store.jobs.insert(new_job(key="k", **other))
        assert await drive.job(first) == first

    async def test_keys_of_two_owners_are_two_keys(self, drive: Drive) -> None:
        ada = await drive.store.jobs.insert(new_job(key="k"))
        bo = await drive.store.jobs.insert(new_job(key="k", owner="bo"))
        assert ada.id != bo.id

    async def test_a_job_of_an_undeclared_machine_is_refused(self, drive: Drive) -> None:
        new = new_job(type_version=99)
        with pytest.raises(MakegoodError):
            await drive.store.jobs.insert(new)
        assert await drive.store.jobs.get(new.id) is None

    async def test_a_declared_version_never_gets_other_rules(self, drive: Drive) -> None:
        await drive.store.declare(SPECS)
        other = Spec(PLAIN.name, PLAIN.version, REVIEWED.states, REVIEWED.edges)
        with pytest.raises(DeclarationError):
            await drive.store.declare([other])
        await drive.store.declare([Spec(PLAIN.name, 2, REVIEWED.states, REVIEWED.edges)])
        await drive.grant()
        await drive.to("running")

    async def test_a_declared_version_may_get_other_deadlines(self, drive: Drive) -> None:
        old = await drive.insert()
        states = tuple(
            replace(state, deadline_seconds=900.0) if state.initial else state for state in PLAIN.states
        )
        await drive.store.declare([Spec(PLAIN.name, PLAIN.version, states, PLAIN.edges)])
        new = await drive.insert()
        assert new.deadline_at is not None
        assert abs(new.deadline_at - new.created_at - timedelta(minutes=15)) < SLACK
        assert await drive.job(old) == old

    async def test_a_declared_version_may_get_other_public_statuses(self, drive: Drive) -> None:
        async def statuses() -> dict[str, str]:
            stored = await drive.store.spec(PLAIN.name, PLAIN.version)
            assert stored is not None
            return {state.name: state.public for state in stored.states}

        for public in ("running", "starting", ""):
            states = tuple(
                replace(state, public=public) if state.name == "running" else state for state in PLAIN.states
            )
            await drive.store.declare([Spec(PLAIN.name, PLAIN.version, states, PLAIN.edges)])
            assert await statuses() == {state.name: state.public for state in states}

    async def test_a_stale_version_loses(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("queued")
        stale = change(replace(job, version=job.version - 1), edge_of(PLAIN, "queued", "fail"))
        assert await drive.store.jobs.apply(stale) is None
        assert await drive.job(job) == job

    async def test_another_state_than_assumed_loses(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("queued")
        stale = change(replace(job, state="pending"), edge_of(PLAIN, "pending", "accept"))
        assert await drive.store.jobs.apply(stale) is None
        assert await drive.job(job) == job

    async def test_a_wish_to_cancel_that_was_not_seen_loses(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("queued")
        assert await drive.store.jobs.request_cancel(job.id)
        assert await drive.store.jobs.apply(change(job, edge_of(PLAIN, "queued", "fail"))) is None
        now = await drive.job(job)
        moved = await drive.store.jobs.apply(change(now, edge_of(PLAIN, "queued", "fail")))
        assert moved is not None
        assert moved.state == "failed"

    async def test_a_job_that_is_not_there_loses(self, drive: Drive) -> None:
        job = await drive.insert()
        nowhere = change(replace(job, id=uuid4()), edge_of(PLAIN, "pending", "refuse"))
        assert await drive.store.jobs.apply(nowhere) is None
        assert await drive.store.jobs.get(uuid4()) is None
        assert await drive.store.jobs.request_cancel(uuid4()) is None

    async def test_an_operation_is_carried_out_once(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.insert()
        accept = change(job, edge_of(PLAIN, "pending", "accept"))
        queued = await drive.store.jobs.apply(accept)
        assert await drive.store.jobs.apply(accept) == queued
        assert queued is not None
        failed = await drive.event(queued, "fail")
        assert await drive.store.jobs.apply(accept) == failed
        assert len(await drive.store.jobs.history(job.id)) == 3
        assert (await drive.store.ledger.wallet("ada")).available == 1_000

    async def test_of_many_at_one_moment_one_wins(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("queued")
        edges = [edge_of(PLAIN, "queued", "fail"), edge_of(PLAIN, "queued", "cancel")] * 5
        ended = await asyncio.gather(*(drive.store.jobs.apply(change(job, edge)) for edge in edges))
        winners = [end for end in ended if end is not None]
        assert len(winners) == 1
        assert await drive.job(job) == winners[0]
        assert (await drive.store.jobs.money(job.id)).released == 100
        assert (await drive.store.ledger.wallet("ada")).available == 1_000

    @pytest.mark.parametrize(("spec", "state"), STATES, ids=lambda v: v if isinstance(v, str) else v.name)
    async def test_what_the_machine_lacks_is_refused(self, drive: Drive, spec: Spec, state: str) -> None:
        await drive.grant()
        job = await drive.to(state, spec)
        for event in spec.events:
            for dest in spec.states:
                edge = Edge(event, state, dest.name)
                if any((e.event, e.dest) == (event, dest.name) for e in spec.leaving(state)):
                    continue
                given = fact(job, Verdict.ADMINISTRATOR) if job.attempt else None
                with pytest.raises(IllegalTransition):
                    await drive.store.jobs.apply(change(job, edge, evidence=given))
        assert await drive.job(job) == job
        assert len(await drive.store.jobs.history(job.id)) == job.version + 1

    async def test_history_tells_who_moved_the_job_and_why(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        job = await drive.event(job, "rerun", Verdict.FAILED, actor="poller", reason="out of memory")
        job = await drive.dispatch(job)
        lines = await drive.store.jobs.history(job.id)
        assert [
            (line.version, line.event, line.from_state, line.to_state, line.attempt) for line in lines
        ] == [
            (0, "submit", None, "pending", 0),
            (1, "accept", "pending", "queued", 0),
            (2, "dispatch", "queued", "starting", 1),
            (3, "begin", "starting", "running", 1),
            (4, "rerun", "running", "queued", 1),
            (5, "dispatch", "queued", "starting", 2),
        ]
        assert (lines[4].actor, lines[4].reason, lines[5].actor) == ("poller", "out of memory", "dispatcher")
        assert len({line.operation_id for line in lines}) == 6
        assert await drive.store.jobs.history(job.id, after_version=3) == lines[4:]

    @pytest.mark.parametrize(("spec", "state"), STATES, ids=lambda v: v if isinstance(v, str) else v.name)
    async def test_a_state_sets_the_times(self, drive: Drive, spec: Spec, state: str) -> None:
        await drive.grant()
        job = await drive.to(state, spec)
        seconds = spec.state[state].deadline_seconds
        if seconds is None:
            assert job.deadline_at is None
            assert job.finished_at is not None
            assert abs(job.finished_at - job.entered_at) < SLACK
            assert job.settled == (await drive.store.jobs.money(job.id)).captured
        else:
            assert job.finished_at is None
            assert job.deadline_at is not None
            assert abs(job.deadline_at - job.entered_at - timedelta(seconds=seconds)) < SLACK

    async def test_a_job_that_comes_back_keeps_its_last_moment_in_the_queue(self, drive: Drive) -> None:
        await drive.grant()
        first = await drive.to("queued")
        await drive.advance(3_600)
        starting = await drive.dispatch(first)
        assert starting.deadline_at != first.deadline_at
        back = await drive.event(starting, "defer")
        assert back.deadline_at == first.deadline_at
        assert back.entered_at > first.entered_at

    async def test_a_deferred_job_waits_before_it_is_offered(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.event(await drive.to("starting"), "defer", defer_seconds=120)
        assert job.not_before is not None
        assert abs(job.not_before - job.entered_at - timedelta(seconds=120)) < SLACK
        assert await drive.store.attempts.dispatch(job.pool, accounts(job.pool), 1) == []
        await drive.advance(121)
        assert (await drive.dispatch(job)).not_before is None

    async def test_positions_count_the_jobs_of_the_pool_in_queue_order(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool()
        first, second = await drive.queued(pool, 2)
        [urgent] = await drive.queued(pool, 1, priority=5)
        elsewhere = await drive.to("queued")
        outside = await drive.insert(pool=pool)
        jobs: list[Job] = [urgent, first, second, elsewhere, outside]
        assert [await drive.store.jobs.position(job.id) for job in jobs] == [1, 2, 3, 1, 0]
        await drive.dispatch(urgent)
        assert [await drive.store.jobs.position(job.id) for job in jobs] == [0, 1, 2, 1, 0]
        assert await drive.store.jobs.position(uuid4()) == 0

    async def test_the_first_request_to_cancel_is_kept(self, drive: Drive) -> None:
        job = await drive.insert()
        asked = await drive.store.jobs.request_cancel(job.id)
        assert asked is not None
        assert asked.cancel_requested_at is not None
        assert (asked.state, asked.version) == (job.state, job.version)
        await drive.advance(60)
        assert await drive.store.jobs.request_cancel(job.id) == asked
        ended = await drive.event(asked, "cancel")
        assert ended.cancel_requested_at == asked.cancel_requested_at

    async def test_a_request_to_cancel_makes_the_attempt_due(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        await drive.store.attempts.due(accounts(job.pool), 10, 600)
        job = await drive.wants_cancel(job)
        assert len(await drive.store.attempts.due(accounts(job.pool), 10, 600)) == 1

    async def test_who_asks_to_cancel_and_why_is_kept_with_the_request(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")

        async def asks(wish: str) -> tuple[list[tuple[int, str, str, bool]], int]:
            await drive.store.jobs.request_cancel(job.id, wish)
            kept = await drive.store.hints.of(job.id, 10, 100)
            due = await drive.store.attempts.due(accounts(job.pool), 10, 600)
            return [(each.attempt, each.source, each.body, each.read) for each in kept], len(due)

        first, second = "Ada asks: too slow", "Bo asks: it is wrong"
        assert await asks(first) == ([(1, WISH, first, False)], 1)
        assert await asks(first) == ([(1, WISH, first, False)], 0)  # the same words are kept once
        assert await asks(second) == ([(1, WISH, first, False), (1, WISH, second, False)], 1)

    async def test_a_job_that_is_over_is_not_cancelled(self, drive: Drive) -> None:
        job = await drive.to("failed")
        assert await drive.store.jobs.request_cancel(job.id, "Ada asks: too late") == job
        assert await drive.store.hints.of(job.id, 10, 100) == []

    async def test_what_went_wrong_on_the_way_is_not_the_error_of_a_delivered_job(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        job = await drive.event(job, "rerun", Verdict.FAILED, error={"category": "provider"})
        assert job.error == {"category": "provider"}
        job = await drive.submit(await drive.dispatch(job))
        assert (await drive.event(job, "complete", Verdict.SUCCEEDED)).error is None

    async def test_output_and_error_are_kept_with_the_transition(self, drive: Drive) -> None:
        await drive.grant()
        done = await drive.event(
            await drive.to("running"), "complete", Verdict.SUCCEEDED, output={"files": ["a.png"]}
        )
        assert (done.output, done.error) == ({"files": ["a.png"]}, None)
        failed = await drive.event(await drive.to("queued"), "fail", error={"category": "late"})
        assert (failed.output, failed.error) == (None, {"category": "late"})

    async def test_live_jobs_are_counted_by_state(self, drive: Drive) -> None:
        await drive.grant()
        await drive.to("queued")
        for state in ("queued", "running", "completed", "cancelled"):
            await drive.to(state)
        await drive.to("awaiting_review", REVIEWED)
        assert await drive.store.live(PLAIN.name, 1) == {"queued": 2, "running": 1}
        assert await drive.store.live(REVIEWED.name, 1) == {"awaiting_review": 1}
        assert await drive.store.live(PLAIN.name, 2) == {}
        assert await drive.store.declared() == [(PLAIN.name, 1), (REVIEWED.name, 1)]
