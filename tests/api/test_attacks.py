"""Attacks on the API: what callers send, and what other programs have written, breaks nothing for anybody."""

import json
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from makegood.errors import PROBLEMS_MAX
from makegood.job import Verdict
from tests.api.scene import OWNER, Scene
from tests.api.streams import listening

ALL = "service:owners,credits,operations,webhooks,metrics,keys"


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z"])
async def test_a_time_that_no_calendar_needs_makes_no_list_unreadable(scene: Scene, moment: str) -> None:
    """The first and the last moment of all are infinite for a database, and were read back as no times."""
    service, order = scene.client.as_(ALL), await scene.order()
    for path, body in (
        ("/keys", {"name": "shop", "scopes": ["metrics"], "expires_at": moment}),
        ("/owners/ada/grants", {"amount": 1, "source_ref": "x", "expires_at": moment}),
        ("/owners/ada/cycles", {"amount": 1, "plan": "p", "cycle": "1", "ends_at": moment}),
        (
            "/operations/pauses",
            {"scope": "owner", "name": "ada", "by": "G", "reason": "r", "until": moment},
        ),
    ):
        reply = await service.post(path, json=body)
        assert (reply.status, reply.body["code"]) == (422, "invalid_body"), path
    late = await scene.client.post("/jobs", json={**order, "not_before": moment})
    assert (late.status, late.body["code"]) == (422, "invalid_body")
    assert (await service.get("/keys")).body == {"keys": []}


@pytest.mark.parametrize(
    ("error", "output"),
    [({"why": "tidied up"}, {"files": ["a.png", {"kind": "png", "size": "big"}]}), ("tidied up", ["a.png"])],
)
async def test_what_a_script_writes_into_a_job_hides_no_job_and_stops_no_stream(
    scene: Scene, database: str, error: Any, output: Any
) -> None:
    """A script ends one job and completes another, with whatever it takes for an error and a result."""
    done, failed = [(await scene.client.post("/jobs", json=await scene.order())).body["id"] for _ in range(2)]
    running = await scene.drive.submit(await scene.drive.dispatch(await scene.engine.get(UUID(done))))
    await scene.drive.event(running, "begin", Verdict.ACCEPTED)
    attempt = await scene.store.attempts.get(running.id, 1)
    assert attempt is not None
    await scene.store.attempts.record(attempt.evidence(Verdict.SUCCEEDED, "poll"))
    script = await asyncpg.connect(database)
    try:
        update = "update makegood.job set state = $2, {} = $3::jsonb where job_id = $1"
        await script.execute(update.format("error"), failed, "failed", json.dumps(error))
        await script.execute(update.format("output"), done, "completed", json.dumps(output))
    finally:
        await script.close()
    listed = (await scene.client.get("/jobs")).body["jobs"]
    assert {job["id"]: job["state"] for job in listed} == {failed: "failed", done: "completed"}
    shown = (await scene.client.get(f"/jobs/{failed}")).body
    assert shown["error"] == {"category": "external", "message": "Another program ended the job."}
    assert (await scene.client.get(f"/jobs/{done}/files/0")).status == 404
    assert (await scene.client.post(f"/jobs/{failed}/accept")).status == 409
    service = scene.client.as_("service:operations")
    await scene.store.stream.place(100)
    for client, path in ((scene.client, f"/jobs/{failed}/events"), (service, "/operations/events")):
        async with listening(client, path, 0) as ear:
            heard = await ear.next()
            while heard and heard.data["to_state"] not in ("failed", "completed"):
                heard = await ear.next()
            assert heard is not None
            assert heard.data["money"]["held"] == 0
    assert (await scene.engine.wallet(OWNER)).held == 0


async def test_no_user_signs_as_somebody_else(scene: Scene) -> None:
    """What an issuer takes for a name may be the user's own choice."""
    for name in ("engine", "client", "key:shop", "Grace via key:ops", "database:postgres"):
        await scene.engine.grant(name, 100, source_ref="order-1")
        user = scene.client.as_(f"user:{name}")
        made = (await user.post("/jobs", json=await scene.order(name))).body
        await user.post(f"/jobs/{made['id']}/cancel")
        told = (await scene.client.as_(ALL).get(f"/operations/jobs/{made['id']}")).body
        assert [step["actor"] for step in told["history"][1:]] == [f"user:{name}"] * 2


async def test_thousands_of_wrong_fields_get_a_short_answer(scene: Scene) -> None:
    """A page's key, which everybody has, made the service write megabytes for each quarter of one."""
    order, many = await scene.order(), {f"{number:x}": 1 for number in range(20_000)}
    page = scene.client.as_("public")
    some = dict(list(many.items())[:400])
    for body, code, detail in (
        ({**order, **many}, "invalid_body", "20,000 fields are wrong"),
        ({**order, "input": {**order["input"], **some}}, "invalid_input", "and 350 more"),
    ):
        reply = await page.post("/quotes", json=body)
        assert (reply.status, reply.body["code"]) == (422, code)
        assert detail in reply.body["detail"]
        assert len(reply.body["errors"]) == PROBLEMS_MAX
    reply = await page.post("/quotes", json={**order, "input": many})
    assert [error["field"] for error in reply.body["errors"]] == ["input"]
