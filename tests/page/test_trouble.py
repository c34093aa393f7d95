"""What the page shows when answers are slow, odd or lost: the truth, as far as it knows it."""

import json
import re

from playwright.async_api import Page, expect

from tests.page.scene import Watched
from tests.page.scripted import PAUSE, RESUME, Script, job_id, overview, row, scripted, step
from tests.page.test_live import counts, live, sign_in

HIDDEN = """() => {
    let hidden = false;
    Object.defineProperty(document, 'hidden', { get: () => hidden });
    const frame = window.requestAnimationFrame, waiting = [];
    const later = (tell) => (at) => hidden ? waiting.push(tell) : tell(at);
    window.requestAnimationFrame = (tell) => hidden ? waiting.push(tell) : frame(later(tell));
    window.turn = (to) => {
        hidden = to;
        document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
        if (!hidden) waiting.splice(0).forEach((tell) => frame(tell));
    };
}""".strip().removeprefix("() => ").strip("{}")  # fmt: skip


async def listed(look: Watched, script: Script, url: str) -> Page:
    """Open a page with a list, and wait until that has been asked for the last time: with the stream."""
    script.hold("events")
    page = await look(url)
    await expect(page.locator(".jobs .list").or_(page.get_by_text("No job is like that."))).to_be_visible()
    assert script.asked["jobs"] == 1
    script.release("events")
    await live(page)
    await script.until(lambda: script.asked["jobs"] == 2)
    return page


async def test_no_step_is_missed_while_the_list_is_on_its_way(look: Watched) -> None:
    """A list is as old as its reading: a job that ends before it has come is over in it, too."""
    script = Script({"jobs": {"jobs": [row(1, "running"), row(2, "running")], "next": None}})
    async with scripted(script) as url:
        page = await listed(look, script, f"{url}?view=jobs")
        script.hold("jobs")
        await page.get_by_label("since").select_option("24h")
        await script.until(lambda: script.asked["jobs"] == 3)
        await script.tell(step(1, "running", "completed"), step(3, None, "pending", 0))
        await expect(page.locator(".jobs .list")).to_have_count(0)
        script.release("jobs")
        await expect(page.locator(".jobs tr", has_text="completed")).to_have_count(1)
        await expect(page.locator(".jobs tr", has_text="running")).to_have_count(1)
        await expect(page.get_by_role("button", name="1 new")).to_be_visible()
        await page.close()
    assert script.connected == 1, "the stream was never torn"


async def test_what_happens_before_the_stream_is_there_is_asked_for(look: Watched) -> None:
    script = Script({"jobs": {"jobs": [row(1, "running")], "next": None}})
    async with scripted(script) as url:
        script.hold("events")
        page = await look(f"{url}?view=jobs")
        await expect(page.locator(".jobs tr", has_text="running")).to_have_count(1)
        script.answers["jobs"] = {"jobs": [row(1, "failed", 4)], "next": None}
        script.release("events")
        await expect(page.locator(".jobs tr", has_text="failed")).to_have_count(1)
        await page.close()


async def test_a_stream_that_ends_again_and_again_drops_no_answer(look: Watched) -> None:
    """What is asked for again with every connection would never come, were it thrown away for a later one."""
    script = Script({"overview": overview(running=7)})
    async with scripted(script) as url:
        script.hold("overview")
        page = await look(url)
        for _ in range(3):
            await script.until(lambda: script.streams)
            await script.send(b"")
            await script.until(lambda: not script.streams)
        assert await page.evaluate("fetched.overview") == 1, "it is on its way"
        script.release("overview")
        await counts(page, "running", "7")
        await page.close()


async def test_an_empty_list_is_asked_for_again_but_not_with_every_picture(look: Watched) -> None:
    """Answers that take longer than the next step are taken all the same, and nobody is hammered."""
    script = Script({"jobs": {"jobs": [], "next": None}})
    async with scripted(script) as url:
        page = await listed(look, script, f"{url}?view=jobs&state=starting")
        script.hold("jobs")
        asked, fetched = script.asked["jobs"], await page.evaluate("fetched.jobs")
        for number in range(40):
            await script.tell(step(number, "queued", "starting"))
            await page.evaluate("() => new Promise(requestAnimationFrame)")
        await script.until(lambda: script.asked["jobs"] > asked)
        assert await page.evaluate("fetched.jobs") == fetched + 1, "one is on its way"
        script.answers["jobs"] = {"jobs": [row(1, "starting")], "next": None}
        script.release("jobs")
        await expect(page.locator(".jobs tr", has_text="starting")).to_have_count(1)
        await page.close()


async def looked_twice(script: Script) -> None:
    """Wait until the page has asked two times more how everything is: whatever is due by then was asked."""
    looks = script.asked["overview"]
    await script.until(lambda: script.asked["overview"] > looks + 1)


