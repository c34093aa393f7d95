"""What operators are shown of one job: its way, its money, what was said of it, its files, and no secret."""

import json
import re
from itertools import pairwise
from pathlib import Path
from uuid import UUID, uuid4

from makegood.job import Verdict
from makegood.ports import Worker, WorkerName, WorkerState
from makegood.testing.drive import token_hash
from tests.api.scene import CREDITS, PNG, Client, Scene, opened

SECRET = "zqSesame0123456789abcdefghijk"


def operator(scene: Scene) -> Client:
    return scene.client.as_("service:operations")


async def ordered(scene: Scene) -> UUID:
    return UUID((await scene.client.post("/jobs", json=await scene.order())).body["id"])


async def test_a_dossier_tells_the_way_the_money_and_the_files(scene: Scene) -> None:
    job_id = await ordered(scene)
    job = await scene.engine.get(job_id)
    early = (await operator(scene).get(f"/operations/jobs/{job_id}")).body
    assert early["bars"][-1]["to"] is None
    job = await scene.complete(job, b"the result", "png")
    told = (await operator(scene).get(f"/operations/jobs/{job_id}")).body
    bars = told["bars"]
    assert [bar["state"] for bar in bars] == ["pending", "queued", "starting", "running", "completed"]
    assert all(earlier["to"] == later["from"] for earlier, later in pairwise(bars))
    assert (bars[-1]["to"], bars[-1]["seconds"], bars[-1]["attempt"]) == (bars[-1]["from"], 0, 1)
    assert bars[1]["event"] == "accept"
    spec = scene.engine.catalog.get("upscaler").spec
    assert [bar["status"] for bar in bars] == [
        spec.state[bar["state"]].public or bar["state"] for bar in bars
    ]
    assert len({bar["status"] for bar in bars}) > 3, "each is that of its own state"
    price = job.price
    lines = told["journal"]
    assert [(line["kind"], line["amount"], line["bucket"], line["text"]) for line in lines] == [
        ("hold", price, "purchased", f"{price} held for Image upscaler"),
        ("capture", price, "purchased", f"{price} paid for Image upscaler"),
    ]
    assert [line["balance"] for line in lines] == [CREDITS - price] * 2
    assert told["type_gone"] is False
    assert told["told"] == [], "nothing was given back, nothing has failed"
    assert told["inputs"] == [{"name": "image", "kind": "png", "size": len(PNG)}]
    before = await operator(scene).get(f"/operations/jobs/{job_id}/inputs/image")
    after = await operator(scene).get(f"/operations/jobs/{job_id}/files/0")
    assert (before.raw, after.raw) == (PNG, b"the result")
    for reply in (before, after):
        headers = {name.lower(): value for name, value in reply.headers.items()}
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "sandbox"
    for path in ("inputs/none", "files/1", "files/x"):
        assert (await operator(scene).get(f"/operations/jobs/{job_id}/{path}")).status == 404, path
    assert (await operator(scene).get(f"/operations/jobs/{uuid4()}/inputs/image")).status == 404


async def test_why_a_job_failed_and_what_came_back_is_said_first(scene: Scene) -> None:
    job = await scene.drive.dispatch(await scene.engine.get(await ordered(scene)))
    job = await scene.drive.submit(job)
    error = {"category": "provider", "message": "The model ran out of memory."}
    await scene.drive.event(job, "fail", Verdict.FAILED, error=error)
    told = (await operator(scene).get(f"/operations/jobs/{job.id}")).body
    failed, back = told["told"]
    assert failed == {"level": "bad", "text": "The model ran out of memory. (provider)"}
    assert back["level"] == "good"
    assert re.fullmatch(rf"{job.price} credits given back \d+ s ago, to the bucket purchased", back["text"])
    assert told["money"] == {"held": 0, "captured": 0, "released": job.price}


