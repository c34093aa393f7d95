"""What the page shows is what is: while operators race, and after the database was away."""

import re
from collections import Counter
from pathlib import Path

from playwright.async_api import expect

from makegood import Catalog, Engine
from makegood_adapters.folder import FolderBlobs
from makegood_adapters.postgres.store import PostgresStore
from tests.adapters.postgres.proxy import proxy_before
from tests.page.scene import Portrait, Service, Watched, serving
from tests.page.test_live import counts, live, sign_in


async def test_of_two_who_end_a_job_at_once_each_is_told_what_is_so(service: Service, look: Watched) -> None:
    job = await service.order(held=True)
    pages = [await look(f"{service.url}?view=jobs&job={job.id}", broken=True) for _ in range(2)]
    buttons = []
    for page, label in zip(pages, ("End as failed", "Cancel"), strict=True):
        await live(page)
        await sign_in(page, service.key)
        await page.get_by_role("group", name="Acts").get_by_role("button", name=label).click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("Reason").fill(f"{label}, says Grace")
        buttons.append(dialog.get_by_role("button", name=label))
    await buttons[0].click()
    await expect(pages[0].locator(".said")).to_contain_text("Done: End as failed")
    # The other has read what was so before, and sees behind the dialog that it is not so any more.
    await expect(pages[1].locator(".job .state.failed").first).to_be_visible()
    await expect(buttons[1]).to_be_enabled()
    await buttons[1].dblclick()
    await expect(pages[1].get_by_role("dialog").get_by_role("alert")).to_contain_text(
        re.compile("over|failed")
    )
    steps = await service.engine.history(job.id, -1)
    assert [step.event for step in steps].count("fail") == 1
    acts = (await service.engine.acts(after=None, limit=10)).acts
    assert sorted(act.outcome == "ok" for act in acts) == [False, True], "a double click is one act"


async def test_what_happens_while_the_database_is_away_is_shown_when_it_is_back(
    database: str, tmp_path: Path, look: Watched
) -> None:
    """A job ends over another connection: its row, its dossier, the ledger and the counts all follow."""
    async with PostgresStore.open(database) as store, proxy_before(database) as proxy:
        other = Engine(store, Catalog((Portrait,)), blobs=FolderBlobs(tmp_path), run_loops=False)
        async with other, serving(proxy.dsn, tmp_path) as service:
            job = await service.order(held=True)
            at = f"{service.url}?view=jobs&job={job.id}"
            pages = [await look(url, broken=True) for url in (service.url, at, f"{service.url}?view=money")]
            for page in pages:
                await live(page)
            now, dossier, money = pages
            await counts(now, "running", "1")
            await expect(dossier.locator("tbody .state.running")).to_have_count(1)
            await expect(money.get_by_role("cell", name="60 returned")).to_have_count(0)
            await proxy.refuse()
            for page in pages:
                await expect(page.locator(".banner")).to_contain_text("cannot reach its data")
            await other.administer(job.id, Portrait.fail, actor="test", reason="it is gone")
            await proxy.listen()
            for page in pages:
                await live(page)
            await counts(now, "running", "0")
            await counts(now, "failed", "1")
            await expect(dossier.locator("tbody .state.failed")).to_have_count(1)
            await expect(dossier.locator(".bars li").last).to_contain_text("it is gone")
            await expect(money.locator("tr.good")).to_contain_text("60 returned")


async def test_a_busy_page_says_what_the_api_says(service: Service, look: Watched) -> None:
    """Jobs of all fates pass; then every count, and the state of every row, is that of the API."""
    page = await look(service.url)
    await live(page)
    first = await service.order(held=True)
    row = page.locator(".jobs tbody tr")
    await expect(row).to_have_count(1)  # an empty list fills by itself, one that is read stays
    jobs = [first, *[await service.order(held=number % 2 == 0) for number in range(11)]]
    await service.engine.cancel(jobs[-1].id, actor="test")
    await page.get_by_role("button", name="11 new").click()
    await expect(row).to_have_count(12)
    service.release()
    while [job for job in jobs if (await service.engine.get(job.id)).finished_at is None]:
        service.release()
    told = f"http://127.0.0.1:{service.port}/v1/operations"
    listed = (await (await page.request.get(f"{told}/jobs")).json())["jobs"]
    for state, n in {"running": 0, "queued": 0, **Counter(each["state"] for each in listed)}.items():
        await counts(page, state, f"{n}")
    rows = page.locator(".jobs tbody .state")
    await expect(rows).to_have_text([each["state"] for each in listed])
