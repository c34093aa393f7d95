"""The stream: every transition once, of a job in its order, and nobody who reads on misses any."""

# ruff: noqa: D102 - the name of a test is its sentence

import asyncio
import random
from collections.abc import Callable
from uuid import uuid4

from makegood.job import Ending, Job, JobMoney, Transition, Verdict
from makegood.ports import Store
from makegood.testing.drive import PLAIN, Drive, change, edge_of, new_job

WRITERS, JOBS = 8, 6


async def all_placed(store: Store) -> None:
    """Give places until nothing is without one."""
    while await store.stream.place(100):
        pass


async def life(store: Store, owner: str) -> Job:
    """Insert a job that costs nothing and refuse it: two transitions."""
    job = await store.jobs.insert(new_job(owner=owner, price=0))
    moved = await store.jobs.apply(change(job, edge_of(PLAIN, "pending", "refuse")))
    assert moved is not None
    return moved


async def follow(
    store: Store, done: Callable[[], bool], dice: random.Random, owner: str | None = None
) -> list[Transition]:
    """Read the stream while it grows, in readings of any size; a reader knows only the last seq."""
    heard: list[Transition] = []
    while True:
        over = done()
        steps = await store.stream.read(heard[-1].seq or 0 if heard else 0, dice.randint(1, 7), owner)
        heard += steps[: dice.randint(1, 7)]  # a connection may break before all of it was told
        if over and not steps:
            return heard
        await asyncio.sleep(0)


class StreamContract:
    """What `Store.stream` promises."""

    async def test_an_empty_stream_has_nothing_to_place_and_nothing_to_read(self, drive: Drive) -> None:
        stream = drive.store.stream
        assert (await stream.place(10), await stream.read(0, 10), await stream.last()) == ({}, [], 0)

    async def test_a_whole_life_stands_in_it_in_its_order(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("completed")
        stream = drive.store.stream
        assert await stream.read(0, 10) == []
        assert await stream.place(100) == {"ada": 4}
        steps = await stream.read(0, 10)
        assert [step.seq for step in steps] == [1, 2, 3, 4]
        history = await drive.store.jobs.history(job.id)
        assert [(s.version, s.event, s.at, s.operation_id) for s in steps] == [
            (s.version, s.event, s.at, s.operation_id) for s in history
        ]
        assert await stream.last() == 4

    async def test_a_place_is_for_ever(self, drive: Drive) -> None:
        first = await life(drive.store, "ada")
        await all_placed(drive.store)
        before = await drive.store.stream.read(0, 10)
        assert {step.job_id for step in before} == {first.id}
        await life(drive.store, "bob")
        await all_placed(drive.store)
        after = await drive.store.stream.read(0, 10)
        assert after[: len(before)] == before
        assert [step.seq for step in after] == [1, 2, 3, 4]

    async def test_places_are_given_in_bounded_numbers(self, drive: Drive) -> None:
        for owner in ("ada", "bob", "ada"):
            await life(drive.store, owner)
        numbers = [await drive.store.stream.place(4) for _ in range(3)]
        assert [sum(placed.values()) for placed in numbers] == [4, 2, 0]
        assert [len(await drive.store.stream.read(0, limit)) for limit in (1, 5, 10)] == [1, 5, 6]

    async def test_reading_goes_on_after_every_place(self, drive: Drive) -> None:
        for owner in ("ada", "bob", "cleo"):
            await life(drive.store, owner)
        await all_placed(drive.store)
        whole = await drive.store.stream.read(0, 100)
        assert len(whole) == 6
        for step in whole:
            assert step.seq is not None
            assert await drive.store.stream.read(step.seq, 100) == whole[step.seq :]

    async def test_an_owner_reads_its_own(self, drive: Drive) -> None:
        for owner in ("ada", "bob", "ada", "bob"):
            await life(drive.store, owner)
        await all_placed(drive.store)
        whole = await drive.store.stream.read(0, 100)
        for owner in ("ada", "bob", "nobody"):
            own = [step for step in whole if step.owner == owner]
            assert await drive.store.stream.read(0, 100, owner) == own
            assert await drive.store.stream.read(0, 1, owner) == own[:1]
            for step in own:
                later = [s for s in own if (s.seq or 0) > (step.seq or 0)]
                assert await drive.store.stream.read(step.seq or 0, 100, owner) == later

    async def test_an_attempt_of_which_nothing_was_committed_has_no_place(self, drive: Drive) -> None:
        await drive.grant()
        job = await drive.to("running")
        await all_placed(drive.store)
        lost = change(job, edge_of(PLAIN, "running", "fail"))
        await drive.event(job, "complete", Verdict.SUCCEEDED)
        assert await drive.store.jobs.apply(lost) is None
        assert await drive.store.stream.place(100) == {"ada": 1}

    async def test_jobs_that_are_over_tell_their_last_step_and_their_money(self, drive: Drive) -> None:
        await drive.grant()
        error = {"category": "provider", "message": "It is over."}
        waits, done = await drive.to("queued"), await drive.to("completed")
        failed = await drive.event(await drive.to("queued"), "fail", error=error)
        told = await drive.store.stream.endings({waits.id, done.id, failed.id, uuid4()})
        assert told == {
            done.id: Ending(version=done.version, money=JobMoney(captured=done.price), error=None),
            failed.id: Ending(version=failed.version, money=JobMoney(released=failed.price), error=error),
        }
        assert await drive.store.stream.endings([]) == {}

    async def test_many_write_many_place_and_every_reader_hears_all_of_it_once(self, drive: Drive) -> None:
        store, dice, over = drive.store, random.Random(7), False

        async def writes(number: int) -> None:
            for n in range(JOBS):
                await life(store, f"owner {(number + n) % 3}")

        async def places() -> None:
            while not over:
                await store.stream.place(dice.randint(1, 20))
                await asyncio.sleep(0)

        placers = [asyncio.create_task(places()) for _ in range(2)]
        owners: list[str | None] = [None, "owner 0", "owner 1", "owner 2"]
        end = False
        readers = [asyncio.create_task(follow(store, lambda: end, dice, owner)) for owner in owners]
        await asyncio.gather(*(writes(number) for number in range(WRITERS)))
        over = True
        await asyncio.gather(*placers)
        await all_placed(store)
        end = True
        whole, *owned = await asyncio.gather(*readers)
        assert [step.seq for step in whole] == list(range(1, 2 * WRITERS * JOBS + 1))
        for owner, heard in zip(owners[1:], owned, strict=True):
            assert heard == [step for step in whole if step.owner == owner]
        lives: dict[object, list[int]] = {}
        for step in whole:
            lives.setdefault(step.job_id, []).append(step.version)
        assert list(lives.values()) == [[0, 1]] * (WRITERS * JOBS)
