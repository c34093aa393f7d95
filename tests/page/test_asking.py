"""What the page asks for and sends: what its address says, what an offer says, and nothing of another job."""

import asyncio
import re
from typing import Any
from urllib.parse import parse_qs

from playwright.async_api import Route, expect

from tests.page.scene import Watched
from tests.page.scripted import PAUSE, Script, job_id, now, overview, row, scripted, step, told
from tests.page.test_live import live, sign_in
from tests.page.test_trouble import listed

#: The clock of the page goes on when it is told to: `tick()` is half a second.
TICKS = (
    "const every = window.setInterval;"
    "window.setInterval = (go, ms) => ms === 500 ? (window.tick = go) : every(go, ms);"
)
GRANT: dict[str, Any] = {
    "label": "Grant", "title": "Grant credits to ada", "path": "/owners/ada/grants", "danger": False,
    "body": {"kind": "gift"}, "refused": None,
    "fields": [
        {"name": "amount", "label": "Credits", "type": "number"},
        {"name": "files", "label": "Keys", "type": "list"},
        {"name": "by", "label": "Your name", "type": "text"},
    ],
}  # fmt: skip


async def test_an_act_sends_what_is_offered_and_what_is_typed_and_is_done_when_that_is_answered(
    look: Watched,
) -> None:
    script = Script({"overview": overview(GRANT, {**PAUSE, "danger": True})})
    async with scripted(script) as url:
        page = await look("about:blank")
        await page.add_init_script(TICKS)
        await page.goto(url)
        await live(page)
        await page.get_by_role("button", name="Grant").click()
        dialog = page.get_by_role("dialog")
        for label, value in (("Credits", "70"), ("Keys", " a, b c "), ("Your name", " Grace ")):
            field = dialog.get_by_label(label)
            await expect(field).to_have_attribute("required", "")
            await field.fill(value)
        send = dialog.get_by_role("button", name="Grant")
        await expect(send).to_have_class("main")
        script.answers["grants"] = {}
        script.hold("grants")
        await send.click()
        await script.until(lambda: script.asked["grants"] == 1)
        await expect(send).to_be_disabled()
        await expect(page.locator(".said")).to_have_text("")
        asked = script.asked["me"]
        script.release("grants")
        await expect(page.locator(".said")).to_have_text("Done: Grant credits to ada.")
        await script.until(lambda: script.asked["me"] > asked)  # no time has passed: it is for the act
        assert script.places == ["/v1/owners/ada/grants"]
        assert script.posted == [{"kind": "gift", "amount": 70, "files": ["a", "b", "c"], "by": "Grace"}]
        await page.get_by_role("button", name="Pause").click()
        await expect(dialog.get_by_label("Your name")).to_have_value("Grace")
        await expect(dialog.get_by_role("button", name="Pause")).to_have_class("danger")
        await page.close()


async def test_every_filter_is_in_the_address_and_in_what_is_asked(look: Watched) -> None:
    script = Script({"jobs": {"jobs": [row(1, "running")], "next": "c2"}})
    script.answers["overview"] = overview(running=1)
    kind = script.answers["overview"]["types"][0]["name"]
    wanted: dict[str, str] = {}
    async with scripted(script) as url:
        page = await listed(look, script, f"{url}?view=jobs&after=c1")
        assert script.queries["jobs"][-1] == {"after": "c1"}
        for label, name, value, choice in (
            ("job, task, key or owner", "search", "ada", None),
            ("state", "state", "running", "running"),
            ("type", "type", kind, kind),
            ("owner", "owner", "ada", None),
            ("active", "active", "false", "over"),
            ("since", "since", "168h", "1 week"),
        ):
            named = page.locator(".filters label", has_text=re.compile(f"^{label}"))
            field = named.locator("input, select")
            if choice:
                await field.select_option(label=choice)
            else:
                await field.fill(f" {value} ")
                await field.press("Enter")
            wanted[name] = value
            await script.until(lambda: script.queries["jobs"][-1] == wanted)
        older = await page.get_by_role("link", name="Older").get_attribute("href")
        assert one_of_each(older) == {"view": "jobs", **wanted, "after": "c2"}
        await page.get_by_role("link", name="Older").click()
        newest = await page.get_by_role("link", name="Newest").get_attribute("href")
        assert one_of_each(newest) == {"view": "jobs", **wanted}
        await page.close()


