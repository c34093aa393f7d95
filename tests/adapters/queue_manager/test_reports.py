"""What a page claims, by /finish and by PATCH, in every place of a job's life and for every table."""

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from makegood.job import JobMoney, Verdict
from makegood_adapters.queue_manager import Options
from tests.adapters.queue_manager.scene import (
    CREDITS,
    OVER,
    OWNER,
    PLACES,
    SUBMITTED,
    TABLES,
    UNTOUCHED,
    Scene,
    opened,
)

NOBODY = "00000000-0000-0000-0000-000000000000"
SKIPPED = {"success": True, "skipped": True, "reason": "already_terminal"}
#: Claims that are no plain "failed": whatever the job, they are kept and their fields dropped.
OTHER_CLAIMS: tuple[dict[str, Any], ...] = (
    {"status": "completed", "outputUrl": "https://evil.example/1.png"},
    {"status": "completed"},
    {"status": "failed", "outputUrl": "https://evil.example/1.png"},
    {"status": "cancelled"},
    {"status": "running", "taskId": "1", "rhCost": 0, "webhookPayload": {"a": 1}},
    {"status": None},
    {"status": ["failed"]},
)


async def kept(database: str) -> list[str]:
    connection = await asyncpg.connect(database)
    try:
        return [row["body"] for row in await connection.fetch("select body from makegood.inbox")]
    finally:
        await connection.close()


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("place", PLACES)
async def test_s4_s5_a_reported_failure_is_answered_in_every_cell(
    scene: Scene, database: str, place: str, table: str
) -> None:
    before = await scene.job_at(place, table)
    money = await scene.money(before)
    await scene.is_asked_about(before)
    reply = await scene.page.finish(table, before.id)
    after = await scene.engine.get(before.id)
    assert reply.status == 200
    if place in OVER:
        assert (reply.body, after, await scene.money(before)) == (SKIPPED, before, money)
        assert await kept(database) == []
    elif place in SUBMITTED:
        assert reply.body == {"success": True, "refundedAmount": 0}
        assert (after, await scene.money(before)) == (before, money)
        assert await kept(database) == ["gone"]
        # Before the provider has given a task there is nothing to ask about.
        assert await scene.is_asked_about(before) == (place == "running")
    else:
        held = before.price if place == "queued" else 0
        assert reply.body == {"success": True, "refundedAmount": held}
        assert (after.state, await scene.money(before)) == ("failed", JobMoney(released=held))
    wallet = await scene.engine.wallet(before.owner)
    assert wallet.available == CREDITS - (await scene.money(before)).held - (after.settled or 0)


@pytest.mark.parametrize("place", PLACES)
async def test_finish_failed_where_waiting_jobs_are_only_recorded(
    database: str, tmp_path: Path, place: str
) -> None:
    async with opened(database, tmp_path, Options(finish_queued="record")) as scene:
        before = await scene.job_at(place)
        money = await scene.money(before)
        reply = await scene.page.finish("upscaler_jobs", before.id)
        after = await scene.engine.get(before.id)
        if place in OVER:
            assert reply.body == SKIPPED
        else:
            assert reply.body == {"success": True, "refundedAmount": 0}
        assert await scene.money(before) == money
        assert after.state == ("failed" if place in ("draft", "pending") else before.state)
        assert len(await kept(database)) == (place == "queued" or place in SUBMITTED)


@pytest.mark.parametrize("place", PLACES)
async def test_other_claims_are_kept_and_move_nothing(scene: Scene, database: str, place: str) -> None:
    before = await scene.job_at(place)
    money = await scene.money(before)
    for claim in OTHER_CLAIMS:
        reply = await scene.page.finish("upscaler_jobs", before.id, **claim)
        assert (reply.status, reply.body) == (
            200,
            SKIPPED if place in OVER else {"success": True, "refundedAmount": 0},
        )
    assert (await scene.engine.get(before.id), await scene.money(before)) == (before, money)
    bodies = await kept(database)
    assert bool(bodies) == (place not in OVER)
    assert not [body for body in bodies if "evil" in body]


