"""What nobody can confirm is not shown as well, and what has changed is read aloud, once."""

from playwright.async_api import Page, expect

from tests.page.scene import Watched
from tests.page.scripted import PAUSE, Script, job_id, now, overview, row, scripted, step, told
from tests.page.test_hands import ticking
from tests.page.test_live import live
from tests.page.test_words import a_dossier, concern

#: What a screen reader says by itself: the whole text of a region that has changed.
READER = """{
    window.heard = [];
    const told = new Map(), regions = '[role=status], [role=alert], [role=log], [aria-live]';
    new MutationObserver(() => {
        for (const region of document.querySelectorAll(regions)) {
            const text = region.textContent.trim();
            if (text && text !== told.get(region)) heard.push(text);
            told.set(region, text);
        }
    }).observe(document, { subtree: true, childList: true, characterData: true });
}"""


def settled() -> Script:
    """Return a service where all is well."""
    found = overview(running=1)
    worker = {"id": 1, "process": "gpu 7", "state": "running", "seen_at": now()}
    found["workers"] = [{**worker, "told": told("good", "11 well")}]
    return Script({"overview": found, "jobs": {"jobs": [row(1, "running")], "next": None}})


async def is_grey(page: Page) -> bool:
    return bool(await page.locator("main").evaluate("main => getComputedStyle(main).filter !== 'none'"))


async def test_what_is_well_is_called_so_only_while_somebody_says_it(look: Watched) -> None:
    """The books go on being answered, as of the last audit; it is the rest that cannot be read."""
    script = settled()
    found = script.answers["overview"]
    async with scripted(script) as url:
        for view, well in (("live", "11 well"), ("concerns", "Nothing needs a person.")):
            page = await look(f"{url}?view={view}", broken=True)
            await live(page)
            books, said = page.locator("header .money p"), page.locator("main p", has_text=well)
            for line, text in ((books, "issued 0 = remaining 0"), (said, well)):
                await expect(line).to_have_text(f"✓ {text}")
                await expect(line).to_have_class("good")
            assert not await is_grey(page)
            script.answers["overview"] = None
            for line, text in ((books, "issued 0 = remaining 0"), (said, well)):
                await expect(line).to_have_text(text)
                await expect(line).to_have_class("plain")
            await expect(page.locator("header .money")).to_contain_text("as of")
            assert await is_grey(page)
            script.answers["overview"] = found
            await expect(books).to_have_class("good")
            assert not await is_grey(page)
            await page.close()


async def test_books_that_were_wrong_stay_red(look: Watched) -> None:
    script = settled()
    script.answers["books"] = {"told": told("bad", "The books are wrong."), "at": now(), "violations": []}
    async with scripted(script) as url:
        page = await look(url, broken=True)
        await live(page)
        script.answers["overview"] = None
        await expect(page.locator(".connection")).to_have_text("No fresh data")
        await expect(page.locator("header .money p")).to_have_class("bad")
        await expect(page.locator("header .money p")).to_have_text("✗ The books are wrong.")
        await page.close()


async def test_a_job_does_not_go_on_running_where_nobody_sees_it(look: Watched) -> None:
    script = settled()
    script.answers[job_id(1)] = a_dossier()
    async with scripted(script) as url:
        page = await look(f"{url}?view=jobs&job={job_id(1)}", broken=True)
        lasts = page.locator(".bars b")
        await expect(lasts).to_contain_text("2\xa0d")
        script.answers["overview"] = None
        await expect(lasts).to_have_text("1\xa0s")  # as it was answered
        await page.close()


async def test_an_answer_that_does_not_come_is_not_waited_for_in_silence(look: Watched) -> None:
    """A service that hangs says nothing for as long as a request may take."""
    script = settled()
    async with scripted(script) as url:
        page = await ticking(look, url)
        script.hold("overview")
        asked = script.asked["overview"]
        while script.asked["overview"] == asked:  # the one before may still be on its way
            await page.evaluate("tick(1)")
        await page.evaluate("tick(22)")
        await expect(page.locator(".connection")).to_have_text("No fresh data")
        await expect(page.locator(".banner")).to_contain_text("The answer is late.")
        await expect(page.locator(".banner")).to_contain_text("You see what was known at")
        assert await is_grey(page)
        script.release("overview")
        await live(page)
        await expect(page.locator(".banner")).to_have_count(0)
        await page.close()