async def test_of_a_job_whose_type_is_gone_all_is_told_and_that_it_is_gone(
    database: str, tmp_path: Path
) -> None:
    async with opened(database, tmp_path) as before:
        job_id = await ordered(before)
    async with opened(database, tmp_path, types=[]) as scene:
        told = (await operator(scene).get(f"/operations/jobs/{job_id}")).body
    assert (told["type"], told["type_gone"], told["state"]) == ("upscaler", True, "queued")
    assert told["told"] == [{"level": "warn", "text": "Its job type is not here any more."}]
    assert [line["kind"] for line in told["journal"]] == ["hold"]


async def test_why_an_attempt_is_not_settled_quotes_no_secret(scene: Scene) -> None:
    started = await scene.drive.submit(
        await scene.drive.dispatch(await scene.engine.get(await ordered(scene)))
    )
    attempt = await scene.drive.attempt(started)
    await scene.store.attempts.doubt(attempt, "no answer")
    await scene.store.hints.receive(token_hash(attempt), "{}", f"sk-{SECRET}")
    reply = await operator(scene).get(f"/operations/jobs/{started.id}")
    [settle] = reply.body["attempts"][0]["acts"]
    assert settle["refused"].startswith("A webhook names task sk-[redacted] for attempt 1")
    assert SECRET.encode() not in reply.raw


async def test_the_size_of_a_file_that_nobody_has_brought_is_asked_of_the_storage(scene: Scene) -> None:
    """So come the files of a host that embeds the engine; one that is gone since has none."""
    order = await scene.order()
    key = await scene.blobs.put(PNG + b"of the host", "host.png")
    job = await scene.engine.submit("upscaler", "bob", {**order["input"], "image": key})
    path = f"/operations/jobs/{job.id}"
    [given] = (await operator(scene).get(path)).body["inputs"]
    assert given == {"name": "image", "kind": "png", "size": len(PNG) + 11}
    scene.blobs.path(key).unlink()
    [given] = (await operator(scene).get(path)).body["inputs"]
    assert given == {"name": "image", "kind": "png", "size": None}
    assert (await operator(scene).get(f"{path}/inputs/image")).status == 404


async def test_what_was_said_from_outside_is_shown_without_secrets_and_in_bounds(scene: Scene) -> None:
    job_id = await ordered(scene)
    started = await scene.drive.dispatch(await scene.engine.get(job_id))
    await scene.drive.submit(started)
    attempt = await scene.drive.attempt(started)
    hook = f"https://app.example/hooks/{SECRET}"
    event = {"apiKey": SECRET, "taskId": "7", "odd": "\ud800", "nan": float("nan"), "url": hook}
    for body in (
        json.dumps({"event": "TASK_END", "eventData": json.dumps(event)}),
        f"no JSON at all: Authorization: Bearer {SECRET}",
        json.dumps({"fine": True}),
        "x" * 1_000_000,
    ):
        await scene.store.hints.receive(token_hash(attempt), body, "7")
    await scene.store.hints.report(job_id, "client", f"see https://h/x.png?X-Amz-Signature={SECRET}&n=1")
    detail = {"error": f"401 for mgk_0123456789ab_{SECRET}", "headers": {"Cookie": f"a={SECRET}"}}
    await scene.store.attempts.record(attempt.evidence(Verdict.ACCEPTED, "poll", task_id="7", detail=detail))
    reply = await operator(scene).get(f"/operations/jobs/{job_id}")
    assert SECRET.encode() not in reply.raw
    assert len(reply.raw) < 100_000
    first, second, third, long, report = reply.body["messages"]
    assert json.loads(first["body"]["eventData"])["taskId"] == "7"
    assert (first["source"], first["task_id"], first["attempt"], first["read"]) == ("webhook", "7", 1, False)
    assert second["body"] == "no JSON at all: Authorization: Bearer [redacted]"
    assert third["body"] == {"fine": True}
    assert long["body"].endswith("[cut: 20,000 of 1,000,000 characters are shown]")
    assert report["source"] == "client"
    assert [m["redacted"] for m in reply.body["messages"]] == [True, True, False, False, True]
    assert first["text"] == "webhook, task 7 (secrets masked) (not read yet)"
    assert report["text"] == "client (secrets masked) (not read yet)"
    [known] = reply.body["attempts"][0]["known"]
    assert known["detail"]["headers"] == {"Cookie": "[redacted]"}


