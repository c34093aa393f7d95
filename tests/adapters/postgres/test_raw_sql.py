"""What no program can do with plain SQL, whatever statement it finds for it."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import asyncpg
import pytest

from makegood.job import Job, JobMoney, Verdict
from makegood.ports import PROLONGED_TIMES
from makegood.testing.drive import PLAIN, PRICE, Drive

FORBIDDEN = "MG005"

FROZEN = {
    "input_digest": "'another'",
    "job_id": "gen_random_uuid()",
    "owner_id": "'eve'",
    "type": "'contract_reviewed'",
    "type_version": "2",
    "pool": "'another'",
    "price": "1",
    "input": "'{}'",
    "request": "'{}'",
    "files": """'{"image": "x"}'""",
    "key": "'k'",
    "attempts_max": "99",
    "created_at": "now() - interval '1 day'",
    "retry_of": "job_id",
    "exclusive_scope": "'images'",
    "draft": "true",
    "session": "'another'",
}
WITH_THE_STATE = {
    "attempt": "attempt + 1",
    "settled": "1",
    "output": "'{}'",
    "error": "'{}'",
    "data": "'{}'",
    "event": "'fail'",
    "actor": "'somebody else'",
    "reason": "'why not'",
    "operation_id": "gen_random_uuid()",
}
WRITTEN_BY_THE_REFEREE = {
    "previous_state": "'failed'",
    "version": "99",
    "moved": "true",
    "money": "'release'",
    "waiting": "true",
    "slot": "false",
    "reruns": "99",
    "entered_at": "now() - interval '1 day'",
    "queued_at": "now() - interval '1 day'",
    "queue_deadline_at": "null",
    "deadline_at": "null",
    "finished_at": "now()",
    "start_tag": "-1",
    "parked": "'type'",
}
INSERT = """
    INSERT INTO makegood.job (job_id, owner_id, type, type_version, pool, state, actor, price, input,
                              request, attempts_max)
    VALUES (coalesce($1, gen_random_uuid()), 'ada', 'contract_plain', 1, 'pool', $2, 'eve', 100, '{}',
            '{}', 3)
