"""A result that is a page or a drawing with a script, opened in a browser: nothing of it runs as ours."""

import contextlib
from collections import deque

from playwright.async_api import Error, expect

from makegood.outcome import Output, Succeeded
from tests.page.scene import Service, Watched

RUNS = b"<script>fetch('/v1/operations/me?owned'); document.title = 'owned'</script>"
RESULTS = {
    "html": b"<!doctype html><title>mild</title>" + RUNS,
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'>" + RUNS + b"</svg>",
    "xml": b"<x:html xmlns:x='http://www.w3.org/1999/xhtml'>"
    + RUNS.replace(b"script", b"x:script")
    + b"</x:html>",
    "txt": RUNS,
}


async def test_a_result_that_is_a_page_runs_nothing_with_the_rights_of_ours(
    service: Service, look: Watched
) -> None:
    """Neither by its address, nor from what the page has fetched to be saved, in a tab of its own."""
    task = "https://provider.example/task-1"
    service.provider.contents.update({f"{task}.{kind}": [content] for kind, content in RESULTS.items()})
    job = await service.order(held=True)
    page = await look(service.url, broken=True)
    asked: list[str] = []
    kinds: set[str] = set()
    page.on(
        "response",
        lambda answer: kinds.add(answer.headers["content-type"]) if "/files/" in answer.url else None,
    )
    for ran in service.provider.tasks.values():
        ran.answers = deque([Succeeded(tuple(Output(f"{task}.{kind}", kind) for kind in RESULTS))])
    async for _ in service.engine.watch(job.id):
        pass  # until it is over
    tab = await look(service.url, broken=True)
    for each in (page, tab):
        each.on("request", lambda request: asked.append(request.url))
    for number in range(len(RESULTS)):
        with contextlib.suppress(Error):  # it is saved, and not shown
            await tab.goto(f"http://127.0.0.1:{service.port}/v1/operations/jobs/{job.id}/files/{number}")
        assert await tab.title() != "owned"
    await page.goto(f"{service.url}?view=jobs&job={job.id}")
    for n in range(len(RESULTS)):
        await page.get_by_role("button", name=f"Fetch result {n + 1}").click()
    links = page.get_by_role("link", name="Save")
    await expect(links).to_have_count(len(RESULTS))
    for link in await links.all():
        async with page.expect_download():
            await link.click()
    assert not [url for url in asked if "owned" in url]
    assert kinds <= {"text/plain; charset=utf-8", "application/octet-stream"}, "what is saved keeps its type"
