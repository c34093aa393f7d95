"""What operators read of jobs and money: a failure and its refund, filters, pages, one job, hostile words."""

import re
import struct
import zlib
from collections import deque
from pathlib import Path
from typing import Annotated

from playwright.async_api import Page, expect

from makegood import BaseJob, File, JobInput
from makegood.outcome import Failed
from tests.page.scene import CREDITS, OWNER, POOL, Portrait, Service, Watched, serving
from tests.page.test_live import live, sign_in

HOSTILE = "<script>document.title = 'owned'</script><img src=x onerror=alert(1)> \U0001f600 "


class Retouch(BaseJob):
    """A picture made of a picture."""

    pool, price, label = POOL, 60, "Retouch"

    class Input(JobInput):
        """What is retouched, and how."""

        image: Annotated[str, File(("png",))]
        wish: str


def picture(width: int, height: int) -> bytes:
    """Return a PNG that a browser can show."""
    rows = b"".join(b"\0" + bytes(v for x in range(width) for v in (x, y, 128)) for y in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(kind, data) for kind, data in ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )


async def test_a_failure_is_seen_and_its_credits_come_back(service: Service, look: Watched) -> None:
    jobs, money = (
        await look(f"{service.url}?view=jobs"),
        await look(f"{service.url}?view=money&owner={OWNER}"),
    )
    await live(jobs)
    await live(money)
    await expect(jobs.get_by_text("No jobs yet.")).to_be_visible()
    await expect(money.get_by_text(f"{CREDITS:,} to spend, 0 held for jobs")).to_be_visible()
    job = await service.order(held=True)
    row = jobs.get_by_role("row", name=str(job.id)[:8])
    await expect(row.locator(".state.running")).to_have_text("running")
    await expect(money.get_by_text(f"{CREDITS - 60:,} to spend, 60 held for jobs")).to_be_visible()
    refunds = money.locator("tr.good")
    await expect(refunds).to_have_count(0)
    for task in service.provider.tasks.values():
        task.answers = deque([Failed("the model ran out of memory")])
    await expect(row.locator(".state.failed")).to_have_text("failed")
    await expect(refunds).to_have_count(1)
    await expect(refunds).to_contain_text("60 returned")
    await expect(refunds).to_contain_text(f"{CREDITS:,}")
    await expect(money.get_by_text(f"{CREDITS:,} to spend, 0 held for jobs")).to_be_visible()
    await refunds.get_by_role("link", name=str(job.id)[:8]).click()
    await expect(
        money.get_by_text(re.compile("✓ 60 credits given back .* ago, to the bucket"))
    ).to_be_visible()
    await expect(money.locator(".bars li")).to_have_count(5)


#: What a page asks for with its stream may tell of what happens meanwhile: then nothing of it is new.
ANSWERED = """() => new Promise((go) => {
    const look = () => unanswered.jobs ? setTimeout(look, 20) : go();
    look();
})"""


async def rows(page: Page) -> list[str]:
    """Return the links of the rows, as they are listed."""
    return await page.locator(".jobs tbody td:first-child a").all_inner_texts()


async def test_filters_and_pages_live_in_the_address(service: Service, look: Watched) -> None:
    for _ in range(53):
        await service.engine.submit(Portrait, OWNER, {"prompt": "a lighthouse"})
    job = await service.order(held=True)
    page = await look(f"{service.url}?view=jobs")
    await live(page)
    await expect(page.locator(".jobs tbody tr")).to_have_count(50)
    first = await rows(page)
    await page.get_by_role("link", name="Older").click()
    await expect(page.locator(".jobs tbody tr")).to_have_count(4)
    assert not set(first) & set(await rows(page))
    await page.reload()
    await expect(page.locator(".jobs tbody tr")).to_have_count(4)
    await page.go_back()
    await expect(page.locator(".jobs tbody tr")).to_have_count(50)
    await page.get_by_label("state").select_option("running")
    await expect(page).to_have_url(re.compile("state=running"))
    await expect(page.locator(".jobs tbody tr")).to_have_count(1)
    await page.reload()
    await expect(page.get_by_label("state")).to_have_value("running")
    await expect(page.locator(".jobs tbody tr")).to_have_count(1)
    await page.go_back()
    await expect(page.get_by_label("state")).to_have_value("")
    await page.get_by_label("job, task, key or owner").fill(str(job.id))
    await page.keyboard.press("Enter")
    await expect(page.locator(".jobs tbody tr")).to_have_count(1)
    await page.locator(".jobs tbody a").first.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(".job h2")).to_be_focused()
    await expect(page.locator("tr[aria-current=true]")).to_have_count(1)
    await page.goto(f"{service.url}?view=jobs")
    await live(page)
    await expect(page.locator(".jobs tbody tr")).to_have_count(50)
    await page.evaluate(ANSWERED)
    before = await rows(page)
    await service.order(held=True)
    new = page.get_by_role("button", name="1 new")
    await expect(new).to_be_visible()
    assert await rows(page) == before, "nothing moves under who reads"
    await new.click()
    await expect(new).to_have_count(0)
    assert (await rows(page))[1:] == before[:-1]


