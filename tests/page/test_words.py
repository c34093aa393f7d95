"""What the page makes of answers: no level is softened, no figure is another's, and nothing is left out."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.async_api import expect

from tests.page.scene import Watched
from tests.page.scripted import PAUSE, Script, job_id, now, overview, row, scripted, step, told
from tests.page.test_live import counts, live

#: Tells from which state the way that lights up leads, beside its event.
RECORD_STEPS = """() => {
    window.flashed = [];
    Element.prototype.animate = function () { window.flashed.push(this.closest('.edge').dataset.step); };
}"""
OFFER = {**PAUSE, "label": "Cancel", "title": "Cancel: job 1", "refused": "It was asked to stop."}


def concern(level: str, what: str, job: str | None = None) -> dict[str, Any]:
    return {
        "kind": level, "subject": what, "level": level, "what": what, "todo": "Ask `makegood audit`.",
        "since": now(), "job_id": job,
    }  # fmt: skip


async def test_what_needs_a_person_is_told_as_what_it_is(look: Watched) -> None:
    alarm, warning = concern("alarm", "A task is lost.", job_id(7)), concern("warning", "An account rests.")
    act = {"id": 1, "at": now(), "by": "Grace", "key": "key:grace", "what": "End", "subject": "job 7",
           "reason": "by phone", "outcome": "illegal_transition"}  # fmt: skip
    script = Script({"concerns": {"concerns": [alarm, warning]}, "acts": {"acts": [act]}})
    async with scripted(script) as url:
        page = await look(f"{url}?view=concerns")
        needs, mark = page.get_by_role("region", name="Needs a person"), page.locator("nav .mark")
        items = needs.locator("li")
        await expect(items).to_have_text(
            [
                re.compile(
                    r"✗ Alarm\. A task is lost\.\s*Ask makegood audit\.\s*Since .* ago\.\s*Job 019ac5"
                ),
                re.compile(r"⚠ Warning\. An account rests\.\s*Ask makegood audit\."),
            ]
        )
        await expect(items.first).to_have_class("alarm")
        await expect(items.last).to_have_class("warning")
        await expect(items.first.locator("code")).to_have_text("makegood audit")
        await expect(items.first.get_by_role("link")).to_have_attribute("href", f"?job={job_id(7)}")
        await expect(mark).to_have_text("2")
        await expect(mark).to_have_class("mark alarm")
        await expect(page.get_by_text("Nothing needs a person.")).to_have_count(0)
        acts = page.get_by_role("region", name="What operators did over the API").locator("tbody td")
        signed = ["Grace", "key:grace", "End", "job 7", "by phone", "illegal_transition"]
        await expect(acts).to_have_text([re.compile(r"^\d\d:\d\d:\d\d$"), *signed])
        script.answers["concerns"] = {"concerns": [warning]}
        await page.reload()
        await expect(mark).to_have_text("1")
        await expect(mark).to_have_class("mark warning")
        script.answers["concerns"] = {"concerns": []}
        await page.reload()
        await expect(needs.get_by_text("✓ Nothing needs a person.")).to_be_visible()
        await expect(mark).to_have_count(0)
        await page.close()


async def test_books_that_are_wrong_are_red_and_list_what_is_broken(look: Watched) -> None:
    script, text = Script(), "The books are wrong: 5 credits off, 1 violation. issued 1,000"
    broken = {
        "code": "B1",
        "invariant": "balance",
        "subject": "wallet of ada",
        "owner": "ada",
        "job_id": None,
    }
    script.answers["books"] = {"told": told("bad", text), "at": now(), "violations": [broken]}
    async with scripted(script) as url:
        page = await look(url)
        line = page.locator("header .money")
        await expect(line).to_have_class("row money")
        await expect(line.locator("p")).to_have_text(re.compile(rf"✗ {re.escape(text)}"))
        await expect(line.locator("p")).to_have_class("bad")
        await expect(line).to_contain_text(re.compile(r"as of \d+\ss ago"))
        subject = line.get_by_role("cell", name="wallet of ada")
        await expect(subject).to_be_hidden()
        await line.locator("summary").click()
        await expect(subject).to_be_visible()
        script.answers["books"] = {"told": told("good", "issued 0"), "at": now(), "violations": []}
        await page.reload()
        await expect(line.locator("p")).to_have_text(re.compile("✓ issued 0"))
        await expect(line.locator("details")).to_have_count(0)
        await page.close()


async def test_slots_are_drawn_as_they_are_taken(look: Watched) -> None:
    found = overview()
    [account] = found["accounts"]
    ill = {"capacity": 6, "open": 3, "draining": 1, "foreign": 1, "problem": "No money."}
    said = {"told": [told("plain", "3 of 6 slots taken"), told("bad", "No money.")]}
    large = {"account": "large", "capacity": 100}
    found["accounts"] = [{**account, **ill, **said}, {**account, **large}]
    loops = {"told": told("bad", "relay hangs")}
    found["workers"] = [{"id": 1, "process": "gpu 7", "state": "running", "seen_at": now(), **loops}]
    async with scripted(Script({"overview": found})) as url:
        page = await look(url)
        items = page.get_by_role("region", name="Slots").locator("li")
        drawn = "all => all.map((each) => each.className)"
        await expect(items).to_have_count(2)
        assert await items.first.locator(".boxes i").evaluate_all(drawn) == [
            "open", "open", "draining", "foreign", "free", "free",
        ]  # fmt: skip
        await expect(items.first).to_have_class("unfit")
        await expect(items.first.locator("p")).to_have_text(["3 of 6 slots taken", "✗ No money."])
        assert await items.last.locator(".boxes i").evaluate_all(drawn) == ["free"] * 50
        await expect(items.last.locator(".boxes")).to_have_text("each 2 slots")
        assert await items.last.get_attribute("class") is None
        loops_told = page.get_by_role("region", name="Processes").locator("p")
        await expect(loops_told).to_have_text("✗ relay hangs")
        await page.close()


async def test_the_queue_is_that_of_the_pool_that_is_asked_for(look: Watched) -> None:
    waiter = {"position": 2, "id": job_id(3), "owner": "ada", "waited_seconds": 65.0,
              "starts": told("warn", "The pool films is paused: shut")}  # fmt: skip
    said = told("plain", "2 waiting, 1 not yet due")
    script = Script({"queue": {"jobs": [waiter], "pools": ["films", "studio"], "told": said}})
    async with scripted(script) as url:
        page = await look(f"{url}?pool=films")
        queue = page.get_by_role("region", name="Queue")
        await expect(queue.locator(".row p")).to_have_text("2 waiting, 1 not yet due")
        await expect(queue.locator("tbody td")).to_have_text(
            ["2", f"{job_id(3)[:8]}…0003", "ada", "1 min 5 s", "⚠ The pool films is paused: shut"]
        )
        assert script.queries["queue"] == [{"pool": "films", "limit": "8"}] * script.asked["queue"]
        await page.close()


async def test_the_diagram_is_that_of_the_type_that_is_asked_for(look: Watched) -> None:
    """Counts that are cut say so, a chosen state can be left again, and who has paused the type is told."""
    found = overview(running=10_000, queued=3, completed=4)
    [first] = found["types"]
    paused = {"told": [told("warn", "Paused by Grace: it is closed")], "acts": [OFFER | {"refused": None}]}
    found["types"] = [{**first, "name": "other", "label": "Other", "jobs": 9_999}, {**first, **paused}]
    script = Script({"overview": found})
    async with scripted(script) as url:
        page = await look(f"{url}?type={first['name']}&state=running")
        card = page.get_by_role("region", name="Portrait")
        await counts(page, "running", r"10,000\+")
        await counts(page, "completed", "4")
        await expect(card).to_contain_text("10,003 under way")
        await expect(card.locator("p.warn")).to_have_text("⚠ Paused by Grace: it is closed")
        await expect(card.get_by_role("button", name="Cancel")).to_be_enabled()
        await expect(card).to_contain_text("0 a minute")
        chosen, other = (page.get_by_role("link", name=f"{name}: ") for name in ("running", "queued"))
        await expect(chosen).to_have_attribute("href", f"?type={first['name']}")
        await expect(other).to_have_attribute("href", f"?type={first['name']}&state=queued")
        await live(page)
        await page.evaluate(RECORD_STEPS)
        failed = {**step(1, "running", "failed"), "event": "fail"}
        await script.tell(failed)
        await page.wait_for_function("window.flashed.length")
        assert set(await page.evaluate("window.flashed")) == {"fail running"}
        await page.close()


def a_dossier() -> dict[str, Any]:
    """Return a job with something of everything."""
    begun = (datetime.now(UTC) - timedelta(days=2)).isoformat()
    bar = {"state": "running", "status": "running", "from": begun, "to": None, "seconds": 1,
           "event": "begin", "actor": "engine", "reason": None, "attempt": 1}  # fmt: skip
    line = {"bucket": "monthly", "balance": 940, "at": now()}
    settle = {**OFFER, "label": "Settle", "path": "/operations/jobs/1/attempts/2/resolve", "refused": None}
    return {
        **row(1, "running"), "type_gone": True, "finished_at": None, "acts": [OFFER], "bars": [bar],
        "told": [told("bad", "It is broken (provider)"), told("good", "60 credits given back"),
                 told("warn", "Its job type is gone.")],
        "journal": [{"kind": kind, "amount": 60, **line} for kind in ("hold", "release", "capture")],
        "attempts": [{"number": 2, "phase": "uncertain", "known": [], "acts": [settle]}],
        "messages": [], "inputs": [{"name": "image", "kind": "txt", "size": 2_100}],
        "files": [{"number": 0, "kind": "png", "size": 9}, {"number": 1, "kind": "png", "size": 30_000_000},
                  {"number": 2, "kind": "txt", "size": 7}],
    }  # fmt: skip


async def test_one_job_is_told_whole(look: Watched) -> None:
    script = Script({job_id(1): a_dossier(), **dict.fromkeys(("0", "1", "2", "image"), "no picture")})
    async with scripted(script) as url:
        page = await look(f"{url}?view=jobs&job={job_id(1)}")
        job = page.locator(".job")
        await expect(job.locator("p.bad").first).to_have_text("✗ It is broken (provider)")
        await expect(job.locator("p.good")).to_have_text("✓ 60 credits given back")
        await expect(job.locator("p.warn")).to_have_text("⚠ Its job type is gone.")
        await expect(job.locator("dt", has_text=re.compile("^price$")).locator("+ dd")).to_have_text("60")
        await expect(job).to_contain_text("Its way: 2 d")
        await expect(job.locator(".bars b")).to_have_text(re.compile(r"^2\sd"))
        cancel = job.get_by_role("group", name="Acts").get_by_role("button", name="Cancel")
        await expect(cancel).to_be_disabled()
        await expect(job.get_by_role("group", name="Acts")).to_contain_text("It was asked to stop.")
        lines = job.locator("tbody tr")
        kinds = [f"{kind}60monthly940" for kind in ("hold", "release", "capture")]
        await expect(lines).to_have_text([re.compile(rf"^{each}\d") for each in kinds])
        assert await lines.evaluate_all("all => all.map((each) => each.className)") == ["", "good", ""]
        await expect(job.get_by_text("It is damaged, or no png that a browser can show.")).to_be_visible()
        await job.get_by_role("button", name="Fetch result 2").click()  # too large to come by itself
        await job.get_by_role("button", name="Fetch result 3").click()
        await job.get_by_role("button", name="Fetch image").click()
        await expect(job.get_by_role("link", name="Save")).to_have_count(4)
        names = await job.get_by_role("link", name="Save").evaluate_all("all => all.map((a) => a.download)")
        assert names == ["image.txt", "result 1.png", "result 2.png", "result 3.txt"]
        assert [script.asked[name] for name in ("image", "0", "1", "2")] == [1, 1, 1, 1]
        script.answers["resolve"] = {}
        await job.get_by_role("button", name="Settle").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("Your name").fill("Grace")
        await dialog.get_by_label("Reason").fill("there is none")
        await dialog.get_by_role("button", name="Settle").click()
        await expect(dialog).to_have_count(0)
        assert script.places == ["/v1/operations/jobs/1/attempts/2/resolve"]
        await page.close()


async def test_the_ledger_and_a_wallet_are_those_of_the_owner_that_is_asked_for(look: Watched) -> None:
    moved = {"at": now(), "owner": "a?b", "job_id": job_id(1)}
    grant = {**OFFER, "label": "Grant"}
    script = Script({
        "ledger": {"next": None, "entries": [
            {"cursor": 3, "kind": "returned", "text": "60 returned", "change": 60, "balance": 1_000, **moved},
            {"cursor": 2, "kind": "captured", "text": "60 paid", "change": 0, "balance": 940, **moved},
            {"cursor": 1, "kind": "held", "text": "60 held", "change": -60, "balance": 940, **moved},
        ]},
        "wallet": {"told": told("bad", "940 to spend, 5 owed"), "buckets": [], "acts": [grant]},
    })  # fmt: skip
    async with scripted(script) as url:
        page = await look(f"{url}?view=money&owner=a%3Fb")
        wallet = page.get_by_role("region", name="Wallet of a?b")
        await expect(wallet.locator("p")).to_have_text("✗ 940 to spend, 5 owed")
        await expect(wallet.get_by_role("button", name="Grant")).to_be_disabled()
        ledger = page.get_by_role("region", name="Ledger")
        await expect(ledger.locator("td[data-name=change]")).to_have_text(["+60", "0", "-60"])
        rows = ledger.locator("tbody tr")
        assert await rows.evaluate_all("all => all.map((each) => each.className)") == ["good", "", ""]
        assert script.queries["ledger"] == [{"owner": "a?b"}] * script.asked["ledger"]
        link = rows.first.locator("a").last
        await expect(link).to_have_attribute("href", f"?view=jobs&job={job_id(1)}")
        await page.close()


async def test_the_story_is_told_newest_first_and_each_button_presses_itself(look: Watched) -> None:
    line = {"at": now(), "tone": "plain", "job": None}
    stage = {
        "title": "makegood demo",
        "story": [
            {**line, "text": "the engine is gone", "tone": "bad"},
            {**line, "text": "job 4 is completed", "tone": "good", "job": job_id(4)},
        ],
        "buttons": [
            {"name": "fail", "label": "fail the next job", "told": "It fails.", "busy": True},
            {"name": "kill", "label": "kill the engine", "told": "SIGKILL.", "busy": False},
            {"name": "twice", "label": "send it twice", "told": "Twice.", "busy": False},
        ],
    }
    script = Script({"stage": stage, "twice": {"text": "done"}})
    async with scripted(script, stage="/v1/stage") as url:
        page = await look(url, broken=True)
        lines = page.get_by_role("log").locator("li")
        await expect(lines).to_have_text(
            [re.compile(rf"job 4 is completed\s+{job_id(4)[:8]}…0004"), re.compile("the engine is gone")]
        )
        await expect(lines.first).to_have_class("good")
        await expect(lines.last).to_have_class("bad")
        await expect(lines.locator("a")).to_have_count(1)
        await expect(lines.locator("a")).to_have_attribute("href", f"?job={job_id(4)}")
        await expect(page.get_by_role("button", name="fail the next job")).to_be_disabled()
        await page.get_by_role("button", name="send it twice").click()
        await script.until(lambda: script.places == ["/v1/stage/twice"])
        await page.get_by_role("button", name="kill the engine").click()  # it is refused
        await expect(page.locator(".said")).to_have_text("There is nothing.")
        assert script.places == ["/v1/stage/twice", "/v1/stage/kill"]
        await page.close()
