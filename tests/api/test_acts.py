"""What operators do to jobs, and that all of it comes on record, with a name, also what was refused."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from makegood.errors import StoreUnavailable
from makegood.job import Verdict
from makegood.ports import NewAct
from makegood.testing.drive import accounts
from makegood_adapters.http.on_record import to_its_end
from makegood_adapters.http.v1 import OPERATIONS
from makegood_adapters.http.v1.acting import CALLED
from tests.api.scene import CREDITS, POOL, Client, Scene

SIGNED = {"by": "Grace", "reason": "asked by phone"}


def operator(scene: Scene) -> Client:
    return scene.client.as_("service:operations")


async def ordered(scene: Scene) -> dict[str, Any]:
    made: dict[str, Any] = (await scene.client.post("/jobs", json=await scene.order())).body
    return made


async def acts(scene: Scene) -> list[dict[str, Any]]:
    """Return what is on record, oldest first."""
    found: list[dict[str, Any]] = (await operator(scene).get("/operations/acts")).body["acts"]
    return found[::-1]


async def test_a_person_cancels_a_job_once_and_is_named(scene: Scene) -> None:
    made = await ordered(scene)
    path = f"/operations/jobs/{made['id']}/cancel"
    told = await operator(scene).post(path, json=SIGNED)
    assert (told.status, told.body["state"], told.body["money"]["released"]) == (
        200,
        "cancelled",
        made["price"],
    )
    last = told.body["bars"][-1]
    assert (last["actor"], last["reason"]) == ("Grace via key:test", SIGNED["reason"])
    again = await operator(scene).post(path, json=SIGNED)
    assert (again.status, again.body["code"]) == (409, "illegal_transition")
    assert (await operator(scene).post(path, json={"by": "Grace"})).status == 422
    assert (await scene.client.get("/wallet")).body["available"] == CREDITS


async def test_a_submitted_job_is_asked_to_stop_and_the_provider_decides(scene: Scene) -> None:
    made = await ordered(scene)
    job = await scene.drive.submit(await scene.drive.dispatch(await scene.engine.get(UUID(made["id"]))))
    told = await operator(scene).post(f"/operations/jobs/{job.id}/cancel", json=SIGNED)
    assert (told.status, told.body["state"]) == (200, job.state)
    assert told.body["cancel_requested_at"] is not None
    [wish] = told.body["messages"]
    assert wish["source"] == "cancel"
    assert wish["body"] == f"Grace via key:test asks to cancel it: {SIGNED['reason']}"
    [again] = (await operator(scene).post(f"/operations/jobs/{job.id}/cancel", json=SIGNED)).body["messages"]
    assert again["at"] == wish["at"]


async def test_a_person_has_the_provider_asked_at_once(scene: Scene) -> None:
    made = await ordered(scene)
    path = f"/operations/jobs/{made['id']}/ask"
    early = await operator(scene).post(path, json={"by": "Grace"})
    assert (early.status, early.body["code"]) == (400, "invalid_request")
    assert "there is nothing to ask" in early.body["detail"]
    job = await scene.drive.submit(await scene.drive.dispatch(await scene.engine.get(UUID(made["id"]))))
    job = await scene.drive.event(job, "begin", Verdict.ACCEPTED)
    await scene.store.attempts.due(accounts(POOL), 10, 600)
    assert await scene.store.attempts.due(accounts(POOL), 10, 600) == []
    told = await operator(scene).post(path, json={"by": "Grace"})
    assert (told.status, told.body) == (200, {"attempts": [1]})
    [due] = await scene.store.attempts.due(accounts(POOL), 10, 600)
    assert (due.job_id, due.number) == (job.id, 1)
    await scene.drive.event(await scene.engine.get(job.id), "fail", Verdict.FAILED)
    assert (await operator(scene).post(path, json={"by": "Grace"})).status == 400
    assert (await operator(scene).post(f"/operations/jobs/{uuid4()}/ask", json={"by": "Grace"})).status == 404


async def test_every_act_comes_on_record_with_its_outcome(scene: Scene) -> None:
    made = await ordered(scene)
    end, missing = {"event": "fail", **SIGNED}, uuid4()
    pause = {"scope": "type", "name": "upscaler", **SIGNED}
    grant = {"amount": 70, "source_ref": "gift-1", **SIGNED}
    key = {"name": "Bearer sesame-0123456789", "scopes": ["metrics"]}
    keys, shop = scene.client.as_("service:keys"), scene.client.as_("service:credits")
    await operator(scene).post(f"/operations/jobs/{made['id']}/end", json=end)
    await operator(scene).post(f"/operations/jobs/{made['id']}/end", json=end)
    await operator(scene).post(f"/operations/jobs/{missing}/ask", json={"by": "Ada"})
    await operator(scene).post("/operations/pauses", json=pause)
    await operator(scene).post("/operations/pauses/end", json={**pause, "reason": "x"})  # takes no reason
    await operator(scene).post("/operations/limits", json={**pause, "reason": None, "running_max": 2})
    await shop.post("/owners/eva/grants", json=grant)
    await operator(scene).post("/owners/eva/grants", json=grant)  # has not the scope
    await keys.post("/keys", json=key)
    await scene.client.post("/owners/eva/grants", json=grant)  # is no operator
    await scene.client.as_(None).post("/owners/eva/grants", json=grant)
    await operator(scene).get("/operations/jobs")  # changes nothing
    job, by, why = f"job {made['id']}", "Grace", SIGNED["reason"]
    expected = [
        ("end_job", by, f"{job} (event fail)", why, "ok"),
        ("end_job", by, f"{job} (event fail)", why, "illegal_transition"),
        ("ask_about_job", "Ada", f"job {missing}", None, "not_found"),
        ("pause_jobs", by, "type upscaler", why, "ok"),
        ("resume_jobs", None, "", None, "invalid_body"),
        ("put_limit", None, "", None, "invalid_body"),
        ("grant_credits", by, "owner eva (amount 70, source_ref gift-1)", why, "ok"),
        ("grant_credits", None, "owner eva", None, "forbidden"),
        ("make_key", None, "name Bearer [redacted], scopes metrics", None, "forbidden"),
    ]
    told = await acts(scene)
    assert [(a["act"], a["by"], a["subject"], a["reason"], a["outcome"]) for a in told] == expected
    assert {act["key"] for act in told} == {"key:test"}
    called = ["End", "End", "Ask the provider", "Pause", "Resume", "Set a limit", "Grant credits"]
    assert [act["what"] for act in told] == [*called, "Grant credits", "Make a key"]
    first = (await operator(scene).get("/operations/acts?limit=4")).body
    rest = (await operator(scene).get(f"/operations/acts?limit=9&after={first['next']}")).body
    assert [*first["acts"], *rest["acts"]] == told[::-1]
    assert rest["next"] is None
    for wrong in ("limit=0", "limit=201", "after=0", "after=x"):
        assert (await operator(scene).get(f"/operations/acts?{wrong}")).status == 422


#: What an act is called begins with the word that says what was done, in most the first of its name.
OTHERWISE = {"put": "set", "resolve": "settle", "rotate": "give", "revoke": "end", "start": "begin",
             "resend": "send", "test": "send"}  # fmt: skip


def test_every_act_that_comes_on_record_is_called_something_by_people() -> None:
    assert CALLED.keys() == {op.name for op in OPERATIONS if op.is_act}
    assert len(set(CALLED.values())) == len(CALLED)
    for name, called in CALLED.items():
        verb = name.split("_")[0]
        assert called.split()[0].lower() == OTHERWISE.get(verb, verb), name
        things = {"attempt", "cycle", "endpoint", "key", "credits", "unlimited"} & set(name.split("_")[1:])
        assert verb == "test" or all(thing in called for thing in things), name


async def test_what_is_on_record_cannot_be_changed(scene: Scene, database: str) -> None:
    await operator(scene).post(f"/operations/jobs/{uuid4()}/ask", json={"by": "Ada"})
    connection = await asyncpg.connect(database)
    try:
        for change in (
            "update makegood.act set outcome = 'ok'",
            "delete from makegood.act",
            "truncate makegood.act",
        ):
            with pytest.raises(asyncpg.PostgresError, match="its rows are permanent"):
                await connection.execute(change)
    finally:
        await connection.close()


async def test_an_act_that_cannot_be_put_on_record_is_done_and_told_in_the_log(
    scene: Scene, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(act: NewAct) -> None:
        raise StoreUnavailable("the database has gone")

    monkeypatch.setattr(scene.store.acts, "keep", gone)
    made = await ordered(scene)
    told = await operator(scene).post(f"/operations/jobs/{made['id']}/cancel", json=SIGNED)
    assert (told.status, told.body["state"]) == (200, "cancelled")
    assert "an act is not on record" in caplog.text
    assert made["id"] in caplog.text


async def test_an_act_goes_on_to_its_end_when_its_caller_leaves() -> None:
    begun, go, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def act() -> None:
        begun.set()
        await go.wait()
        ended.set()

    call = asyncio.create_task(to_its_end(act()))
    await begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    go.set()
    await ended.wait()
