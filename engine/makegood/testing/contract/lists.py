"""Lists of jobs: newest first, page by page, undisturbed by what arrives; and reading for an owner alone."""

# ruff: noqa: D102 - the name of a test is its sentence

from datetime import timedelta
from typing import Any

import pytest

from makegood.job import Job, JobMoney
from makegood.ports import Cursor, JobFilter
from makegood.testing.drive import PLAIN, REVIEWED, Drive, new_job

ADA = JobFilter(owner="ada")


async def some(drive: Drive, number: int, **given: Any) -> list[Job]:
    """Return so many new jobs, newest first; two of each three have the same moment or nearly so."""
    made = []
    for each in range(number):
        if each % 3 == 0:
            await drive.advance(60.0)
        made.append(await drive.store.jobs.insert(new_job(**given)))
    return sorted(made, key=lambda job: (job.created_at, job.id), reverse=True)


class ListsContract:
    """What `Jobs.page` promises, and `get`, `history` and `money` of an owner."""

    async def test_pages_hold_every_job_once_newest_first_while_others_arrive(self, drive: Drive) -> None:
        wanted, seen, after = await some(drive, 7), list[Job](), None
        await some(drive, 2, owner="bo")
        while found := await drive.store.jobs.page(ADA, 3, after):
            seen += found
            after = Cursor(seen[-1].created_at, seen[-1].id)
            await some(drive, 1)
        assert seen == wanted

    async def test_without_an_owner_the_jobs_of_all_are_listed(self, drive: Drive) -> None:
        made = [*await some(drive, 2), *await some(drive, 2, owner="bo")]
        assert {job.id for job in await drive.store.jobs.page(JobFilter(), 10)} == {job.id for job in made}

    async def test_a_search_finds_by_id_task_key_or_owner_and_goes_with_the_other_filters(
        self, drive: Drive
    ) -> None:
        await drive.grant()
        running = await drive.to("running", key="order-1")
        others = await some(drive, 3, owner="bo")
        await some(drive, 1, owner="order-1")
        task = (await drive.attempt(running)).task_id
        assert task is not None

        async def ids(search: str, **given: Any) -> list[Any]:
            found = await drive.store.jobs.page(JobFilter(search=search, **given), 2)
            return [job.id for job in found]

        text = str(running.id)
        for beginning in (text, text.upper(), text.replace("-", ""), text[:23]):
            assert await ids(beginning) == [running.id]
        assert await ids(text[:7]) == []
        assert await ids(task) == [running.id]
        assert await ids(task, owner="bo") == []
        assert await ids(task, states=("queued",)) == []
        assert len(await ids("order-1")) == 2
        assert await ids("order-1", owner="ada", active=True, type=PLAIN.name) == [running.id]
        assert await ids("bo") == [job.id for job in others[:2]]
        rest = await drive.store.jobs.page(
            JobFilter(search="bo"), 5, Cursor(others[1].created_at, others[1].id)
        )
        assert rest == others[2:]
        for nothing in ("ord", "order-%", "b_", "", "-" * 36, "g" * 8):
            assert await ids(nothing) == []

    @pytest.mark.parametrize("owner", ["ada", None])
    async def test_a_list_is_of_what_was_asked_for(self, drive: Drive, owner: str | None) -> None:
        pending = await drive.store.jobs.insert(new_job())
        await drive.grant()
        queued = await drive.to("queued")
        failed = await drive.event(await drive.store.jobs.insert(new_job(REVIEWED)), "refuse")

        async def ids(**given: Any) -> set[Any]:
            found = await drive.store.jobs.page(JobFilter(owner=owner, **given), 10)
            return {job.id for job in found}

        assert await ids(states=("pending", "failed")) == {pending.id, failed.id}
        assert await ids(type=PLAIN.name) == {pending.id, queued.id}
        assert await ids(active=True) == {pending.id, queued.id}
        assert await ids(active=False) == {failed.id}
        assert await ids(active=True, states=("queued",)) == {queued.id}
        assert await ids(states=("nowhere",)) == set()

    async def test_a_list_is_of_the_time_that_was_asked_for(self, drive: Drive) -> None:
        first = await drive.store.jobs.insert(new_job())
        await drive.advance(3600.0)
        second = await drive.store.jobs.insert(new_job())
        between, moment = first.created_at + timedelta(minutes=30), timedelta(microseconds=1)
        page = drive.store.jobs.page
        assert await page(JobFilter(owner="ada", since=between), 10) == [second]
        assert await page(JobFilter(owner="ada", until=between), 10) == [first]
        assert await page(JobFilter(since=first.created_at, until=second.created_at), 10) == [first]
        assert await page(JobFilter(since=first.created_at + moment), 10) == [second]

    async def test_who_is_not_the_owner_reads_nothing_of_a_job(self, drive: Drive) -> None:
        await drive.grant()
        job, jobs = await drive.to("queued"), drive.store.jobs
        assert await jobs.get(job.id, owner=job.owner) == job
        assert await jobs.history(job.id, owner=job.owner) == await jobs.history(job.id) != []
        assert await jobs.money(job.id, owner=job.owner) == await jobs.money(job.id) != JobMoney()
        assert await jobs.get(job.id, owner="bo") is None
        assert await jobs.history(job.id, owner="bo") == []
        assert await jobs.money(job.id, owner="bo") == JobMoney()