"""


async def refusal(plain: asyncpg.Connection, sql: str, *arguments: object) -> str | None:
    """Execute *sql* and return the code with which it was refused."""
    with pytest.raises(asyncpg.PostgresError) as refused:
        await plain.execute(sql, *arguments)
    return refused.value.sqlstate


async def row(plain: asyncpg.Connection, job: Job) -> dict[str, object]:
    found = await plain.fetchrow("SELECT * FROM makegood.job WHERE job_id = $1", job.id)
    assert found is not None
    return dict(found)


async def completed(drive: Drive) -> Job:
    """Return a job that has left rows in every table that keeps them for ever."""
    await drive.grant()
    return await drive.event(await drive.to("running"), "complete", Verdict.SUCCEEDED)


async def test_what_a_job_was_ordered_as_never_changes(drive: Drive, plain: asyncpg.Connection) -> None:
    await drive.grant()
    job = await drive.to("running")
    await drive.record(job, Verdict.FAILED)
    for column, value in FROZEN.items():
        for state in ("running", "failed"):
            sql = f"UPDATE makegood.job SET state = $2, {column} = {value} WHERE job_id = $1"
            assert await refusal(plain, sql, job.id, state) == FORBIDDEN, (column, state)
    assert await drive.job(job) == job


async def test_what_belongs_to_a_move_changes_only_with_the_state(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    await drive.grant()
    job = await drive.to("running")
    for column, value in WITH_THE_STATE.items():
        sql = f"UPDATE makegood.job SET {column} = {value} WHERE job_id = $1"
        assert await refusal(plain, sql, job.id) in (FORBIDDEN, "MG001"), column
    assert await drive.job(job) == job


async def test_what_the_referee_writes_nobody_else_writes(drive: Drive, plain: asyncpg.Connection) -> None:
    await drive.grant()
    job = await drive.to("running")
    before = await row(plain, job)
    for column, value in WRITTEN_BY_THE_REFEREE.items():
        await plain.execute(f"UPDATE makegood.job SET {column} = {value} WHERE job_id = $1", job.id)
        changed = {k: v for k, v in (await row(plain, job)).items() if v != before[k]}
        assert changed.keys() <= {"moved"}, column  # by which the trigger tells that nothing has moved
    assert len(await drive.store.jobs.history(job.id)) == 4


async def test_every_column_of_a_job_is_accounted_for(plain: asyncpg.Connection) -> None:
    rows = await plain.fetch(
        "SELECT column_name FROM information_schema.columns"
        " WHERE (table_schema, table_name) = ('makegood', 'job')"
    )
    free = {"state", "intent_attempt", "priority", "not_before", "cancel_requested_at", "watched_until"}
    free |= {"progress_at", "metadata"}
    assert {r["column_name"] for r in rows} == {*FROZEN, *WITH_THE_STATE, *WRITTEN_BY_THE_REFEREE, *free}


async def test_the_watchdog_cannot_be_sent_away(drive: Drive, plain: asyncpg.Connection) -> None:
    job = await drive.insert()
    await plain.execute("UPDATE makegood.job SET watched_until = 'infinity' WHERE job_id = $1", job.id)
    await drive.advance(2 * 3_600)
    assert [late.id for late in await drive.store.jobs.overdue([], 10, 60)] == [job.id]


async def test_d29_no_writer_puts_a_deadline_off_for_ever(drive: Drive, plain: asyncpg.Connection) -> None:
    await drive.grant()
    write = "UPDATE makegood.job SET progress_at = $2 WHERE job_id = $1"
    later = await drive.now() + timedelta(days=9)
    uploads = await drive.to("starting")
    for day in range(20):
        await drive.advance(500)
        await plain.execute(write, uploads.id, later + timedelta(days=day))
    last = uploads.entered_at + timedelta(seconds=PROLONGED_TIMES * 600)
    assert (await drive.job(uploads)).deadline_at == last
    sent = await drive.submit(await drive.to("starting"))
    for job in (await drive.to("queued"), await drive.to("running"), sent):
        await plain.execute(write, job.id, later)
        assert (await drive.job(job)).deadline_at == job.deadline_at


async def test_the_intent_of_an_attempt_cannot_be_taken_back(drive: Drive, plain: asyncpg.Connection) -> None:
    await drive.grant()
    job = await drive.submit(await drive.to("starting"))
    for cover_up in (
        "intent_attempt = NULL",
        "intent_attempt = 0",
        "intent_attempt = NULL, state = 'failed'",
        "attempt = attempt + 1, state = 'failed'",
        "attempt = attempt + 1, state = 'queued'",
    ):
        sql = f"UPDATE makegood.job SET {cover_up} WHERE job_id = $1"
        assert await refusal(plain, sql, job.id) == FORBIDDEN, cover_up
    assert await drive.job(job) == job


async def test_a_wish_to_cancel_cannot_be_taken_back(drive: Drive, plain: asyncpg.Connection) -> None:
    await drive.grant()
    job = await drive.to("running")
    asked = await drive.store.jobs.request_cancel(job.id)
    await plain.execute("UPDATE makegood.job SET cancel_requested_at = NULL WHERE job_id = $1", job.id)
    assert await drive.job(job) == asked


@pytest.mark.parametrize(
    "column",
    [
        "account = 'pool-2-a'",
        "number = 2",
        "closed_at = NULL, phase = 'accepted'",
        "closed_at = now() + interval '1 day'",
        "intent_at = NULL",
        "task_id = 'another'",
        "token_hash = NULL",
        "verdict = 'failed'",
        "opened_at = now() - interval '1 day'",
    ],
)
async def test_what_happened_to_an_attempt_cannot_be_undone(
    drive: Drive, plain: asyncpg.Connection, column: str
) -> None:
    job = await completed(drive)
    await drive.pool()
    before = await drive.attempt(job)
    assert await refusal(plain, f"UPDATE makegood.attempt SET {column}") == FORBIDDEN
    assert await drive.attempt(job) == before


@pytest.mark.parametrize(
    ("table", "acts"),
    [
        ("journal", ("UPDATE", "DELETE", "TRUNCATE")),
        ("history", ("UPDATE", "DELETE", "TRUNCATE")),
        ("evidence", ("UPDATE", "DELETE", "TRUNCATE")),
        ("job", ("DELETE", "TRUNCATE")),
        ("attempt", ("DELETE", "TRUNCATE")),
        ("hold", ("DELETE", "TRUNCATE")),
        ("bucket", ("DELETE", "TRUNCATE")),
        ("machine", ("UPDATE", "DELETE", "TRUNCATE")),
        ("machine_edge", ("UPDATE", "DELETE", "TRUNCATE")),
        ("machine_state", ("DELETE", "TRUNCATE")),
    ],
)
async def test_permanent_rows(
    drive: Drive, plain: asyncpg.Connection, table: str, acts: Sequence[str]
) -> None:
    await completed(drive)
    column = {"journal": "amount", "machine_edge": "place", "machine": "version"}.get(table, "attempt")
    before = await plain.fetch(f"SELECT * FROM makegood.{table}")
    assert before
    for act in acts:
        sql = {
            "UPDATE": f"UPDATE makegood.{table} SET {column} = 1",
            "DELETE": f"DELETE FROM makegood.{table}",
            "TRUNCATE": f"TRUNCATE makegood.{table} CASCADE",
        }[act]
        assert await refusal(plain, sql) == FORBIDDEN, act
    assert await plain.fetch(f"SELECT * FROM makegood.{table}") == before


@pytest.mark.parametrize("state", sorted({state.name for state in PLAIN.states} - {"pending"}))
async def test_a_job_begins_as_pending_and_in_no_other_state(
    drive: Drive, plain: asyncpg.Connection, state: str
) -> None:
    assert await refusal(plain, INSERT, None, state) == "MG001"
    assert await plain.fetchval("SELECT count(*) FROM makegood.job") == 0


async def test_a_job_begins_with_nothing_that_its_inserter_claims(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    claims = {
        **{column: value for column, value in WRITTEN_BY_THE_REFEREE.items() if column != "deadline_at"},
        "attempt": "7",
        "intent_attempt": "7",
        "settled": "100",
        "event": "'complete'",
        "output": "'{}'",
        "error": "'{}'",
        "cancel_requested_at": "now()",
    }
    await plain.execute(
        INSERT.replace("attempts_max)", ", ".join(["attempts_max", *claims]) + ")").replace(
            "3)", ", ".join(["3", *claims.values()]) + ")"
        ),
        None,
        "pending",
    )
    await plain.execute(INSERT, None, "pending")
    forged, honest = await plain.fetch("SELECT * FROM makegood.job ORDER BY created_at")
    own = {"job_id", "operation_id", "created_at", "entered_at", "deadline_at"}
    assert {k: v for k, v in forged.items() if k not in own} == {
        k: v for k, v in honest.items() if k not in own
    }
    assert abs((forged["deadline_at"] - forged["created_at"]).total_seconds() - 180) < 1e-3


@pytest.mark.parametrize(
    "sql",
    [
        INSERT + " ON CONFLICT (job_id) DO UPDATE SET state = 'failed'",
        "MERGE INTO makegood.job USING (VALUES ($1::uuid, $2::text)) AS other (id, s) ON job_id = id"
        " WHEN MATCHED THEN UPDATE SET state = 'failed'",
        "WITH one AS (UPDATE makegood.job SET state = 'failed' WHERE job_id = $1 RETURNING job_id)"
        " UPDATE makegood.job SET state = 'cancelled' WHERE job_id <> $1 AND $2::text IS NOT NULL",
    ],
    ids=["upsert", "merge", "two updates in one statement"],
)
async def test_other_ways_to_write_pass_the_same_referee(
    drive: Drive, plain: asyncpg.Connection, sql: str
) -> None:
    await drive.grant()
    job, other = await drive.to("queued"), await drive.to("queued")
    await plain.execute(sql, job.id, "pending")
    assert (await drive.job(job)).state == "failed"
    assert await drive.store.jobs.money(job.id) == JobMoney(released=PRICE)
    ended = (await drive.job(other)).state == "cancelled"
    assert await drive.store.jobs.money(other.id) == (
        JobMoney(released=PRICE) if ended else JobMoney(held=PRICE)
    )
    wallet = await drive.store.ledger.wallet("ada")
    assert (wallet.available, wallet.held) == ((1_000, 0) if ended else (900, PRICE))


async def test_one_update_ends_many_jobs_of_many_owners(drive: Drive, plain: asyncpg.Connection) -> None:
    owners = ["ada", "bo", "cy"]
    jobs = []
    for owner in owners:
        await drive.grant(250, owner=owner, kind="bonus", priority=10)
        await drive.grant(250, owner=owner, kind="purchased", priority=20)
        jobs += [await drive.to("queued", owner=owner) for _ in range(4)]
    before = [await drive.store.ledger.wallet(owner) for owner in owners]
    assert [(b.available, b.held) for b in before] == [(100, 400)] * 3
    tag = await plain.execute("UPDATE makegood.job SET state = 'failed' WHERE state = 'queued'")
    assert tag == "UPDATE 12"
    for owner in owners:
        after = await drive.store.ledger.wallet(owner)
        assert [(b.remaining, b.held) for b in after.buckets] == [(250, 0), (250, 0)]
    for job in jobs:
        assert await drive.store.jobs.money(job.id) == JobMoney(released=PRICE)
        assert [t.to_state for t in await drive.store.jobs.history(job.id)] == ["pending", "queued", "failed"]


async def test_one_update_accepts_many_jobs_of_many_owners(drive: Drive, plain: asyncpg.Connection) -> None:
    for owner in ("ada", "bo"):
        await drive.grant(130, owner=owner, kind="bonus", priority=10)
        await drive.grant(270, owner=owner, kind="purchased", priority=20)
    jobs = [await drive.insert(owner=owner) for owner in ("ada", "bo", "ada", "bo", "ada", "bo")]
    await plain.execute("UPDATE makegood.job SET state = 'queued'")
    for owner in ("ada", "bo"):
        after = await drive.store.ledger.wallet(owner)
        assert [(b.remaining, b.held) for b in after.buckets] == [(0, 130), (100, 170)]
    assert [await drive.store.jobs.money(job.id) for job in jobs] == [JobMoney(held=PRICE)] * 6


async def test_one_bad_row_refuses_the_whole_update(drive: Drive, plain: asyncpg.Connection) -> None:
    await drive.grant(PRICE, owner="ada")
    await drive.grant(PRICE, owner="bo")
    await drive.to("queued", owner="ada")
    rich, poor = await drive.insert(owner="bo"), await drive.insert(owner="ada")
    sql = "UPDATE makegood.job SET state = 'queued' WHERE state = 'pending'"
    assert await refusal(plain, sql) == "MG402"
    assert await refusal(plain, "UPDATE makegood.job SET state = 'failed', price = 1") == FORBIDDEN
    assert await refusal(plain, "UPDATE makegood.job SET state = 'completed'") == "MG001"
    assert [await drive.job(job) for job in (rich, poor)] == [rich, poor]
    assert (await drive.store.ledger.wallet("bo")).available == PRICE


async def test_the_last_slot_is_taken_once(drive: Drive, plain: asyncpg.Connection, database: str) -> None:
    await drive.grant()
    pool = await drive.pool(capacity=1)
    jobs = await drive.queued(pool, 2)
    opens = "INSERT INTO makegood.attempt (job_id, number, account) VALUES ($1, 1, $2)"
    other = await asyncpg.connect(database)
    try:
        first = plain.transaction()
        await first.start()
        await plain.execute(opens, jobs[0].id, f"{pool}-a")
        second = asyncio.create_task(other.execute(opens, jobs[1].id, f"{pool}-a"))
        await blocked(plain, other)
        moves = "UPDATE makegood.job SET state = 'starting', attempt = 1 WHERE job_id = $1"
        await plain.execute(moves, jobs[0].id)
        await first.commit()
        with pytest.raises(asyncpg.PostgresError, match="slots of provider account"):
            await second
    finally:
        other.terminate()
    assert await drive.slots(pool) == (1, 0)


async def blocked(plain: asyncpg.Connection, other: asyncpg.Connection) -> None:
    """Return when *other* waits for a lock that *plain* holds."""
    waits = "SELECT $2 = ANY (pg_blocking_pids($1))"
    pids = (other.get_server_pid(), plain.get_server_pid())
    while not await plain.fetchval(waits, *pids):  # noqa: ASYNC110  # the database has no event to wait for
        await asyncio.sleep(0.005)


async def test_a_hold_is_settled_once(drive: Drive, plain: asyncpg.Connection) -> None:
    job = await completed(drive)
    assert await refusal(plain, "UPDATE makegood.hold SET captured = 0, released = amount") == FORBIDDEN
    assert await drive.store.jobs.money(job.id) == JobMoney(captured=PRICE)
