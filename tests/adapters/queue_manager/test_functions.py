"""The other endpoints of a tool's function: refine, rows that a function makes, upload, what a page asks."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from makegood.job import JobMoney, Verdict
from makegood_adapters.access import LimitsConfig
from tests.adapters.queue_manager.scene import CREDITS, OWNER, PNG, RULES
from tests.adapters.queue_manager.shop import ADA, BOB, UPSCALER, Shop, a_shop, bearing

AVATAR, VIDEO, LED, REMOVER = (
    "runninghub-character-generator",
    "generate-video",
    "runninghub-movieled-maker",
    "runninghub-bg-remover",
)
PNG_TEXT = base64.b64encode(PNG).decode()
VIDEO_BODY: dict[str, Any] = {"prompt": "a sea", "aspect_ratio": "1:1", "model": "wan2.2"}


@pytest_asyncio.fixture
async def shop(database: str, tmp_path: Path) -> AsyncIterator[Shop]:
    async with a_shop(database, tmp_path) as made:
        yield made


async def test_c2_a_row_of_the_avatar_tool_is_refined_as_a_type_of_its_own(shop: Shop) -> None:
    draft = await shop.draft("character_generator")
    names = ("front", "profile", "semiProfile", "lowAngle")
    views = {f"{name}ImageUrl": await shop.file() for name in names}
    body = {"jobId": str(draft.id), **views, "creditCost": 1}
    lacking = await shop.call(AVATAR, "refine", {**body, "resultImageUrl": await shop.file()})
    assert (lacking.status, lacking.body["code"]) == (200, "MISSING_SELECTED_NUMBERS")
    draft = await shop.draft("character_generator")
    body |= {"jobId": str(draft.id), "resultImageUrl": await shop.file(), "selectedNumbers": "1, 3"}
    replies = await asyncio.gather(*(shop.call(AVATAR, "refine", body) for _ in range(20)))
    assert [reply.body for reply in replies] == 20 * [{"success": True, "queued": True, "position": 1}]
    job = await shop.job(draft)
    assert (job.type, job.price, await shop.money(job)) == (
        "character_generator_refine", 50, JobMoney(held=50),
    )  # fmt: skip
    asked = {node["node"]: node["value"] for node in job.request["nodes"]}
    assert (job.request["app"], asked["47"], asked["45"]) == (
        "2021009449481150465",
        "1, 3",
        {"file": "result"},
    )
    row = await shop.scene.page.select("character_generator_jobs", job.id, headers=bearing(ADA))
    assert row.body == [{"status": "queued"}]
    # Once it is a job, the other endpoint of its function tells its state and changes nothing.
    assert (await shop.call(AVATAR, "run", body)).body == replies[0].body
    assert await shop.job(job) == job


async def test_a_function_that_makes_the_row_makes_one_for_one_call(shop: Shop) -> None:
    frame = {"base64": PNG_TEXT, "mimeType": "image/png"}
    body = {**VIDEO_BODY, "start_frame": frame, "end_frame": frame, "user_id": "bob", "job_id": "x"}
    replies = await asyncio.gather(*(shop.call(VIDEO, "run", body) for _ in range(10)))
    told = {str(reply.body) for reply in replies}
    assert len(told) == 1, told
    [first, *_] = replies
    assert {**first.body, "job_id": ""} == {"success": True, "queued": True, "position": 1, "job_id": ""}
    jobs = (await shop.scene.engine.list_jobs(OWNER)).jobs
    assert [str(job.id) for job in jobs] == [first.body["job_id"]]
    [job] = jobs
    assert (job.type, job.price, job.input["aspect_ratio"]) == ("video_generator", 400, "16:9")
    assert sorted(job.files) == ["end_frame", "start_frame"]
    assert await shop.available() == CREDITS - 400
    other = await shop.call(VIDEO, "run", {**VIDEO_BODY, "prompt": "another"})
    assert (other.status, other.body["code"]) == (200, "USER_HAS_ACTIVE_JOB")
    assert other.body["activeTool"] == "Video generator"
    columns = "model,duration_seconds,prompt"
    row = await shop.scene.page.select("video_generator_jobs", job.id, columns, headers=bearing(ADA))
    assert row.body == [{"model": "wan2.2", "duration_seconds": 5, "prompt": "a sea"}]
    await shop.scene.engine.cancel(job.id)
    again = await shop.call(VIDEO, "run", body)
    assert again.body["job_id"] != first.body["job_id"], "what is over is no answer to a new order"


async def test_which_tool_a_function_runs_is_told_by_its_body_and_priced_by_us(shop: Shop) -> None:
    await shop.scene.engine.grant(OWNER, 10_000, source_ref="more")
    image = await shop.file()
    cases: tuple[tuple[str, dict[str, Any], str, int], ...] = (
        (VIDEO, {"prompt": "a", "model": "veo3.1-fast"}, "video_generator_veo", 1500),
        (VIDEO, {"prompt": "a", "model": "veo3.1-pro", "generate_audio": True}, "video_generator_veo", 5000),
        (VIDEO, {"prompt": "a", "model": "nonsense"}, "video_generator_veo", 1500),
        (LED, {"engine": "veo3.1", "inputText": "ADA", "imageUrl": image}, "movieled_maker_veo", 1500),
        (LED, {"engine": "wan2.2", "inputText": "ADA", "fallbackImageUrl": image}, "movieled_maker", 500),
        (LED, {"engine": "kling2.5", "contentMode": "logo", "imageUrl": image, "logoImageUrl": image},
         "movieled_maker", 900),
    )  # fmt: skip
    for function, body, job_type, price in cases:
        body = {**body, "referencePromptId": "r-1", "creditCost": 1}
        reply = await shop.call(function, "run", body)
        assert reply.body.get("success") is True, reply.body
        job = await shop.scene.engine.get(reply.body["job_id"])
        assert (job.type, job.price) == (job_type, price)
        await shop.scene.engine.cancel(job.id)


async def test_m12_d7_what_a_function_refuses_leaves_no_job_and_no_charge(shop: Shop) -> None:
    image, theirs = await shop.file(), await shop.file("bob")
    cases: tuple[tuple[str, dict[str, Any], str], ...] = (
        (VIDEO, {"model": "wan2.2"}, "MISSING_PROMPT"),
        (VIDEO, {"prompt": "a", "start_frame": {"base64": "no base64!"}}, "INVALID_INPUT"),
        (VIDEO, {"prompt": "a", "start_frame": {"base64": "dGV4dA=="}}, "INVALID_INPUT"),
        (VIDEO, {"prompt": "a", "start_frame": 7}, "INVALID_INPUT"),
        (LED, {"engine": "wan2.2", "contentMode": "logo", "imageUrl": image}, "MISSING_PARAMS"),
        (LED, {"engine": "wan2.2", "inputText": "a"}, "MISSING_PARAMS"),
        (LED, {"engine": "veo3.1", "contentMode": "logo", "inputText": "a", "imageUrl": image},
         "LOGO_MODE_ENGINE_UNSUPPORTED"),
        (LED, {"engine": "nobody's", "inputText": "a", "imageUrl": image}, "INVALID_INPUT"),
        (LED, {"engine": "wan2.2", "inputText": "a", "imageUrl": theirs}, "INVALID_IMAGE_SOURCE"),
    )  # fmt: skip
    for function, body, expected in cases:
        reply = await shop.call(function, "run", body)
        assert (reply.status, reply.body.get("code")) == (200, expected), (body, reply.body)
        assert (reply.body["success"], reply.body["refunded"]) == (False, False)
    assert (await shop.scene.engine.list_jobs(OWNER)).jobs == ()
    poor = await shop.call(VIDEO, "run", VIDEO_BODY, BOB)
    assert (poor.body["code"], poor.body["currentBalance"]) == ("INSUFFICIENT_CREDITS", 0)
    assert await shop.available() == CREDITS


async def test_a_picture_in_the_body_becomes_the_input(shop: Shop) -> None:
    draft = await shop.draft("bg_remover")
    body = {"jobId": str(draft.id), "imageBase64": f"data:image/png;base64,{PNG_TEXT}", "fileName": "me.png"}
    assert (await shop.call(REMOVER, "run", body)).body["success"] is True
    job = await shop.job(draft)
    read = b"".join([piece async for piece in shop.scene.blobs.read(job.files["image"])])
    assert (job.state, read) == ("queued", PNG)


async def test_an_upload_gives_a_handle_that_its_owner_can_run_with(shop: Shop) -> None:
    reply = await shop.call(UPSCALER, "upload", {"imageBase64": PNG_TEXT, "fileName": "../../me.png"})
    assert (reply.status, sorted(reply.body)) == (200, ["fileName", "success"])
    handle = reply.body["fileName"]
    await shop.scene.engine.grant("bob", CREDITS, source_ref="order")
    theirs = await shop.draft(owner="bob")
    assert (await shop.run(theirs, BOB, fileName=handle)).body["code"] == "INVALID_IMAGE_URL"
    draft = await shop.draft()
    assert (await shop.run(draft, fileName=handle)).body["success"] is True
    assert (await shop.job(draft)).files == {"image": handle}
    for body, expected in (
        ({}, "MISSING_IMAGE"),
        ({"imageBase64": ""}, "MISSING_IMAGE"),
        ({"imageBase64": "%%%"}, "INVALID_INPUT"),
        ({"imageBase64": {"a": 1}}, "INVALID_INPUT"),
        ({"imageBase64": base64.b64encode(b"GIF89a" + bytes(64)).decode()}, "INVALID_INPUT"),
        ({"imageBase64": base64.b64encode(PNG + bytes(RULES.upload_bytes_max)).decode()}, "INVALID_INPUT"),
    ):
        refused = await shop.call(UPSCALER, "upload", body)
        assert (refused.status, refused.body["code"]) == (200, expected)
    codes = []
    for n in range(4):
        large = PNG + bytes([n]) * (RULES.upload_bytes_max - 100)
        reply = await shop.call(UPSCALER, "upload", {"imageBase64": base64.b64encode(large).decode()})
        codes.append(reply.body.get("code"))
    assert codes[-1] == "RATE_LIMIT_EXCEEDED", "so much is taken of an owner in a day"


async def test_uploads_have_a_budget_of_their_own(database: str, tmp_path: Path) -> None:
    few = LimitsConfig(user={"uploads": "1/minute"})
    async with a_shop(database, tmp_path, limits=few) as shop:
        replies = [await shop.call(UPSCALER, "upload", {"imageBase64": PNG_TEXT}) for _ in range(2)]
        assert [reply.body.get("code") for reply in replies] == [None, "RATE_LIMIT_EXCEEDED"]
        assert (await shop.running())[1].body["success"] is True


#: Place, then what /queue-status, /reconcile and /poll tell of it.
ASKED: tuple[tuple[str, str, dict[str, Any], str], ...] = (
    ("draft", "pending", {"reconciled": False, "currentStatus": "pending"}, "pending"),
    ("queued", "queued", {"reconciled": False, "currentStatus": "queued"}, "processing"),
    ("running", "running", {"reconciled": False, "currentStatus": "running"}, "processing"),
    ("completed", "completed", {"alreadyFinalized": True, "outputUrl": None}, "completed"),
    ("failed", "failed", {"alreadyFinalized": True, "outputUrl": None}, "failed"),
    ("cancelled", "cancelled", {"alreadyFinalized": True, "outputUrl": None}, "failed"),
)


@pytest.mark.parametrize(("place", "status", "reconciled", "polled"), ASKED)
async def test_d22_what_an_owner_asks_about_a_job_is_answered_from_our_state(
    shop: Shop, place: str, status: str, reconciled: dict[str, Any], polled: str
) -> None:
    job = await shop.at(place)
    before = await shop.job(job)
    await shop.scene.is_asked_about(job)
    replies: dict[str, Any] = {}
    for name in ("jobId", "job_id"):
        replies = {
            endpoint: (await shop.call(UPSCALER, endpoint, {name: str(job.id)})).body
            for endpoint in ("queue-status", "reconcile", "poll", "poll-evolink")
        }
        keys = ("outputUrl", "errorMessage") if name == "jobId" else ("output_url", "error_message")
        assert sorted(replies["queue-status"]) == sorted(("success", "status", "position", *keys))
        told = replies["queue-status"]
        assert (told["status"], told["position"]) == (status, 1 if place == "queued" else 0)
        assert replies["reconcile"].items() >= {"success": True, "status": status, **reconciled}.items()
        assert replies["poll"] == replies["poll-evolink"]
        assert replies["poll"]["status"] == polled
    assert await shop.scene.is_asked_about(job) == (place == "running")
    assert ("60 credits were given back" in str(replies)) == (place == "failed")
    assert await shop.job(job) == before
    for endpoint in ("queue-status", "reconcile", "poll", "poll-evolink"):
        assert (await shop.call(UPSCALER, endpoint, {"jobId": str(job.id)}, BOB)).status == 404
        assert (await shop.call(UPSCALER, endpoint, {})).status == 400


async def test_a_result_is_told_by_its_address(shop: Shop) -> None:
    job = await shop.at("running")
    key = await shop.scene.blobs.put(PNG, "result.png")
    files = [{"key": key, "kind": "png", "node": ""}]
    done = await shop.scene.event(job, "complete", Verdict.SUCCEEDED, output={"files": files})
    url = shop.scene.addresses.of_result(done, 0)
    assert url is not None
    told = [
        (await shop.call(UPSCALER, endpoint, {"jobId": str(job.id)})).body
        for endpoint in ("queue-status", "reconcile", "poll")
    ]
    assert [told[0]["outputUrl"], told[1]["outputUrl"], told[2]["output_url"]] == [url] * 3
    draft = await shop.draft()
    assert (await shop.run(draft, imageUrl=url)).body["success"] is True, "a result is an input of the next"
