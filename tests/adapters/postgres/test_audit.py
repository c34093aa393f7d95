"""The view `violation` sees what only a superuser without triggers can do to the books, each for itself."""

from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from makegood.audit import INVARIANTS
from makegood.errors import StoreError
from makegood.testing.drive import Drive
from makegood_adapters.postgres.store import PostgresStore
from tests.adapters.audit_scene import perform

JOB = "(SELECT job_id FROM makegood.job WHERE state = '{}')"
COMPLETED, RUNNING, FAILED, STARTING, QUEUED, PENDING = (
    JOB.format(state) for state in ("completed", "running", "failed", "starting", "queued", "pending")
)


@dataclass(frozen=True)
class Tampering:
    """What somebody does, which state the job is in that it is done to, and what else it breaks."""

    code: str
    sql: str
    state: str | None = None
    also: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return self.code


TAMPERINGS = [
    Tampering("bucket_sums", "UPDATE makegood.bucket SET issued = issued + 9, remaining = remaining + 9"),
    Tampering(
        "bucket_sums",
        "UPDATE makegood.bucket SET held = held - 1, remaining = remaining + 1 WHERE held > 0",
    ),
    Tampering("bucket_sums", "DELETE FROM makegood.bucket WHERE held = 0"),
    Tampering(
        "hold_sums",
        # the sums of the job stay as they are
        "UPDATE makegood.hold SET amount = amount + sign, captured = captured + sign FROM (SELECT bucket_id,"
        " 2 * row_number() OVER (ORDER BY bucket_id) - 3 AS sign FROM makegood.bucket) b"
        f" WHERE hold.bucket_id = b.bucket_id AND job_id = {COMPLETED}",
        "completed",
    ),
    Tampering(
        "journal_hold",
        "WITH w AS (UPDATE makegood.wallet SET seq = seq + 2 RETURNING owner_id, seq, balance)"
        " INSERT INTO makegood.journal (owner_id, seq, kind, bucket_id, job_id, amount, balance, actor)"
        " SELECT owner_id, seq - n, kind, (SELECT max(bucket_id) FROM makegood.bucket),"
        f" {PENDING}, 50, balance - 50 * n, 'eve' FROM w, (VALUES (1, 'hold'), (0, 'release')) v (n, kind)",
        "pending",
    ),
    Tampering("wallet_sequence", "UPDATE makegood.wallet SET seq = seq + 1"),
    Tampering("wallet_sequence", "DELETE FROM makegood.wallet"),
    Tampering("wallet_sums", "UPDATE makegood.wallet SET balance = balance + 1"),
    Tampering("wallet_sums", "UPDATE makegood.wallet SET debt = debt + 1"),
    Tampering("journal_balance", "UPDATE makegood.journal SET balance = balance + 1 WHERE seq = 2"),
    Tampering(
        "owner_totals",
        "ALTER TABLE makegood.bucket DROP CONSTRAINT conserved;"
        " UPDATE makegood.bucket SET issued = issued + 1",
        # a journal always adds up, so a bucket that does not is never what its journal says
        also=frozenset({"bucket_sums"}),
    ),
    Tampering(
        "owner_crossed",
        f"UPDATE makegood.job SET owner_id = 'eve' WHERE job_id = {COMPLETED}",
        "completed",
    ),
    Tampering(
        "owner_crossed",
        # the last line has given credits back
        "INSERT INTO makegood.wallet (owner_id, seq, balance) VALUES ('eve', 1, 100);"
        " UPDATE makegood.journal SET owner_id = 'eve', seq = 1, balance = 100"
        " WHERE seq = (SELECT seq FROM makegood.wallet WHERE owner_id = 'ada');"
        " UPDATE makegood.wallet SET seq = seq - 1, balance = balance - 100 WHERE owner_id = 'ada'",
    ),
    Tampering(
        "job_credits", f"UPDATE makegood.job SET price = price + 1 WHERE job_id = {RUNNING}", "running"
    ),
    Tampering(
        "job_credits", f"UPDATE makegood.job SET settled = NULL WHERE job_id = {COMPLETED}", "completed"
    ),
    Tampering("job_credits", f"UPDATE makegood.job SET settled = 1 WHERE job_id = {COMPLETED}", "completed"),
    Tampering(
        "failed_refund",
        "INSERT INTO makegood.evidence (job_id, attempt, verdict, source)"
        f" SELECT {COMPLETED}, 1, 'failed', 'eve';"
        " UPDATE makegood.history SET event = 'fail', to_state = 'failed' WHERE to_state = 'completed';"
        f" UPDATE makegood.job SET state = 'failed' WHERE job_id = {COMPLETED}",
        "completed",
    ),
    Tampering(
        "history_end", f"UPDATE makegood.job SET version = version + 1 WHERE job_id = {RUNNING}", "running"
    ),
    Tampering("history_end", f"DELETE FROM makegood.job WHERE job_id = {PENDING}", "pending"),
    Tampering(
        "history_chain",
        "UPDATE makegood.history SET event = 'accept', from_state = 'pending', to_state = 'queued'"
        f" WHERE version = 2 AND job_id = {RUNNING}",
        "running",
    ),
    Tampering(
        "history_edge",
        f"UPDATE makegood.history SET event = 'begin' WHERE event = 'accept' AND job_id = {RUNNING}",
        "running",
    ),
    Tampering(
        "history_edge",
        "UPDATE makegood.machine_state SET is_initial = false WHERE type = 'contract_plain'",
    ),
    Tampering("history_evidence", f"DELETE FROM makegood.evidence WHERE job_id = {RUNNING}", "running"),
    Tampering(
        "history_evidence",
        "UPDATE makegood.job SET cancel_requested_at = NULL WHERE state = 'cancelled'",
        "cancelled",
    ),
    Tampering("outbox_rows", f"DELETE FROM makegood.outbox WHERE job_id = {RUNNING}", "running"),
    Tampering(
        "outbox_rows", f"INSERT INTO makegood.outbox (job_id, version) SELECT {RUNNING}, 99", "running"
    ),
    Tampering("stream_places", "UPDATE makegood.stream SET reached = 1000"),
    Tampering(
        "stream_places",
        "SELECT makegood.place_history(1000); UPDATE makegood.placed SET version = 1 - version"
        f" WHERE version < 2 AND job_id = {RUNNING}",
        "running",
    ),
    Tampering(
        "stream_places",
        "SELECT makegood.place_history(1000); INSERT INTO makegood.placed (place, job_id, version, owner_id)"
        f" SELECT 1000, {RUNNING}, 99, 'ada'; UPDATE makegood.stream SET place = 1000",
        "running",
    ),
    Tampering(
        "stream_places",
        "SELECT makegood.place_history(1000); INSERT INTO makegood.placed (place, job_id, version, owner_id)"
        f" SELECT 1000, {RUNNING}, 3, 'ada'; UPDATE makegood.stream SET place = 1000",
        "running",
    ),
    Tampering("attempt_numbers", f"DELETE FROM makegood.attempt WHERE job_id = {STARTING}", "starting"),
    Tampering(
        "attempt_phase",
        "ALTER TABLE makegood.attempt DROP CONSTRAINT attempt_check;"
        f" UPDATE makegood.attempt SET phase = 'closed' WHERE job_id = {RUNNING}",
        "running",
    ),
    Tampering(
        "attempt_open",
        f"UPDATE makegood.attempt SET phase = 'opened', closed_at = NULL WHERE job_id = {QUEUED}",
        "queued",
    ),
    Tampering(
        "attempt_intent",
        f"UPDATE makegood.job SET intent_attempt = NULL WHERE job_id = {RUNNING}",
        "running",
    ),
    Tampering(
        "attempt_draining",
        f"UPDATE makegood.attempt SET draining_until = NULL WHERE job_id = {FAILED}",
        "failed",
    ),
    Tampering("account_slots", "UPDATE makegood.provider_account SET capacity = 1"),
    Tampering(
        "task_once",
        "ALTER TABLE makegood.attempt DROP CONSTRAINT attempt_account_task_id_key;"
        " UPDATE makegood.attempt SET task_id = 'one' WHERE task_id IS NOT NULL",
    ),
    Tampering("job_times", f"UPDATE makegood.job SET deadline_at = NULL WHERE job_id = {RUNNING}", "running"),
    Tampering(
        "job_times", f"UPDATE makegood.job SET finished_at = NULL WHERE job_id = {COMPLETED}", "completed"
    ),
    Tampering(
        "job_overdue",
        f"UPDATE makegood.job SET deadline_at = deadline_at - interval '3 days' WHERE job_id = {RUNNING}",
        "running",
    ),
    Tampering(
        "job_key",
        "ALTER TABLE makegood.job DROP CONSTRAINT job_owner_id_key_key;"
        " UPDATE makegood.job SET key = 'one' WHERE key IS NOT NULL",
    ),
]


