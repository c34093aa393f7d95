"""The demo's look at the books finds what does not agree, whoever it is that lies."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from makegood import JobMoney
from makegood_adapters.cli.demo.reconcile import Findings, reconcile
from makegood_adapters.cli.demo.script import Part
from makegood_adapters.cli.demo.show import Ticket
from tests.scenarios.stage import OWNER, Stage, picture, staged

PRICE = 60
HILLS = files("makegood_adapters.cli").joinpath("pictures", "hills.png").read_bytes()


@dataclass
class Books:
    """What the witnesses say about a job that was delivered and one that failed."""

    stage: Stage
    results: Path
    tasks: list[dict[str, Any]]
    delivered: Ticket
    failed: Ticket
    balances: dict[str, tuple[int, int]]
    file: Path = field(init=False)

    def __post_init__(self) -> None:
        self.file = self.path(self.delivered)

    def path(self, ticket: Ticket) -> Path:
        return self.results / f"{ticket.part.number:03d}-upscaler-{OWNER}.png"

    async def reconcile(self, *more: Ticket) -> Findings:
        tickets = [self.delivered, self.failed, *more]
        return await reconcile(self.stage.dsn, self.tasks, tickets, self.results, self.balances)


@pytest_asyncio.fixture
async def books(database: str, tmp_path: Path) -> AsyncIterator[Books]:
    async with staged(database, tmp_path) as stage:
        tickets = []
        for number, faults in ((1, {}), (2, {"fail": "out of memory"})):
            job = await stage.settled(await stage.order(data=HILLS, **faults))
            part = Part(number, OWNER, "upscaler", ("hills.png",), {}, 0.0)
            money = await stage.engine.money(job.id)
            tickets.append(Ticket(part, job.id, job.price, "upscaler_jobs", job.state, money=money))
        wallet = await stage.engine.wallet(OWNER)
        results = tmp_path / "results"
        results.mkdir()
        tasks = [task.to_json(stage.simulator.url) for task in stage.simulator.tasks]
        told = {OWNER: (wallet.available, wallet.held)}
        delivered, failed = tickets
        found = Books(stage, results, tasks, delivered, failed, told)
        job = await stage.engine.get(delivered.job_id)
        found.file.write_bytes(await stage.result(job))
        yield found


async def test_true_books_agree(books: Books) -> None:
    assert await books.reconcile() == Findings(captured=PRICE, refunded=PRICE)


async def test_the_totals_are_each_of_its_own_kind(books: Books) -> None:
    """One was paid, three came back, and one is at the provider yet."""
    more = []
    for number, faults in ((3, {"fail": "again"}), (4, {"fail": "and again"}), (5, {"hold": "running"})):
        job = await books.stage.order(**faults)
        job = await (books.stage.settled(job) if "fail" in faults else books.stage.reached(job, "running"))
        part, money = Part(number, OWNER, "upscaler", (), {}, 0.0), await books.stage.engine.money(job.id)
        more.append(Ticket(part, job.id, job.price, "upscaler_jobs", job.state, money=money))
    wallet = await books.stage.engine.wallet(OWNER)
    books.balances[OWNER] = (wallet.available, wallet.held)
    assert wallet.held == PRICE
    found = await books.reconcile(*more)
    assert found == Findings(captured=PRICE, refunded=3 * PRICE, held=PRICE)


async def lose_the_file(books: Books) -> None:
    books.file.unlink()


async def swap_the_file(books: Books) -> None:
    books.file.write_bytes(HILLS)


async def cut_the_file(books: Books) -> None:
    books.file.write_bytes(books.file.read_bytes()[:2000])


async def deliver_the_failed_job_too(books: Books) -> None:
    books.path(books.failed).write_bytes(books.file.read_bytes())


async def leave_a_file_that_nobody_paid_for(books: Books) -> None:
    (books.results / "777-upscaler-ada.png").write_bytes(picture(1))


async def add_a_task_of_nobody(books: Books) -> None:
    books.tasks.append({**books.tasks[0], "id": "4711", "webhook_sha256": "0" * 64})


async def submit_an_attempt_twice(books: Books) -> None:
    books.tasks.append({**books.tasks[0], "id": "4711"})


async def forget_the_task(books: Books) -> None:
    del books.tasks[0]


async def let_the_task_fail(books: Books) -> None:
    books.tasks[0]["state"] = "FAILED"


async def tell_a_wrong_balance(books: Books) -> None:
    available, held = books.balances[OWNER]
    books.balances[OWNER] = (available + 1, held)


async def tell_of_credits_held(books: Books) -> None:
    available, held = books.balances[OWNER]
    books.balances[OWNER] = (available, held + 1)


async def tell_of_a_wrong_refund(books: Books) -> None:
    books.failed = replace(books.failed, money=JobMoney(released=PRICE - 1))


async def tell_of_a_failure_after_the_delivery(books: Books) -> None:
    books.delivered = replace(books.delivered, state="failed")


TAMPERED: dict[Callable[[Books], Awaitable[None]], str] = {
    lose_the_file: "is not on the disk",
    swap_the_file: "is not what the provider made",
    cut_the_file: "is not a whole picture",
    deliver_the_failed_job_too: "job 2 is failed and its result was delivered",
    leave_a_file_that_nobody_paid_for: "777-upscaler-ada.png is on the disk and nobody has paid for it",
    add_a_task_of_nobody: "task 4711 at the provider belongs to no attempt",
    submit_an_attempt_twice: "was submitted twice",
    forget_the_task: "is not what the provider made",
    let_the_task_fail: "is not what the provider made",
    tell_a_wrong_balance: "ada was told",
    tell_of_credits_held: "ada was told",
    tell_of_a_wrong_refund: "job 2 ended failed",
    tell_of_a_failure_after_the_delivery: "job 1 ended failed",
}


@pytest.mark.parametrize("tamper", TAMPERED, ids=lambda tamper: tamper.__name__)
async def test_a_lie_is_found(tamper: Callable[[Books], Awaitable[None]], books: Books) -> None:
    await tamper(books)
    findings = await books.reconcile()
    assert any(TAMPERED[tamper] in line for line in findings.disagreements), findings.disagreements


async def test_s2_a_job_told_completed_but_refunded_is_a_difference(books: Books) -> None:
    books.failed = replace(books.failed, state="completed", money=JobMoney(captured=PRICE))
    findings = await books.reconcile()
    # Its price twice: the wallet has the credits, and nothing was captured for what was delivered.
    assert findings.difference == 2 * PRICE
    assert any("job 2 ended completed" in line for line in findings.disagreements)


@pytest.mark.tampers
async def test_a_wallet_that_the_journal_does_not_explain_is_found(books: Books) -> None:
    await books.stage.sql.execute("set session_replication_role = replica")  # past every trigger
    await books.stage.sql.execute(
        "update makegood.bucket set remaining = remaining + 1, issued = issued + 1 where kind = 'purchased'"
    )
    told = (await books.reconcile()).disagreements
    assert any(line.startswith("bucket ") for line in told)
    assert any(line.startswith("violation: ") for line in told)


@pytest.mark.tampers
async def test_a_line_missing_from_the_journal_is_found(books: Books) -> None:
    await books.stage.sql.execute("set session_replication_role = replica")
    await books.stage.sql.execute("delete from makegood.journal where kind = 'capture' and amount = 20")
    told = (await books.reconcile()).disagreements
    assert any("the journal of ada jumps" in line for line in told)
    assert any("job 1 ended completed" in line for line in told)
