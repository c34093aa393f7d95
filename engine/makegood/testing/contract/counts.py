"""The provider's count of an account's tasks held against ours: tasks of others, and tasks that are gone."""

# ruff: noqa: D102 - the name of a test is its sentence

from makegood.job import Verdict
from makegood.outcome import Capacity
from makegood.ports import FOREIGN_SECONDS
from makegood.testing.contract.capacities import running, tell
from makegood.testing.contract.rests import dispatched
from makegood.testing.drive import Drive, accounts


class CountsContract:
    """What `Accounts` promises about a provider that counts other tasks than we do."""

    async def test_since_when_the_provider_counts_other_tasks_is_known(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(3)
        await drive.to("running", pool=pool)
        await tell(drive, pool, 3, in_use=1)
        assert (await drive.use(pool)).differs_since is None
        await tell(drive, pool, 3, in_use=2)
        first = (await drive.use(pool)).differs_since
        await drive.advance(60)
        await tell(drive, pool, 3, in_use=0)
        use = await drive.use(pool)
        assert (use.differs_since, use.in_use) == (first, 0)
        assert first is not None
        await tell(drive, pool, 3, in_use=1)
        assert (await drive.use(pool)).differs_since is None

    async def test_p7_tasks_of_others_take_places_and_never_the_last_one(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(4)
        await running(drive, pool, 1)
        await tell(drive, pool, 4, in_use=3)
        assert (await drive.use(pool)).foreign == 2
        await drive.queued(pool, 5)
        assert len(await dispatched(drive, pool)) == 1
        full = await drive.pool(3)
        await tell(drive, full, 3, in_use=3)
        await drive.queued(full, 3)
        assert ((await drive.use(full)).foreign, len(await dispatched(drive, full))) == (3, 1)

    async def test_tasks_of_others_take_places_of_the_provider_first(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(2)
        await tell(drive, pool, 5, in_use=3)
        await drive.queued(pool, 3)
        assert len(await dispatched(drive, pool)) == 2

    async def test_a_count_is_true_for_a_while_only(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(4)
        await tell(drive, pool, 4, in_use=3)
        await drive.advance(FOREIGN_SECONDS + 1)
        await drive.queued(pool, 4)
        assert ((await drive.use(pool)).foreign, len(await dispatched(drive, pool))) == (0, 4)

    async def test_a_count_without_others_gives_the_places_back(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(5)
        await tell(drive, pool, 3, in_use=2)
        await tell(drive, pool, 3, in_use=0)
        await drive.queued(pool, 5)
        assert ((await drive.use(pool)).foreign, len(await dispatched(drive, pool))) == (0, 5)

    async def test_a_count_during_which_tasks_came_or_went_is_not_compared(self, drive: Drive) -> None:
        await drive.grant()
        pool = await drive.pool(5)
        [name] = accounts(pool)
        store, told = drive.store.attempts, Capacity(5, 4)
        job = await drive.submit(await drive.to("starting", pool=pool))
        assert await store.mark(name) is None  # the task may be there, or not yet
        await store.surveyed(name, told, mark=None)
        before = await store.mark(name)
        await drive.record(job, Verdict.ACCEPTED)
        came = await store.mark(name)
        await store.surveyed(name, told, mark=before)
        use = await drive.use(pool)
        assert (use.foreign, use.differs_since, use.in_use) == (0, None, 4)
        await drive.record(job, Verdict.FAILED)
        await store.surveyed(name, told, mark=came)
        assert (await drive.use(pool)).foreign == 0
        await store.surveyed(name, told, mark=await store.mark(name))
        assert (await drive.use(pool)).foreign == 4

    async def test_a_provider_that_counts_fewer_for_long_has_all_tasks_asked_about_once(
        self, drive: Drive
    ) -> None:
        await drive.grant()
        pool = await drive.pool(5)
        [name] = accounts(pool)
        ask_all = drive.store.attempts.ask_all
        await running(drive, pool, 3)
        assert len(await drive.store.attempts.due([name], 10, 10**6)) == 3
        await tell(drive, pool, 5, in_use=2)
        assert await ask_all(name, 60) == 0
        await drive.advance(61)
        await tell(drive, pool, 5, in_use=1)
        assert [await ask_all(name, 60) for _ in range(2)] == [3, 0]
        assert len(await drive.store.attempts.due([name], 10, 10**6)) == 3
        await tell(drive, pool, 5, in_use=3)
        await tell(drive, pool, 5, in_use=2)
        await drive.advance(61)
        assert await ask_all(name, 60) == 3  # another time
