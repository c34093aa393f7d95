"""Jobs over `/v1`: ordered, read and cancelled by their owner alone, and every answer has its shape."""

from uuid import uuid4

import pytest

from tests.api.scene import CREDITS, OTHER, Scene


async def test_an_order_is_held_and_shown_with_its_money_and_its_way(scene: Scene) -> None:
    reply = await scene.client.post("/jobs", json=await scene.order())
    assert reply.status == 201, reply
    assert reply.body["state"] == "queued"
    assert reply.body["money"] == {"held": reply.body["price"], "captured": 0, "released": 0}
    assert [step["event"] for step in reply.body["timeline"]] == ["submit", "accept"]
    read = await scene.client.get(f"/jobs/{reply.body['id']}")
    assert read.body["money"] == reply.body["money"]


async def test_a_cancelled_job_shows_its_credits_back(scene: Scene) -> None:
    made = (await scene.client.post("/jobs", json=await scene.order())).body
    reply = await scene.client.post(f"/jobs/{made['id']}/cancel")
    assert (reply.status, reply.body["state"]) == (200, "cancelled")
    assert reply.body["money"]["released"] == made["price"]
    assert (await scene.engine.wallet("ada")).available == CREDITS


@pytest.mark.parametrize("who", [f"user:{OTHER}", "public", None, "service:credits", "service:owners"])
async def test_who_is_not_the_owner_gets_nothing(scene: Scene, who: str | None) -> None:
    made = (await scene.client.post("/jobs", json=await scene.order())).body
    stranger = scene.client.as_(who)
    wanted = {None: 401, f"user:{OTHER}": 404, "service:owners": 400}.get(who, 403)
    for method, path in (("GET", f"/jobs/{made['id']}"), ("POST", f"/jobs/{made['id']}/cancel")):
        reply = await stranger.call(method, path)
        assert reply.status == wanted, reply
        assert reply.body["status"] == wanted
    assert (await scene.client.get(f"/jobs/{made['id']}")).body["state"] == "queued"


async def test_a_foreign_job_answers_as_one_that_is_not_there(scene: Scene) -> None:
    made = (await scene.client.post("/jobs", json=await scene.order())).body
    bob = scene.client.as_(f"user:{OTHER}")
    foreign, missing = await bob.get(f"/jobs/{made['id']}"), await bob.get(f"/jobs/{(other := uuid4())}")
    assert foreign.status == missing.status == 404
    assert foreign.raw.replace(made["id"].encode(), b"") == missing.raw.replace(str(other).encode(), b"")


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"", 400, "invalid_json"),
        (b"[" * 100_000, 400, "invalid_json"),
        (b'{"type": "upscaler", "input": {"a": ' + b"9" * 5_000 + b"}}", 400, "invalid_json"),
        (b'\xff\xfe{"type": 1}', 400, "invalid_json"),
        (b'{"type": "upscaler", "input": {}, "price": 0}', 422, "invalid_body"),
        (b'{"type": "upscaler", "input": {}}', 422, "invalid_input"),
        (b'{"type": "nothing", "input": {}}', 404, "not_found"),
        (b'{"type": "' + b"x" * 300_000 + b'"}', 413, "body_too_large"),
    ],
)
async def test_a_body_that_cannot_be_used_is_a_problem_and_charges_nothing(
    scene: Scene, raw: bytes, status: int, code: str
) -> None:
    reply = await scene.client.post("/jobs", data=raw)
    assert (reply.status, reply.body["code"]) == (status, code), reply
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert (await scene.engine.wallet("ada")).available == CREDITS


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("PUT", "/jobs", 405)])
async def test_what_leads_nowhere_is_a_problem_too(scene: Scene, method: str, path: str, status: int) -> None:
    reply = await scene.client.call(method, path)
    assert (reply.status, reply.body["status"]) == (status, status)
    assert reply.headers["Content-Type"] == "application/problem+json"