@pytest.mark.tampers
@pytest.mark.parametrize("tampering", TAMPERINGS, ids=str)
async def test_the_audit_sees_what_was_broken_and_nothing_else(
    drive: Drive, plain: asyncpg.Connection, tampering: Tampering
) -> None:
    jobs = await perform(drive)
    assert (await drive.store.audit()).violations == ()
    await plain.execute("SET session_replication_role = replica")
    await plain.execute(tampering.sql)
    audit = await drive.store.audit()
    assert {code for code, n in audit.counts.items() if n} == {tampering.code} | tampering.also
    if tampering.state:
        job = jobs[tampering.state]
        assert {violation.job_id for violation in audit.violations} == {job.id}
        assert {v.owner for v in audit.violations} <= {job.owner, "eve", None}
        assert all(str(job.id) in violation.subject for violation in audit.violations)


def test_every_invariant_is_broken_by_a_test() -> None:
    assert {tampering.code for tampering in TAMPERINGS} == set(INVARIANTS)


async def test_the_database_has_the_invariants_of_the_engine(plain: asyncpg.Connection) -> None:
    rows = await plain.fetch("SELECT code, sentence FROM makegood.invariant ORDER BY place")
    assert [(row["code"], row["sentence"]) for row in rows] == list(INVARIANTS.items())


