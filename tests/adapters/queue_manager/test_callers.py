"""The page's calls where users are known: each sees and makes its own rows, by a verified token alone."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest_asyncio

from makegood.job import JobMoney
from makegood_adapters.access import LimitsConfig
from makegood_adapters.queue_manager import Options
from tests.adapters.queue_manager.scene import CREDITS, OWNER, Reply, Scene, opened
from tests.api.issuer import BY_SECRET, NOW, PUBLIC, a_gate, by_secret, claims, forged

TABLE = "upscaler_jobs"
ADA, BOB = by_secret(sub=OWNER), by_secret(sub="bob")
BAD = {
    "expired": by_secret(exp=NOW - 60),
    "for others": by_secret(aud="others"),
    "unsigned": forged({"alg": "none"}, claims()),
    "by another secret": by_secret("x" * 32),
    "the backend": by_secret(role="service_role"),
}


def bearing(token: str) -> dict[str, str]:
    """Return what the page's library sends for whoever is signed in."""
    return {"apikey": PUBLIC, "Authorization": f"Bearer {token}"}


@dataclass
class Page:
    """The page of a user: its calls with the user's token, or with the publishable key alone."""

    scene: Scene

    async def insert(self, token: str, **given: Any) -> Reply:
        row = await self.scene.row(TABLE, **given)
        headers = {"Prefer": "return=representation", **bearing(token)}
        return await self.scene.page.call("POST", f"/rest/v1/{TABLE}?select=*", json=row, headers=headers)

    async def select(self, job_id: object, token: str) -> Reply:
        return await self.scene.page.select(TABLE, job_id, headers=bearing(token))

    async def patch(self, job_id: object, token: str) -> Reply:
        path = f"/rest/v1/{TABLE}?id=eq.{job_id}"
        return await self.scene.page.call("PATCH", path, json={"status": "failed"}, headers=bearing(token))


@pytest_asyncio.fixture
async def page(database: str, tmp_path: Path) -> AsyncIterator[Page]:
    async with (
        a_gate(BY_SECRET) as gate,
        opened(database, tmp_path, Options(gate=gate, public_key=PUBLIC)) as scene,
    ):
        yield Page(scene)


async def test_a_row_belongs_to_the_user_of_the_token_and_names_no_other(page: Page) -> None:
    for own in (OWNER, None):
        reply = await page.insert(ADA, user_id=own)
        assert (reply.status, reply.body[0]["user_id"]) == (201, OWNER), own
    foreign: tuple[Any, ...] = ("bob", "", 7, [OWNER])
    for named in foreign:
        reply = await page.insert(ADA, user_id=named)
        assert (reply.status, reply.body["code"]) == (403, "42501"), named
    for token in (PUBLIC, *BAD.values()):
        reply = await page.insert(token)
        assert (reply.status, reply.body["code"]) == (401, "PGRST301")
    assert (await page.scene.engine.wallet("bob")).available == 0


async def test_c3_no_page_reads_or_ends_the_job_of_another(page: Page) -> None:
    job_id = (await page.insert(ADA)).body[0]["id"]
    assert (await page.select(job_id, ADA)).body == [{"status": "pending"}]
    for token in (BOB, PUBLIC):
        assert (await page.select(job_id, token)).body == []
    for token in BAD.values():
        assert (await page.select(job_id, token)).status == 401
    assert (await page.patch(job_id, BOB)).status == 204
    finish = await page.scene.page.finish(TABLE, job_id)
    assert finish.status == 401  # the page sends its key with it
    body = {"table": TABLE, "jobId": job_id, "status": "failed"}
    path = "/functions/v1/runninghub-queue-manager/finish"
    reply = await page.scene.page.call("POST", path, json=body, headers=bearing(BOB))
    assert (reply.status, reply.body) == (404, {"error": "Job not found"})
    assert (await page.select(job_id, ADA)).body == [{"status": "pending"}]
    assert (await page.patch(job_id, ADA)).status == 204
    assert (await page.select(job_id, ADA)).body == [{"status": "failed"}]


async def test_a_report_with_the_key_of_the_page_alone_is_taken_for_what_it_is_worth(page: Page) -> None:
    """Leaving the page, it has no token at hand; of a job that was submitted it moves nothing."""
    scene = page.scene
    job_id = (await page.insert(ADA)).body[0]["id"]
    draft = await scene.engine.get(UUID(job_id))
    job = await scene.engine.accept((await scene.engine.prepare(draft.id, draft.input)).id)
    job = await scene.drive.submit(await scene.drive.dispatch(job))
    body = {"table": TABLE, "jobId": job_id, "status": "failed"}
    headers = {"Authorization": f"Bearer {PUBLIC}"}
    path = "/functions/v1/runninghub-queue-manager/finish"
    reply = await scene.page.call("POST", path, json=body, headers=headers)
    assert (reply.status, reply.body) == (200, {"success": True, "refundedAmount": 0})
    assert await scene.money(job) == JobMoney(held=job.price)
    assert (await scene.engine.wallet(OWNER)).available == CREDITS - job.price


async def test_a_page_that_calls_too_often_is_told_when_to_come_again(database: str, tmp_path: Path) -> None:
    few = LimitsConfig(address={"requests": "2/minute"})
    async with (
        a_gate(BY_SECRET, limits=few) as gate,
        opened(database, tmp_path, Options(gate=gate, public_key=PUBLIC), key=PUBLIC) as scene,
    ):
        path = "/functions/v1/runninghub-queue-manager/check"
        replies = [await scene.page.call("POST", path) for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 429]
    assert replies[-1].headers["Retry-After"] == "60"
    assert replies[-1].headers["Access-Control-Allow-Origin"] == "*"
