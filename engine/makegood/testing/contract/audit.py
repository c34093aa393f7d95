"""The audit: every invariant is counted, credits add up, and what is legal is no violation."""

# ruff: noqa: D102 - the name of a test is its sentence

from datetime import timedelta

from makegood.audit import INVARIANTS, OVERDUE, Totals
from makegood.job import Verdict
from makegood.lifecycle import BaseJob
from makegood.ports import Store
from makegood.testing.drive import PRICE, Drive

GRANTED = 1_000


def totals(owner: str | None, issued: int = 0, *, held: int = 0, captured: int = 0) -> Totals:
    """Return totals of which nothing has expired."""
    remaining = issued - held - captured
    return Totals(owner=owner, issued=issued, remaining=remaining, held=held, captured=captured, expired=0)


class AuditContract:
    """What `Store.audit` promises."""

    async def test_an_empty_store_has_every_invariant_and_no_credits(self, store: Store) -> None:
        audit = await store.audit()
        assert list(audit.counts.items()) == [(code, 0) for code in INVARIANTS]
        assert (audit.violations, audit.broken, audit.owners, audit.totals) == ((), 0, 0, ())
        assert audit.total == totals(None)

    async def test_credits_add_up_for_each_owner_and_for_all(self, drive: Drive) -> None:
        for owner in ("cleo", "ada", "bob"):
            await drive.grant(GRANTED, owner=owner)
        await drive.to("running", owner="ada")
        await drive.to("completed", owner="bob")
        await drive.event(await drive.to("running", owner="cleo"), "fail", Verdict.FAILED)
        before = await drive.now()
        audit = await drive.store.audit()
        assert before <= audit.at <= await drive.now()
        assert audit.totals == (
            totals("ada", GRANTED, held=PRICE),
            totals("bob", GRANTED, captured=PRICE),
            totals("cleo", GRANTED),
        )
        assert audit.total == totals(None, 3 * GRANTED, held=PRICE, captured=PRICE)
        assert (audit.owners, audit.broken) == (3, 0)

    async def test_expired_credits_are_counted(self, drive: Drive) -> None:
        until = await drive.now() + timedelta(days=1)
        await drive.grant(GRANTED, expires_at=until)
        await drive.advance(86_401)
        await drive.store.ledger.expire(10)
        [ada] = (await drive.store.audit()).totals
        assert (ada.issued, ada.remaining, ada.expired, ada.difference) == (GRANTED, 0, GRANTED, 0)

    async def test_totals_are_those_of_one_owner_or_of_the_first(self, drive: Drive) -> None:
        for owner in ("cleo", "ada", "bob"):
            await drive.grant(GRANTED, owner=owner)
        for given, names in [
            ({"owners_max": 2}, ["ada", "bob"]),
            ({"owners_max": 0}, []),
            ({"owner": "cleo"}, ["cleo"]),
            ({"owner": "nobody"}, []),
        ]:
            audit = await drive.store.audit(**given)  # type: ignore[arg-type]  # of both kinds
            assert [t.owner for t in audit.totals] == names
            assert (audit.total.issued, audit.owners) == (3 * GRANTED, 3)

    async def test_a_job_is_overdue_two_days_after_its_deadline(self, drive: Drive) -> None:
        job = await drive.insert()
        assert BaseJob.pending.deadline is not None
        await drive.advance((BaseJob.pending.deadline + OVERDUE).total_seconds() - 60)
        assert (await drive.store.audit()).broken == 0
        await drive.advance(120)
        audit = await drive.store.audit()
        assert {code: n for code, n in audit.counts.items() if n} == {"job_overdue": 1}
        [late] = audit.violations
        assert (late.code, late.owner, late.job_id) == ("job_overdue", job.owner, job.id)
        assert str(late) == f"{INVARIANTS['job_overdue']}: {job.id} pending"
        await drive.event(job, "refuse")
        assert (await drive.store.audit()).broken == 0

    async def test_all_violations_are_counted_and_the_first_are_named(self, drive: Drive) -> None:
        jobs = [await drive.insert() for _ in range(3)]
        assert BaseJob.pending.deadline is not None
        await drive.advance((BaseJob.pending.deadline + OVERDUE).total_seconds() + 60)
        for rows_max, named in ((0, 1), (2, 2), (100, 3)):
            audit = await drive.store.audit(rows_max=rows_max)
            assert (audit.broken, len(audit.violations)) == (3, named)
            first = sorted(str(job.id) for job in jobs)[:named]
            assert [str(violation.job_id) for violation in audit.violations] == first
        for job in jobs:
            await drive.event(job, "refuse")

    async def test_fewer_slots_than_are_in_use_are_no_violation(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(2)
        for job in await drive.queued(pool, 2):
            await drive.dispatch(job)
        for capacity in (1, 0):
            await drive.resize(pool, capacity)
            assert (await drive.store.audit()).violations == ()
        assert await drive.slots(pool) == (2, 0)