@pytest.mark.tampers
async def test_the_view_says_who_and_what_in_words(drive: Drive, plain: asyncpg.Connection) -> None:
    job = (await perform(drive))["running"]
    await plain.execute("SET session_replication_role = replica")
    await plain.execute("UPDATE makegood.job SET deadline_at = NULL WHERE state = 'running'")
    [row] = await plain.fetch("SELECT * FROM makegood.violation")
    assert dict(row) == {
        "code": "job_times",
        "invariant": INVARIANTS["job_times"],
        "subject": f"{job.id} running",
        "owner_id": "ada",
        "job_id": job.id,
    }


@pytest.mark.tampers
async def test_owners_who_do_not_add_up_come_first(drive: Drive, plain: asyncpg.Connection) -> None:
    for owner in ("ada", "bob", "cleo"):
        await drive.grant(owner=owner)
    await plain.execute("ALTER TABLE makegood.bucket DROP CONSTRAINT conserved")
    await plain.execute("UPDATE makegood.bucket SET captured = 5 WHERE owner_id = 'cleo'")
    audit = await drive.store.audit(owners_max=1)
    [cleo] = audit.totals
    assert (cleo.owner, cleo.difference, audit.total.difference) == ("cleo", -5, -5)


async def test_a_role_that_may_only_read_can_audit(
    drive: Drive, plain: asyncpg.Connection, database: str
) -> None:
    await perform(drive)
    role = f"auditor_{uuid4().hex}"
    await plain.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'reads'")
    try:
        parts = urlsplit(database)
        theirs = parts._replace(netloc=f"{role}:reads@{parts.netloc.rpartition('@')[2]}").geturl()
        with pytest.raises(StoreError, match="gives it rights"):
            async with PostgresStore.open(theirs) as store:
                await store.audit()
        await plain.execute("SELECT makegood.grant_rights($1, 'readonly')", role)
        async with PostgresStore.open(theirs) as store:
            audit = await store.audit()
        assert (audit.broken, audit.owners) == (0, 1)
    finally:
        await plain.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