def one_of_each(query: str | None) -> dict[str, str]:
    return {name: value for name, [value] in parse_qs((query or "")[1:]).items()}


async def test_news_of_a_list_is_what_the_list_would_have(look: Watched) -> None:
    """Each is told of two jobs that are not of its list, and then of one that is."""
    new, over = step(8, None, "pending", 0), step(8, "running", "completed")
    for asked, other, own in (
        ("type=portrait", {**new, "job_id": job_id(9), "type": "film"}, new),
        ("owner=ada", {**new, "job_id": job_id(9), "owner": "eva"}, new),
        ("active=false", {**new, "job_id": job_id(9)}, over),
        ("active=true", {**over, "job_id": job_id(9)}, new),
        ("state=starting", {**new, "job_id": job_id(9)}, step(8, "queued", "starting")),
    ):
        script = Script({"jobs": {"jobs": [row(1, "running")], "next": None}})
        async with scripted(script) as url:
            page = await listed(look, script, f"{url}?view=jobs&{asked}")
            await script.tell(other, {**other, "job_id": job_id(10)}, own)
            await expect(page.get_by_role("button", name=" new")).to_have_text("1 new")
            await page.close()


async def test_behind_the_first_page_and_in_what_was_found_nothing_is_new(look: Watched) -> None:
    for asked in ("after=c1", "search=ada"):
        drawn = [row(1, "running"), {**row(2, "pending"), "draft": True}]
        script = Script({"jobs": {"jobs": drawn, "next": None}})
        async with scripted(script) as url:
            page = await listed(look, script, f"{url}?view=jobs&{asked}")
            await script.tell(step(8, None, "pending", 0), step(1, "running", "completed"))
            await expect(page.locator(".jobs tbody .state")).to_have_text(["completed", "pending"])
            await expect(page.locator(".jobs tbody .state").first).to_have_class("state completed")
            await expect(page.get_by_role("button", name=" new")).to_have_count(0)
            await expect(page.locator(".jobs tbody tr").last).to_contain_text("draft")
            await page.close()


async def test_a_step_that_comes_late_takes_no_row_back(look: Watched) -> None:
    script = Script({"jobs": {"jobs": [row(1, "running"), row(2, "running")], "next": None}})
    async with scripted(script) as url:
        page = await listed(look, script, f"{url}?view=jobs")
        await script.tell(step(1, "queued", "starting", 2), step(2, "running", "failed"))
        await expect(page.locator(".jobs tbody .state")).to_have_text(["running", "failed"])
        await page.close()


async def test_a_job_and_the_ledger_are_read_again_soon_after_a_step_of_theirs(look: Watched) -> None:
    dossier = {
        **row(1, "running"), "told": [], "acts": [], "journal": [], "attempts": [], "messages": [],
        "inputs": [], "files": [], "finished_at": None, "type_gone": False,
        "bars": [{"state": "running", "status": "running", "from": now(), "to": None, "seconds": 0,
                  "event": "begin", "actor": "engine", "reason": None, "attempt": 1}],
    }  # fmt: skip
    script = Script({job_id(1): dossier, "ledger": {"entries": [], "next": None}})
    script.answers["wallet"] = {"told": told("plain", "0 to spend"), "buckets": [], "acts": []}
    async with scripted(script) as url:

        async def asked(names: tuple[str, ...], times: int) -> None:
            await script.until(lambda: all(script.asked[name] == times for name in names))

        for view, names in (
            (f"jobs&job={job_id(1)}", (job_id(1),)),
            ("money&owner=ada", ("ledger", "wallet")),
        ):
            page = await look("about:blank")
            await page.add_init_script(TICKS)
            script.hold("events")
            await page.goto(f"{url}?view={view}")
            await asked(names, 1)
            script.release("events")
            await live(page)
            await asked(names, 2)  # with the stream
            await script.tell(step(1, "running", "completed"))
            for _ in range(8):  # half seconds: what is not touched is asked for every ten seconds
                await page.evaluate("async () => { tick(); await new Promise(requestAnimationFrame); }")
            await asked(names, 3)
            await page.close()


