"""What no program can do to a draft with plain SQL: queue it, or change what it has become."""

import asyncpg
import pytest

from makegood.job import JobMoney
from makegood.testing.drive import Drive

FORBIDDEN = "MG005"


async def test_a_draft_is_never_queued_and_is_completed_once(drive: Drive, plain: asyncpg.Connection) -> None:
    await drive.grant()
    draft = await drive.insert(draft=True, price=0, request={})
    with pytest.raises(asyncpg.PostgresError, match="its input is not complete") as told:
        await plain.execute("update makegood.job set state = 'queued' where job_id = $1", draft.id)
    assert told.value.sqlstate == "MG007"
    with pytest.raises(asyncpg.PostgresError) as told:  # its price comes with the rest, not beside it
        await plain.execute("update makegood.job set price = 3 where job_id = $1", draft.id)
    assert told.value.sqlstate == FORBIDDEN
    await plain.execute("update makegood.job set draft = false, price = 3 where job_id = $1", draft.id)
    for again in ("price = 2", "draft = true", "input = '{}'"):
        with pytest.raises(asyncpg.PostgresError) as told:
            await plain.execute(f"update makegood.job set {again} where job_id = $1", draft.id)
        assert told.value.sqlstate == FORBIDDEN
    await plain.execute("update makegood.job set state = 'queued' where job_id = $1", draft.id)
    assert await drive.store.jobs.money(draft.id) == JobMoney(held=3)


async def test_a_draft_may_end_at_any_time(drive: Drive, plain: asyncpg.Connection) -> None:
    draft = await drive.insert(draft=True, price=0, request={})
    await plain.execute("update makegood.job set state = 'failed' where job_id = $1", draft.id)
    with pytest.raises(asyncpg.PostgresError) as told:
        await plain.execute("update makegood.job set draft = false, price = 3 where job_id = $1", draft.id)
    assert told.value.sqlstate == FORBIDDEN
