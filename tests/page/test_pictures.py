"""The pictures of the README: they are taken of a real demo, and there for whoever reads it."""

from pathlib import Path

from PIL import Image, ImageStat
from playwright.async_api import Browser

from tests.page.pictures import ASSETS, BYTES_MAX, HEIGHT, NAMES, WIDTH, take

HOUSE = ASSETS.parents[1]


async def test_they_are_taken_of_a_demo_while_it_plays(
    browser: Browser, postgres_dsn: str, tmp_path: Path
) -> None:
    await take(browser, tmp_path, jobs=6, dsn=postgres_dsn, busy=False)
    means = []
    for name in NAMES:
        with Image.open(tmp_path / name) as taken:
            assert taken.width == WIDTH
            assert len(taken.convert("RGB").getcolors(WIDTH * HEIGHT) or ()) > 60, "it shows something"
            means.append(ImageStat.Stat(taken.convert("L")).mean[0])
    assert means[1] < 64 < 192 < means[0], "the first is light, the second dark"


def test_the_readme_shows_them() -> None:
    readme, page = (HOUSE / "README.md").read_text("utf-8"), ASSETS.parent / "how-to" / "live-page.md"
    for name in NAMES:
        assert 20_000 < (ASSETS / name).stat().st_size < BYTES_MAX
        assert f"docs/assets/{name}" in readme
    assert "../assets/page-light.png" in page.read_text("utf-8")
