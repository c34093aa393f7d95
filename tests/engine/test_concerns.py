"""What needs a person is told in sentences, with what to do; and it is told no more when it is over."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from makegood import BaseJob, Catalog, Engine
from makegood.audit import Violation
from makegood.concerns import Concern, concerns_of
from makegood.machine import Event, Money, State
from makegood.ports import LOST_SECONDS, Heard, TroubleKind, Worker, WorkerName, WorkerState
from makegood.testing.clock import FakeClock
from makegood.testing.contract.capacities import NO_MONEY
from makegood.testing.contract.readings import uncertain
from makegood.testing.drive import SPECS, Drive, Plain, accounts
from makegood_adapters.memory import MemoryBlobs, MemoryStore

NOTHING_HEARD = Heard(since=None, last=0, last_by_webhook=0, before=0, before_by_webhook=0)


@pytest.fixture
async def drive() -> Drive:
    clock = FakeClock()
    store = MemoryStore(clock)
    await store.declare(SPECS)
    return Drive(store, clock.advance)


def engine_on(drive: Drive, *types: type[BaseJob]) -> Engine:
    return Engine(drive.store, Catalog(types), blobs=MemoryBlobs(), run_loops=False)


def a_worker(**given: Any) -> Worker:
    usual: dict[str, Any] = {
        "id": uuid4(),
        "name": WorkerName(host="gpu-host", pid=4711, number=1, version="0.1.0"),
        "state": WorkerState.RUNNING,
        "accounts": (),
        "health": {"relay": {"turns": 9, "failures": 0}},
    }
    return Worker(**{**usual, **given})


async def told(drive: Drive, kind: str) -> list[Concern]:
    found = await engine_on(drive).concerns()
    assert len({(each.kind, each.subject) for each in found}) == len(found)
    for each in found:
        assert each.what.endswith((".", "!", "?"))
        assert each.todo.endswith(".")
    return [each for each in found if each.kind == kind]


async def test_where_nothing_is_wrong_nothing_is_told(drive: Drive) -> None:
    await drive.grant()
    await drive.store.workers.beat(a_worker())
    await drive.to("running")
    assert await engine_on(drive).concerns() == []


async def test_a_process_that_has_died_until_it_is_forgotten(drive: Drive) -> None:
    dead, alive = a_worker(), a_worker(name=WorkerName(host="gpu-host", pid=4712))
    await drive.store.workers.beat(dead)
    await drive.advance(LOST_SECONDS + 1)
    await drive.store.workers.beat(alive)
    [lost] = await told(drive, "worker_lost")
    assert (lost.level, lost.subject) == ("warning", "process 4711 on gpu-host")
    assert "`makegood serve`" in lost.todo
    await drive.store.workers.leave(dead.id)
    assert await told(drive, "worker_lost") == []


async def test_that_no_process_works_where_jobs_wait(drive: Drive) -> None:
    assert await told(drive, "worker_lost") == []
    await drive.grant()
    await drive.to("queued")
    [nobody] = await told(drive, "worker_lost")
    assert (nobody.level, nobody.what) == (
        "alarm",
        "No process works on this database: 1 job cannot go on.",
    )
    await drive.store.workers.beat(a_worker())
    assert await told(drive, "worker_lost") == []


@pytest.mark.parametrize(
    ("state", "level", "what"),
    [
        ({"failures": 3, "last_error": "StoreUnavailable"}, "warning", "has failed 3 times in a row"),
        ({"hanging": True, "lag_seconds": 90.0}, "alarm", "has been in one turn for 90 s"),
        ({"over": True}, "alarm", "has ended"),
    ],
)
async def test_a_loop_that_does_not_go(drive: Drive, state: dict[str, Any], level: str, what: str) -> None:
    ill = a_worker(health={"relay": {"turns": 1, **state}, "poller": {"turns": 1}})
    await drive.store.workers.beat(ill)
    [failing] = await told(drive, "loop_failing")
    assert (failing.level, failing.subject) == (level, "process 4711 on gpu-host: relay")
    assert what in failing.what
    await drive.store.workers.beat(a_worker(id=ill.id))
    assert await told(drive, "loop_failing") == []


async def test_an_account_without_money_until_a_task_is_accepted(drive: Drive) -> None:
    await drive.grant()
    pool = await drive.pool()
    [name] = accounts(pool)
    await drive.store.attempts.unfit(name, NO_MONEY, 1.0, 1.0)
    assert await told(drive, "account_unfit") == []  # no process has it any more
    await drive.store.workers.beat(a_worker(accounts=(name,)))
    [unfit] = await told(drive, "account_unfit")
    assert (unfit.level, unfit.account) == ("alarm", name)
    assert unfit.what.startswith(f"The provider account {name} cannot be used: {NO_MONEY}")
    assert unfit.since is not None
    await drive.advance(2)
    await drive.to("running", pool=pool)
    assert await told(drive, "account_unfit") == []


async def test_an_account_whose_provider_does_not_answer(drive: Drive) -> None:
    pool = await drive.pool()
    [name] = accounts(pool)
    await drive.store.workers.beat(a_worker(accounts=(name,)))
    for _ in range(3):
        await drive.store.attempts.unanswered(name, "timed out")
    [unfit] = await told(drive, "account_unfit")
    assert (unfit.level, "timed out" in unfit.what) == ("warning", True)


async def test_a_type_whose_rules_the_store_refuses(drive: Drive) -> None:
    class Changed(BaseJob):
        name = Plain.name
        judged = State(deadline=timedelta(days=1))
        judge = Event(BaseJob.running >> judged)
        approve = Event(judged >> BaseJob.completed, money=Money.CAPTURE)
        decline = Event(judged >> BaseJob.failed, money=Money.RELEASE)

    async with engine_on(drive, Changed) as engine:
        [refused] = [each for each in await engine.concerns() if each.kind == "type_refused"]
    assert (refused.level, refused.subject) == ("alarm", "contract_plain@1")
    assert "Raise `version`" in refused.todo


async def test_an_uncertain_submission_becomes_an_alarm_when_it_lasts(drive: Drive) -> None:
    await drive.grant()
    await drive.store.workers.beat(worker := a_worker())
    job = await uncertain(drive, await drive.pool())
    [found] = await told(drive, TroubleKind.UNCERTAIN)
    assert (found.level, found.job_id, found.owner) == ("warning", job.id, "ada")
    assert f"makegood settle {job.id} --resolve 1 --actor" in found.todo
    await drive.advance(1_000)
    await drive.store.workers.beat(worker)
    [found] = await told(drive, TroubleKind.UNCERTAIN)
    assert found.level == "alarm"


@pytest.mark.parametrize(
    ("last", "before", "falls"), [(5, 100, True), (50, 100, False), (0, 40, False), (24, 100, True)]
)
async def test_webhooks_that_no_longer_come(drive: Drive, last: int, before: int, falls: bool) -> None:
    heard = Heard(since=None, last=50, last_by_webhook=last, before=100, before_by_webhook=before)
    found = concerns_of(await engine_on(drive).overview(), [], heard, {})
    assert [each.kind for each in found] == ["webhooks_missing"] * falls
    for few in (
        Heard(since=None, last=19, last_by_webhook=0, before=100, before_by_webhook=100),
        Heard(since=None, last=50, last_by_webhook=0, before=19, before_by_webhook=19),
    ):
        assert concerns_of(await engine_on(drive).overview(), [], few, {}) == []


async def test_violations_of_the_last_audit_come_first(drive: Drive) -> None:
    await drive.store.workers.beat(a_worker(health={"relay": {"failures": 1}}))
    job_id = uuid4()
    broken = Violation(code="hold_sums", subject="ada 7", owner="ada", job_id=job_id)
    first, second = await engine_on(drive).concerns(violations=[broken])
    assert (first.kind, first.level, second.level) == ("violation", "alarm", "warning")
    assert (first.job_id, first.owner) == (job_id, "ada")
    assert f"`makegood audit --job {job_id}`" in first.todo