@pytest.mark.parametrize("place", PLACES)
async def test_an_unknown_row_is_not_found(scene: Scene, place: str) -> None:
    before = await scene.job_at(place)
    for table, job_id in (
        ("upscaler_jobs", NOBODY),
        ("nobody_jobs", before.id),
        ("pose_changer_jobs", before.id),
        ("upscaler", before.id),
        ("upscaler_jobs", "not a uuid"),
        ("upscaler_jobs", f"{before.id}'"),
    ):
        reply = await scene.page.finish(table, job_id)
        assert (reply.status, reply.body) == (404, {"error": "Job not found"})
    assert await scene.engine.get(before.id) == before


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("table", TABLES)
async def test_d9_no_client_write_leaves_a_job_failed_without_refund(
    scene: Scene, table: str, place: str
) -> None:
    before = await scene.job_at(place, table)
    money = await scene.money(before)
    patch = {"status": "failed", "error_message": "gone", "completed_at": "2026-02-05T00:00:00Z"}
    reply = await scene.page.patch(table, before.id, **patch)
    assert (reply.status, reply.body) == (204, None)
    after = await scene.engine.get(before.id)
    if place in UNTOUCHED:
        assert after.state == "failed"
        assert await scene.money(before) == JobMoney(released=money.held)
    else:
        assert (after, await scene.money(before)) == (before, money)
    assert (await scene.engine.wallet(before.owner)).held == (await scene.money(before)).held


async def test_the_seeds_fallback_after_a_finish_that_did_not_answer(scene: Scene) -> None:
    """The page sends /finish, hears nothing, and writes `failed` itself: one refund in all."""
    job = await scene.job_at("queued")
    await scene.page.finish("upscaler_jobs", job.id)
    assert (await scene.page.patch("upscaler_jobs", job.id, status="failed")).status == 204
    assert await scene.money(job) == JobMoney(released=job.price)


@pytest.mark.parametrize("place", PLACES)
async def test_a_patch_of_other_columns_changes_nothing(scene: Scene, database: str, place: str) -> None:
    before = await scene.job_at(place)
    patches: tuple[dict[str, Any], ...] = (
        {"position": 1, "credits_refunded": True},
        {"x": {}},
        {},
    )
    for patch in patches:
        assert (await scene.page.patch("upscaler_jobs", before.id, **patch)).status == 204
    assert await scene.engine.get(before.id) == before
    assert await kept(database) == []
    assert (
        await scene.page.patch("upscaler_jobs", before.id, reference_prompt_id=NOBODY, position=2)
    ).status == 204
    shown = await scene.page.select("upscaler_jobs", before.id, "reference_prompt_id,status")
    assert shown.body == [{"reference_prompt_id": NOBODY, "status": before.state}]


async def test_a_patch_of_no_row_is_204(scene: Scene) -> None:
    for job_id in (NOBODY, "x", ""):
        assert (await scene.page.patch("upscaler_jobs", job_id, status="failed")).status == 204
    assert (await scene.page.patch("nobody_jobs", NOBODY, status="failed")).status == 204
    for path in ("/rest/v1/upscaler_jobs", "/rest/v1/upscaler_jobs?user_id=eq.ada"):
        assert (await scene.page.call("PATCH", path, json={"status": "failed"})).status == 204


@pytest.mark.parametrize("n", [2, 10, 50])
async def test_m1_simultaneous_reports_refund_once(scene: Scene, n: int) -> None:
    job = await scene.job_at("queued")
    replies = await asyncio.gather(
        *(
            scene.page.finish("upscaler_jobs", job.id)
            if i % 2 == 0
            else scene.page.patch("upscaler_jobs", job.id, status="failed")
            for i in range(n)
        )
    )
    assert {reply.status for reply in replies} <= {200, 204}
    assert await scene.money(job) == JobMoney(released=job.price)
    assert [t.to_state for t in await scene.engine.history(job.id)].count("failed") == 1
    assert (await scene.engine.wallet(job.owner)).available == CREDITS


