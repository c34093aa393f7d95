"""An old app beside a service, each with a database of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from tests.imports.old_app import OldApp


@pytest_asyncio.fixture
async def app(
    empty_database: str, database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[OldApp]:
    sql, new = await asyncpg.connect(empty_database), await asyncpg.connect(database)
    try:
        made = OldApp(empty_database, sql, database, new, tmp_path, capsys)
        await made.make()
        yield made
    finally:
        sql.terminate()
        new.terminate()


@pytest.fixture(scope="session")
def template(stocked_template: str) -> str:
    """Databases of these tests know the job types that come with makegood."""
    return stocked_template
