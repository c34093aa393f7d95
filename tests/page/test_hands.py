"""The page in the hands of people: open lists, keys held while clicking, two at once; and large services."""

import asyncio
import re
from typing import Any

from playwright.async_api import Locator, Page, expect

from tests.page.scene import Service, Watched
from tests.page.scripted import Script, overview, row, scripted, step
from tests.page.test_live import counts, live, sign_in

#: The half seconds of the page come when a test says so.
TICKS = """window.setInterval = (tell) => { window.tick = async (times) => {
    for (; times > 0; times -= 1) { tell(); await new Promise(requestAnimationFrame); }
    await new Promise(requestAnimationFrame); } };
    const { fetch } = window; window.fetched = 0;
    window.fetch = (...given) => { fetched += 1; return fetch(...given); };"""


async def ticking(look: Watched, url: str) -> Page:
    """Open a page that may complain of what it cannot load, and whose clock stands still."""
    page = await look("about:blank", broken=True)
    await page.add_init_script(TICKS)
    await page.goto(url)
    await live(page)
    return page


async def test_an_answer_that_is_none_is_told_in_our_words(look: Watched) -> None:
    """A login page of a proxy comes with 200: what the browser says of it helps nobody."""
    script = Script({"overview": overview(running=7)})
    async with scripted(script) as url:
        page = await look(url)
        await counts(page, "running", "7")
        script.instead = (200, {"Content-Type": "text/html"}, "<!doctype html><h1>Sign in</h1>")
        banner = page.locator(".banner")
        await expect(banner).to_contain_text(
            "The answer cannot be read. Is a proxy or a login page in between?"
        )
        await expect(banner).to_contain_text("You see what was known at")
        await expect(page.locator(".connection")).to_have_text("No fresh data")
        await sign_in(page, "a key")
        told = page.get_by_role("dialog").get_by_role("alert")
        await expect(told).to_have_text("The answer cannot be read. Is a proxy or a login page in between?")
        await page.keyboard.press("Escape")
        script.instead = None
        await live(page)
        await expect(banner).to_have_count(0)
        await page.close()


async def test_who_is_told_to_wait_waits(look: Watched) -> None:
    """Neither its own pace nor steps of the stream make the page ask before the time that it was told."""
    script = Script({"overview": overview(running=7)})
    async with scripted(script) as url:
        page = await ticking(look, url)
        script.instead = (429, {"Retry-After": "30"}, '{"detail": "Come again in 30 s."}')
        await page.evaluate("tick(6)")  # of 60; the answer may come at any of them
        await expect(page.locator(".banner")).to_contain_text("Come again in 30 s.")
        await page.evaluate("tick(1)")
        asked = await page.evaluate("fetched")
        script.instead = None
        for number in range(12):
            await script.tell(step(number, "queued", "starting"))
            await page.evaluate("tick(1)")
        assert await page.evaluate("fetched") == asked
        await page.evaluate("tick(60)")
        await live(page)
        await expect(page.locator(".banner")).to_have_count(0)
        await page.close()


async def test_who_is_told_to_wait_for_hours_looks_again_within_two_minutes(look: Watched) -> None:
    script = Script()
    async with scripted(script) as url:
        page = await ticking(look, url)
        script.instead = (503, {"Retry-After": "86400"}, '{"detail": "Come again tomorrow."}')
        await page.evaluate("tick(6)")
        await expect(page.locator(".banner")).to_contain_text("Come again tomorrow.")
        script.instead = None
        await page.evaluate("tick(240)")
        await expect(page.locator(".banner")).to_have_count(0)
        await page.close()


async def choose(page: Page, script: Script, select: Locator) -> str:
    """Open the list, let everything change meanwhile, choose the last of it, and return which that is."""
    last = await select.locator("option").last.get_attribute("value")
    await select.focus()
    await page.keyboard.press("Space")
    assert await select.evaluate("e => e.matches(':open')"), "it is open"
    for n in (11, 12):
        script.answers["overview"] = types(n)
        await script.tell(step(1, "running", "completed", n))
        await counts(page, "running", f"{n}")
        assert await select.evaluate("e => e.matches(':open')"), "it stays open"
        await page.keyboard.press("ArrowDown" if n == 11 else "End")
    await page.keyboard.press("Enter")
    return last or ""


def types(running: int, more: int = 0) -> dict[str, Any]:
    """Return how everything is with so many jobs that run, and 40 types."""
    told = overview(running=running)
    [first] = told["types"]
    others = [
        {**first, "name": f"type_{n:02}", "label": f"Type {n:02}", "jobs": 0, "states": {"running": n}}
        for n in range(39 + more)
    ]
    return {**told, "types": [first, *others]}


