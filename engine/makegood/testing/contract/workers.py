"""Processes: each writes its own row, and those that died are forgotten by the others."""

# ruff: noqa: D102 - the name of a test is its sentence

from dataclasses import replace
from uuid import uuid4

from makegood.ports import Worker, WorkerName, WorkerState
from makegood.testing.drive import Drive

NAME = WorkerName(host="gpu-host", pid=4711, number=2, version="0.1.0")


def a_worker() -> Worker:
    """Return a process that has just begun."""
    return Worker(
        id=uuid4(),
        name=NAME,
        state=WorkerState.RUNNING,
        accounts=("main", "spare"),
        health={"relay": {"turns": 7, "lag_seconds": 0.25, "last_error": None}},
    )


class WorkersContract:
    """What `Store.workers` promises."""

    async def test_a_process_is_listed_as_it_described_itself(self, drive: Drive) -> None:
        worker = a_worker()
        await drive.store.workers.beat(worker)
        [seen] = await drive.store.workers.present()
        assert seen == replace(worker, started_at=seen.started_at, seen_at=seen.seen_at)
        assert seen.started_at is not None
        assert seen.seen_at is not None
        assert seen.seen_at >= seen.started_at

    async def test_each_beat_is_later_and_the_start_stays(self, drive: Drive) -> None:
        worker = a_worker()
        await drive.store.workers.beat(worker)
        [first] = await drive.store.workers.present()
        await drive.advance(60)
        ends = replace(worker, state=WorkerState.DRAINING, accounts=(), health={})
        await drive.store.workers.beat(ends)
        [second] = await drive.store.workers.present()
        assert (second.state, second.accounts, second.health) == (WorkerState.DRAINING, (), {})
        assert second.started_at == first.started_at
        assert first.seen_at is not None
        assert second.seen_at is not None
        assert (second.seen_at - first.seen_at).total_seconds() >= 60

    async def test_who_leaves_is_not_listed_any_more_and_may_leave_twice(self, drive: Drive) -> None:
        stays, leaves = a_worker(), a_worker()
        for worker in (leaves, stays):
            await drive.store.workers.beat(worker)
        for _ in range(2):
            await drive.store.workers.leave(leaves.id)
        assert [worker.id for worker in await drive.store.workers.present()] == [stays.id]

    async def test_the_unseen_are_forgotten_some_at_a_time_and_the_seen_never(self, drive: Drive) -> None:
        lost, alive = [a_worker() for _ in range(3)], a_worker()
        for worker in lost:
            await drive.store.workers.beat(worker)
        await drive.store.workers.beat(alive)
        assert await drive.store.workers.forget(300, 10) == 0
        await drive.advance(301)
        await drive.store.workers.beat(alive)
        assert await drive.store.workers.forget(300, 2) == 2
        assert await drive.store.workers.forget(300, 2) == 1
        assert await drive.store.workers.forget(300, 2) == 0
        assert [worker.id for worker in await drive.store.workers.present()] == [alive.id]

    async def test_processes_are_listed_in_the_order_of_their_start(self, drive: Drive) -> None:
        workers = [a_worker() for _ in range(3)]
        for worker in workers:
            await drive.store.workers.beat(worker)
            await drive.advance(1)
        await drive.store.workers.beat(workers[0])
        assert [worker.id for worker in await drive.store.workers.present()] == [w.id for w in workers]