async def test_a_list_does_not_stand_still_when_no_steps_come(look: Watched) -> None:
    """What is told by the stream alone is asked for while there is none."""
    script = settled()
    async with scripted(script) as url:
        page = await ticking(look, f"{url}?view=jobs")
        await script.until(lambda: script.asked["jobs"] == 2)  # the second with the stream
        await expect(page.locator(".jobs tbody .state")).to_have_text("running")
        await page.evaluate("tick(40)")
        assert script.asked["jobs"] == 2
        script.hold("events")
        await script.send(b"")
        await script.until(lambda: script.connected == 2)
        await page.evaluate("tick(1)")
        await expect(page.locator(".connection")).to_have_text("Connecting …")
        script.answers["jobs"] = {"jobs": [row(1, "failed")], "next": None}
        await page.evaluate("tick(24)")
        await expect(page.locator(".jobs tbody .state")).to_have_text("failed")
        await page.close()


async def test_what_has_changed_is_read_aloud_once_and_nothing_else(look: Watched) -> None:
    """Books that break, what needs a person, the connection, and what became of an act; not each count."""
    script = settled()
    found = script.answers["overview"]
    found["accounts"] = overview(PAUSE)["accounts"]

    async def looked(name: str) -> None:
        """Wait until what is so now was answered, and drawn."""
        asked = script.asked[name]
        await script.until(lambda: script.asked[name] > asked + 1)
        await page.evaluate("new Promise(requestAnimationFrame)")

    def wrong(text: str) -> None:
        script.answers["books"] = {"told": told("bad", text), "at": now(), "violations": []}

    async with scripted(script) as url:
        page = await look("about:blank", broken=True)
        await page.add_init_script(READER)
        await page.goto(url)
        await live(page)
        for number in range(2, 6):
            await script.tell(step(number, None, "pending", 0))
        await expect(page.get_by_role("button", name="4 new")).to_be_visible()
        await looked("books")
        expected = ["Live"]
        assert await page.evaluate("heard") == expected
        wrong("The books are wrong: 5 credits off, 1 violation. issued 1 = remaining 6")
        await looked("books")
        wrong("The books are wrong: 5 credits off, 1 violation. issued 2 = remaining 7")
        await looked("books")
        expected += ["The books are wrong: 5 credits off, 1 violation"]
        assert await page.evaluate("heard") == expected
        wrong("The books are wrong: 5 credits off, 2 violations. issued 2 = remaining 7")
        await looked("books")
        expected += ["The books are wrong: 5 credits off, 2 violations"]
        script.answers["concerns"] = {"concerns": [concern("alarm", "A task is lost.")]}
        await expect(page.locator("nav .mark")).to_have_text("1")
        expected += ["Needs a person: 1"]
        script.answers["overview"] = None
        await expect(page.locator(".connection")).to_have_text("No fresh data")
        await looked("overview")
        script.answers["overview"] = found
        await live(page)
        expected += ["No fresh data", "Live"]
        assert await page.evaluate("heard") == expected
        await script.send(b"")  # the stream is cut, and there again
        await expect(page.locator(".connection")).to_have_text("Connecting …")
        await live(page)
        script.answers["pauses"] = {}
        await page.get_by_role("button", name="Pause").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("Your name").fill("Grace")
        await dialog.get_by_label("Reason").fill("tea")
        await dialog.get_by_role("button", name="Pause").click()
        await expect(dialog).to_have_count(0)
        await looked("overview")
        expected += ["Done: Start no more jobs of pool studio."]
        assert await page.evaluate("heard") == expected
        await page.close()


async def test_short_words_stay_whole_and_no_table_leaves_its_card(look: Watched) -> None:
    script = settled()
    [worker] = script.answers["overview"]["workers"]
    ill = "poller hangs for 3 min · collector failed 12 times (StoreUnavailable) · 9 loops more"
    name = "gpu-worker-europe-west-7.internal.example 30001"
    script.answers["overview"]["workers"] = [{**worker, "process": name, "told": told("bad", ill)}]
    act = {"id": 1, "at": now(), "by": "Grace", "key": "key:grace", "what": "End",
           "subject": f"job {job_id(7)}", "reason": "by phone", "outcome": "illegal_transition"}  # fmt: skip
    script.answers["acts"] = {"acts": [act]}
    async with scripted(script) as url:
        for view, words in (("live", {"running", "ada"}), ("concerns", {"Grace", "illegal_transition"})):
            for width in (560, 768, 1280):
                page = await look(f"{url}?view={view}", width=width)
                await live(page)
                await expect(page.locator(".list").first).to_be_visible()
                lines = await page.locator(".list bdi").evaluate_all(
                    "all => all.map((e) => [e.textContent, Math.round(e.clientHeight / 20.3)])"
                )
                assert words <= {word for word, _ in lines}
                assert not [word for word, many in lines if word in words and many > 1], (view, width)
                wide = "all => all.filter((e) => e.scrollWidth > e.clientWidth).length"
                assert await page.locator(".fit").evaluate_all(wide) == 0, (view, width)
                await page.close()
