"""A worker in a process of its own, to be killed; its arguments: DSN, job, plan as JSON, place."""

import asyncio
import json
import sys
from uuid import UUID

from makegood_adapters.postgres.store import PostgresStore
from tests.adapters.postgres.lives import Plan, live


async def work(dsn: str, job_id: UUID, plan: Plan, place: str) -> None:
    """Do what is done with the job at *place*, or live its whole life from there."""
    async with PostgresStore.open(dsn, connections_max=2) as store:
        job = await store.jobs.get(job_id)
        assert job is not None
        await live(store, job, plan, through=place)


if __name__ == "__main__":
    dsn, job_id, plan, place = sys.argv[1:]
    asyncio.run(work(dsn, UUID(job_id), json.loads(plan), place))
