"""What no program can do to a draft with plain SQL: queue it, or change what it has become."""

import asyncpg
import pytest

from makegood.job import JobMoney
from makegood.testing.drive import REVIEWED, Drive

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


async def test_a_draft_changes_its_type_only_where_it_is_completed(
    drive: Drive, plain: asyncpg.Connection
) -> None:
    draft = await drive.insert(draft=True, price=0, request={})
    other, whole = f"type = '{REVIEWED.name}', type_version = {REVIEWED.version}", "draft = false, price = 3"
    for change in (
        other,
        "pool = 'p'",
        f"{whole}, type = 'nobody'",
        f"{whole}, exclusive_scope = 'x'",
        f"{whole}, owner_id = 'bob'",
    ):
        with pytest.raises(asyncpg.PostgresError) as told:
            await plain.execute(f"update makegood.job set {change} where job_id = $1", draft.id)
        assert told.value.sqlstate == FORBIDDEN
    await plain.execute(f"update makegood.job set {whole}, {other} where job_id = $1", draft.id)
    for change in (f"type = '{draft.type}'", "attempts_max = 9"):
        with pytest.raises(asyncpg.PostgresError) as told:
            await plain.execute(f"update makegood.job set {change} where job_id = $1", draft.id)
        assert told.value.sqlstate == FORBIDDEN


async def test_a_draft_may_end_at_any_time(drive: Drive, plain: asyncpg.Connection) -> None:
    draft = await drive.insert(draft=True, price=0, request={})
    await plain.execute("update makegood.job set state = 'failed' where job_id = $1", draft.id)
    with pytest.raises(asyncpg.PostgresError) as told:
        await plain.execute("update makegood.job set draft = false, price = 3 where job_id = $1", draft.id)
    assert told.value.sqlstate == FORBIDDEN
