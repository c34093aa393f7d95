"""What a superuser can still break with the triggers switched off: every one of these `violation` shows."""

from pathlib import Path

import asyncpg
import pytest

from makegood.job import Verdict
from makegood.testing.drive import Drive

PAGE = Path(__file__).resolve().parents[3] / "docs" / "explanation" / "referee.md"
#: What is broken, in the words of the documentation, and how.
BREAKS = {
    "a job is failed without its refund": "UPDATE makegood.job SET state = 'failed' WHERE state = 'running'",
    "a job is completed without its capture": (
        "UPDATE makegood.job SET state = 'completed', settled = price WHERE state = 'running'"
    ),
    "a failed job is paid after all": (
        "UPDATE makegood.hold h SET captured = amount, released = 0 FROM makegood.job j"
        " WHERE j.job_id = h.job_id AND j.state = 'failed'"
    ),
    "a price is lowered after the credits were held": (
        "UPDATE makegood.job SET price = price - 1 WHERE state = 'queued'"
    ),
    "what was captured is told otherwise": "UPDATE makegood.job SET settled = 1 WHERE state = 'completed'",
    "a job is given to another owner": "UPDATE makegood.job SET owner_id = 'eve' WHERE state = 'queued'",
    "a job is deleted": "DELETE FROM makegood.job WHERE state = 'queued'",
    "a wallet is deleted": "DELETE FROM makegood.wallet",
    "a wallet's journal is numbered anew": "UPDATE makegood.wallet SET seq = seq + 1",
    "a bucket is deleted": "DELETE FROM makegood.bucket",
    "a bucket is given to another owner": "UPDATE makegood.bucket SET owner_id = 'eve'",
    "a bucket is filled": "UPDATE makegood.bucket SET issued = issued + 5, remaining = remaining + 5",
    "a bucket comes from nowhere": (
        "INSERT INTO makegood.bucket (owner_id, kind, priority, source_ref, issued, remaining)"
        " VALUES ('ada', 'gift', 1, 'mine', 5, 5)"
    ),
    "held credits are set free": "UPDATE makegood.bucket SET held = held - 5, remaining = remaining + 5",
    "a line of the journal is deleted": "DELETE FROM makegood.journal WHERE kind = 'capture'",
    "a line of the journal is changed": "UPDATE makegood.journal SET amount = 999 WHERE kind = 'issue'",
    "a line of the journal is added": (
        "INSERT INTO makegood.journal (owner_id, seq, kind, bucket_id, amount, actor)"
        " SELECT owner_id, 99, 'issue', bucket_id, 5, 'eve' FROM makegood.bucket"
    ),
    "a hold is deleted": "DELETE FROM makegood.hold WHERE captured IS NULL",
    "a hold is settled by hand": (
        "UPDATE makegood.hold SET captured = 0, released = amount WHERE captured IS NULL"
    ),
    "a line of a history is deleted": "DELETE FROM makegood.history WHERE event = 'dispatch'",
    "a history tells of a move that there is not": (
        "UPDATE makegood.history SET event = 'steal' WHERE event = 'complete'"
    ),
    "an announcement is deleted": "DELETE FROM makegood.outbox",
    "an attempt is deleted": "DELETE FROM makegood.attempt WHERE closed_at IS NULL",
    "a submission is denied": "UPDATE makegood.job SET intent_attempt = NULL WHERE state = 'running'",
    "more slots are taken than there are": (
        "INSERT INTO makegood.attempt (job_id, number, account) SELECT job_id, n, account"
        " FROM makegood.attempt, generate_series(2, 12) n WHERE closed_at IS NULL"
    ),
    "a deadline is taken away": "UPDATE makegood.job SET deadline_at = NULL WHERE state = 'queued'",
    "an edge is added that loses credits, and taken": (
        "INSERT INTO makegood.machine_edge (type, version, event, from_state, to_state, place, money,"
        " opens_attempt, evidence_always) VALUES ('contract_plain', 1, 'steal', 'queued', 'completed', 99,"
        " 'none', false, false); SET session_replication_role = origin;"
        " UPDATE makegood.job SET state = 'completed' WHERE state = 'queued'"
    ),
}


@pytest.mark.tampers
@pytest.mark.parametrize("broken", BREAKS)
async def test_the_audit_shows_what_a_superuser_breaks(
    drive: Drive, plain: asyncpg.Connection, broken: str
) -> None:
    await drive.grant()
    await drive.event(await drive.to("running"), "complete", Verdict.SUCCEEDED)
    await drive.event(await drive.to("running"), "fail", Verdict.FAILED)
    pool = await drive.pool()
    await drive.to("running", pool=pool)
    await drive.to("queued", pool=pool)
    assert (await drive.store.audit()).violations == ()
    await plain.execute(f"SET session_replication_role = replica; {BREAKS[broken]}")
    assert (await drive.store.audit()).violations != ()


def test_the_documentation_lists_what_a_superuser_breaks() -> None:
    assert "".join(f"- {broken}\n" for broken in BREAKS) in PAGE.read_text("utf-8")
