"""Pictures of the page, of a real demo while it plays; `python -m tests.page.pictures` writes them anew."""

import asyncio
import os
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.async_api import Browser, Page, expect

from tests.page.scene import PATIENCE_MS, launched
from tests.shows.show import Show, shown

ASSETS = Path(__file__).resolve().parents[2] / "docs" / "assets"
NAMES = ("page-light.png", "page-dark.png", "page-job.png")
WIDTH, HEIGHT, COLOURS = 1280, 1080, 256
BYTES_MAX = 200_000


async def take(
    browser: Browser, into: Path, *, jobs: int, seed: int = 1, dsn: str | None = None, busy: bool = True
) -> None:
    """Play a demo of so many *jobs*, and write the pictures: in the middle of the story, light and dark, and
    one job with what was given and what has come of it. Unless they are to show it *busy*, a slow machine may
    come to look when all is over."""
    words = ["demo", "--jobs", f"{jobs}", "--seed", f"{seed}", "--headless", "--page", "--port", "0"]
    words += ["--dsn", dsn] if dsn else []
    with TemporaryDirectory() as folder:
        async with shown(*words, folder=Path(folder), environment=os.environ) as show:
            await _look(browser, show, into, lines=2 + jobs // 6, busy=busy)
            await show.told("The page stays open")
            await show.interrupt()


async def _look(browser: Browser, show: Show, into: Path, lines: int, busy: bool) -> None:
    page = await browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.set_default_timeout(PATIENCE_MS)
    await page.goto(f"{show.url}/page/")
    await show.stage(lambda stage: len(stage["story"]) >= lines)
    await expect(page.get_by_role("link", name=re.compile("^completed: [1-9]"))).to_be_visible()
    if busy:
        await expect(page.get_by_text("3 slots taken")).to_be_visible()
    await expect(page.get_by_text("well")).to_be_visible()
    await expect(page.locator("header .money")).not_to_contain_text("captured 0 ")
    await _save(page, into / NAMES[0])
    await page.emulate_media(color_scheme="dark")
    await _save(page, into / NAMES[1])
    [job] = await show.jobs("state=completed&type=upscaler&limit=1")
    await page.emulate_media(color_scheme="light")
    await page.goto(f"{show.url}/page/?view=jobs&state=completed&job={job['id']}")
    for alt in ("image", "result 1"):
        picture = page.get_by_role("img", name=alt)
        await expect(picture).to_have_js_property("complete", True)
        await expect(picture).not_to_have_js_property("naturalWidth", 0)
    await _save(page, into / NAMES[2])
    await page.close()


async def _save(page: Page, path: Path) -> None:
    """Write what is in sight; a large picture gets fewer colours: who reads the README should not wait."""
    path.write_bytes(await page.screenshot(animations="disabled"))
    if path.stat().st_size >= BYTES_MAX:
        with Image.open(path) as shot:
            few = shot.convert("RGB").quantize(COLOURS)
        few.save(path, optimize=True)


async def _main() -> None:
    async with launched() as browser:
        await take(browser, ASSETS, jobs=60)


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
