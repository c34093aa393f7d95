"""Jobs over `/v1`: ordered, read and cancelled by their owner alone, and every answer has its shape."""

import asyncio
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from makegood.catalog import Catalog
from makegood.engine import Engine
from makegood.job import JobMoney
from makegood_adapters.http.v1 import Api
from tests.api.scene import CREDITS, OTHER, NamingGate, Scene, serving
from tests.shipped import shipped


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
    job, told = f"/jobs/{made['id']}", {"json": {"message": "stuck"}}
    acts = [("GET", job, {}), ("POST", f"{job}/cancel", {}), ("POST", f"{job}/report", told)]
    for method, path, given in acts:
        reply = await stranger.call(method, path, **given)
        assert reply.status == wanted, reply
        assert reply.body["status"] == wanted
    assert (await scene.client.get(f"/jobs/{made['id']}")).body["state"] == "queued"  # nor has it ended


async def test_a_foreign_job_answers_as_one_that_is_not_there(scene: Scene) -> None:
    made = (await scene.client.post("/jobs", json=await scene.order())).body
    bob = scene.client.as_(f"user:{OTHER}")
    foreign, missing = await bob.get(f"/jobs/{made['id']}"), await bob.get(f"/jobs/{(other := uuid4())}")
    assert foreign.status == missing.status == 404
    assert foreign.raw.replace(made["id"].encode(), b"") == missing.raw.replace(str(other).encode(), b"")


BAD_BODIES = [
    (b"", 400, "invalid_json"),
    (b"[" * 100_000, 400, "invalid_json"),
    (b'{"type": "upscaler", "input": {"a": ' + b"9" * 5_000 + b"}}", 400, "invalid_json"),
    (b'\xff\xfe{"type": 1}', 400, "invalid_json"),
    (b'{"type": "upscaler", "input": {}, "price": 0}', 422, "invalid_body"),
    (b'{"type": "upscaler", "input": {}}', 422, "invalid_input"),
    (b'{"type": "upscaler", "input": {"image": NaN}}', 422, "invalid_body"),
    (b'{"type": "upscaler", "input": {"image": ' + b"9" * 4_000 + b"}}", 422, "invalid_body"),
    (b'{"type": "upscaler", "input": ' + b'{"a": ' * 40 + b"1" + b"}" * 41, 422, "invalid_body"),
    (b'{"type": "upscaler", "input": {"image": "\\ud800"}}', 400, "invalid_json"),
    (b'{"type": "up\\u0000scaler", "input": {}}', 422, "invalid_body"),
    (b'{"type": "upscaler", "input": {"image": "a\\u0000b"}}', 422, "invalid_input"),
    (b'{"type": "upscaler", "input": {"\\u0000": 1}}', 422, "invalid_input"),
    (b'{"type": "upscaler", "input": {}, "accept": "yes"}', 422, "invalid_body"),
    (
        b'{"type": "upscaler", "input": {}, "not_before": "0001-01-01T00:00:00+14:00"}',
        422,
        "invalid_body",
    ),
    (b'{"type": "upscaler", "input": {}, "not_before": 5}', 422, "invalid_body"),
    (b'{"type": "nothing", "input": {}}', 404, "not_found"),
    (b'{"type": "' + b"x" * 300_000 + b'"}', 413, "body_too_large"),
]


async def test_a_body_that_cannot_be_used_is_a_problem_and_charges_nothing(scene: Scene) -> None:
    for raw, status, code in BAD_BODIES:
        reply = await scene.client.post("/jobs", data=raw)
        assert (reply.status, reply.body["code"]) == (status, code), (raw[:80], reply)
        assert reply.headers["Content-Type"] == "application/problem+json"
    assert (await scene.engine.wallet("ada")).available == CREDITS
    assert (await scene.engine.list_jobs("ada")).jobs == ()


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("PUT", "/jobs", 405)])
async def test_what_leads_nowhere_is_a_problem_too(scene: Scene, method: str, path: str, status: int) -> None:
    reply = await scene.client.call(method, path)
    assert (reply.status, reply.body["status"]) == (status, status)
    assert reply.headers["Content-Type"] == "application/problem+json"


async def test_an_address_with_what_cannot_be_a_job_says_so(scene: Scene) -> None:
    reply = await scene.client.get(f"/jobs/{'x' * 200}")
    assert (reply.status, reply.body["code"]) == (404, "not_found")
    assert reply.body["detail"] == f"There is no job '{'x' * 64}'."