async def test_an_empty_list_that_has_filled_is_not_asked_for_again(look: Watched) -> None:
    """What is told while the first rows are on their way is news of them: they stay under who reads."""
    script = Script({"jobs": {"jobs": [], "next": None}})
    async with scripted(script) as url:
        page = await listed(look, script, f"{url}?view=jobs&state=starting")
        script.hold("jobs")
        script.answers["jobs"] = {"jobs": [row(1, "starting")], "next": None}
        asked = script.asked["jobs"]
        await script.tell(step(1, "queued", "starting", 3))
        await script.until(lambda: script.asked["jobs"] > asked)
        await script.tell(step(2, "queued", "starting", 3))
        await looked_twice(script)
        script.release("jobs")
        await expect(page.get_by_role("button", name="1 new")).to_be_visible()
        await looked_twice(script)
        await expect(page.get_by_role("button", name="1 new")).to_be_visible()
        assert script.asked["jobs"] == asked + 1
        await page.close()


async def test_who_has_left_the_state_is_no_news_of_it(look: Watched) -> None:
    script = Script({"jobs": {"jobs": [row(1, "starting")], "next": None}})
    async with scripted(script) as url:
        page = await listed(look, script, f"{url}?view=jobs&state=starting")
        await script.tell(step(2, "queued", "starting", 3), step(3, "queued", "starting", 3))
        await expect(page.get_by_role("button", name="2 new")).to_be_visible()
        await script.tell(step(2, "starting", "running"))
        await expect(page.get_by_role("button", name="1 new")).to_be_visible()
        await page.close()


async def test_a_page_that_nobody_sees_asks_nothing_and_leaves_the_connections_to_others(
    look: Watched,
) -> None:
    """A browser has six connections to a host, and every stream takes one: seven tabs would get nothing."""
    script = Script()
    async with scripted(script) as url:
        page = await look("about:blank")
        await page.add_init_script(HIDDEN)
        await page.goto(url)
        await live(page)
        fetched = await page.evaluate("turn(true), fetched.overview")
        await script.until(lambda: not script.streams)
        assert await page.evaluate("fetched.overview") == fetched
        script.answers["overview"] = overview(running=7)
        await page.evaluate("turn(false)")
        await counts(page, "running", "7")
        await live(page)
        assert script.connected == 2
        await page.close()


async def test_a_dialog_outlives_the_offer_that_opened_it(look: Watched) -> None:
    """Another one has paused meanwhile: what was typed stays, and what is sent is what was read."""
    script = Script({"overview": overview(PAUSE)})
    async with scripted(script) as url:
        page = await look(url)
        await live(page)
        await page.get_by_role("button", name="Pause").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("Your name").fill("Grace")
        reason = dialog.get_by_label("Reason")
        await reason.press_sequentially("the studio ")
        script.answers["overview"] = overview(RESUME)
        await expect(page.get_by_role("button", name="Resume", include_hidden=True)).to_have_count(1)
        await expect(reason).to_be_focused()
        await reason.press_sequentially("is closed")
        script.answers["pauses"] = {}
        await reason.press("Enter")
        await expect(dialog).to_have_count(0)
        await expect(page.locator(".said")).to_have_text("Done: Start no more jobs of pool studio.")
        assert script.posted == [{**PAUSE["body"], "by": "Grace", "reason": "the studio is closed"}]
        await page.close()


async def test_nothing_that_comes_disturbs_who_reads_or_types(look: Watched) -> None:
    """Focus, what is typed, and text that is marked stay, however often the page is drawn meanwhile."""
    script = Script({"jobs": {"jobs": [row(1, "running"), row(2, "running")], "next": None}})
    async with scripted(script) as url:
        page = await listed(look, script, url)
        node = page.get_by_role("link", name="running: ")
        await node.focus()
        script.answers["overview"] = overview(running=5)
        await counts(page, "running", "5")
        await expect(node).to_be_focused()
        search = page.get_by_label("job, task, key or owner")
        await search.press_sequentially("a lighth")
        await script.tell(step(1, "running", "completed"))
        await expect(page.locator(".jobs tr", has_text="completed")).to_have_count(1)
        await search.press_sequentially("ouse")
        await expect(search).to_have_value("a lighthouse")
        await page.locator(".jobs td bdi", has_text=job_id(2)[:8]).first.select_text()
        marked = await page.evaluate("`${getSelection()}`")
        await script.tell(step(2, "running", "failed"))
        await expect(page.locator(".jobs tr", has_text="failed")).to_have_count(1)
        assert marked
        assert await page.evaluate("`${getSelection()}`") == marked
        await page.close()


async def test_an_act_whose_reply_is_lost_is_not_called_undone(look: Watched) -> None:
    script = Script({"overview": overview(PAUSE), "pauses": {}}, lost={"pauses"})
    async with scripted(script) as url:
        page = await look(url, broken=True)
        await live(page)
        await page.get_by_role("button", name="Pause").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("Your name").fill("Grace")
        await dialog.get_by_label("Reason").fill("the studio is closed")
        await dialog.get_by_role("button", name="Pause").click()
        await expect(dialog.get_by_role("alert")).to_contain_text("Whether it was done is not known.")
        assert script.posted, "it was done"
        await page.close()


