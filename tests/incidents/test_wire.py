"""What once went wrong between page and server: prices from the browser, words that were not true."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from makegood import BaseJob
from makegood.job import JobMoney, Verdict
from makegood_adapters.queue_manager import Options
from makegood_adapters.toolfiles import default_tools_folder, load_tools
from tests.adapters.queue_manager.scene import CREDITS, FUNCTIONS, OVER, OWNER, PLACES, TABLES, Scene, opened

#: What a page might say to pay less, to be paid, or to look as if it had paid.
CLAIMS: dict[str, Any] = {
    "user_credit_cost": 0,
    "credits_charged": True,
    "credits_refunded": False,
    "task_id": "42",
    "output_url": "https://evil.example/1.png",
    "created_at": "2020-01-01T00:00:00Z",
}
AMOUNTS: dict[str, Any] = {
    "amount": 99_999,
    "credits": 99_999,
    "creditCost": 0,
    "refundedAmount": 99_999,
    "refunded": True,
    "trial_mode": True,
    "userId": "eve",
}
STRANGERS = ({"apikey": ""}, {"apikey": "theirs"}, {"apikey": "", "Authorization": "Bearer forged"})


async def told(scene: Scene, table: str, job_id: object) -> tuple[str, bool, bool]:
    """Return what the page reads about the row: status, charged, refunded."""
    reply = await scene.page.select(table, job_id, "status,credits_charged,credits_refunded")
    [row] = reply.body
    return row["status"], row["credits_charged"], row["credits_refunded"]


@pytest.mark.parametrize("table", TABLES)
async def test_c2_d44_p23_a_job_costs_what_its_type_says_whoever_orders_it(scene: Scene, table: str) -> None:
    claimed = await scene.ready(table, **CLAIMS)
    row = await scene.row(table)
    job_type = next(each for each in scene.engine.catalog if getattr(each, "table", "") == table)
    columns: Mapping[str, str] = getattr(job_type, "columns")  # noqa: B009  # types read from files have it
    inputs = {columns[c]: value for c, value in row.items() if c in columns}
    ordered = await scene.engine.submit(job_type, OWNER, inputs)
    assert claimed.price == ordered.price > 0
    await scene.engine.accept(claimed.id)
    await scene.page.patch(table, claimed.id, **CLAIMS)
    assert await scene.money(claimed) == JobMoney(held=ordered.price)
    assert (await scene.engine.wallet(OWNER)).available == CREDITS - ordered.price


@pytest.mark.parametrize("field", AMOUNTS)
async def test_c2_a_row_with_a_field_that_no_table_has_is_refused_whole(scene: Scene, field: str) -> None:
    row = await scene.row("upscaler_jobs", **{field: AMOUNTS[field]})
    reply = await scene.page.call("POST", "/rest/v1/upscaler_jobs", json=row)
    assert (reply.status, reply.body["code"]) == (400, "PGRST204")
    assert (await scene.engine.wallet(OWNER)).available == CREDITS


@pytest.mark.parametrize("place", PLACES)
async def test_d43_no_call_of_a_page_names_an_amount(scene: Scene, place: str) -> None:
    job = await scene.job_at(place)
    settled = place in OVER
    for path in ("finish", "check", "refund", "add_user_credits", "retry", "cancel"):
        body = {"table": "upscaler_jobs", "jobId": str(job.id), "status": "completed", **AMOUNTS}
        await scene.page.call("POST", f"{FUNCTIONS}/{path}", json=body)
        await scene.page.call("POST", f"/rest/v1/rpc/{path}", json=body)
    await scene.page.patch("upscaler_jobs", job.id, **CLAIMS)
    money = await scene.money(job)
    assert money.held + money.captured + money.released in (0, job.price)
    assert settled == (money.held == 0 and place not in ("draft", "pending"))
    wallet = await scene.engine.wallet(OWNER)
    assert wallet.available == CREDITS - money.held - money.captured
    assert sum(bucket.issued for bucket in wallet.buckets) == CREDITS


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("place", ["queued", "running"])
@pytest.mark.parametrize("by", ["finish", "patch"])
async def test_c13_a_page_that_leaves_gives_back_a_job_that_waits_and_touches_no_running_one(
    scene: Scene, table: str, place: str, by: str
) -> None:
    job = await scene.job_at(place, table)
    if by == "finish":
        await scene.page.finish(table, job.id)
    else:
        await scene.page.patch(table, job.id, status="failed", error_message="the page was left")
    waited = place == "queued"
    assert (await scene.engine.get(job.id)).state == ("failed" if waited else "running")
    paid = JobMoney(released=job.price) if waited else JobMoney(held=job.price)
    assert await scene.money(job) == paid


async def test_s3_a_call_without_the_key_or_with_another_moves_nothing(database: str, tmp_path: Path) -> None:
    async with opened(database, tmp_path, Options(public_key="ours"), key="ours") as scene:
        job = await scene.job_at("queued")
        for headers in STRANGERS:
            given = {"table": "upscaler_jobs", "jobId": str(job.id), "status": "failed"}
            replies = [
                await scene.page.call("POST", f"{FUNCTIONS}/finish", json=given, headers=headers),
                await scene.page.call(
                    "PATCH",
                    f"/rest/v1/upscaler_jobs?id=eq.{job.id}",
                    json={"status": "failed"},
                    headers=headers,
                ),
            ]
            assert [reply.status for reply in replies] == [401, 401]
        assert (await scene.engine.get(job.id)).state == "queued"
        assert await scene.money(job) == JobMoney(held=job.price)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("place", PLACES)
async def test_d22_m7_p32_what_a_page_is_told_about_money_is_what_the_ledger_shows(
    scene: Scene, table: str, place: str
) -> None:
    job = await scene.job_at(place, table)
    before = await scene.money(job)
    reply = await scene.page.finish(table, job.id)
    money = await scene.money(job)
    assert reply.body.get("refundedAmount", 0) == money.released - before.released
    assert bool(reply.body.get("skipped")) == (place in OVER)
    now = await scene.engine.get(job.id)
    assert await told(scene, table, job.id) == (now.state, money != JobMoney(), money.released > 0)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("how", ["refused", "failed", "report"])
async def test_d8_f8_c11_every_type_on_offer_gives_back_what_it_took(
    scene: Scene, table: str, how: str
) -> None:
    """Right after the charge, too: what comes back is read from the ledger, not from a copy of the job."""
    job = await scene.engine.accept((await scene.ready(table)).id)
    assert await scene.money(job) == JobMoney(held=job.price)
    if how == "report":
        await scene.page.finish(table, job.id)
    else:
        job = await scene.drive.submit(await scene.drive.dispatch(job))
        verdict = Verdict.REJECTED
        if how == "failed":
            job, verdict = await scene.event(job, "begin", Verdict.ACCEPTED), Verdict.FAILED
        await scene.event(job, "fail", verdict)
    assert (await scene.engine.get(job.id)).state == "failed"
    assert await scene.money(job) == JobMoney(released=job.price)
    assert (await scene.engine.wallet(OWNER)).available == CREDITS


def test_c11_no_type_on_offer_has_money_rules_of_its_own() -> None:
    types = load_tools(default_tools_folder())
    assert types
    base = {(e.event, e.source, e.dest): e.money for e in BaseJob.spec.edges}
    for job_type in types:
        assert {(e.event, e.source, e.dest): e.money for e in job_type.spec.edges} == base
