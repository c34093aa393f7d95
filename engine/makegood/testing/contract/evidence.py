"""Evidence: what must be known about the current attempt before a submitted job may move."""

# ruff: noqa: D102 - the name of a test is its sentence

from uuid import uuid4

import pytest

from makegood.errors import GuardFailed
from makegood.job import FINAL_VERDICTS, Job, Phase, Verdict
from makegood.machine import Edge, Money, Spec
from makegood.testing.drive import PLAIN, REVIEWED, SPECS, Drive, change, edge_of, fact

WITH_RULE = [(spec, edge) for spec in SPECS for edge in spec.edges if spec.evidence(edge)]
OPENING = [(spec, edge) for spec in SPECS for edge in spec.edges if spec.opens_attempt(edge)]


def _name(value: Spec | Edge) -> str:
    return value.name if isinstance(value, Spec) else f"{value.source}-{value.event}"


async def submitted(drive: Drive, spec: Spec, edge: Edge) -> Job:
    """Return a submitted job that stands before *edge*."""
    job = await drive.to(edge.source, spec)
    if not job.submitted:
        job = await drive.submit(job)
    if edge.money is Money.POLICY:
        job = await drive.wants_cancel(job)
    return await drive.job(job)


async def refused(drive: Drive, job: Job, edge: Edge, **given: object) -> None:
    """Try *edge*, which must be held back for want of evidence and change nothing."""
    attempts = [await drive.attempt(job, n + 1) for n in range(job.attempt)]
    with pytest.raises(GuardFailed) as error:
        await drive.store.jobs.apply(change(job, edge, **given))
    assert error.value.unmet == ("evidence",)
    assert await drive.job(job) == job
    assert [await drive.attempt(job, n + 1) for n in range(job.attempt)] == attempts


