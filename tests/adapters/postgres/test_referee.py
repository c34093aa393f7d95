"""The database is the referee: what `UPDATE makegood.job SET state = …` by any other program leads to."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import product
from uuid import uuid4

import asyncpg
import pytest

from makegood.job import Job, JobMoney, Transition, Verdict, Wallet
from makegood.testing.drive import PLAIN, PRICE, Drive
from makegood_adapters.postgres.store import PostgresStore

STATES = ("pending", "queued", "starting", "running", "completed", "failed", "cancelled")

# Written by hand, not computed from the declaration. A row is where the job is, a column where the UPDATE
# wants it to be:
#   free, held, captured, released   carried out, and that is where the job's credits are afterwards
#   same                             nothing changes
#   illegal                          refused: there is no such edge
#   evidence                         refused: too little is known about the attempt
#   attempt                          refused: only who opens an attempt may move the job into its slot
NEVER_SUBMITTED = """
              pending   queued    starting  running   completed failed    cancelled
    pending   same      held      illegal   illegal   illegal   free      free
    queued    illegal   same      attempt   illegal   illegal   released  released
    starting  illegal   held      same      evidence  evidence  released  released
    completed illegal   illegal   illegal   illegal   same      illegal   illegal
    failed    illegal   illegal   illegal   illegal   illegal   same      illegal
    cancelled illegal   illegal   illegal   illegal   illegal   illegal   same
"""  # a job that was never submitted is never running: there is no evidence that would begin it
SUBMITTED = """
              pending   queued    starting  running   completed failed    cancelled
    queued    illegal   same      attempt   illegal   illegal   released  released
    starting  illegal   evidence  same      evidence  evidence  evidence  evidence
    running   illegal   evidence  illegal   same      evidence  evidence  evidence
    completed illegal   illegal   illegal   illegal   same      illegal   illegal
    failed    illegal   illegal   illegal   illegal   illegal   same      illegal
    cancelled illegal   illegal   illegal   illegal   illegal   illegal   same
"""  # a job that was submitted is never pending
PROVEN = """
              pending   queued    starting  running   completed failed    cancelled
    starting  illegal   held      same      held      evidence  released  released
    running   illegal   held      illegal   same      evidence  released  released
