"""The simulator's webhooks and faults, also when they are asked for from another process."""

import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from makegood.outcome import (
    Accepted,
    Failed,
    Rejected,
    Succeeded,
    Trouble,
    Uncertain,
)
from makegood_adapters.runninghub.simulator import Faults, Match, Rule
from tests.adapters.simulated_site import KEY, UPSCALER, Site, open_site, png


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with open_site() as opened:
        yield opened


async def test_a_webhook_names_the_task_and_the_binding_is_confirmed(site: Site) -> None:
    task = await site.run(webhook=site.receiver.url)
    (body,) = site.receiver.bodies
    hint = site.provider.parse_webhook({}, json.dumps(body).encode())
    assert (hint.task_id, hint.event) == (task.id, "TASK_END")
    assert json.loads(body["eventData"])["data"][0]["taskCostTime"] == 1  # a number, only here
    assert await site.provider.confirm_binding(task.id, hashlib.sha256(b"secret").digest())
    assert not await site.provider.confirm_binding(task.id, hashlib.sha256(b"guess").digest())
    unhooked = await site.run()
    assert not await site.provider.confirm_binding(unhooked.id, hashlib.sha256(b"secret").digest())


async def test_a_task_of_the_second_api_sends_an_object(site: Site) -> None:
    name = await site.provider.upload("a.png", png())
    reply = await site.post(
        f"/openapi/v2/run/ai-app/{UPSCALER}",
        apiKey=KEY,
        webhookUrl=site.receiver.url,
        nodeInfoList=[{"nodeId": "1", "fieldName": "image", "fieldValue": name}],
    )
    await site.ended(site.sim.task(reply["taskId"]))
    assert site.receiver.bodies[0]["eventData"]["status"] == "SUCCESS"
    raw = json.dumps(site.receiver.bodies[0]).encode()
    assert site.provider.parse_webhook({}, raw).task_id == reply["taskId"]


@pytest.mark.parametrize("times", [0, 2])
async def test_a_webhook_never_and_twice(site: Site, times: int) -> None:
    site.sim.add(Rule(faults=Faults(webhooks=times)))
    task = await site.run(webhook=site.receiver.url)
    assert task.state == "SUCCESS"
    assert [body["taskId"] for body in site.receiver.bodies] == [task.id] * times
    await site.run(webhook=site.receiver.url)  # the rule was for one task only
    assert len(site.receiver.bodies) == times + 1


async def test_a_webhook_before_the_create_reply(site: Site) -> None:
    site.sim.add(Rule(faults=Faults(webhook_before_reply=True)))
    outcome = await site.submit(webhook=site.receiver.url)
    # No waiting here: when the reply arrives, the webhook has been taken.
    assert [body["taskId"] for body in site.receiver.bodies] == [outcome.task_id]


async def test_a_dropped_create_reply_leaves_a_task(site: Site) -> None:
    site.sim.add(Rule(faults=Faults(drop_reply=True)))
    assert isinstance(await site.submit(webhook=site.receiver.url), Uncertain)
    (task,) = site.sim.tasks
    await site.ended(task)
    assert (task.reply, task.state) == ("dropped", "SUCCESS")
    assert [body["taskId"] for body in site.receiver.bodies] == [task.id]
    assert await site.provider.confirm_binding(task.id, hashlib.sha256(b"secret").digest())


async def test_a_refused_webhook_is_repeated_three_times(site: Site) -> None:
    site.receiver.statuses = [503, 500]
    task = await site.run(webhook=site.receiver.url)
    assert [delivery.status for delivery in task.deliveries] == [503, 500, 200]
    site.receiver.statuses = [503] * 9
    lost = await site.run(webhook=site.receiver.url)
    assert [delivery.status for delivery in lost.deliveries] == [503] * 4
    detail = await site.post("/task/openapi/getWebhookDetail", apiKey=KEY, taskId=lost.id)
    assert (detail["data"]["callbackStatus"], detail["data"]["retryCount"]) == ("FAILED", 3)
    site.receiver.statuses = []
    reply = await site.post("/task/openapi/retryWebhook", apiKey=KEY, webhookId=detail["data"]["id"])
    assert reply["code"] == 0
    await site.sim.wait_for(lambda: lost.deliveries[-1].ok)


async def test_a_webhook_to_nobody_fails_quietly(site: Site) -> None:
    task = await site.run(webhook="http://127.0.0.1:1/hooks/secret")
    assert [delivery.status for delivery in task.deliveries] == [None] * 4


# Faults, and steering from another process