KEY = {"Idempotency-Key": "click-1"}


async def test_the_same_key_gives_the_same_job_and_another_body_is_refused(scene: Scene) -> None:
    order = await scene.order()
    first, *others = await asyncio.gather(
        *(scene.client.post("/jobs", json=order, headers=KEY) for _ in range(4))
    )
    again = await scene.client.post("/jobs", json=order, headers=KEY)
    assert {(reply.status, reply.body["id"]) for reply in (first, *others, again)} == {
        (201, first.body["id"])
    }
    assert first.headers["Location"] == f"jobs/{first.body['id']}"
    other = await scene.client.post(
        "/jobs", json={**order, "input": {**order["input"], "resolution": 2048}}, headers=KEY
    )
    assert (other.status, other.body["code"]) == (422, "key_reused")
    instead = await scene.client.post("/jobs", json={**order, "retry_of": first.body["id"]}, headers=KEY)
    assert (instead.status, instead.body["code"]) == (422, "key_reused")
    assert (await scene.engine.wallet("ada")).held == first.body["price"]


async def test_a_job_that_could_not_be_paid_answers_alike_however_often_it_is_asked_for(scene: Scene) -> None:
    poor, order = scene.client.as_("user:bob"), await scene.order(OTHER)
    replies = await asyncio.gather(*(poor.post("/jobs", json=order, headers=KEY) for _ in range(3)))
    await scene.engine.grant("bob", CREDITS, source_ref="late")
    replies.append(await poor.post("/jobs", json=order, headers=KEY))
    assert {(reply.status, reply.raw) for reply in replies} == {(402, replies[0].raw)}
    told = replies[0].body
    assert (told["code"], told["available"]) == ("insufficient_credits", 0)
    assert told["price"] > 0
    shown = (await poor.get(f"/jobs/{told['job_id']}")).body
    assert (shown["state"], shown["error"]["category"]) == ("failed", "insufficient_credits")
    accept = await poor.post(f"/jobs/{told['job_id']}/accept")
    assert (accept.status, accept.raw) == (402, replies[0].raw)


async def test_a_key_still_gives_its_job_when_its_type_is_closed_or_its_file_is_gone(
    scene: Scene, tmp_path: Path
) -> None:
    order = await scene.order()
    first = await scene.client.post("/jobs", json=order, headers=KEY)
    scene.engine.catalog.closed = {"upscaler": "the provider refused the last ones"}
    again = await scene.client.post("/jobs", json=order, headers=KEY)
    assert (again.status, again.body["id"]) == (201, first.body["id"])
    new = await scene.client.post("/jobs", json=order)
    assert (new.status, new.body["code"], new.headers["Retry-After"]) == (503, "job_type_closed", "60")
    types = (await scene.client.get("/job-types")).body["types"]
    assert {told["name"] for told in types} == {job_type.name for job_type in shipped()}
    assert [told["name"] for told in types if not told["open"]] == ["upscaler"]
    for path in tmp_path.rglob(order["input"]["image"]):
        path.unlink()
    assert (await scene.client.post("/jobs", json=order, headers=KEY)).body["id"] == first.body["id"]


async def test_a_job_may_be_ordered_first_and_accepted_later(scene: Scene) -> None:
    made = (await scene.client.post("/jobs", json={**await scene.order(), "accept": False})).body
    assert (made["state"], made["money"]["held"]) == ("pending", 0)
    accepted = await scene.client.post(f"/jobs/{made['id']}/accept")
    assert (accepted.body["state"], accepted.body["money"]["held"]) == ("queued", made["price"])
    assert (await scene.client.post(f"/jobs/{made['id']}/accept")).body["version"] == accepted.body["version"]
    await scene.client.post(f"/jobs/{made['id']}/cancel", json={"reason": "changed my mind"})
    for act in ("accept", "cancel"):
        over = await scene.client.post(f"/jobs/{made['id']}/{act}")
        assert (over.status, over.body["code"], over.body["allowed"]) == (409, "illegal_transition", [])
    assert (await scene.engine.history(UUID(made["id"])))[-1].reason == "changed my mind"


