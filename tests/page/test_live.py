"""What operators see while jobs run: counts, the job that passes, a lost connection, and what they may do."""

import re
from pathlib import Path
from typing import Any

from playwright.async_api import Page, expect

from tests.page.scene import Service, Watched, serving

RECORD_FLASHES = """() => {
    window.flashed = new Set();
    const animate = Element.prototype.animate;
    Element.prototype.animate = function (...given) {
        window.flashed.add(this.closest('.edge').textContent.replace(/ ·.*/s, '').trim());
        return animate.apply(this, given);
    };
}"""


async def counts(page: Page, state: str, told: str) -> None:
    """Wait until the diagram shows it."""
    await expect(page.get_by_role("link", name=f"{state}: ")).to_have_attribute(
        "aria-label", re.compile(f"^{state}: {told},")
    )


async def live(page: Page) -> None:
    await expect(page.locator(".connection")).to_have_text("Live")


async def drawn(page: Page) -> None:
    """Wait until the drawing is there, which has an answer of its own."""
    await expect(page.get_by_role("link", name="pending: ")).to_be_visible()


async def sign_in(page: Page, key: str) -> None:
    await page.get_by_role("button", name="Use a key").click()
    await page.get_by_label("Key", exact=True).fill(key)
    await page.get_by_label("Your name").fill("Grace")
    await page.get_by_role("dialog").get_by_role("button", name="Use a key").click()


async def test_counts_follow_the_jobs_and_the_edge_flashes(service: Service, look: Watched) -> None:
    page, calm = await look(service.url), await look(service.url, calm=True)
    for each in (page, calm):
        await live(each)
        await drawn(each)
        await each.evaluate(RECORD_FLASHES)
    await service.order(held=True)
    await counts(page, "running", "1")
    service.release()
    await counts(page, "completed", "1")
    await counts(page, "running", "0")
    await counts(calm, "completed", "1")
    flashed: Any = await page.evaluate("[...window.flashed]")
    assert flashed == ["accept", "dispatch", "begin", "complete"]
    assert await calm.evaluate("window.flashed.size") == 0, "nothing moves for who wants it calm"


async def test_a_state_filters_the_list_by_key_and_by_click(service: Service, look: Watched) -> None:
    await service.order()
    page = await look(service.url)
    state = page.get_by_role("link", name="completed: ")
    await counts(page, "completed", "1")
    await state.focus()
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("state=completed"))
    await expect(state).to_have_attribute("aria-current", "true")
    await page.get_by_role("link", name="running: ").click()
    await expect(page).to_have_url(re.compile("type=portrait&state=running|state=running&type=portrait"))
    await page.go_back()
    await expect(state).to_have_attribute("aria-current", "true")


async def test_a_lost_connection_says_so_and_comes_back_without_a_reload(
    service: Service, look: Watched
) -> None:
    page = await look(service.url, broken=True)
    await live(page)
    await page.evaluate("window.same = true")
    job = await service.order(held=True)
    await counts(page, "running", "1")
    await service.stop()
    await expect(page.locator(".connection")).to_have_text("Connection lost")
    await expect(page.locator(".banner")).to_contain_text("The service does not answer.")
    await expect(page.locator(".banner")).to_contain_text(
        re.compile(r"You see what was known at \d\d:\d\d:\d\d\.")
    )
    await counts(page, "running", "1")
    service.release()
    async for _ in service.engine.watch(job.id):
        pass  # until it is over
    await service.start()
    await live(page)
    await counts(page, "completed", "1")
    await counts(page, "running", "0")
    await expect(page.locator(".banner")).to_have_count(0)
    assert await page.evaluate("window.same"), "the page was not loaded again"


async def test_only_a_key_may_act_and_how_it_went_is_told(service: Service, look: Watched) -> None:
    page = await look(service.url, broken=True)
    await live(page)
    await expect(page.get_by_text("Read-only")).to_be_visible()
    pause = page.get_by_role("region", name="Slots").get_by_role("button", name="Pause")
    await expect(pause).to_have_count(0)
    await sign_in(page, f"{service.key[:-4]}aaaa")
    await expect(page.get_by_role("alert")).to_contain_text("The service key is not ours")
    await page.get_by_label("Key", exact=True).fill(service.key)
    await page.get_by_role("dialog").get_by_role("button", name="Use a key").click()
    await pause.click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_label("Your name")).to_have_value("Grace")
    await dialog.get_by_label("Reason").fill("x" * 600)
    await dialog.get_by_role("button", name="Pause").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("at most 500 characters")
    await dialog.get_by_label("Reason").fill("the studio is closed")
    await dialog.get_by_role("button", name="Pause").click()
    await expect(page.get_by_text("by Grace via key:grace: the studio is closed")).to_be_visible()
    await expect(page.locator(".said")).to_have_text("Done: Start no more jobs of pool studio.")
    [rule] = await service.engine.rules()
    assert (rule.name, rule.reason, rule.actor) == ("studio", "the studio is closed", "Grace via key:grace")


async def test_a_key_that_is_taken_back_leaves_the_page_read_only(service: Service, look: Watched) -> None:
    page = await look(service.url, broken=True)
    await live(page)
    await sign_in(page, service.key)
    await expect(page.get_by_role("button", name="Forget the key")).to_be_visible()
    await service.engine.revoke_key(service.key_id, actor="test")
    await expect(page.get_by_text("The key is not taken any more.")).to_be_visible()
    await expect(page.get_by_text("Read-only")).to_be_visible()
    await live(page)


async def test_where_nobody_may_look_without_a_key_it_asks_for_one(
    database: str, tmp_path: Path, look: Watched
) -> None:
    async with serving(database, tmp_path, page={"open": False}) as closed:
        page = await look(closed.url, broken=True)
        await expect(page.locator(".connection")).to_have_text("Needs a key")
        await expect(page.get_by_text("Who looks at this service needs a key")).to_be_visible()
        await sign_in(page, closed.key)
        await live(page)
        await expect(page.get_by_role("link", name="queued: ")).to_be_visible()