async def test_a_stream_that_is_silent_or_gone_is_not_called_live(look: Watched) -> None:
    """The service says every 15 seconds that it is there."""
    script = Script()
    async with scripted(script) as url:
        page = await look("about:blank")
        await page.add_init_script(TICKS)
        await page.goto(url)
        await live(page)
        script.hold("events")
        for _ in range(92):
            await page.evaluate("tick()")
        await expect(page.locator(".connection")).to_have_text("Connecting …")
        await expect(page.locator(".connection")).to_have_class("connection warn")
        await script.until(lambda: script.connected == 2)
        script.release("events")
        await live(page)
        await expect(page.locator(".connection")).to_have_class("connection good")
        await page.close()


async def test_a_key_without_the_scope_is_asked_for_another(look: Watched) -> None:
    script = Script()
    async with scripted(script) as url:
        page = await look("about:blank", broken=True)
        refused = {"status": 403, "json": {"detail": "It has not the scope."}}
        await page.route("**/operations/me", lambda route: route.fulfill(**refused))
        await page.goto(url)
        await expect(page.locator(".connection")).to_have_text("Needs a key")
        await page.get_by_role("button", name="Use a key").click()
        await expect(page.get_by_label("Key", exact=True)).to_have_attribute("type", "password")
        await page.close()


async def test_a_key_that_is_forgotten_is_sent_no_more_and_no_name_is_left_beside(look: Watched) -> None:
    script = Script()
    async with scripted(script) as url:
        page = await look(url)
        await live(page)
        await sign_in(page, "mgk_7")
        key = page.locator(".key")
        await expect(key).to_contain_text("Grace")
        sent: list[str | None] = []
        await page.get_by_role("button", name="Forget the key").click()
        await expect(key).not_to_contain_text("Grace")
        page.on("request", lambda request: sent.append(request.headers.get("authorization")))
        asked = script.asked["overview"]
        await script.until(lambda: script.asked["overview"] > asked + 1)
        assert sent == [None] * len(sent)
        assert await page.evaluate("sessionStorage.makegoodKey") is None
        await page.close()


async def test_each_row_leads_to_its_own_job_and_to_the_credits_of_its_owner(look: Watched) -> None:
    owners = ("ada", "a&view=jobs", "eva")
    jobs = [{**row(number, "running"), "owner": owner} for number, owner in enumerate(owners)]
    async with scripted(Script({"jobs": {"jobs": jobs, "next": None}})) as url:
        page = await look(f"{url}?view=jobs")
        rows = page.locator(".jobs tbody tr")
        await expect(rows).to_have_count(len(owners))
        for number, owner in enumerate(owners):
            links = await rows.nth(number).locator("a").evaluate_all("all => all.map((a) => a.search)")
            assert [one_of_each(link) for link in links] == [
                {"view": "jobs", "job": job_id(number)},
                {"view": "money", "owner": owner},
            ]
        await page.close()


async def test_a_key_is_kept_when_it_is_not_what_was_refused(look: Watched) -> None:
    """Neither a service that is ill nor a late word on the key before takes a key away."""
    script, asked, answered = Script(), asyncio.Event(), asyncio.Event()

    async def late(route: Route) -> None:
        if route.request.headers.get("authorization") == "Bearer old":
            asked.set()
            await answered.wait()
            await route.fulfill(status=401, json={"detail": "It is revoked."})
        else:
            await route.continue_()

    async with scripted(script) as url:
        page = await look(url, broken=True)
        await live(page)
        await page.route("**/operations/overview", late)
        await sign_in(page, "old")
        await asked.wait()
        await page.get_by_role("button", name="Forget the key").click()
        await sign_in(page, "new")
        await expect(page.get_by_role("button", name="Forget the key")).to_be_visible()
        answered.set()
        await live(page)
        script.instead = (503, {}, '{"detail": "It is ill."}')
        await expect(page.locator(".banner")).to_contain_text("It is ill.")
        script.instead = None
        await live(page)
        await expect(page.locator(".key")).not_to_contain_text("not taken any more")
        assert await page.evaluate("sessionStorage.makegoodKey") == "new"
        await page.close()


async def test_a_job_that_is_named_oddly_is_asked_for_by_that_name(look: Watched) -> None:
    script = Script()
    async with scripted(script) as url:
        page = await look(f"{url}?view=jobs&job=a%2Fb%3Fc", broken=True)
        await expect(page.locator(".job")).to_contain_text("There is nothing.")
        assert script.asked["b?c"]
        await page.close()
