"""What people look at needs no right but to read."""

import pytest

from makegood.testing.drive import SPECS, Drive
from makegood_adapters.postgres.store import PostgresStore
from tests.roles import login


async def _no_time_passes(seconds: float) -> None:
    raise AssertionError(f"this test lets no {seconds} seconds pass")


@pytest.mark.parametrize("kind", ["readonly", "api"])
async def test_who_may_only_read_sees_everything(database: str, kind: str) -> None:
    async with PostgresStore.open(database) as store, login(database, kind) as reader:
        await store.declare(SPECS)
        drive = Drive(store, _no_time_passes)
        await drive.grant()
        job = await drive.to("queued", pool=await drive.pool())
        while await store.stream.place(100):
            pass
        async with PostgresStore.open(reader) as reading:
            look = reading.oversight
            assert (await look.overview()).live == {job.type: {"queued": 1}}
            assert [each.job_id for each in (await look.line(None, 9)).waiters] == [job.id]
            assert (await look.troubles(), (await look.heard()).last) == ([], 0)
