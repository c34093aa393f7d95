"""How the page looks and reads: wide and narrow, light and dark, busy, empty and broken; how fast it is."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]  # it has no stubs
from playwright.async_api import Page, expect

from tests.adapters.postgres.proxy import proxy_before
from tests.page.crowd import Crowd, crowded
from tests.page.scene import PATIENCE_MS, Portrait, Service, Watched, serving

VIEWS = ("live", "jobs", "money", "concerns")
SERIOUS = {"serious", "critical"}
DRAWN = """() => new Promise((go) => {
    const look = () => frames_ms.length > 20 ? go() : setTimeout(look, 20);
    look();
})"""


async def settled(page: Page) -> None:
    """Wait until the page has what it asks for."""
    await expect(page.locator(".connection")).to_have_text("Live")
    await page.wait_for_load_state("load")


async def serious(page: Page, **options: Any) -> list[Any]:
    found = await Axe().run(page, options=options or None)
    return [each for each in found.response["violations"] if each["impact"] in SERIOUS]


async def test_everybody_can_use_it(service: Service, look: Watched) -> None:
    """No serious finding of axe in any view, one job, or a dialog; colours also in the dark."""
    job = await service.order()
    async for _ in service.engine.watch(job.id):
        pass  # until it is over
    page = await look(service.url)
    for view in (*VIEWS, f"jobs&job={job.id}", "live&key"):
        await page.emulate_media(color_scheme="light")
        await page.goto(f"{service.url}?view={view}")
        await settled(page)
        if view == "live&key":
            await page.get_by_role("button", name="Use a key").click()
        assert not (told := await serious(page)), (view, json.dumps(told, indent=1)[:3000])
        await page.emulate_media(color_scheme="dark")
        told = await serious(page, runOnly=["color-contrast"])
        assert not told, (view, json.dumps(told, indent=1)[:3000])


async def test_a_phone_shows_it_in_one_column(service: Service, look: Watched) -> None:
    job = await service.order(held=True)
    page = await look(service.url, width=360)
    for view in (*VIEWS, f"jobs&job={job.id}"):
        await page.goto(f"{service.url}?view={view}")
        await settled(page)
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= 360, view


async def test_spans_and_queues_read_as_people_write_them(service: Service, look: Watched) -> None:
    """A wait that the estimate calls short is no 0.0 s, and what took a moment is told in its own unit."""
    for _ in range(5):
        await service.order(held=True)
    page = await look(service.url)
    await settled(page)
    told = await page.evaluate("""async () => {
        const { seconds, ago } = await import('./base.js');
        const { now } = Date, at = now();
        Date.now = () => at;
        try { return [...[0, .04, .4, 12, 200, 7500, 2e5].map(seconds), ago(new Date(at).toISOString())]; }
        finally { Date.now = now; }
    }""")
    told = [each.replace("\xa0", "_") for each in told]  # where no line breaks
    assert told == ["0 ms", "40 ms", "0.4 s", "12_s", "3_min 20_s", "2_h 5_min", "2_d 7_h", "1_s ago"]
    await expect(page.get_by_role("region", name="Queue").locator("tbody tr")).to_have_count(2)
    await expect(page.get_by_role("region", name="Queue")).not_to_contain_text("0.0 s")
    await page.goto(f"{service.url}?view=jobs&job={(await service.order()).id}")
    await expect(page.locator(".job .state").first).to_be_visible()
    await expect(page.get_by_text("No task of it is open at the provider.")).to_have_count(0)


async def test_keys_reach_everything_and_the_focus_is_seen(service: Service, look: Watched) -> None:
    page = await look(service.url)
    await settled(page)
    await expect(page.get_by_role("link", name="pending: ")).to_be_visible()
    reached = set()
    for _ in range(60):
        await page.keyboard.press("Tab")
        told = await page.evaluate("""() => {
            const { outlineStyle } = getComputedStyle(document.activeElement);
            const name = document.activeElement.ariaLabel ?? document.activeElement.textContent;
            return [name.trim().split(':')[0], outlineStyle];
        }""")
        if told[0] in reached:
            break
        assert told[1] != "none", told
        reached.add(told[0])
    states = {state.name for state in Portrait.spec.states}
    assert {"Skip to the content", "Jobs", "Money", "Use a key"} | states <= reached


async def test_without_types_and_accounts_it_says_so(database: str, tmp_path: Path, look: Watched) -> None:
    async with serving(database, tmp_path, types=(), accounts=False) as empty:
        page = await look(empty.url)
        await settled(page)
        await expect(page.get_by_text("No job type is served yet.")).to_be_visible()
        await expect(page.get_by_text("No provider account is known: no job can start.")).to_be_visible()
        await expect(page.get_by_text("Nobody waits.")).to_be_visible()
        await page.close()


async def test_without_a_database_it_says_so_and_of_when_its_figures_are(
    database: str, tmp_path: Path, look: Watched
) -> None:
    async with proxy_before(database) as proxy, serving(proxy.dsn, tmp_path) as service:
        await service.order(held=True)
        page = await look(service.url, broken=True)
        await settled(page)
        await expect(page.get_by_role("link", name="running: 1,")).to_be_visible()
        await proxy.refuse()
        banner = page.locator(".banner")
        await expect(banner).to_contain_text("The service answers, but cannot reach its data.")
        await expect(banner).to_contain_text("You see what was known at")
        await expect(page.locator(".connection")).not_to_have_text("Live")
        await expect(page.get_by_role("link", name="running: 1,")).to_be_visible()
        await proxy.listen()
        await expect(banner).to_have_count(0)


async def test_a_crowd_does_not_freeze_it(
    look: Watched, record_property: Callable[[str, object], None]
) -> None:
    """10,000 jobs, 500 steps a second: it keeps up, and every step is counted once."""
    crowd = Crowd(10_000, seed=7)
    async with crowded(crowd, steps_per_second=500, seconds=4) as url:
        page = await look("about:blank")
        await page.add_init_script("""() => {
            window.frames_ms = [];
            let last;
            const frame = (now) => {
                if (last) window.frames_ms.push(now - last);
                last = now;
                requestAnimationFrame(frame);
            };
            requestAnimationFrame(frame);
        }""".strip().removeprefix("() => ").strip("{}"))  # fmt: skip
        await page.goto(url)
        await settled(page)
        for state in ("completed", "failed", "cancelled"):
            await expect(page.get_by_role("link", name=f"{state}: ")).to_be_visible()
        async with asyncio.timeout(PATIENCE_MS / 1000):
            await page.evaluate(DRAWN)  # it goes on drawing while it is told
            crowd.enough.set()
            await crowd.done.wait()
        for state, n in crowd.counts.items():
            told = f"{state}: {n:,},"
            await expect(page.get_by_role("link", name=told)).to_be_visible()
        frames: list[float] = await page.evaluate("window.frames_ms")
        paint = await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        await page.close()  # the stream has no end of its own
    frames.sort()
    figures = {
        "first paint ms": round(paint),
        "frames": len(frames),
        "median ms": round(frames[len(frames) // 2]),
        "longest ms": round(frames[-1]),
    }
    record_property("page", figures)
    print(figures)