class EvidenceContract:
    """What may move a submitted job, and what `Store.attempts.record` makes of an attempt."""

    @pytest.mark.parametrize(("spec", "edge"), WITH_RULE, ids=_name)
    async def test_an_edge_is_taken_on_evidence_that_fits_it(
        self, drive: Drive, spec: Spec, edge: Edge
    ) -> None:
        rule = spec.evidence(edge)
        assert rule is not None
        await drive.grant(100 * 2 * len(Verdict))
        for verdict in Verdict:
            for before in (True, False):
                job = await submitted(drive, spec, edge)
                known = fact(job, verdict)
                if before:
                    await drive.store.attempts.record(known)
                given = None if before else known
                if verdict in rule.verdicts:
                    assert (await drive.apply(job, edge, evidence=given)).state == edge.dest
                else:
                    await refused(drive, job, edge, evidence=given)

    @pytest.mark.parametrize(("spec", "edge"), WITH_RULE, ids=_name)
    async def test_a_submitted_job_is_not_moved_without_evidence(
        self, drive: Drive, spec: Spec, edge: Edge
    ) -> None:
        await drive.grant()
        job = await submitted(drive, spec, edge)
        await refused(drive, job, edge)

    @pytest.mark.parametrize(("spec", "edge"), WITH_RULE, ids=_name)
    async def test_evidence_about_another_job_moves_nothing(
        self, drive: Drive, spec: Spec, edge: Edge
    ) -> None:
        rule = spec.evidence(edge)
        assert rule is not None
        await drive.grant()
        other = await submitted(drive, spec, edge)
        job = await submitted(drive, spec, edge)
        for verdict in rule.verdicts:
            await refused(drive, job, edge, evidence=fact(other, verdict))

    @pytest.mark.parametrize(("spec", "edge"), OPENING, ids=_name)
    async def test_only_the_dispatcher_opens_attempts(self, drive: Drive, spec: Spec, edge: Edge) -> None:
        await drive.grant()
        job = await drive.to(edge.source, spec)
        with pytest.raises(GuardFailed) as error:
            await drive.store.jobs.apply(change(job, edge))
        assert error.value.unmet == ("attempt",)
        assert await drive.job(job) == job

    @pytest.mark.parametrize("event", ["fail", "cancel", "defer"])
    async def test_what_was_never_submitted_ends_without_evidence(self, drive: Drive, event: str) -> None:
        await drive.grant()
        job = await drive.to("starting")
        await drive.claim(job)
        moved = await drive.event(job, event)
        closed = await drive.attempt(moved)
        assert (closed.phase, closed.verdict) == (Phase.CLOSED, None)
        assert closed.closed_at is not None
        assert await drive.slots(job.pool) == (0, 0)

    async def test_an_intent_makes_an_older_decision_lose(self, drive: Drive) -> None:
        await drive.grant()
        before = await drive.to("starting")
        fail = change(before, edge_of(PLAIN, "starting", "fail"))
        job = await drive.submit(before)
        assert await drive.store.jobs.apply(fail) is None
        with pytest.raises(GuardFailed):
            await drive.event(job, "fail")
        assert (await drive.job(job)).state == "starting"

    async def test_the_first_attempt_does_not_settle_the_second(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        job = await drive.event(job, "rerun", Verdict.FAILED)
        job = await drive.submit(await drive.dispatch(job))
        assert job.attempt == 2
        for event, verdict in (
            ("fail", Verdict.FAILED),
            ("fail", Verdict.DEADLINE),
            ("complete", Verdict.SUCCEEDED),
            ("begin", Verdict.ACCEPTED),
        ):
            edge = edge_of(PLAIN, "starting", event)
            await refused(drive, job, edge)
            await refused(drive, job, edge, evidence=fact(job, verdict, attempt=1))

    async def test_accepted_evidence_names_the_task(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.submit(await drive.to("starting"))
        attempt = await drive.record(job, Verdict.ACCEPTED, task_id="t-1")
        assert (attempt.phase, attempt.task_id) == (Phase.ACCEPTED, "t-1")
        assert attempt.accepted_at is not None
        assert await drive.attempt(job) == attempt
        assert (await drive.job(job)).state == "starting"

    @pytest.mark.parametrize("verdict", sorted(FINAL_VERDICTS))
    async def test_a_final_verdict_frees_the_slot(self, drive: Drive, verdict: Verdict) -> None:
        await drive.grant()
        job = await drive.to("running")
        assert await drive.slots(job.pool) == (1, 0)
        attempt = await drive.record(job, verdict)
        assert (attempt.phase, attempt.verdict) == (Phase.CLOSED, verdict)
        assert attempt.closed_at is not None
        assert attempt.outputs == fact(job, verdict).outputs
        assert await drive.slots(job.pool) == (0, 0)
        assert await drive.job(job) == job

    @pytest.mark.parametrize("verdict", [Verdict.DEADLINE, Verdict.ADMINISTRATOR])
    async def test_our_own_verdicts_do_not_free_the_slot(self, drive: Drive, verdict: Verdict) -> None:
        await drive.grant()
        job = await drive.to("running")
        before = await drive.attempt(job)
        assert await drive.record(job, verdict) == before
        assert await drive.slots(job.pool) == (1, 0)

    async def test_the_first_final_verdict_wins(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        first = await drive.record(job, Verdict.FAILED)
        assert await drive.record(job, Verdict.SUCCEEDED) == first
        await refused(drive, job, edge_of(PLAIN, "running", "complete"))
        given = fact(job, Verdict.SUCCEEDED)
        await refused(drive, job, edge_of(PLAIN, "running", "complete"), evidence=given)
        assert (await drive.event(job, "fail")).state == "failed"

    async def test_the_same_evidence_again_changes_nothing(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.submit(await drive.to("starting"))
        for verdict in (Verdict.ACCEPTED, Verdict.SUCCEEDED):
            first = await drive.record(job, verdict)
            await drive.advance(60)
            assert await drive.record(job, verdict) == first

    async def test_a_late_acceptance_opens_nothing_again(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.submit(await drive.to("starting"))
        await drive.record(job, Verdict.SUCCEEDED, task_id=None)
        late = await drive.record(job, Verdict.ACCEPTED, task_id="t-1")
        assert (late.phase, late.verdict, late.task_id) == (Phase.CLOSED, Verdict.SUCCEEDED, "t-1")
        assert await drive.slots(job.pool) == (0, 0)
        assert (await drive.event(job, "begin")).state == "running"

    async def test_a_result_after_the_deadline_moves_nothing(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        failed = await drive.event(job, "fail", Verdict.DEADLINE)
        late = await drive.record(job, Verdict.SUCCEEDED)
        assert (late.phase, late.verdict) == (Phase.CLOSED, Verdict.SUCCEEDED)
        assert await drive.job(job) == failed
        assert (await drive.store.ledger.wallet("ada")).available == 1_000

    async def test_an_administrator_ends_a_job_and_cannot_send_it_on(self, drive: Drive) -> None:
        """What the provider still runs would be forgotten together with its slot."""
        await drive.grant()
        job = await drive.to("running", REVIEWED)
        for event in ("deliver", "hand_over"):
            with pytest.raises(GuardFailed):
                await drive.event(job, event, Verdict.ADMINISTRATOR)
        assert await drive.slots(job.pool) == (1, 0)
        await drive.event(job, "fail", Verdict.ADMINISTRATOR)
        assert await drive.slots(job.pool) == (1, 1)

    async def test_evidence_without_an_attempt_is_refused(self, drive: Drive) -> None:
        job = await drive.insert()
        for evidence in (fact(job, Verdict.FAILED, attempt=1), fact(job, Verdict.FAILED, job_id=uuid4())):
            with pytest.raises(Exception):  # noqa: B017, PT011 - a mistake of the caller; each store says so its own way
                await drive.store.attempts.record(evidence)