async def test_one_job_shows_its_pictures_and_hostile_words_as_words(
    database: str, tmp_path: Path, look: Watched
) -> None:
    async with serving(database, tmp_path, types=(Portrait, Retouch)) as service:
        owner = HOSTILE + "o" * 400
        await service.engine.grant(owner, 100, source_ref="gift")
        key = await service.engine.blobs.put(picture(90, 60), "before.png")
        service.provider.contents["https://provider.example/task-1.png"] = [picture(180, 120)]
        job = await service.engine.submit(Retouch, owner, {"image": key, "wish": f"{HOSTILE}\u202etxet"})
        await service.engine.accept(job.id)
        async for _ in service.engine.watch(job.id):
            pass  # until it is over
        for width in (1280, 360):
            page = await look(f"{service.url}?view=jobs&job={job.id}", width=width)
            pictures = page.locator("figure img")
            await expect(pictures).to_have_count(2)
            shown = "e => e.decode().then(() => [e.naturalWidth, e.naturalHeight])"
            assert await pictures.nth(0).evaluate(shown) == [90, 60]
            assert await pictures.nth(1).evaluate(shown) == [180, 120]
            await page.get_by_text("input", exact=True).click()
            await expect(page.locator("pre").filter(has_text="onerror=alert").first).to_be_visible()
            assert await page.title() != "owned"
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
            await page.goto(f"{service.url}?view=money")
            await expect(page.get_by_role("link", name="<script>").first).to_be_visible()
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
            await page.close()


async def test_a_person_ends_a_job_with_a_reason(service: Service, look: Watched) -> None:
    job = await service.order(held=True)
    page = await look(f"{service.url}?view=jobs&job={job.id}")
    await live(page)
    await sign_in(page, service.key)
    acts = page.get_by_role("group", name="Acts")
    await acts.get_by_role("button", name="Ask the provider now").click()
    await page.locator("dialog").get_by_role("button", name="Ask the provider now").click()
    await expect(page.locator(".said")).to_contain_text("Done: Ask the provider now")
    await acts.get_by_role("button", name="End as failed").click()
    await page.get_by_label("Reason").fill("the provider has lost it")
    await page.locator("dialog").get_by_role("button", name="End as failed").click()
    await expect(page.locator(".job .state.failed").first).to_be_visible()
    await expect(page.locator(".bars li").last).to_contain_text("Grace via key")
    await expect(page.locator(".bars li").last).to_contain_text("the provider has lost it")
    await expect(page.get_by_text(re.compile("60 credits given back"))).to_be_visible()
    over = acts.get_by_role("button", name="Cancel")
    await expect(over).to_have_attribute("title", "The job is over.")
    await expect(over).to_be_disabled()
    told = await (await page.request.get(f"http://127.0.0.1:{service.port}/v1/operations/acts")).json()
    assert [(act["by"], act["reason"], act["outcome"]) for act in told["acts"]] == [
        ("Grace", "the provider has lost it", "ok"),
        ("Grace", None, "ok"),
    ]


async def test_what_is_not_there_is_told_in_words(service: Service, look: Watched) -> None:
    page = await look(f"{service.url}?view=jobs&job=nonsense", broken=True)
    await expect(page.locator(".job")).to_contain_text(re.compile("no job|not|unknown", re.I))
    await page.goto(f"{service.url}?view=jobs&since=yesterday&after=x")
    await expect(page.locator(".jobs .stale")).to_contain_text(re.compile("since|after"))
    await page.get_by_role("link", name="Show all").click()
    await expect(page.get_by_text("No jobs yet.")).to_be_visible()


async def test_a_message_and_an_address_with_names_of_the_language_hide_nothing(
    service: Service, look: Watched
) -> None:
    """A provider may use names of functions in what it tells, and a link in what it asks for."""
    job = await service.order(held=True)
    await service.engine.hint(job.id, '{"trim": 1, "said": "all of it"}', source="client")
    page = await look(f"{service.url}?view=constructor&job={job.id}")
    await page.locator("summary", has_text="client").click()
    await expect(page.get_by_text('"said": "all of it"')).to_be_visible()
