"""The demo with its page: each button makes its mishap happen, and the ledger says where the credits went."""

import asyncio
import os
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import asyncpg

from tests.shows.show import Show, shown

#: What each button must tell of its job, from the ledger and the provider's list of tasks.
TOLD = {
    "order": r"job \d+ is completed\. Provider: 1 task, 1 webhook delivered\. Ledger: 60 held .*; 60 paid ",
    "fail": r"job \d+ is failed\. .* Ledger: 60 held .*; 60 returned: provider failed\. \w+ has",
    "lose-webhook": r"job \d+ is completed\. Provider: 1 task, 0 webhooks delivered\. Ledger: .* 60 paid ",
    "twice": r"job \d+ is completed\. Provider: 1 task, 2 webhooks delivered\. Ledger: .*; 60 paid [^;]*\. ",
    "time-out": r"job \d+ is completed\. Provider: 1 task, .* Ledger: .*; 60 paid ",
    "kill": r"job \d+ is completed\. Provider: 1 task, .* Ledger: .*; 60 paid ",
    "other-program": r"job \d+ is failed\. .*The provider never heard of it\. Ledger: 60 held .*; 60 "
    r"returned: ended by another program\. .* job \d+ is completed\. .*; 60 paid ",
}
#: What else the story has, once all were pressed.
STORY = (
    r"ana orders job \d+: Image upscaler, 60 credits",
    r"kill -9: the engine, process \d+, is gone",
    r"start: the engine is back",
    r"psql: state = 'failed' for job \d+, which waits: UPDATE 1",
    r"psql: state = 'failed' for job \d+, which is at the provider: refused, MG002",
    r"The books: 4 jobs .* difference 0|The books: 3 jobs .* difference 0",
)


async def test_the_page_stays_and_its_buttons_do_what_they_say(postgres_dsn: str, tmp_path: Path) -> None:
    words = ("demo", "--jobs", "3", "--headless", "--page", "--port", "0", "--dsn", postgres_dsn)
    async with shown(*words, folder=tmp_path, environment=os.environ) as show:
        assert sorted(await show.buttons()) == sorted(TOLD)
        during = await show.press("order")  # while the story is being told
        assert re.match(TOLD["order"], during)
        await show.told("The page stays open")
        await check_the_page(show)
        together = [name for name in TOLD if name != "kill"]
        told = dict(zip(together, await asyncio.gather(*map(show.press, together)), strict=True))
        told["kill"] = await show.press("kill")
        for name, text in told.items():
            assert re.match(TOLD[name], text), f"{name}: {text}"
        await check_that_nobody_looks_after_who_was_killed(show)
        story = (await show.stage())["story"]
        for wanted in STORY:
            assert any(re.match(wanted, line["text"]) for line in story), f"{wanted} is not in {story}"
        check_the_tones(story)
        await check_that_jobs_are_found(show, story)
        assert await show.interrupt() == 0
    closing = show.lines[-1]
    assert re.fullmatch(r"12 jobs · \d+ completed · \d+ failed · .* · held 0 · difference 0", closing), (
        closing
    )
    assert await demo_databases(postgres_dsn) == []


async def check_the_page(show: Show) -> None:
    page = await show.get("/page/")
    assert '<meta name="makegood-stage" content="/stage">' in page
    me = await show.get("/v1/operations/me")
    assert (me["caller"], me["acts"], me["page"]["demo"]) == ("local", False, True)
    types = {each["name"] for each in (await show.get("/v1/operations/overview"))["types"]}
    assert types == {"upscaler", "pose_changer"}


async def check_that_nobody_looks_after_who_was_killed(show: Show) -> None:
    """The engine was killed for the show and is back: the one before it is in no list of what has trouble."""
    workers = (await show.get("/v1/operations/overview"))["workers"]
    assert len(workers) == 1, workers
    os.kill(workers[0]["pid"], 0)  # it lives


def check_the_tones(story: list[dict[str, Any]]) -> None:
    """What did not end as ordered is not told as if it had."""
    ends = [(re.match(r"job \d+ is (\w+)\. ", line["text"]), line["tone"]) for line in story]
    told = {(end[1], tone) for end, tone in ends if end}
    assert told == {("completed", "good"), ("failed", "warn")}
    assert {line["tone"] for line in story if line["text"].startswith("The books: ")} == {"good"}


async def check_that_jobs_are_found(show: Show, story: list[dict[str, Any]]) -> None:
    """A line that tells of a job has its id, under which the API knows it."""
    named: dict[str, set[str]] = defaultdict(set)
    for line in story:
        assert bool(line["job"]) == bool(re.search(r"\bjob \d", line["text"])), line
        if line["job"]:
            named[line["job"]] |= set(re.findall(r"\bjob \d{1,3}\b", line["text"]))
    assert all(len(names) == 1 for names in named.values()), named
    listed = (await show.get("/v1/operations/jobs?limit=100"))["jobs"]
    assert named.keys() <= {job["id"] for job in listed}


async def pause_everything(show: Show) -> None:
    """Sign in with the key that the terminal shows, and stop the queue."""
    [key] = re.findall(r"mgk_\S+", "\n".join(show.lines))
    pause = {"scope": "pool", "name": "runninghub", "by": "ana", "reason": "to see what is held"}
    headers = {"Authorization": f"Bearer {key}"}
    async with show.session.post(f"{show.url}/v1/operations/pauses", json=pause, headers=headers) as reply:
        assert reply.status == 200, await reply.text()


async def demo_databases(dsn: str) -> list[str]:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("select datname from pg_database where datname like 'makegood_demo%'")
    finally:
        await connection.close()
    return [row["datname"] for row in rows]
