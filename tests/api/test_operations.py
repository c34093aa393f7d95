"""What operators and services do over `/v1`: every act is signed by a person with the key that was used."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from makegood.job import Verdict
from tests.api.scene import CREDITS, Client, Scene

SIGNED = "Grace via key:test"


def operator(scene: Scene) -> Client:
    return scene.client.as_("service:operations")


def shop(scene: Scene) -> Client:
    return scene.client.as_("service:credits")


async def ordered(scene: Scene) -> dict[str, Any]:
    made: dict[str, Any] = (await scene.client.post("/jobs", json=await scene.order())).body
    return made


async def test_credits_come_once_and_go_once_and_the_statement_says_so(scene: Scene) -> None:
    grant = {"amount": 100, "source_ref": "order-9", "kind": "trial"}
    first = (await shop(scene).post("/owners/eva/grants", json=grant)).body
    again = (await shop(scene).post("/owners/eva/grants", json=grant)).body
    assert (first["done"], again["done"], again["wallet"]["available"]) == (True, False, 100)
    [bucket] = again["wallet"]["buckets"]
    assert (bucket["kind"], bucket["remaining"]) == ("trial", 100)
    assert bucket["expires_at"] is not None
    soon = (datetime.now(UTC) + timedelta(days=9)).isoformat()
    cycle = {"amount": 50, "plan": "studio", "cycle": "2026-05", "ends_at": soon}
    assert (await shop(scene).post("/owners/eva/cycles", json=cycle)).body["wallet"]["available"] == 150
    back = await shop(scene).post("/owners/eva/charge-backs", json={"source_ref": "order-9"})
    assert (back.body["done"], back.body["wallet"]["available"]) == (True, 50)
    unlimited = await shop(scene).post("/owners/eva/unlimited", json={"source_ref": "gold"})
    assert unlimited.body["wallet"]["unlimited"] is True
    eva = scene.client.as_("user:eva")
    assert (await eva.get("/wallet")).body == (await shop(scene).get("/owners/eva/wallet")).body
    texts, path = [], "/statement?limit=2"
    while path:
        page = (await eva.get(path)).body
        texts += [(entry["kind"], entry["change"]) for entry in page["entries"]]
        path = page["next"] and f"/statement?limit=2&after={page['next']}"
    assert texts == [("taken back", -100), ("added", 50), ("added", 100)]
    assert (await shop(scene).get("/owners/eva/statement")).body["entries"][0]["kind"] == "taken back"


async def test_what_no_ledger_can_grant_is_refused(scene: Scene) -> None:
    for body, status in (
        ({"amount": 0, "source_ref": "a"}, 422),
        ({"amount": 10**13, "source_ref": "a"}, 422),
        ({"amount": 1, "source_ref": "a", "kind": "own"}, 400),
        ({"amount": 1, "source_ref": "grace:1"}, 400),
        ({"amount": 1, "source_ref": "a", "expires_at": "2001-01-01T00:00:00Z"}, 400),
    ):
        reply = await shop(scene).post("/owners/eva/grants", json=body)
        assert reply.status == status, reply
    reply = await shop(scene).post("/owners/eva/charge-backs", json={"source_ref": "never"})
    assert (reply.status, reply.body["code"]) == (400, "invalid_request")
    assert (await scene.engine.wallet("eva")).buckets == ()


async def test_a_person_ends_a_job_and_is_named_with_the_key(scene: Scene) -> None:
    made = await ordered(scene)
    end = {"event": "fail", "by": "Grace", "reason": "the provider is closed"}
    told = await operator(scene).post(f"/operations/jobs/{made['id']}/end", json=end)
    assert (told.status, told.body["state"], told.body["money"]["released"]) == (200, "failed", made["price"])
    last = told.body["history"][-1]
    assert (last["actor"], last["reason"]) == (SIGNED, "the provider is closed")
    again = await operator(scene).post(f"/operations/jobs/{made['id']}/end", json=end)
    assert (again.status, again.body["code"]) == (409, "illegal_transition")
    for by in ("engine", " ", "database:x", "a\nb"):
        reply = await operator(scene).post(f"/operations/jobs/{made['id']}/end", json={**end, "by": by})
        assert (reply.status, reply.body["code"]) == (422, "invalid_body"), by
    missing = await operator(scene).post(f"/operations/jobs/{uuid4()}/end", json=end)
    assert missing.status == 404


async def test_a_person_completes_a_job_with_files_of_ours(scene: Scene) -> None:
    made = await ordered(scene)
    [job] = (await scene.engine.list_jobs("ada")).jobs
    await scene.drive.submit(await scene.drive.dispatch(job))
    end = {"event": "complete", "by": "Grace", "reason": "sent by mail", "files": ["none.png"]}
    reply = await operator(scene).post(f"/operations/jobs/{made['id']}/end", json=end)
    assert (reply.status, reply.body["code"]) == (400, "invalid_request")
    end["files"] = [(await scene.order())["input"]["image"]]
    reply = await operator(scene).post(f"/operations/jobs/{made['id']}/end", json={**end, "earned": 10})
    assert (reply.status, reply.body["state"]) == (200, "completed")
    assert reply.body["money"]["captured"] == 10
    [attempt] = reply.body["attempts"]
    [word] = [known for known in attempt["known"] if known["verdict"] == "administrator"]
    assert word["detail"] == {"actor": SIGNED, "reason": "sent by mail"}
    assert (await scene.client.get("/wallet")).body["available"] == CREDITS - 10


async def test_a_person_settles_an_uncertain_submission(scene: Scene) -> None:
    await ordered(scene)
    [job] = (await scene.engine.list_jobs("ada")).jobs
    started = await scene.drive.dispatch(job)
    await scene.drive.submit(started)
    attempt = await scene.drive.attempt(started)
    path = f"/operations/jobs/{job.id}/attempts/1/resolve"
    seen = {"by": "Grace", "reason": "their page shows no such task"}
    early = await operator(scene).post(path, json=seen)
    assert (early.status, early.body["code"]) == (400, "invalid_request")
    await scene.store.attempts.doubt(attempt, "no answer")
    told = await operator(scene).post(path, json=seen)
    assert (told.status, told.body["verdict"]) == (200, Verdict.REJECTED)
    dossier = (await operator(scene).get(f"/operations/jobs/{job.id}")).body
    assert (dossier["state"], dossier["history"][-1]["actor"]) == ("queued", SIGNED)
    assert (await operator(scene).post(path.replace("/1/", "/7/"), json=seen)).status == 400


async def test_limits_and_pauses_are_set_and_signed(scene: Scene) -> None:
    by = {"by": "Grace", "scope": "owner", "name": "ada"}
    limit = await operator(scene).post("/operations/limits", json={**by, "running_max": 2, "weight": 2.5})
    assert (limit.body["running_max"], limit.body["weight"], limit.body["actor"]) == (2, 2.5, SIGNED)
    kept = await operator(scene).post("/operations/limits", json={**by, "running_max": None})
    assert (kept.body["running_max"], kept.body["weight"]) == (None, 2.5)
    for wrong in ({}, {"oldest_every": 3}):
        assert (await operator(scene).post("/operations/limits", json={**by, **wrong})).status == 400
    typed = {**by, "scope": "type", "name": "upscaler"}
    paused = await operator(scene).post("/operations/pauses", json={**typed, "reason": "broken"})
    assert (paused.body["reason"], paused.body["actor"]) == ("broken", SIGNED)
    rules = (await operator(scene).get("/operations/rules")).body
    assert [(rule["scope"], rule["name"]) for rule in rules["rules"]] == [
        ("owner", "ada"),
        ("type", "upscaler"),
    ]
    pool = {**by, "scope": "pool", "name": "runninghub", "oldest_every": 3}
    assert (await operator(scene).post("/operations/limits", json=pool)).body["oldest_every"] == 3
    assert (await operator(scene).post("/operations/pauses/end", json=typed)).body == {"resumed": True}
    assert (await operator(scene).post("/operations/pauses/end", json=typed)).body == {"resumed": False}
    unknown = await operator(scene).post("/operations/pauses", json={**typed, "name": "none", "reason": "x"})
    assert (unknown.status, unknown.body["code"]) == (400, "invalid_request")


async def test_operators_see_all_jobs_the_accounts_and_the_books(scene: Scene) -> None:
    mine = await ordered(scene)
    await scene.engine.grant("bob", CREDITS, source_ref="order-2")
    theirs = (await scene.client.as_("user:bob").post("/jobs", json=await scene.order("bob"))).body
    jobs = (await operator(scene).get("/operations/jobs?active=true")).body["jobs"]
    assert [job["id"] for job in jobs] == [theirs["id"], mine["id"]]
    jobs = (await operator(scene).get("/operations/jobs?owner=ada")).body["jobs"]
    assert [job["id"] for job in jobs] == [mine["id"]]
    [account] = (await operator(scene).get("/operations/accounts")).body["accounts"]
    assert (account["capacity"], account["waiting"]) == (50, 2)
    audit = (await operator(scene).get("/operations/audit?owners_max=1")).body
    assert (audit["broken"], audit["violations"], audit["owners"]) == (0, [], 2)
    assert (audit["total"]["issued"], audit["total"]["difference"]) == (2 * CREDITS, 0)
    assert len(audit["totals"]) == 1