async def test_a_price_is_told_to_everybody_and_to_an_owner_whether_it_is_covered(
    scene: Scene,
) -> None:
    wish = await scene.order()
    mine = (await scene.client.post("/quotes", json=wish)).body
    assert (mine["available"], mine["covered"]) == (CREDITS, True)
    await scene.order(OTHER)
    poor = await scene.client.as_("service:owners").post(
        "/quotes", json=wish, headers={"Makegood-Owner": "bob"}
    )
    assert poor.body == {**mine, "available": 0, "covered": False}
    wish["input"]["image"] = "no-such-file.png"
    public = await scene.client.as_("public").post("/quotes", json=wish)
    assert public.body == {**mine, "available": None, "covered": None}
    assert (await scene.client.post("/quotes", json=wish)).body["code"] == "invalid_input"


async def test_lists_are_newest_first_and_stable_while_jobs_arrive(scene: Scene) -> None:
    order = {**await scene.order(), "accept": False}
    made = [(await scene.client.post("/jobs", json=order)).body["id"] for _ in range(5)]
    await scene.client.post(f"/jobs/{made[0]}/cancel")
    seen, path = [], "/jobs?limit=2"
    while path:
        page = (await scene.client.get(path)).body
        seen += [job["id"] for job in page["jobs"]]
        await scene.client.post("/jobs", json=order)
        path = page["next"] and f"/jobs?limit=2&after={page['next']}"
    assert seen == made[::-1]
    over = (await scene.client.get("/jobs?active=false&state=cancelled&state=failed")).body["jobs"]
    assert [job["id"] for job in over] == [made[0]]
    assert (await scene.client.as_("user:bob").get("/jobs")).body == {"jobs": [], "next": None}
    for wrong, code in (("after=x", "invalid_request"), ("limit=201", "invalid_query")):
        assert (await scene.client.get(f"/jobs?{wrong}")).body["code"] == code


async def test_a_report_ends_only_what_was_never_submitted(scene: Scene) -> None:
    made = (await scene.client.post("/jobs", json=await scene.order())).body
    told = await scene.client.post(f"/jobs/{made['id']}/report", json={"message": "stuck\x00"})
    assert (told.status, told.body["state"], told.body["money"]["released"]) == (200, "failed", made["price"])
    assert (await scene.client.post(f"/jobs/{made['id']}/report", json={"message": "x"})).status == 200


async def test_only_a_job_of_ones_own_can_be_retried(scene: Scene) -> None:
    order = await scene.order()
    first = (await scene.client.post("/jobs", json=order)).body
    again = await scene.client.post("/jobs", json={**order, "retry_of": first["id"]})
    assert (again.status, again.body["retry_of"]) == (201, first["id"])
    stranger = await scene.client.as_("user:bob").post("/jobs", json={**order, "retry_of": first["id"]})
    assert (stranger.status, stranger.body["code"]) == (404, "not_found")


async def test_a_job_of_a_type_that_is_gone_is_shown(scene: Scene) -> None:
    made = (await scene.client.post("/jobs", json=await scene.order())).body
    async with (
        Engine(scene.store, Catalog([]), blobs=scene.blobs, run_loops=False) as other,
        serving(Api(engine=other), NamingGate(), asgi=False) as client,
    ):
        assert (await client.get(f"/jobs/{made['id']}")).body["state"] == "queued"
        assert [job["id"] for job in (await client.get("/jobs")).body["jobs"]] == [made["id"]]
        assert (await client.post(f"/jobs/{made['id']}/cancel")).body["state"] == "cancelled"
        assert (await client.get("/job-types")).body == {"types": []}


class Hasty(Engine):
    """Cancels a job after it was read, before its money is."""

    async def money(self, job_id: UUID, *, owner: str | None = None) -> JobMoney:
        if (await self.get(job_id)).finished_at is None:
            await self.cancel(job_id)
        return await super().money(job_id, owner=owner)


async def test_a_job_that_moves_while_it_is_read_is_shown_as_it_was_at_one_moment(scene: Scene) -> None:
    made = (await scene.client.post("/jobs", json=await scene.order())).body
    async with (
        Hasty(scene.store, scene.engine.catalog, blobs=scene.blobs, run_loops=False) as hasty,
        serving(Api(engine=hasty), NamingGate(), asgi=False) as client,
    ):
        seen = (await client.get(f"/jobs/{made['id']}")).body
    assert (seen["state"], seen["timeline"][-1]["to_state"]) == ("cancelled", "cancelled")
    assert seen["money"] == {"held": 0, "captured": 0, "released": made["price"]}
