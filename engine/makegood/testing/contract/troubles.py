"""What may need a person: each kind is brought about, is told with what is known of it, and goes."""

# ruff: noqa: D102 - the name of a test is its sentence

from uuid import UUID

from makegood.fairness import Scope
from makegood.job import Job, Verdict
from makegood.ports import (
    DRAINING_SECONDS,
    OVERDUE_SECONDS,
    SWITCHED_OFF,
    Trouble,
    TroubleKind,
)
from makegood.testing.contract.closing import REASON, close, refused
from makegood.testing.contract.endpoints import BAD, listening, taken, told
from makegood.testing.contract.readings import uncertain
from makegood.testing.contract.stream import life
from makegood.testing.drive import PLAIN, Drive, accounts, edge_of, fact, token_hash


async def troubles(drive: Drive, kind: TroubleKind) -> list[Trouble]:
    """Return what there is of one kind."""
    found = await drive.store.oversight.troubles()
    assert all(each.since is not None for each in found)
    return [each for each in found if each.kind is kind]


async def ended(drive: Drive, pool: str, n: int, *, webhook: bool) -> None:
    """Let *n* tasks succeed, of which a webhook tells first, or nobody but who asks."""
    for _ in range(n):
        job = await drive.to("running", pool=pool)
        if webhook:
            assert await drive.store.hints.receive(token_hash(await drive.attempt(job)), "body", None)
        await drive.advance(1)
        await drive.event(job, "complete", Verdict.SUCCEEDED)


def of(job: Job) -> tuple[UUID, int, str]:
    """Return what a trouble about the job's attempt names."""
    return job.id, job.attempt, job.owner


class TroublesContract:
    """What `Store.oversight` promises to tell of troubles."""

    async def test_an_uncertain_submission_until_it_is_settled(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool()
        assert await drive.store.oversight.troubles() == []
        job = await uncertain(drive, pool)
        [found] = await troubles(drive, TroubleKind.UNCERTAIN)
        assert (found.subject, found.job_id, found.attempt, found.owner) == (*accounts(pool), *of(job))
        await drive.event(job, "defer", Verdict.REJECTED)
        assert await drive.store.oversight.troubles() == []

    async def test_a_task_that_holds_its_slot_long_after_its_job(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.event(await drive.to("running"), "fail", Verdict.DEADLINE)
        assert await troubles(drive, TroubleKind.DRAINING) == []
        await drive.advance(DRAINING_SECONDS + 1)
        [found] = await troubles(drive, TroubleKind.DRAINING)
        assert (found.job_id, found.attempt, found.owner) == of(job)
        assert (found.since, found.detail) == (job.finished_at, f"task-{job.id}-1")
        assert found.until == (await drive.attempt(job)).draining_until
        await drive.record(job, Verdict.CANCELLED)
        assert await troubles(drive, TroubleKind.DRAINING) == []

    async def test_what_nobody_could_settle_until_a_person_has_looked(self, drive: Drive) -> None:
        await drive.grant()
        given_up = await drive.event(await drive.to("running"), "fail", Verdict.DEADLINE)
        await drive.record(given_up, Verdict.ABSENT, source="draining deadline")
        late = await drive.submit(await drive.to("starting", pool=given_up.pool))
        evidence = fact(late, Verdict.REJECTED, task_id=None)
        await drive.apply(late, edge_of(PLAIN, "starting", "fail"), evidence=evidence)
        await drive.record(late, Verdict.ACCEPTED, source="late webhook", task_id="task-9")
        for kind, job, task in (
            (TroubleKind.ABANDONED, given_up, f"task-{given_up.id}-1"),
            (TroubleKind.LATE, late, "task-9"),
        ):
            [found] = await troubles(drive, kind)
            assert (found.job_id, found.attempt, found.owner) == of(job)
            assert (found.subject, found.detail) == (*accounts(job.pool), task)
            await drive.record(job, Verdict.RESOLVED)
            assert await troubles(drive, kind) == []

    async def test_a_type_that_was_closed_until_it_is_resumed(self, drive: Drive) -> None:
        pool = await drive.pool(20)
        await refused(drive, pool, 3)
        assert await close(drive)
        [found] = await troubles(drive, TroubleKind.CLOSED)
        assert (found.subject, found.detail) == (PLAIN.name, REASON)
        await drive.store.rules.resume(Scope.TYPE, PLAIN.name, actor="olga")
        assert await troubles(drive, TroubleKind.CLOSED) == []

    async def test_an_endpoint_that_fails_but_none_that_was_switched_off(self, drive: Drive) -> None:
        store = drive.store
        made, off = await listening(store, description="the shop"), await listening(store)
        await store.endpoints.disable(off.id, SWITCHED_OFF)
        await life(store, "ada")
        await told(store)
        parcel, other = await taken(store)
        await store.deliveries.ended(parcel, BAD, 5.0)
        [found] = await troubles(drive, TroubleKind.ENDPOINT)
        assert (found.subject, found.detail, found.until) == (str(made.id), "the shop", None)
        await store.deliveries.give_back(other)
        await store.endpoints.disable(made.id, "it is gone")
        [found] = await troubles(drive, TroubleKind.ENDPOINT)
        assert found.until is not None
        await store.endpoints.enable(made.id)
        assert await troubles(drive, TroubleKind.ENDPOINT) == []

    async def test_a_job_that_is_in_its_state_for_too_long(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        assert job.deadline_at is not None
        await drive.advance((job.deadline_at - await drive.now()).total_seconds())
        assert await troubles(drive, TroubleKind.OVERDUE) == []
        await drive.advance(OVERDUE_SECONDS + 1)
        [found] = await troubles(drive, TroubleKind.OVERDUE)
        assert (found.job_id, found.owner, found.subject) == (job.id, "ada", "running")
        assert found.since == job.deadline_at
        await drive.event(job, "fail", Verdict.DEADLINE)
        assert await troubles(drive, TroubleKind.OVERDUE) == []

    async def test_how_one_first_heard_of_the_tasks_that_ended(self, drive: Drive) -> None:
        await drive.grant()
        pool, look = await drive.pool(3), drive.store.oversight
        assert (await look.heard()).last == 0
        await ended(drive, pool, 3, webhook=True)
        await ended(drive, pool, 1, webhook=False)
        heard = await look.heard(2, 9)
        assert (heard.last, heard.last_by_webhook) == (2, 1)
        assert (heard.before, heard.before_by_webhook) == (2, 2)
        assert heard.since is not None
        job = await drive.to("running", pool=pool)
        await drive.advance(1)
        await drive.event(job, "complete", Verdict.SUCCEEDED)
        await drive.advance(1)
        # One that comes when it is known was not the first.
        await drive.store.hints.receive(token_hash(await drive.attempt(job)), "body", None)
        assert (await look.heard(2, 9)).last_by_webhook == 0
