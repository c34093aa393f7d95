"""A few jobs in every situation that the audit judges, in one pool, each in a state of its own."""

from makegood.job import Job, Verdict
from makegood.testing.drive import PRICE, Drive


async def perform(drive: Drive) -> dict[str, Job]:
    """Return the jobs by state; `queued` has had an attempt, the attempt of `failed` still drains."""
    # The first job draws on two buckets.
    await drive.grant(PRICE - 40)
    await drive.grant(10 * PRICE)
    pool = await drive.pool()
    jobs = {
        "completed": await drive.to("completed", pool=pool),
        "running": await drive.to("running", pool=pool, key="first"),
        "failed": await drive.event(await drive.to("running", pool=pool), "fail", Verdict.DEADLINE),
        "cancelled": await drive.to("running", pool=pool),
        "starting": await drive.to("starting", pool=pool),
        "queued": await drive.event(await drive.to("starting", pool=pool), "defer"),
        "pending": await drive.insert(pool=pool, key="second"),
    }
    await drive.store.jobs.request_cancel(jobs["cancelled"].id)
    jobs["cancelled"] = await drive.event(await drive.job(jobs["cancelled"]), "cancel", Verdict.CANCELLED)
    assert all(job.state == state for state, job in jobs.items())
    return jobs