"""
# In PROVEN what the provider said fits the edge. Completing also needs the result in our storage, which a
# plain update does not bring; a cancellation without a price costs nothing.

# What the provider said, for the columns of PROVEN.
SAID = {
    ("starting", "queued"): Verdict.REJECTED,
    ("starting", "running"): Verdict.ACCEPTED,
    ("running", "queued"): Verdict.FAILED,
    ("running", "completed"): Verdict.SUCCEEDED,
    ("starting", "completed"): Verdict.SUCCEEDED,
    ("starting", "failed"): Verdict.ABSENT,
    ("running", "failed"): Verdict.FAILED,
    ("starting", "cancelled"): Verdict.CANCELLED,
    ("running", "cancelled"): Verdict.CANCELLED,
}
EVENTS = {
    ("pending", "queued"): "accept",
    ("pending", "failed"): "refuse",
    ("starting", "queued"): "defer",
    ("starting", "running"): "begin",
    ("running", "queued"): "rerun",
    "completed": "complete",
    "failed": "fail",
    "cancelled": "cancel",
}
REFUSALS = {"MG001": "illegal", "MG002": "evidence", "MG003": "attempt"}

# The wallet of 60 credits that are spent first and 100 that were bought, as (remaining, held, captured).
WALLETS = {
    "free": {"bonus": (60, 0, 0), "purchased": (100, 0, 0)},
    "held": {"bonus": (0, 60, 0), "purchased": (60, 40, 0)},
    "captured": {"bonus": (0, 0, 60), "purchased": (60, 0, 40)},
    "released": {"bonus": (60, 0, 0), "purchased": (100, 0, 0)},
}
MONEY = {
    "free": JobMoney(),
    "held": JobMoney(held=PRICE),
    "captured": JobMoney(captured=PRICE),
    "released": JobMoney(released=PRICE),
}

Route = Callable[[Drive, str, str], Awaitable[Job]]


def rows(table: str) -> dict[str, dict[str, str]]:
    head, *body = [line.split() for line in table.strip().splitlines()]
    return {state: dict(zip(head, cells, strict=True)) for state, *cells in body}


async def never_submitted(drive: Drive, owner: str, state: str) -> Job:
    """Return a job in *state* of which nothing was ever sent."""
    if state == "pending":
        return await drive.insert(owner=owner)
    if state in ("failed", "cancelled"):
        queued = await drive.to("queued", owner=owner)
        return await drive.event(queued, {"failed": "fail", "cancelled": "cancel"}[state])
    job = await drive.to("queued" if state == "queued" else "starting", owner=owner)
    return await drive.event(job, "complete", Verdict.ADMINISTRATOR) if state == "completed" else job


async def submitted(drive: Drive, owner: str, state: str) -> Job:
    """Return a job in *state* whose latest attempt the provider may know."""
    if state in ("queued", "starting"):
        job = await drive.submit(await drive.to("starting", owner=owner))
        return await drive.event(job, "defer", Verdict.REJECTED) if state == "queued" else job
    job = await drive.to("running", owner=owner)
    match state:
        case "completed":
            return await drive.event(job, "complete", Verdict.SUCCEEDED)
        case "failed":
            return await drive.event(job, "fail", Verdict.FAILED)
        case "cancelled":
            job = await drive.wants_cancel(job)
            return await drive.event(job, "cancel", Verdict.CANCELLED)
        case _:
            return job


async def take_two_buckets(drive: Drive, owner: str) -> None:
    await drive.grant(60, kind="bonus", priority=10, owner=owner)
    await drive.grant(100, kind="purchased", priority=20, owner=owner)


class Books:
    """Everything that a move of one job may touch, as it was before."""

    def __init__(self, store: PostgresStore, job: Job) -> None:
        self.store, self.job = store, job
        self.wallet: Wallet
        self.history: list[Transition]
        self.announced: int

    async def open(self, plain: asyncpg.Connection) -> None:
        self.wallet = await self.store.ledger.wallet(self.job.owner)
        self.history = await self.store.jobs.history(self.job.id)
        self.announced = await self._announcements(plain)

    async def check_unchanged(self, plain: asyncpg.Connection) -> None:
        assert await self.store.jobs.get(self.job.id) == self.job
        assert await self.store.ledger.wallet(self.job.owner) == self.wallet
        assert await self.store.jobs.history(self.job.id) == self.history
        assert await self._announcements(plain) == self.announced

    async def check_moved(self, plain: asyncpg.Connection, state: str, credits: str) -> None:
        wallet = await self.store.ledger.wallet(self.job.owner)
        found = {b.kind: (b.remaining, b.held, b.captured) for b in wallet.buckets}
        assert found == WALLETS[credits]
        assert await self.store.jobs.money(self.job.id) == MONEY[credits]
        *before, last = await self.store.jobs.history(self.job.id)
        assert before == self.history
        event = EVENTS.get((self.job.state, state)) or EVENTS[state]
        user = await plain.fetchval("SELECT session_user")
        assert (last.event, last.actor, last.reason) == (event, f"database:{user}", None)
        assert (last.from_state, last.to_state) == (self.job.state, state)
        assert last.version == self.job.version + 1
        assert last.operation_id not in {transition.operation_id for transition in before}
        assert await self._announcements(plain) == self.announced + 1
        moved = await self.store.jobs.get(self.job.id)
        assert moved is not None
        assert (moved.state, moved.version) == (state, last.version)

    async def _announcements(self, plain: asyncpg.Connection) -> int:
        count: int = await plain.fetchval(
            "SELECT count(*) FROM makegood.outbox WHERE job_id = $1", self.job.id
        )
        return count


async def set_state(plain: asyncpg.Connection, job: Job, state: str) -> str:
    """Do what any program may do, and return the word for what came of it."""
    try:
        await plain.execute("UPDATE makegood.job SET state = $2 WHERE job_id = $1", job.id, state)
    except asyncpg.PostgresError as error:
        return REFUSALS[str(error.sqlstate)]
    return str(await plain.fetchval("SELECT state FROM makegood.job WHERE job_id = $1", job.id))


async def check_row(
    drive: Drive, plain: asyncpg.Connection, source: str, expected: dict[str, str], route: Route
) -> None:
    """Try one row of a table, each cell with a job and a wallet of its own."""
    store = drive.store
    assert isinstance(store, PostgresStore)
    found = {}
    for state, cell in expected.items():
        await take_two_buckets(drive, owner=f"{source}-{state}")
        books = Books(store, await route(drive, f"{source}-{state}", state))
        await books.open(plain)
        came = await set_state(plain, books.job, state)
        found[state] = "same" if came == source else came
        if came == state != source and cell in MONEY:
            found[state] = cell
            await books.check_moved(plain, state, cell)
        else:
            await books.check_unchanged(plain)
    assert found == expected


def test_the_tables_know_every_pair_of_states() -> None:
    known = [rows(NEVER_SUBMITTED), rows(SUBMITTED)]
    assert {(a, b) for table in known for a in table for b in table[a]} == set(product(STATES, STATES))
    assert set(STATES) == {state.name for state in PLAIN.states}


@pytest.mark.parametrize(("source", "expected"), rows(NEVER_SUBMITTED).items(), ids=rows(NEVER_SUBMITTED))
async def test_a_plain_update_of_a_job_never_submitted(
    drive: Drive, plain: asyncpg.Connection, source: str, expected: dict[str, str]
) -> None:
    async def route(drive: Drive, owner: str, _: str) -> Job:
        return await never_submitted(drive, owner, source)

    await check_row(drive, plain, source, expected, route)


@pytest.mark.parametrize(("source", "expected"), rows(SUBMITTED).items(), ids=rows(SUBMITTED))
async def test_c7_a_plain_update_of_a_submitted_job(
    drive: Drive, plain: asyncpg.Connection, source: str, expected: dict[str, str]
) -> None:
    async def route(drive: Drive, owner: str, _: str) -> Job:
        return await submitted(drive, owner, source)

    await check_row(drive, plain, source, expected, route)


@pytest.mark.parametrize(("source", "expected"), rows(PROVEN).items(), ids=rows(PROVEN))
async def test_a_plain_update_of_a_job_of_which_enough_is_known(
    drive: Drive, plain: asyncpg.Connection, source: str, expected: dict[str, str]
) -> None:
    async def route(drive: Drive, owner: str, state: str) -> Job:
        job = await submitted(drive, owner, source)
        job = await drive.wants_cancel(job)
        if verdict := SAID.get((source, state)):
            await drive.record(job, verdict)
        return await drive.job(job)

    await check_row(drive, plain, source, expected, route)


async def test_a_failed_job_is_refunded_once_and_for_ever(drive: Drive, plain: asyncpg.Connection) -> None:
    await take_two_buckets(drive, "ada")
    job = await drive.to("queued")
    wallet = await drive.store.ledger.wallet("ada")
    assert (wallet.available, wallet.held) == (60, 100)
    assert await set_state(plain, job, "failed") == "failed"
    refunded = Books(_postgres(drive), await drive.job(job))
    await refunded.open(plain)
    assert [(b.remaining, b.held) for b in refunded.wallet.buckets] == [(60, 0), (100, 0)]
    assert refunded.job.error == {
        "category": "external",
        "detail": {},
        "message": "Another program ended the job.",
    }
    assert await set_state(plain, job, "failed") == "failed"
    await refunded.check_unchanged(plain)
    for way_out in STATES:
        if way_out != "failed":
            assert await set_state(plain, job, way_out) == "illegal"
    await refunded.check_unchanged(plain)


async def test_credits_that_expired_meanwhile_come_back_as_grace(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    soon = await drive.now() + timedelta(days=1)
    await drive.grant(60, kind="bonus", priority=10, expires_at=soon)
    await drive.grant(100, kind="purchased", priority=20)
    job = await drive.to("queued")
    await drive.advance(86_401)
    await drive.store.ledger.expire(10)
    assert await set_state(plain, job, "failed") == "failed"
    after = await drive.store.ledger.wallet("ada")
    found = {b.kind: (b.issued, b.remaining, b.held, b.expired) for b in after.buckets}
    assert found == {"bonus": (60, 0, 0, 60), "purchased": (100, 100, 0, 0), "grace": (60, 60, 0, 0)}
    assert (after.available, after.held) == (160, 0)
    assert await drive.store.jobs.money(job.id) == JobMoney(released=PRICE)


async def test_evidence_of_the_first_attempt_does_not_settle_the_second(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    await drive.grant()
    job = await drive.event(await drive.to("running"), "rerun", Verdict.FAILED)
    job = await drive.submit(await drive.dispatch(job))
    for state in ("failed", "cancelled", "queued", "completed", "running"):
        assert await set_state(plain, job, state) == "evidence"
    await drive.record(job, Verdict.SUCCEEDED, attempt=1)  # late, and about a task that is over
    assert await set_state(plain, job, "completed") == "evidence"
    await drive.record(job, Verdict.FAILED)
    assert await set_state(plain, job, "failed") == "failed"
    assert await drive.store.jobs.money(job.id) == JobMoney(released=PRICE)


async def test_a_cancellation_that_nobody_asked_for_is_a_failure(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    await drive.grant()
    job = await drive.to("running")
    await drive.record(job, Verdict.CANCELLED)
    assert await set_state(plain, job, "cancelled") == "evidence"
    assert await set_state(plain, job, "failed") == "failed"


async def test_whoever_opens_an_attempt_may_move_its_job_into_the_slot(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    await drive.grant()
    job = await drive.to("queued")
    opens = "INSERT INTO makegood.attempt (job_id, number, account) VALUES ($1, $2, $3)"
    move = "UPDATE makegood.job SET state = 'starting', attempt = $2 WHERE job_id = $1"
    with pytest.raises(asyncpg.PostgresError, match="without an open attempt"):
        await plain.execute(move, job.id, 1)
    async with plain.transaction():
        await plain.execute(opens, job.id, 1, f"{job.pool}-a")
        await plain.execute(move, job.id, 1)
    assert (await drive.job(job)).state == "starting"
    assert await drive.slots(job.pool) == (1, 0)


async def test_a_full_account_takes_no_other_attempt(drive: Drive, plain: asyncpg.Connection) -> None:
    await drive.grant()
    pool = await drive.pool(capacity=1)
    await drive.to("starting", pool=pool)
    waiting = await drive.to("queued", pool=pool)
    with pytest.raises(asyncpg.PostgresError) as refused:
        await plain.execute(
            "INSERT INTO makegood.attempt (job_id, number, account) VALUES ($1, 1, $2)",
            waiting.id,
            f"{pool}-a",
        )
    assert refused.value.sqlstate == "MG004"
    assert await drive.slots(pool) == (1, 0)


async def test_evidence_about_an_attempt_that_was_never_sent_is_refused(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    await drive.grant()
    job = await drive.to("starting")
    insert = "INSERT INTO makegood.evidence (job_id, attempt, verdict, source) VALUES ($1, $2, $3, 'me')"
    for attempt, verdict in ((1, "succeeded"), (1, "failed"), (2, "succeeded")):
        with pytest.raises(asyncpg.PostgresError):
            await plain.execute(insert, job.id, attempt, verdict)
    with pytest.raises(asyncpg.PostgresError):
        await plain.execute(insert, uuid4(), 1, "administrator")
    assert await set_state(plain, job, "completed") == "evidence"


def _postgres(drive: Drive) -> PostgresStore:
    assert isinstance(drive.store, PostgresStore)
    return drive.store
