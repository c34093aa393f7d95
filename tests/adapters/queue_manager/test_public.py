"""The queue manager's endpoints: who may call which, what moves, and what is told, cell by cell."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from makegood.errors import StoreUnavailable
from makegood.job import Job, JobMoney, Verdict
from makegood.testing.drive import token_hash
from makegood_adapters.queue_manager.cancel_ids import cancel_id
from tests.adapters.queue_manager.scene import (
    CREDITS,
    FUNCTIONS,
    OVER,
    OWNER,
    PLACES,
    SUBMITTED,
    UNTOUCHED,
    Reply,
)
from tests.adapters.queue_manager.shop import ADA, BOB, PUBLIC_ALONE, TABLE, UPSCALER, Shop, a_shop, bearing

NOBODY = "00000000-0000-0000-0000-000000000000"
SKIPPED = {"success": True, "skipped": True, "reason": "already_terminal"}
NOTHING = {"success": True, "refundedAmount": 0}
INTERNAL = ("run-or-queue", "enqueue", "process-next", "retry", "status")
FORGED = "https://evil.example/1.png"


@pytest_asyncio.fixture
async def shop(database: str, tmp_path: Path) -> AsyncIterator[Shop]:
    async with a_shop(database, tmp_path) as made:
        yield made


def calls(job: Job) -> list[tuple[str, Any, int]]:
    """Return what a stranger may try on a job, with the status of its answer."""
    row = {"table": TABLE, "jobId": str(job.id)}
    claims = {**row, "status": "completed", "outputUrl": FORGED, "creditCost": 0, "rhCost": 0}
    return [
        ("check", {}, 200),
        ("check-user-active", {"userId": OWNER}, 200),
        ("finish", claims, 200),
        ("finish", {**row, "status": "cancelled"}, 200),
        ("reconcile", row, 200),
        ("cancel-session", {"sessionId": "page-2"}, 200),
        ("cancel-session", {"userId": OWNER}, 200),
        *((name, {**row, "creditCost": 1}, 401) for name in INTERNAL),
    ]


@pytest.mark.parametrize("place", PLACES)
async def test_c1_a_stranger_moves_no_job_but_as_its_page_might_report_it(shop: Shop, place: str) -> None:
    job = await shop.at(place)
    before = await shop.job(job), await shop.money(job), await shop.available()
    for headers in (PUBLIC_ALONE, bearing(BOB)):
        for endpoint, body, status in calls(job):
            reply = await shop.manager(endpoint, body, headers)
            mine = headers is PUBLIC_ALONE or endpoint != "finish"
            assert reply.status == (status if mine else 404), (endpoint, reply)
            assert str(job.id) not in str(reply.body), endpoint
        for endpoint in ("run", "queue-status", "reconcile", "poll"):
            token = headers["Authorization"].removeprefix("Bearer ")
            reply = await shop.call(UPSCALER, endpoint, {"jobId": str(job.id), "userId": OWNER}, token)
            assert reply.status == (401 if headers is PUBLIC_ALONE else 404)
    for path in ("runninghub-webhook", "runninghub-video-upscaler-webhook"):
        data = {"status": "SUCCESS", "results": [{"url": FORGED}]}
        event = {"event": "TASK_END", "taskId": "1", "eventData": data}
        assert (await shop.scene.page.call("POST", f"/functions/v1/{path}", json=event)).status == 200
    assert (await shop.job(job), await shop.money(job), await shop.available()) == before
    failed = {"table": TABLE, "jobId": str(job.id), "status": "failed"}
    assert (await shop.manager("finish", failed, bearing(BOB))).status == 404
    assert (await shop.manager("finish", {**failed, "jobId": NOBODY})).body == {"error": "Job not found"}
    assert await shop.job(job) == before[0]
    reply = await shop.manager("finish", failed)
    after = await shop.job(job)
    if place in UNTOUCHED:
        held = before[1].held
        assert reply.body == {"success": True, "refundedAmount": held}
        assert (after.state, await shop.money(job)) == ("failed", JobMoney(released=held))
    else:
        assert reply.body == (SKIPPED if place in OVER else NOTHING)
        assert (after, await shop.money(job)) == before[:2]


@pytest.mark.parametrize("place", PLACES)
async def test_a_service_settles_a_failure_in_every_place(shop: Shop, place: str) -> None:
    headers = await shop.service("operations")
    job = await shop.at(place)
    before, money = await shop.job(job), await shop.money(job)
    row = {"table": TABLE, "jobId": str(job.id)}
    for claim in ({"status": "completed", "outputUrl": FORGED}, {"status": "failed", "outputUrl": FORGED}):
        reply = await shop.manager("finish", {**row, **claim}, headers)
        assert reply.body == (SKIPPED if place in OVER else NOTHING)
    stale = await shop.manager("finish", {**row, "status": "failed", "taskId": "of another attempt"}, headers)
    if place in SUBMITTED:
        assert stale.body == NOTHING
        assert (await shop.job(job), await shop.money(job)) == (before, money)
    replies = await asyncio.gather(
        *(shop.manager("finish", {**row, "status": "failed", "errorMessage": "x"}, headers) for _ in range(5))
    )
    after = await shop.job(job)
    if place in OVER:
        assert {str(reply.body) for reply in (stale, *replies)} == {str(SKIPPED)}
        assert (after, await shop.money(job)) == (before, money)
        return
    assert (after.state, await shop.money(job)) == ("failed", JobMoney(released=money.held))
    assert {reply.status for reply in replies} == {200}
    assert (await shop.manager("finish", {**row, "status": "failed"}, headers)).body == SKIPPED
    assert await shop.available() == CREDITS


@pytest.mark.parametrize("place", PLACES)
async def test_m6_m7_m11_commands_of_services_never_revive_a_job(shop: Shop, place: str) -> None:
    headers = await shop.service("operations")
    job = await shop.at(place)
    row = {"table": TABLE, "jobId": str(job.id), "creditCost": 1}
    before, money = await shop.job(job), await shop.money(job)
    told = {name: await shop.manager(name, row, headers) for name in ("retry", "run-or-queue", "enqueue")}
    after = await shop.job(job)
    for name, reply in told.items():
        if place == "draft":
            assert (reply.status, list(reply.body)) == (400, ["error"])
        elif place in OVER:
            assert (reply.status, reply.body["success"], reply.body["status"]) == (200, False, place), name
            assert reply.body["refunded"] == (money.released > 0)
        else:
            assert (reply.status, reply.body["success"]) == (200, True), name
    if place == "pending":
        assert (after.state, await shop.money(job)) == ("queued", JobMoney(held=job.price))
    else:
        assert (after, await shop.money(job)) == (before, money)
    if place in ("queued", "pending"):
        assert told["enqueue"].body == {"success": True, "queued": True, "position": 1, "totalQueued": 1}
        assert told["run-or-queue"].body == {
            "success": True, "queued": True, "taskId": str(job.id), "status": "queued", "duplicate": True,
        }  # fmt: skip
    for name in ("retry", "run-or-queue", "enqueue"):
        assert (await shop.manager(name, {"table": TABLE, "jobId": NOBODY}, headers)).status == 404
        bad = await shop.manager(name, {"table": TABLE}, headers)
        assert (bad.status, bad.body) == (400, {"error": "Valid table and jobId are required"})


async def test_a_service_starts_a_job_whose_owner_cannot_pay_and_is_told_so(shop: Shop) -> None:
    headers = await shop.service("operations")
    job = await shop.at("pending", owner="bob")
    reply = await shop.manager("run-or-queue", {"table": TABLE, "jobId": str(job.id)}, headers)
    told = {name: reply.body[name] for name in ("success", "code", "currentBalance", "refunded")}
    assert told == {
        "success": False, "code": "INSUFFICIENT_CREDITS", "currentBalance": 0, "refunded": False,
    }  # fmt: skip


async def test_status_and_process_next_are_for_services(shop: Shop) -> None:
    headers, weak = await shop.service("operations"), await shop.service("owners", "credits")
    assert (await shop.manager("status", {}, weak)).status == 401
    assert (await shop.manager("process-next", {}, headers)).body == {
        "processed": False, "reason": "No queued jobs",
    }  # fmt: skip
    await shop.at("queued")
    told = (await shop.manager("status", {}, headers)).body
    assert {name: told[name] for name in told if name not in ("accounts", "queuedByTool")} == {
        "totalMaxSlots": 50, "totalRunning": 0, "totalSlotsAvailable": 50, "totalQueued": 1,
        "running": 0, "maxConcurrent": 50, "slotsAvailable": 50,
    }  # fmt: skip
    assert told["accounts"] == [{"name": "runninghub-a", "running": 0, "maxSlots": 50, "available": 50}]
    assert {table: count for table, count in told["queuedByTool"].items() if count} == {TABLE: 1}
    await shop.scene.drive.resize("runninghub", 0)
    reply = await shop.manager("process-next", {}, headers)
    assert reply.body == {"processed": False, "reason": "Global limit reached"}


@pytest.mark.parametrize("place", PLACES)
async def test_f2_a_busy_user_is_told_of_the_tool_by_a_name_and_an_id_that_cancel_takes(
    shop: Shop, place: str
) -> None:
    job = await shop.at(place)
    reply = await shop.manager("check-user-active", {"userId": OWNER})
    if place in OVER:
        assert reply.body == {"hasActiveJob": False, "activeTool": None}
        return
    state = place.split()[0]
    assert reply.body == {
        "hasActiveJob": True,
        "activeTool": "Image upscaler",
        "activeJobId": str(cancel_id(job.id)),
        "activeStatus": "pending (initializing)" if state in ("draft", "pending") else state,
    }
    body = {"p_table_name": reply.body["activeTool"], "p_job_id": reply.body["activeJobId"]}
    path = "/rest/v1/rpc/user_cancel_ai_job"
    for token, cancelled in ((BOB, False), (ADA, True)):
        [done] = (await shop.scene.page.call("POST", path, json=body, headers=bearing(token))).body
        assert done["success"] is cancelled
    after = await shop.job(job)
    assert after.state == "cancelled" or after.cancel_requested_at is not None


async def test_an_unknown_user_looks_like_one_without_a_job(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for user in ("nobody", NOBODY, "x" * 200):
        reply = await shop.manager("check-user-active", {"userId": user})
        assert (reply.status, reply.body) == (200, {"hasActiveJob": False, "activeTool": None})
    for wrong in (None, 7, "", "a\x00", ["ada"]):
        reply = await shop.manager("check-user-active", {"userId": wrong})
        assert (reply.status, reply.body) == (400, {"error": "userId is required"})

    async def gone(*_: Any) -> None:
        raise StoreUnavailable("postgres at db.internal does not answer")

    monkeypatch.setattr(shop.scene.store.jobs, "active", gone)
    reply = await shop.manager("check-user-active", {"userId": OWNER})
    assert reply.status == 500
    assert "internal" not in str(reply.body)


@pytest.mark.parametrize(
    ("place", "by"),
    [
        *((place, "session") for place in PLACES),
        ("queued", "owner"),
        ("running", "owner"),
        ("queued", "service"),
        ("running", "service"),
    ],
)
async def test_c13_leaving_the_page_cancels_what_was_never_submitted(shop: Shop, place: str, by: str) -> None:
    job = await shop.at(place)
    before, money = await shop.job(job), await shop.money(job)
    body = {"sessionId": "page-1"} if by == "session" else {"userId": OWNER}
    service = await shop.service("operations")
    headers = {"session": PUBLIC_ALONE, "owner": bearing(ADA), "service": service}[by]
    reply = await shop.manager("cancel-session", body, headers)
    after = await shop.job(job)
    # A claimed job to which nothing was sent yet is not at the provider either.
    if place in UNTOUCHED or place == "starting":
        assert reply.body["cancelledJobs"] == [{"table": TABLE, "id": str(job.id)}]
        assert (after.state, await shop.money(job)) == ("cancelled", JobMoney(released=money.held))
    else:
        assert reply.body == {"success": True, "cancelledCount": 0, "cancelledJobs": []}
        assert (after, await shop.money(job)) == (before, money)
    assert (await shop.manager("cancel-session", {})).status == 400


async def test_c10_leaving_the_page_races_the_submission_and_one_of_them_wins(shop: Shop) -> None:
    for _ in range(10):
        job = await shop.at("starting")
        attempt = await shop.scene.drive.claim(job)
        reply, intended = await asyncio.gather(
            shop.manager("cancel-session", {"sessionId": "page-1"}),
            shop.scene.store.attempts.intend(attempt, token_hash(attempt), 60.0),
        )
        after = await shop.job(job)
        if intended:
            assert (after.state, reply.body["cancelledCount"]) == ("starting", 0)
            assert await shop.money(job) == JobMoney(held=job.price)
            await shop.scene.event(after, "fail", Verdict.REJECTED)
        else:
            assert (after.state, await shop.money(job)) == ("cancelled", JobMoney(released=job.price))


@pytest.mark.parametrize("place", PLACES)
async def test_f1_reconcile_says_that_a_job_runs_as_long_as_it_is_not_over(shop: Shop, place: str) -> None:
    job = await shop.at(place)
    await shop.scene.is_asked_about(job)
    reply = await shop.manager("reconcile", {"table": TABLE, "jobId": str(job.id)})
    if place in OVER:
        assert reply.body == {"resolved": True, "status": place}
        return
    shown = "RUNNING" if place == "running" else "QUEUED"
    assert reply.body == {"resolved": False, "reason": "still_running", "providerStatus": shown}
    assert await shop.scene.is_asked_about(job) == (place == "running")
    assert (await shop.manager("reconcile", {"table": TABLE, "jobId": str(job.id)})).body == reply.body
    assert not await shop.scene.is_asked_about(job), "once a minute is enough"


async def test_f1_a_job_that_waits_outlives_the_timers_of_its_page(shop: Shop) -> None:
    """At 4 and 6 minutes its watchdog, at 10 its timer, at 15 that again; each believes what it is told."""
    job = await shop.at("queued")
    row = {"table": TABLE, "jobId": str(job.id)}
    for minute in (4, 6, 10, 15):
        if minute < 10:
            body = {"p_table_name": TABLE, "p_job_id": str(job.id), "p_error_message": "Timeout"}
            path = "/rest/v1/rpc/mark_pending_job_as_failed"
            reply = await shop.scene.page.call("POST", path, json=body, headers=bearing(ADA))
            assert (reply.status, reply.body) == (200, False)
        elif (await shop.manager("reconcile", row)).body["reason"] != "still_running":
            await shop.manager("finish", {**row, "status": "failed"})
        assert (await shop.job(job)).state == "queued", minute
    drive, event = shop.scene.drive, shop.scene.event
    job = await event(await drive.submit(await drive.dispatch(job)), "begin", Verdict.ACCEPTED)
    job = await event(job, "complete", Verdict.SUCCEEDED)
    assert (job.state, await shop.money(job)) == ("completed", JobMoney(captured=job.price))


async def test_reconcile_of_nothing(shop: Shop) -> None:
    unknown = {"table": TABLE, "jobId": NOBODY}
    for body, status in (({}, 400), ({"table": TABLE}, 400), (unknown, 404), ([], 400)):
        reply = await shop.manager("reconcile", body)
        assert (reply.status, reply.body["resolved"]) == (status, False), body


def _shape(reply: Reply) -> tuple[int, list[str]]:
    return reply.status, list(reply.body)


async def test_what_is_no_endpoint_is_400_and_no_function_404(shop: Shop) -> None:
    for endpoint in ("cancel-job", "force-cancel-job", "interrupt-task", "reconcile-task", ""):
        assert _shape(await shop.manager(endpoint)) == (400, ["error"])
    for function, endpoint, status in (
        (UPSCALER, "fallback", 400),
        (UPSCALER, "refine", 400),
        (UPSCALER, "", 400),
        ("runninghub-nobody", "run", 404),
    ):
        assert _shape(await shop.call(function, endpoint, {})) == (status, ["error"])
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        for path in (f"{FUNCTIONS}/finish", f"/functions/v1/{UPSCALER}/run"):
            reply = await shop.scene.page.call(method, path, headers=PUBLIC_ALONE)
            assert (reply.status, reply.headers["Allow"]) == (405, "POST")