async def test_a_list_that_is_open_stays_open_and_what_is_chosen_counts(look: Watched) -> None:
    """People choose slowly; answers and steps draw the page many times meanwhile."""
    jobs, drawn = {"jobs": [row(1, "running")], "next": None}, {"name": "type_38", "svg": "<svg></svg>"}
    script = Script({"jobs": jobs, "overview": types(10), "type_38": drawn})
    async with scripted(script) as url:
        page = await look(url)
        await counts(page, "running", "10")
        state = page.get_by_role("combobox", name="state", exact=True)
        chosen = await choose(page, script, state)
        await expect(page).to_have_url(re.compile(rf"\?state={chosen}$"))
        await expect(state).to_have_value(chosen)
        assert await choose(page, script, page.get_by_label("Job type")) == "type_38"
        await expect(page).to_have_url(re.compile("type=type_38"))
        await expect(page.get_by_role("heading", name="Type 38")).to_be_visible()
        await page.close()


async def test_a_link_opens_where_the_hand_wants_it(look: Watched) -> None:
    """With Control or the middle button it is another tab, and this one stays as it is: also from a row, and
    from a state of the drawing."""
    script = Script({"jobs": {"jobs": [row(1, "running")], "next": None}})
    async with scripted(script) as url:
        page = await look(url)
        await live(page)
        links = (
            (page.get_by_role("link", name="Money"), "view=money"),
            (page.locator(".jobs td a").first, "job="),
            (page.get_by_role("link", name="running: "), "state=running"),
        )
        for link, told in links:
            for how in ({"modifiers": ["Control"]}, {"button": "middle"}):
                async with page.context.expect_page() as opened:
                    await link.click(**how)
                other = await opened.value
                await expect(other).to_have_url(re.compile(told))
                await other.close()
                assert page.url == url
        await page.close()


async def test_many_types_and_slots_have_room(look: Watched) -> None:
    """Forty types, and accounts of a thousand slots, whose boxes tell how full they are."""
    told = types(3)
    [account] = told["accounts"]
    full = {"capacity": 1_000, "open": 80, "draining": 20, "foreign": 1}
    none = {"account": "none", "capacity": 0}
    told["accounts"] = [account, {**account, "account": "large", **full}, {**account, **none}]
    script = Script({"overview": told})
    async with scripted(script) as url:
        for width in (360, 1280):
            page = await look(url, width=width)
            await counts(page, "running", "3")
            await expect(page.get_by_label("Job type").locator("option")).to_have_count(40)
            small, large, nothing = await page.locator(".boxes").all()
            await expect(small.locator("i")).to_have_count(3)
            await expect(small).to_have_text("")
            await expect(large).to_have_text("each 17 slots")
            await expect(large.locator(".open")).to_have_count(4)
            await expect(large.locator(".draining")).to_have_count(2)
            await expect(large.locator(".foreign")).to_have_count(1)
            await expect(large.locator(".free")).to_have_count(55)
            await expect(nothing.locator("i")).to_have_count(0)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
            await page.close()


async def press(page: Page, act: str, reason: str | None) -> str:
    """Fill the form that is open, send it, and return what is told of it."""
    dialog, said = page.get_by_role("dialog"), page.locator(".said")
    if reason:
        await dialog.get_by_label("Reason").fill(reason)
    before = await said.inner_text()  # what was told last may still stand there
    await dialog.get_by_role("button", name=act).click()
    told = page.locator(".said, dialog [role=alert]").filter(has_text=re.compile(r"\S"))
    told = told.filter(has_not_text=before) if before else told
    await expect(told).to_have_count(1)
    return await told.inner_text()


async def test_two_who_pause_and_resume_at_once_both_read_how_it_went(
    service: Service, look: Watched
) -> None:
    pages = [await look(service.url, broken=True) for _ in range(2)]
    for page in pages:
        await live(page)
        await sign_in(page, service.key)
    for act, reasons, title in (
        ("Pause", ("tea", "cake"), "Start no more jobs of pool studio."),
        ("Resume", (None, None), "Resume pool studio."),
    ):
        for page in pages:
            await page.get_by_role("region", name="Slots").get_by_role("button", name=act).click()
        told = await asyncio.gather(*map(press, pages, (act, act), reasons))
        assert told == [f"Done: {title}"] * 2
    assert not await service.engine.rules()
