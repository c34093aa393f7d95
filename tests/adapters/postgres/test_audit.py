"""The view `violation` sees what only the owner of the tables can do to the books."""

import asyncpg
import pytest

from makegood.job import Verdict
from makegood.testing.drive import Drive


@pytest.mark.tampers
@pytest.mark.parametrize(
    ("sql", "invariant"),
    [
        (
            "INSERT INTO makegood.journal (owner_id, seq, kind, bucket_id, amount, actor)"
            " SELECT owner_id, 99, 'issue', bucket_id, 1000, 'eve' FROM makegood.bucket",
            "a bucket is not what its journal says",
        ),
        (
            "INSERT INTO makegood.journal (owner_id, seq, kind, bucket_id, job_id, amount, actor)"
            " SELECT owner_id, 99, 'release', bucket_id, gen_random_uuid(), 1000, 'eve' FROM makegood.bucket",
            "a journal line has no hold",
        ),
        (
            "UPDATE makegood.bucket SET issued = issued + 1000, remaining = remaining + 1000",
            "a bucket is not what its journal says",
        ),
        (
            "UPDATE makegood.bucket SET held = held - 1, remaining = remaining + 1 WHERE held > 0",
            "a bucket is not what its journal says",
        ),
        ("UPDATE makegood.wallet SET seq = seq + 1", "the journal of a wallet has a gap"),
        (
            "UPDATE makegood.hold SET captured = 0, released = amount WHERE captured IS NULL",
            "a hold is not what its journal says",
        ),
        (
            "INSERT INTO makegood.history (job_id, version, operation_id, owner_id, type, event, from_state,"
            " to_state, actor, attempt) SELECT job_id, version + 1, gen_random_uuid(), owner_id, type,"
            " 'fail', state, 'failed', 'eve', attempt FROM makegood.job WHERE state = 'running'",
            "the history of a job has a gap or another end",
        ),
        ("DELETE FROM makegood.outbox", "a transition was not announced"),
        (
            "SET session_replication_role = replica;"
            " UPDATE makegood.job SET state = 'failed' WHERE state = 'running'",
            "the credits of a job do not fit its state",
        ),
        (
            "SET session_replication_role = replica; DELETE FROM makegood.attempt WHERE closed_at IS NULL",
            "a job in a slot state has no attempt, or another one than its own is open",
        ),
    ],
)
async def test_the_audit_sees_what_only_the_owner_of_the_tables_can_do(
    drive: Drive, plain: asyncpg.Connection, sql: str, invariant: str
) -> None:
    await drive.grant()
    await drive.event(await drive.to("running"), "complete", Verdict.SUCCEEDED)
    await drive.to("running")
    assert await drive.store.violations() == []
    await plain.execute(sql)
    assert invariant in {line.split(": ")[0] for line in await drive.store.violations()}