@pytest.mark.parametrize("milliseconds", [1, 5, 20, 80])
async def test_m1_reports_one_after_the_other_refund_once(scene: Scene, milliseconds: int) -> None:
    job = await scene.job_at("queued")

    async def later() -> None:
        await asyncio.sleep(milliseconds / 1000)
        await scene.page.finish("upscaler_jobs", job.id)

    await asyncio.gather(scene.page.finish("upscaler_jobs", job.id), later())
    assert (await scene.engine.wallet(job.owner)).available == CREDITS


@pytest.mark.parametrize("place", ["starting with intent", "running"])
async def test_m2_a_failure_is_reported_and_then_the_provider_delivers(scene: Scene, place: str) -> None:
    job = await scene.job_at(place)
    await scene.page.finish("upscaler_jobs", job.id)
    await scene.page.patch("upscaler_jobs", job.id, status="failed")
    assert await scene.is_asked_about(job) == (place == "running")
    assert await scene.money(job) == JobMoney(held=job.price)
    done = await scene.event(await scene.engine.get(job.id), "complete", Verdict.SUCCEEDED)
    assert (done.state, await scene.money(job)) == ("completed", JobMoney(captured=job.price))
    assert (await scene.page.finish("upscaler_jobs", job.id)).body == SKIPPED
    assert await scene.money(job) == JobMoney(captured=job.price)


async def test_a_report_that_races_the_submission_ends_one_way(scene: Scene) -> None:
    """Ten times: either the job was settled before its intent, or the intent stands and it goes on."""
    for _ in range(10):
        job = await scene.job_at("queued")
        _, dispatched = await asyncio.gather(
            scene.page.finish("upscaler_jobs", job.id),
            scene.store.attempts.dispatch(job.pool, [f"{job.pool}-a"], 1),
        )
        after = await scene.engine.get(job.id)
        money = await scene.money(job)
        if after.state == "failed":
            assert money == JobMoney(released=job.price)
        else:
            assert (after.state, len(dispatched), money) == ("starting", 1, JobMoney(held=job.price))
            await scene.event(after, "fail")


async def test_what_a_page_writes_is_not_shown_as_our_word(scene: Scene) -> None:
    job = await scene.job_at("pending")
    text = "Your credits were given back <script>\x00\ud800" + "x" * 10_000
    assert (await scene.page.finish("upscaler_jobs", job.id, errorMessage=text)).status == 200
    error = (await scene.engine.get(job.id)).error
    assert error is not None
    assert error["message"].startswith("Your credits were given back <script>")
    assert len(error["message"]) <= 500
    reply = await scene.page.select("upscaler_jobs", job.id, "status,error_message")
    assert reply.body == [
        {
            "status": "failed",
            "error_message": "The page reported that the job failed before it was submitted. "
            "No credits were taken.",
        }
    ]


@pytest.mark.parametrize("given", [0, 1])
async def test_p5_what_an_unlimited_plan_had_covered_is_told_nowhere_as_given_back(
    scene: Scene, given: int
) -> None:
    """With one credit that is spent before the plan, it alone comes back."""
    await scene.engine.grant_unlimited(OWNER, source_ref="gold", priority=50)
    if given:
        await scene.engine.grant(OWNER, given, kind="promo", source_ref="welcome")
    finished = await scene.job_at("queued")
    assert finished.price > given
    reply = await scene.page.finish("upscaler_jobs", finished.id)
    assert reply.body == {"success": True, "refundedAmount": given}
    columns = "status,error_message,credits_charged,credits_refunded"
    [row] = (await scene.page.select("upscaler_jobs", finished.id, columns)).body
    told = "1 credits were given back." if given else "No credits were taken."
    assert row["error_message"].endswith(f" {told}")
    assert row | {"error_message": None} == {
        "status": "failed",
        "error_message": None,
        "credits_charged": bool(given),
        "credits_refunded": bool(given),
    }
    cancelled = await scene.job_at("queued")
    body = {"p_table_name": "upscaler_jobs", "p_job_id": str(cancelled.id)}
    reply = await scene.page.call("POST", "/rest/v1/rpc/user_cancel_ai_job", json=body)
    assert reply.body == [{"success": True, "refunded_amount": given, "error_message": None}]
    [plan] = [b for b in (await scene.engine.wallet(OWNER)).buckets if b.unlimited]
    assert plan.expired == plan.issued == 2 * (finished.price - given)
