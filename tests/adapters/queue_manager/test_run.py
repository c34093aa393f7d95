"""`/run` of a tool: each code of a refusal, one charge however often it is called, and whose jobs run."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio

from makegood.job import JobMoney, Verdict
from makegood_adapters.access import LimitsConfig
from tests.adapters.queue_manager.scene import CREDITS, OWNER, Reply
from tests.adapters.queue_manager.shop import ADA, BOB, UPSCALER, Shop, a_shop
from tests.adapters.queue_manager.test_wire import BODIES
from tests.api.issuer import NOW, PUBLIC, by_secret

NOBODY = "00000000-0000-0000-0000-000000000000"
PRICE = 60
#: What a page may send beside its inputs, and nobody reads.
IGNORED: dict[str, Any] = {
    "creditCost": 0, "userId": "bob", "user_id": "bob", "trial_mode": True, "status": "completed",
    "price": 1, "output_url": "https://evil.example/1.png", "task_id": "1", "credits_charged": True,
}  # fmt: skip


@pytest_asyncio.fixture
async def shop(database: str, tmp_path: Path) -> AsyncIterator[Shop]:
    async with a_shop(database, tmp_path) as made:
        yield made


def code(reply: Reply) -> tuple[int, str | None]:
    return reply.status, reply.body.get("code")


async def test_a_row_is_run_with_its_own_columns_overlaid_by_the_body(shop: Shop) -> None:
    draft = await shop.draft(category="comida", version="pro", prompt="as inserted")
    reply = await shop.run(draft, imageUrl=await shop.file(), version="standard", detailDenoise=0.5)
    assert (reply.status, reply.body) == (200, {"success": True, "queued": True, "position": 1})
    job = await shop.job(draft)
    assert (job.state, job.draft, job.price, await shop.money(job)) == (
        "queued", False, PRICE, JobMoney(held=PRICE),
    )  # fmt: skip
    asked = {name: job.input[name] for name in ("category", "version", "prompt", "detail_denoise")}
    assert asked == {
        "category": "comida", "version": "standard", "prompt": "as inserted", "detail_denoise": 0.5,
    }  # fmt: skip
    assert job.files == {"image": job.input["image"]}


async def test_d44_c2_no_field_of_the_body_decides_price_owner_or_state(shop: Shop) -> None:
    job, reply = await shop.running(**IGNORED)
    assert reply.body["success"] is True
    assert (job.owner, job.state, job.price, job.output) == (OWNER, "queued", PRICE, None)
    assert await shop.available() == CREDITS - PRICE
    assert await shop.available("bob") == 0


async def test_d30_m1_d47_fifty_calls_at_once_are_one_charge_and_one_place(shop: Shop) -> None:
    draft = await shop.draft()
    bodies = [{"imageUrl": await shop.file(), "version": version} for version in ("pro", "standard")]
    replies = await asyncio.gather(*(shop.run(draft, **bodies[n % 2]) for n in range(50)))
    assert [reply.body for reply in replies] == 50 * [{"success": True, "queued": True, "position": 1}]
    job = await shop.job(draft)
    frozen = job.input
    assert await shop.money(job) == JobMoney(held=job.price)
    for _ in range(4):  # and the four of a client that retries, with another input
        assert (await shop.run(draft, imageUrl="nonsense", category="nobody's")).body["success"] is True
    assert [t.event for t in await shop.scene.engine.history(job.id)] == ["submit", "accept"]
    after = await shop.job(job)
    assert (after.input, await shop.available()) == (frozen, CREDITS - job.price)


async def test_each_call_tells_the_state_of_the_job_after_it(shop: Shop) -> None:
    job, _ = await shop.running()
    drive = shop.scene.drive
    job = await drive.dispatch(job)
    assert (await shop.run(job)).body == {"success": True, "queued": False, "taskId": str(job.id)}
    job = await shop.scene.event(await drive.submit(job), "begin", Verdict.ACCEPTED)
    assert (await shop.run(job)).body == {"success": True, "queued": False, "taskId": str(job.id)}
    await shop.scene.event(job, "complete", Verdict.SUCCEEDED)
    assert (await shop.run(job)).body == {"success": True, "queued": False}
    again, _ = await shop.running()
    await shop.scene.engine.cancel(again.id)
    told = (await shop.run(again)).body
    assert (told["success"], told["code"], told["refunded"]) == (False, "RUN_FAILED", True)
    assert f"{PRICE} credits were given back" in told["error"]


#: Job type, what its row has, what is wrong with the body, and the code.
FILE, FOREIGN = "a file", "a file of another"
REFUSALS: tuple[tuple[str, dict[str, Any], dict[str, Any], str], ...] = (
    ("upscaler", {}, {}, "MISSING_PARAMS"),
    ("upscaler", {}, {"imageUrl": ""}, "MISSING_PARAMS"),
    ("image_generator", {}, {"aspectRatio": "1:1"}, "MISSING_PROMPT"),
    ("character_generator", {}, {"frontImageUrl": FILE}, "MISSING_PARAMS"),
    ("upscaler", {}, {"imageUrl": FOREIGN}, "INVALID_IMAGE_SOURCE"),
    ("upscaler", {}, {"imageUrl": "https://evil.example/1.png"}, "INVALID_IMAGE_SOURCE"),
    ("upscaler", {"image": "https://evil.example/1.png"}, {}, "INVALID_IMAGE_SOURCE"),
    ("upscaler", {}, {"imageUrl": "1.png"}, "INVALID_IMAGE_URL"),
    ("pose_changer", {}, {"personImageUrl": FOREIGN, "referenceImageUrl": "1.png"}, "INVALID_IMAGE_SOURCE"),
    ("upscaler", {}, {"imageUrl": {"url": 1}}, "INVALID_IMAGE_URL"),
    ("upscaler", {}, {"imageUrl": FILE, "resolution": 1}, "INVALID_RESOLUTION"),
    ("upscaler", {}, {"imageUrl": FILE, "resolution": "9" * 400}, "INVALID_RESOLUTION"),
    ("upscaler", {}, {"imageUrl": FILE, "prompt": "x" * 2_001}, "INVALID_PROMPT"),
    ("upscaler", {}, {"imageUrl": FILE, "version": "free"}, "INVALID_VERSION"),
    ("upscaler", {}, {"imageUrl": FILE, "framingMode": 7}, "INVALID_FRAMING_MODE"),
    ("upscaler", {}, {"imageUrl": FILE, "category": "undefined"}, "INVALID_CATEGORY"),
    ("upscaler", {}, {"imageUrl": FILE, "editingLevel": 2}, "INVALID_EDITING_LEVEL"),
    ("upscaler", {}, {"imageUrl": FILE, "detailDenoise": "much"}, "INVALID_INPUT"),
    ("video_upscaler", {}, {"videoUrl": FILE}, "INVALID_INPUT"),
)


async def test_d7_each_refusal_of_an_input_ends_the_job_uncharged(shop: Shop) -> None:
    files = {FILE: await shop.file(), FOREIGN: await shop.file("bob")}
    for job_type, row, body, expected in REFUSALS:
        draft = await shop.draft(job_type, **row)
        sent = {name: files.get(str(value), value) for name, value in body.items()}
        function = f"runninghub-{job_type.replace('_', '-')}"
        reply = await shop.call(function, "run", {"jobId": str(draft.id), **sent})
        assert code(reply) == (200, expected), (job_type, body, reply.body)
        assert (reply.body["success"], reply.body["refunded"]) == (False, False)
        assert "given back" not in reply.body["error"]
        job = await shop.job(draft)
        assert (job.state, await shop.money(job)) == ("failed", JobMoney()), body
        again = await shop.call(function, "run", {"jobId": str(draft.id), "imageUrl": files[FILE]})
        assert again.body == reply.body, "the first word stands"
    assert await shop.available() == CREDITS


async def test_d7_f3_too_few_credits_are_told_with_the_true_balance_and_end_the_job(shop: Shop) -> None:
    await shop.scene.engine.grant("bob", PRICE - 1, source_ref="order")
    draft = await shop.draft(owner="bob")
    for _ in range(2):
        reply = await shop.run(draft, BOB, imageUrl=await shop.file("bob"), creditCost=1)
        assert code(reply) == (200, "INSUFFICIENT_CREDITS")
        assert (reply.body["currentBalance"], reply.body["refunded"]) == (PRICE - 1, False)
    job = await shop.job(draft)
    assert (job.state, await shop.money(job)) == ("failed", JobMoney())


async def test_d7_who_runs_too_often_may_run_the_job_later(database: str, tmp_path: Path) -> None:
    few = LimitsConfig(user={"submits": "1/minute"})
    async with a_shop(database, tmp_path, limits=few) as shop:
        file = await shop.file()
        draft = await shop.draft()
        await shop.run(NOBODY)
        reply = await shop.run(draft, imageUrl=file)
        assert code(reply) == (200, "RATE_LIMIT_EXCEEDED")
        assert reply.body["retryAfter"] == int(reply.headers["Retry-After"]) > 0
        assert await shop.job(draft) == draft


async def test_c3_the_job_of_another_is_one_that_is_not_there(shop: Shop) -> None:
    file = await shop.file()
    draft = await shop.draft()
    for job_id, token in ((str(draft.id), BOB), (NOBODY, ADA), ("no uuid", ADA), ("x" * 100, ADA)):
        reply = await shop.run(job_id, token, imageUrl=file, userId=OWNER)
        assert (reply.status, reply.body) == (404, {"error": "Job not found", "code": "JOB_NOT_FOUND"})
    elsewhere = await shop.call("runninghub-pose-changer", "run", {"jobId": str(draft.id)})
    assert elsewhere.status == 404
    assert await shop.job(draft) == draft
    for wrong in (None, 7, "", "x" * 101, ["a"]):
        reply = await shop.call(UPSCALER, "run", {"jobId": wrong})
        assert code(reply) == (200, "INVALID_JOB_ID")


async def test_without_a_good_token_of_a_user_nothing_is_touched(shop: Shop) -> None:
    draft = await shop.draft()
    tokens = (
        (None, "AUTH_REQUIRED"),
        (PUBLIC, "AUTH_REQUIRED"),
        (by_secret(exp=NOW - 60), "INVALID_TOKEN"),
        (by_secret("x" * 32), "INVALID_TOKEN"),
    )
    for endpoint in ("run", "upload", "queue-status", "reconcile", "poll", "poll-evolink"):
        for token, expected in tokens:
            reply = await shop.call(UPSCALER, endpoint, {"jobId": str(draft.id), "userId": OWNER}, token)
            assert code(reply) == (401, expected)
    assert await shop.job(draft) == draft


async def test_a_service_runs_for_the_owner_that_it_names(shop: Shop) -> None:
    draft, image = await shop.draft(), await shop.file()
    path, body = f"/functions/v1/{UPSCALER}/run", {"jobId": str(draft.id), "imageUrl": image}
    cases = ((("credits",), OWNER, 401), (("owners",), "", 401), (("owners", "credits"), OWNER, 200))
    for scopes, owner, status in cases:
        headers = {**await shop.service(*scopes), "Makegood-Owner": owner}
        reply = await shop.scene.page.call("POST", path, json=body, headers=headers)
        assert reply.status == status
        assert reply.body.get("code") == (None if status == 200 else "UNAUTHORIZED")


async def test_a_type_that_was_closed_meanwhile_ends_its_job(shop: Shop) -> None:
    draft = await shop.draft()
    shop.scene.engine.catalog.closed = {"upscaler": "the provider refuses its request"}
    reply = await shop.run(draft, imageUrl=await shop.file())
    assert code(reply) == (200, "RUN_FAILED")
    assert "provider" not in reply.body["error"]
    assert (await shop.job(draft)).state == "failed"


async def test_hostile_bodies_of_the_functions_move_nothing(shop: Shop) -> None:
    draft = await shop.draft()
    headers = {"apikey": PUBLIC, "Authorization": f"Bearer {ADA}"}
    for function in (UPSCALER, "generate-video", "runninghub-bg-remover"):
        for endpoint in ("run", "upload", "queue-status", "poll"):
            path = f"/functions/v1/{function}/{endpoint}"
            for name, body in BODIES.items():
                reply = await shop.scene.page.call("POST", path, data=body, headers=headers)
                assert reply.status in (200, 400, 404), (endpoint, name, reply)
                assert "error" in reply.body, (endpoint, name)
                assert len(str(reply.body)) < 1_000
    assert await shop.job(draft) == draft
    image = await shop.file()
    await shop.scene.engine.cancel(draft.id)
    odd: tuple[dict[str, Any], ...] = (
        {"imageUrl": [image] * 60},
        {"imageUrl": image, "resolution": 10**400},
        {"imageUrl": image, "resolution": {"a": [1]}},
        {"imageUrl": image, "prompt": ["x"]},
        {"imageUrl": image + "\x00"},
        {"imageUrl": "\ud800"},
    )
    for given in odd:
        reply = await shop.run(await shop.draft(), **given)
        assert (reply.status, reply.body.get("success")) == (200, False), (given, reply)
    strange = {"imageUrl": image, "prompt": "a\x00b"}
    draft = await shop.draft()
    reply = await shop.run(draft, **strange)
    assert reply.body.get("success") is True, reply
    assert (await shop.job(draft)).input["prompt"] == "a\ufffdb"
    led = {
        "engine": "wan2.2",
        "inputText": "x",
        "imageUrl": image,
        "referencePromptId": "\ud800",
        "session_id": "\ud800",
    }
    assert (await shop.call("runninghub-movieled-maker", "run", led)).status == 200