async def test_no_list_and_no_stream_of_operators_tells_what_a_dossier_masks(scene: Scene) -> None:
    """Owners keep what they like beside a job, providers are quoted, and a reason may have any text in it."""
    order = {**await scene.order(), "metadata": {"apiKey": SECRET, "shop": "7"}}
    job_id = UUID((await scene.client.post("/jobs", json=order)).body["id"])
    [account] = await scene.engine.occupancy()
    await scene.store.attempts.unanswered(account.account, f"401: api_key='{SECRET}'")
    job = await scene.drive.submit(await scene.drive.dispatch(await scene.engine.get(job_id)))
    error = {"category": "provider", "message": f"the key sk-{SECRET} is not valid"}
    await scene.drive.event(job, "fail", Verdict.FAILED, error=error)
    signed = {"by": "Grace", "reason": f"Bearer {SECRET}"}
    second = (await scene.client.post("/jobs", json=await scene.order())).body["id"]
    await operator(scene).post(f"/operations/jobs/{second}/cancel", json=signed)
    await scene.client.post("/jobs", json=await scene.order())  # it waits
    pause = {"scope": "type", "name": "upscaler", **signed}
    paused = await operator(scene).post("/operations/pauses", json=pause)
    await scene.store.attempts.unfit(account.account, f"401: api_key='{SECRET}'", 60, 60)
    name = WorkerName(host="gpu", pid=7, number=1, version="0.1.0")
    served = (account.account,)  # concerns are told of accounts that a process has
    await scene.store.workers.beat(
        Worker(id=uuid4(), name=name, state=WorkerState.RUNNING, accounts=served, health={})
    )
    told = paused.raw
    lists = ("jobs", "accounts", "overview", "concerns", "acts", "queue", "rules")
    for path in (*lists, f"jobs/{job_id}", f"jobs/{second}"):
        reply = await operator(scene).get(f"/operations/{path}")
        assert reply.status == 200, path
        told += reply.raw
        assert path != "concerns" or b"cannot be used: 401: api_key=" in reply.raw
    assert b'"shop":"7"' in told
    while await scene.store.stream.place(100):
        pass
    events = scene.client.session.get(
        f"{scene.client.base}/operations/events?last_event_id=0", headers=operator(scene).headers
    )
    async with events as stream:
        while b'"to_state":"cancelled"' not in told:
            told += await stream.content.readuntil(b"\n\n")
    assert told.count(b"[redacted]") >= 15
    assert SECRET.encode() not in told


async def test_a_person_is_needed_until_one_has_looked(scene: Scene) -> None:
    job_id = await ordered(scene)

    async def needed() -> bool:
        told = (await operator(scene).get(f"/operations/jobs/{job_id}")).body
        return bool(told["attempts"][0]["needs_person"])

    started = await scene.drive.submit(await scene.drive.dispatch(await scene.engine.get(job_id)))
    attempt = await scene.drive.attempt(started)
    assert not await needed()
    await scene.store.attempts.record(attempt.evidence(Verdict.ACCEPTED, "late webhook", task_id="7"))
    assert await needed()
    signed = {"by": "Grace", "reason": "the provider's page shows no such task"}
    settled = await operator(scene).post(f"/operations/jobs/{job_id}/attempts/1/resolve", json=signed)
    assert settled.body["needs_person"] is False
    assert [act["refused"] for act in settled.body["acts"]] == ["It needs nobody."]
    assert not await needed()
