"""An existing page lives the lives of its jobs with the library that it has, by URL and key alone."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.client.service import live, serving
from tests.npm import npm

HERE = Path(__file__).resolve().parent
#: The library with which the wire was recorded, the newest that this Node runs, and its sockets.
RECORDED, NEWEST, SOCKETS = "@supabase/supabase-js@2.86.2", "@supabase/supabase-js@2", "ws@8.18.0"
LIVES = (
    "completed",
    "failed",
    "queued_and_cancelled",
    "waited_and_completed",
    "page_left",
    "connection_lost",
    "refusals",
    "two_tabs",
)
FAILURES = ("run_not_reached", "reply_lost", "fallback_pays_back")


@pytest.fixture(scope="module")
def page() -> Iterator[Path]:
    """Yield a folder with the page and the library with which it was recorded."""
    with TemporaryDirectory(prefix="makegood-page-") as folder:
        yield _installed(Path(folder), RECORDED)


def _installed(folder: Path, library: str) -> Path:
    (folder / "package.json").write_text('{"type": "module"}')
    for program in ("page.mjs", "page_lives.mjs"):
        shutil.copy(HERE / program, folder)
    npm(folder, "install", library, SOCKETS)
    return folder


async def test_users_of_an_existing_page_live_every_life_of_a_job(
    page: Path, database: str, tmp_path: Path
) -> None:
    async with serving(database, tmp_path) as service:
        assert await live(service, page, "page_lives.mjs", *LIVES) == list(LIVES)


async def test_m2_whatever_a_page_cannot_reach_no_job_fails_without_its_credits(
    page: Path, database: str, tmp_path: Path
) -> None:
    async with serving(database, tmp_path) as service:
        assert await live(service, page, "page_lives.mjs", *FAILURES) == list(FAILURES)


async def test_the_newest_library_hears_the_same(database: str, tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    page = _installed(tmp_path / "page", NEWEST)
    async with serving(database, tmp_path) as service:
        assert await live(service, page, "page_lives.mjs", "completed") == ["completed"]