@pytest.mark.parametrize("transient", [True, False])
async def test_a_task_fails_as_told(site: Site, transient: bool) -> None:
    site.sim.add(Rule(faults=Faults(fail="the sampler gave up", transient=transient)))
    answer = await site.provider.query((await site.run()).id)
    assert isinstance(answer, Failed)
    trouble = Trouble.PASSING if transient else Trouble.REQUEST
    assert (answer.reason, answer.trouble) == ("the sampler gave up", trouble)
    assert (await site.run()).state == "SUCCESS"


async def test_a_task_succeeds_without_outputs(site: Site) -> None:
    site.sim.add(Rule(faults=Faults(no_outputs=True)))
    answer = await site.provider.query((await site.run()).id)
    assert isinstance(answer, Succeeded)
    assert answer.outputs == ()


async def test_complaints_come_with_a_task(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.sim.add(Rule(faults=Faults(node_errors=True)))
    assert isinstance(await site.submit(), Accepted)
    assert "node errors" in caplog.text


async def test_a_refusal_by_fault_creates_nothing(site: Site) -> None:
    site.sim.add(Rule(faults=Faults(refuse="416")))
    outcome = await site.submit()
    assert isinstance(outcome, Rejected)
    assert (outcome.code, site.sim.tasks) == ("416", ())


MATCHES = [
    Match(arrival=2),
    Match(input_sha256=hashlib.sha256(png(colour="blue")).hexdigest()),
    Match(value="4096"),
    Match(node="548", value="4096"),
    Match(app=UPSCALER, arrival=2),
]


@pytest.mark.parametrize("match", MATCHES)
async def test_a_rule_finds_its_task(site: Site, match: Match) -> None:
    site.sim.add(Rule(match=match, faults=Faults(fail="told to"), times=None))
    for colour, value in (("red", "2048"), ("blue", "4096"), ("green", "1")):
        await site.submit(png(colour=colour), value=value)
    for task in site.sim.tasks:
        await site.ended(task)
    assert [task.state.value for task in site.sim.tasks] == ["SUCCESS", "FAILED", "SUCCESS"]


async def test_a_rule_finds_the_tasks_of_a_kind_of_machine(site: Site) -> None:
    site.sim.add(Rule(match=Match(instance="plus"), faults=Faults(fail="told to"), times=None))
    for instance in ("default", "plus", None):
        await site.submit(instance=instance)
    for task in site.sim.tasks:
        await site.ended(task)
    assert [task.state.value for task in site.sim.tasks] == ["SUCCESS", "FAILED", "SUCCESS"]


async def test_another_process_steers_and_reads(site: Site) -> None:
    rule = {"match": {"arrival": 1}, "faults": {"hold": "running", "webhooks": 2}}
    assert await site.post("/admin/faults", **rule) == {"added": 1}
    accepted = await site.submit(webhook=site.receiver.url)
    assert (await site.post("/admin/release", taskId="7")) == {"error": "There is no such task."}
    assert await site.post("/admin/release", taskId=accepted.task_id) == {"released": accepted.task_id}
    task = await site.ended(site.sim.task(accepted.task_id))
    async with site.session.get(site.sim.url + "/admin/tasks") as response:
        text = await response.text()
    (told,) = json.loads(text)["tasks"]
    assert (told["id"], told["state"], told["arrival"], told["reply"]) == (task.id, "SUCCESS", 1, "sent")
    assert told["inputs"] == [hashlib.sha256(png()).hexdigest()]
    assert told["webhook_sha256"] == hashlib.sha256(b"secret").hexdigest()
    assert [delivery["status"] for delivery in told["deliveries"]] == [200, 200]
    data = task.results[0].data
    assert told["outputs"][0]["sha256"] == hashlib.sha256(data).hexdigest()
    async with site.session.get(told["outputs"][0]["url"]) as response:
        assert await response.read() == data
    assert KEY not in text
    assert "secret" not in text


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"faults": {"explode": True}},
        {"faults": {"webhooks": -1}},
        {"faults": {"webhooks": None}},
        {"faults": {"drop_reply": "yes"}},
        {"faults": {"hold": "forever"}},
        {"faults": {"running_seconds": -1}},
        {"faults": {"fail": 5}},
        {"faults": {"refuse": "busy"}},
        {"faults": {}, "match": {"arrival": "2"}},
        {"faults": {}, "match": {"colour": "red"}},
        {"faults": {}, "times": 0},
        {"faults": {}, "match": 5},
    ],
)
async def test_a_wrong_rule_is_refused_with_a_sentence(site: Site, rule: dict[str, Any]) -> None:
    good = {"faults": {"fail": "x"}}
    async with site.session.post(site.sim.url + "/admin/faults", json=[good, rule]) as response:
        assert response.status == 400
        assert (await response.json())["error"].endswith(".")
    assert (await site.run()).state == "SUCCESS"  # the good one was not taken either
