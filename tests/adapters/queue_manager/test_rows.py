"""Inserting and reading job rows the way the client library does."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from makegood.job import JobMoney, Verdict
from tests.adapters.queue_manager.scene import CREDITS, OWNER, PLACES, TABLES, Reply, Scene, opened

OBJECT = "application/vnd.pgrst.object+json"
NOBODY = "00000000-0000-0000-0000-000000000000"
STATUSES: tuple[Any, ...] = (
    "pending",
    "queued",
    "starting",
    "running",
    "completed",
    "failed",
    "cancelled",
    "nonsense",
    None,
    7,
)
QUERY_JOB_STATUS = "status,output_url,thumbnail_url,error_message,position,current_step"


async def insert(
    scene: Scene, body: Any, table: str = "upscaler_jobs", query: str = "?select=id", **headers: str
) -> Reply:
    headers = {"Prefer": "return=representation", **headers}
    return await scene.page.call("POST", f"/rest/v1/{table}{query}", json=body, headers=headers)


def shown(reply: Reply) -> tuple[int, str]:
    assert set(reply.body) == {"code", "message", "details", "hint"}
    return reply.status, reply.body["code"]


async def assert_nothing_stored(scene: Scene, reply: Reply) -> None:
    assert "id" not in (reply.body or {})
    assert (await scene.engine.wallet(OWNER)).available == CREDITS


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("table", TABLES)
async def test_d10_a_row_lands_pending_whatever_it_says(scene: Scene, table: str, status: Any) -> None:
    job = await scene.insert(table, status=status)
    assert (job.state, job.owner) == ("pending", OWNER)
    assert await scene.money(job) == JobMoney()
    reply = await scene.page.select(table, job.id, "status,task_id")
    assert reply.body == [{"status": "pending", "task_id": None}]


async def test_the_longest_order_that_a_tool_takes_can_be_inserted(scene: Scene) -> None:
    """A text is bounded by its characters, of which some have four bytes."""
    urls = [f"https://pages.example/{'x' * 1_900}/{n}.png" for n in range(11)]
    row = {"user_id": OWNER, "prompt": "\N{SNAKE}" * 10_000, "input_urls": urls}
    reply = await insert(scene, row, "image_generator_jobs", "?select=prompt")
    assert (reply.status, reply.body) == (201, [{"prompt": row["prompt"]}])


async def test_columns_of_the_server_are_ignored(scene: Scene) -> None:
    claimed: Mapping[str, Any] = {
        "id": NOBODY,
        "position": 1,
        "task_id": "42",
        "output_url": "https://evil.example/1.png",
        "user_credit_cost": 0,
        "credits_charged": True,
        "credits_refunded": True,
        "created_at": "2020-01-01T00:00:00Z",
        "error_message": "x",
        "api_account": "evolink",
        "input_file_name": "me.png",
    }
    job = await scene.insert("upscaler_jobs", **claimed)
    assert str(job.id) != NOBODY
    assert (job.draft, job.price, job.output, job.error) == (True, 0, None, None)
    reply = await scene.page.select("upscaler_jobs", job.id, ",".join(claimed))
    assert reply.body == [
        {
            "id": str(job.id),
            "position": 0,
            "task_id": None,
            "output_url": None,
            "user_credit_cost": None,
            "credits_charged": False,
            "credits_refunded": False,
            "created_at": job.created_at.isoformat(),
            "error_message": None,
            "api_account": None,
            "input_file_name": "me.png",
        }
    ]


async def test_the_inputs_of_a_row_become_the_jobs(scene: Scene) -> None:
    row = await scene.row("upscaler_jobs", version="pro", detail_denoise=0.5, prompt="sharp")
    reply = await insert(scene, row, query="?select=*", Accept=OBJECT)
    assert reply.status == 201
    assert reply.headers["Content-Type"].startswith(OBJECT)
    job = await scene.engine.get(UUID(reply.body["id"]))
    assert job.input["image"] == row["input_url"]
    assert (job.draft, job.session) == (True, "s1")
    assert row.items() <= reply.body.items()
    job = await scene.engine.prepare(job.id, job.input)
    assert (job.price, job.files) == (80, {"image": row["input_url"]})
    shown = (await scene.page.select("upscaler_jobs", job.id, "*")).body[0]
    assert row.items() <= shown.items(), "what the page has written stays as it was"


async def test_the_reply_is_a_list_an_object_or_empty(scene: Scene) -> None:
    row = await scene.row("upscaler_jobs")
    assert [list(r) for r in (await insert(scene, row)).body] == [["id"]]
    assert [list(r) for r in (await insert(scene, [row])).body] == [["id"]]
    assert list((await insert(scene, row, Accept=OBJECT)).body) == ["id"]
    for prefer in ("", "return=minimal"):
        reply = await insert(scene, row, Prefer=prefer)
        assert (reply.status, reply.body) == (201, None)


async def test_unknown_names_are_refused_as_postgrest_does(scene: Scene) -> None:
    row = await scene.row("upscaler_jobs")
    assert shown(await insert(scene, row, "nobody_jobs")) == (404, "PGRST205")
    assert shown(await insert(scene, row, "job")) == (404, "PGRST205")
    reply = await insert(scene, {**row, "is_admin": True})
    assert shown(reply) == (400, "PGRST204")
    assert (
        reply.body["message"] == "Could not find the 'is_admin' column of 'upscaler_jobs' in the schema cache"
    )
    assert shown(await insert(scene, {**row, "person_image_url": "x"})) == (400, "PGRST204")
    assert shown(await insert(scene, row, query="?select=secret")) == (400, "42703")
    assert shown(await insert(scene, row, query="?select=id,jobs(*)")) == (400, "42703")
    assert shown(await scene.page.call("GET", f"/rest/v1/nobody_jobs?id=eq.{NOBODY}")) == (404, "PGRST205")


@pytest.mark.parametrize(
    "change",
    [
        {"input_url": None},
        {"input_url": ""},
        {"input_url": "https://evil.example/1.png"},
        {"input_url": {"a": 1}},
        {"category": "nothing"},
        {"prompt": "x" * 2_001},
        {"resolution": " 12 "},
        {"detail_denoise": "0.5"},
        {"session_id": 7},
    ],
)
async def test_d5_a_row_is_taken_before_its_inputs_are_there(scene: Scene, change: Mapping[str, Any]) -> None:
    """Pages insert before they have uploaded; what is wrong is told by the function that runs the job."""
    job = await scene.insert("upscaler_jobs", **change)
    assert (job.state, job.draft, job.price) == ("pending", True, 0)
    assert await scene.money(job) == JobMoney()


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"resolution": 10**30}, "integer"),
        ({"resolution": "many"}, "integer"),
        ({"resolution": 1.5}, "integer"),
        ({"resolution": True}, "integer"),
        ({"detail_denoise": [[]]}, "numeric"),
        ({"detail_denoise": "a lot"}, "numeric"),
    ],
)
async def test_a_column_of_numbers_takes_numbers(scene: Scene, change: Mapping[str, Any], kind: str) -> None:
    reply = await insert(scene, await scene.row("upscaler_jobs", **change))
    assert shown(reply) == (400, "22P02")
    assert f"invalid input syntax for type {kind}" in reply.body["message"]
    await assert_nothing_stored(scene, reply)


async def test_a_row_that_is_too_large_is_refused(scene: Scene) -> None:
    reply = await insert(scene, await scene.row("upscaler_jobs", prompt="x" * 80_000))
    assert shown(reply) == (400, "22001")
    await assert_nothing_stored(scene, reply)


async def test_a_row_belongs_to_the_tool_that_its_columns_name(scene: Scene) -> None:
    for row, job_type in (
        ({"prompt": "a"}, "image_generator"),
        ({"prompt": "a", "engine": "gpt_image_2"}, "gpt_image_2"),
        ({"prompt": "a", "engine": "somebody_else"}, "image_generator"),
    ):
        given = {"user_id": OWNER, "status": "pending", **row}
        reply = await insert(scene, given, "image_generator_jobs", query="?select=*", Accept=OBJECT)
        job = await scene.engine.get(UUID(reply.body["id"]))
        assert (job.type, reply.body["prompt"]) == (job_type, "a")
        assert reply.body["engine"] == row.get("engine")
    made = await insert(scene, {"user_id": OWNER, "prompt": "a", "model": "wan2.2"}, "video_generator_jobs")
    assert shown(made) == (403, "42501")


async def test_nothing_is_put_in_place_of_a_row(scene: Scene) -> None:
    row = await scene.row("upscaler_jobs")
    for query, prefer in (("?on_conflict=id", ""), ("", "resolution=merge-duplicates")):
        assert shown(await insert(scene, row, query=query, Prefer=prefer)) == (400, "PGRST100")
    for method in ("DELETE", "PUT"):
        reply = await scene.page.call(method, f"/rest/v1/upscaler_jobs?id=eq.{NOBODY}", json=row)
        assert shown(reply) == (405, "PGRST117")


async def test_there_is_one_schema(scene: Scene) -> None:
    for name in ("Accept-Profile", "Content-Profile"):
        assert shown(await insert(scene, await scene.row("upscaler_jobs"), **{name: "makegood"})) == (
            406,
            "PGRST106",
        )
        assert (await insert(scene, await scene.row("upscaler_jobs"), **{name: "public"})).status == 201


async def test_texts_that_no_database_holds_are_refused(scene: Scene) -> None:
    for prompt in ("a\x00b", "\ud800", ["\x00"]):
        assert shown(await insert(scene, await scene.row("upscaler_jobs", prompt=prompt))) == (400, "22P05")
    for harmless in ("a\\u0000b", "🙂", "a\tb"):
        assert (await insert(scene, await scene.row("upscaler_jobs", prompt=harmless))).status == 201


async def test_a_second_row_of_a_user_is_a_conflict_by_the_name_that_the_page_looks_for(
    database: str, tmp_path: Path
) -> None:
    async with opened(database, tmp_path, exclusive=True) as scene:
        first = await scene.insert("upscaler_jobs")
        row = {"user_id": OWNER, "creativity": 10}
        for table, index in (
            ("upscaler_jobs", "one_active_job_per_user"),
            ("arcano_cloner_jobs", "ux_arcano_cloner_one_active_job_per_user"),
        ):
            reply = await insert(scene, row if table != "upscaler_jobs" else {"user_id": OWNER}, table)
            assert shown(reply) == (409, "23505")
            assert f'unique constraint "{index}"' in reply.body["message"]
            assert "Nothing was charged." in reply.body["details"]
        await scene.page.finish("upscaler_jobs", first.id)
        assert (await insert(scene, row, "arcano_cloner_jobs")).status == 201


async def test_d36_a_row_of_a_closed_tool_is_refused_in_words_and_others_are_taken(scene: Scene) -> None:
    scene.engine.catalog.closed = {"upscaler": "three in a row"}
    reply = await insert(scene, await scene.row("upscaler_jobs"))
    assert shown(reply) == (503, "PGRST001")
    assert "taken until it is resumed" in reply.body["message"]
    assert "Nothing was charged." in reply.body["message"]
    other = next(table for table in TABLES if table != "upscaler_jobs")
    assert (await scene.insert(other)).state == "pending"
    scene.engine.catalog.closed = {}
    assert (await insert(scene, await scene.row("upscaler_jobs"))).status == 201


@pytest.mark.parametrize("owner", [None, "", 7, "a\x07", "a\n", "x" * 201, ["ada"]])
async def test_a_row_needs_an_owner(scene: Scene, owner: Any) -> None:
    assert shown(await insert(scene, await scene.row("upscaler_jobs", user_id=owner))) == (403, "42501")


@pytest.mark.parametrize("place", PLACES)
async def test_the_page_sees_its_job_in_every_place(scene: Scene, place: str) -> None:
    job = await scene.job_at(place)
    reply = await scene.page.select("upscaler_jobs", job.id, QUERY_JOB_STATUS + ",task_id,created_at")
    [row] = reply.body
    assert list(row) == [*QUERY_JOB_STATUS.split(","), "task_id", "created_at"]
    assert row["status"] == {"draft": "pending"}.get(place, place.split()[0])
    assert row["position"] == (1 if row["status"] == "queued" else 0)
    assert row["task_id"] == (None if row["status"] == "pending" else str(job.id))
    assert row["created_at"] == job.created_at.isoformat()


async def test_positions_count_from_one(scene: Scene) -> None:
    jobs = [await scene.job_at("queued") for _ in range(3)]
    seen = [(await scene.page.select("upscaler_jobs", job.id, "position")).body for job in jobs]
    assert seen == [[{"position": 1}], [{"position": 2}], [{"position": 3}]]


async def test_a_result_is_shown_with_its_address(scene: Scene) -> None:
    job = await scene.job_at("running")
    files = [{"key": "b.txt", "kind": "txt", "node": ""}, {"key": "a.png", "kind": "png", "node": ""}]
    attempt = await scene.drive.attempt(job)
    assert attempt.task_id
    done = await scene.event(job, "complete", Verdict.SUCCEEDED, output={"files": files})
    reply = await scene.page.select("upscaler_jobs", done.id, "status,output_url")
    [row] = reply.body
    base, _, name = row["output_url"].rpartition("/")
    assert (row["status"], base) == ("completed", f"{scene.page.base}/storage/v1/object/results")
    assert name.endswith(".png")
    assert attempt.task_id not in str((await scene.page.select("upscaler_jobs", done.id, "*")).body)


async def test_reads_of_the_pages_watchdogs(scene: Scene) -> None:
    job = await scene.job_at("running")
    watchdog = await scene.page.select(
        "upscaler_jobs", job.id, "status,task_id,created_at,current_step,step_history"
    )
    assert watchdog.status == 200
    video = await scene.page.select("upscaler_jobs", job.id, "api_account,task_id")
    assert video.body == [{"api_account": None, "task_id": str(job.id)}]


async def test_reads_of_nothing(scene: Scene) -> None:
    job = await scene.job_at("pending")
    for table, job_id in (("upscaler_jobs", NOBODY), ("pose_changer_jobs", job.id)):
        reply = await scene.page.select(table, job_id)
        assert (reply.status, reply.body) == (200, [])
        one = await scene.page.select(table, job_id, headers={"Accept": OBJECT})
        assert shown(one) == (406, "PGRST116")
    one = await scene.page.select("upscaler_jobs", job.id, headers={"Accept": OBJECT})
    assert one.body == {"status": "pending"}


async def test_rows_cannot_be_listed(scene: Scene) -> None:
    await scene.job_at("pending")
    for query in ("", "?select=*", "?user_id=eq.ada", "?id=neq.x", f"?id=eq.{NOBODY}&or=(id.neq.x)"):
        reply = await scene.page.call("GET", f"/rest/v1/upscaler_jobs{query}")
        assert shown(reply) == (400, "PGRST100")
    assert shown(await scene.page.select("upscaler_jobs", "1")) == (400, "22P02")
    assert shown(await scene.page.select("upscaler_jobs", NOBODY, "status," * 400)) == (400, "PGRST100")
