"""What is sent for a job's request, by either generation of the API, and what is refused before sending."""

from typing import Any

import aiohttp
import pytest

from makegood.outcome import Accepted, Cause, Rejected, Retry
from makegood_adapters.runninghub import RunningHub, RunningHubClient
from makegood_adapters.runninghub.client import AuthMode
from makegood_adapters.runninghub.request import Api
from tests.adapters.scripted_runninghub import KEY, TASK, Script
from tests.scenarios.line import client_to, patient

FILES = {"image": "openapi/abc.png"}
ID = "2037188547966406658"
NODES = [
    {"node": "1", "field": "image", "value": {"file": "image"}},
    {"node": 3, "field": "seed", "value": 7},
]
SENT = [
    {"nodeId": "1", "fieldName": "image", "fieldValue": "openapi/abc.png"},
    {"nodeId": "3", "fieldName": "seed", "fieldValue": "7"},
]
OPTIONS = {
    "instance_type": "plus",
    "access_password": "sesame",
    "use_personal_queue": False,
    "retain_seconds": 60,
    "add_metadata": True,
}
V1_REPLY = {"code": 0, "msg": "success", "data": {"taskId": TASK, "taskStatus": "QUEUED"}}
V2_REPLY = {"taskId": int(TASK), "status": "RUNNING", "errorCode": "", "errorMessage": "", "results": None}


async def sent(script: Script, session: aiohttp.ClientSession, api: Api, request: dict[str, Any]) -> Any:
    """Submit and return path and body of the one request."""
    script.reply(V1_REPLY if api == "v1" else V2_REPLY)
    provider = RunningHub(client_to(session, script.url, KEY), api=api, patience=patient())
    assert await provider.submit(request, FILES, "https://us.example/hooks/t") == Accepted(TASK)
    [path] = script.paths
    return path, script.sent


@pytest.mark.parametrize(
    ("api", "target", "path", "named"),
    [
        ("v1", "app", "/task/openapi/ai-app/run", {"apiKey": KEY, "webappId": ID}),
        ("v1", "workflow", "/task/openapi/create", {"apiKey": KEY, "workflowId": ID}),
        ("v2", "app", f"/openapi/v2/run/ai-app/{ID}", {}),
        ("v2", "workflow", f"/openapi/v2/run/workflow/{ID}", {}),
    ],
)
async def test_the_four_ways_to_run(
    script: Script,
    session: aiohttp.ClientSession,
    api: Api,
    target: str,
    path: str,
    named: dict[str, str],
) -> None:
    body = {**named, "nodeInfoList": SENT, "webhookUrl": "https://us.example/hooks/t"}
    assert await sent(script, session, api, {target: ID, "nodes": NODES}) == (path, body)


@pytest.mark.parametrize(("api", "queue"), [("v1", False), ("v2", "false")])
async def test_the_options_of_a_run(
    script: Script, session: aiohttp.ClientSession, api: Api, queue: object
) -> None:
    _, body = await sent(script, session, api, {"workflow": ID, "nodes": NODES, **OPTIONS})
    assert {key: body[key] for key in body if key not in ("apiKey", "workflowId", "webhookUrl")} == {
        "nodeInfoList": SENT,
        "instanceType": "plus",
        "accessPassword": "sesame",
        "usePersonalQueue": queue,
        "retainSeconds": 60,
        "addMetadata": True,
    }


async def test_a_workflow_may_run_as_it_is(script: Script, session: aiohttp.ClientSession) -> None:
    _, body = await sent(script, session, "v1", {"workflow": ID})
    assert body["nodeInfoList"] == []


@pytest.mark.parametrize("mode", ["both", "body", "bearer"])
async def test_v2_runs_by_bearer_alone(
    script: Script, session: aiohttp.ClientSession, mode: AuthMode
) -> None:
    script.reply(V2_REPLY)
    provider = RunningHub(client_to(session, script.url, KEY, mode), api="v2", patience=patient())
    await provider.submit({"app": ID, "nodes": NODES}, FILES, None)
    assert script.requests[0][1]["authorization"] == f"Bearer {KEY}"
    assert "apiKey" not in script.sent


def node(**changed: Any) -> dict[str, Any]:
    return {"app": ID, "nodes": [{"node": "1", "field": "image", "value": "x", **changed}]}


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({}, "it names no app or workflow; name exactly one"),
    ({"app": ID, "workflow": ID, "nodes": []}, "it names app and workflow; name exactly one"),
    ({"app": ID}, "it has no nodes, and an app is run with some"),
    ({"app": 5, "nodes": []}, "app must be RunningHub's id as text of digits, not 5"),
    ({"workflow": "../x"}, "workflow must be RunningHub's id as text of digits, not '../x'"),
    ({"workflow": ID, "nodes": "x"}, "nodes must be a list, not 'x'"),
    ({"workflow": ID, "nodes": ["x"]}, "a node must be an object of node, field and value, not 'x'"),
    ({"workflow": ID, "instance_typ": "plus"}, "no key 'instance_typ'; did you mean 'instance_type'?"),
    ({"workflow": ID, "instance_type": "max"}, "must be one of default, plus, ultra, not 'max'"),
    ({"workflow": ID, "retain_seconds": 9}, "retain_seconds must be a whole number from 10 to 180, not 9"),
    ({"workflow": ID, "retain_seconds": "60"}, "retain_seconds must be a whole number"),
    ({"workflow": ID, "add_metadata": "no"}, "add_metadata must be true or false, not 'no'"),
    ({"workflow": ID, "access_password": ""}, "access_password must be a text"),
    ({**node(), "retain_seconds": 60}, 'is for workflows; for an app the account needs api = "v2"'),
    (node(value={"file": "absent"}), "node 1 image: the job has no file 'absent'"),
    (node(value={"fil": "image"}), 'node 1 image: a value that is an object must be {"file": name}'),
    (node(value=None), "node 1 image: a value must be a text, a number, true or false, not None"),
    (node(value=float("nan")), "node 1 image: nan is no value"),
    (node(node=True), "node and field must be texts"),
    (node(valu=1), "a node has no key 'valu'; did you mean 'value'?"),
    ({"app": ID, "nodes": [{"node": "1", "field": "image"}]}, "a node has no 'value'"),
]


@pytest.mark.parametrize("number", range(len(MISTAKES)))
async def test_a_malformed_request_is_never_sent(script: Script, provider: RunningHub, number: int) -> None:
    request, told = MISTAKES[number]
    outcome = await provider.submit(request, FILES, None)
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.retry, outcome.cause) == ("request", Retry.NEVER, Cause.REQUEST)
    assert outcome.message.startswith("The request for RunningHub is malformed, and was not sent: ")
    assert told in outcome.message
    assert script.requests == []


async def test_an_app_takes_the_options_of_workflows_through_v2(
    script: Script, session: aiohttp.ClientSession
) -> None:
    _, body = await sent(script, session, "v2", {"app": ID, "nodes": [], "retain_seconds": 60})
    assert body["retainSeconds"] == 60


@pytest.mark.parametrize("option", ["api", "upload_api"])
def test_another_generation_is_refused(option: str) -> None:
    with pytest.raises(ValueError, match=f"{option} is 'v3'; it must be v1 or v2"):
        RunningHub(RunningHubClient(None, "http://localhost:1", KEY), **{option: "v3"})  # type: ignore[arg-type]  # on purpose