async def test_a_dialog_that_was_left_tells_what_has_become_of_it(look: Watched) -> None:
    script = Script({"overview": overview(PAUSE)})  # what is posted is refused
    async with scripted(script) as url:
        page = await look(url, broken=True)
        await live(page)
        await page.get_by_role("button", name="Pause").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("Your name").fill("Grace")
        await dialog.get_by_label("Reason").fill("the studio is closed")
        script.hold("pauses")
        await dialog.get_by_role("button", name="Pause").dblclick()
        await script.until(lambda: script.asked["pauses"] == 1)
        await page.keyboard.press("Escape")
        await expect(dialog).to_have_count(0)
        script.release("pauses")
        await expect(page.locator(".said")).to_have_text("There is nothing.")
        assert script.asked["pauses"] == 1, "two clicks are one act"
        await page.close()


async def test_a_key_that_cannot_be_sent_is_told_from_a_service_that_is_away(look: Watched) -> None:
    script = Script()
    async with scripted(script) as url:
        page = await look(url, broken=True)
        await live(page)
        script.answers["me"] = None
        await sign_in(page, "ключ…")
        await expect(page.get_by_role("dialog").get_by_role("alert")).to_have_text("There is nothing.")
        await page.close()


async def test_a_large_file_may_take_longer_than_an_answer(look: Watched) -> None:
    script = Script({"0": "a film"})
    dossier = {
        **row(1, "completed"), "told": [], "acts": [], "bars": [], "journal": [], "attempts": [],
        "messages": [], "inputs": [], "files": [{"number": 0, "kind": "html", "size": 90_000_000}],
    }  # fmt: skip
    script.answers[job_id(1)] = dossier
    script.hold("0")
    async with scripted(script) as url:
        page = await look(f"{url}?view=jobs&job={job_id(1)}")
        await page.get_by_role("button", name="Fetch result 1").click()
        await script.until(lambda: script.asked["0"] == 1)
        script.hold("overview")
        asked = script.asked["overview"]
        await script.until(lambda: script.asked["overview"] > asked)
        await page.evaluate("limits.forEach((limit) => limit.abort())")  # an answer may take no longer
        await expect(page.locator(".banner")).to_contain_text("The service does not answer.")
        script.release("overview")
        script.release("0")
        await expect(page.get_by_role("link", name="Save")).to_be_visible()
        await page.close()


async def test_the_clock_of_the_browser_may_be_wrong_and_may_jump(look: Watched) -> None:
    script = Script({"overview": overview(running=1)})
    async with scripted(script) as url:
        page = await look("about:blank", broken=True)
        await page.add_init_script("const now = Date.now; window.off = 36e5; Date.now = () => now() + off;")
        await page.goto(url)
        await live(page)
        clock = "new Date(Date.now() - 36e5).toLocaleString('sv').slice(11)"
        before = await page.evaluate(clock)
        await page.evaluate("window.off = -36e5")
        asked = script.asked["overview"]
        await script.until(lambda: script.asked["overview"] > asked + 2)  # the first was on its way
        script.answers["overview"] = None
        banner = page.locator(".banner")
        shown = re.compile(r"at (?:[-\d]+ )?(\d\d:\d\d:\d\d)\.")
        await expect(banner).to_contain_text(shown)
        [told] = shown.findall(await banner.inner_text())
        after = await page.evaluate(clock.replace("- 36e5", "+ 36e5"))
        assert _passed(before, told) <= _passed(before, after) < HOUR / 2
        await page.close()


HOUR = 3_600


def _passed(since: str, until: str) -> int:
    """Return how many seconds are between 23:59:58 and 00:00:01: 3."""
    first, last = ((int(at[:2]) * 60 + int(at[3:5])) * 60 + int(at[6:]) for at in (since, until))
    return (last - first) % (24 * HOUR)


async def test_names_of_the_language_are_names_like_others(look: Watched) -> None:
    queue = {
        "jobs": [],
        "pools": ["__proto__", "constructor"],
        "told": {"level": "plain", "text": "0 waiting"},
    }
    script = Script({"queue": queue})
    async with scripted(script) as url:
        page = await look(url)
        await live(page)
        options = page.get_by_label("pool").locator("option")
        await expect(options).to_have_text(["any", "__proto__", "constructor"])
        await page.close()


async def test_words_that_are_cut_anywhere_are_put_together(look: Watched) -> None:
    """A stream comes in pieces of its own: in the middle of a line, and of a character."""
    script = Script({"jobs": {"jobs": [row(1, "running")], "next": None}})
    async with scripted(script) as url:
        page = await listed(look, script, f"{url}?view=jobs")
        told = json.dumps(step(1, "running", "größer\U0001f600"), ensure_ascii=False)
        line = f"event: transition\ndata: {told}\n\n".encode()
        for at in range(len(line)):
            await script.send(line[at : at + 1])
            await page.evaluate("() => new Promise(setTimeout)")
        await expect(page.locator(".jobs .state")).to_have_text("größer\U0001f600")
        await page.close()
    assert script.connected == 1
