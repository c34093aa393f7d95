"""Endpoints over `/v1`: made by a service, told of what it wants to hear, and every secret shown once."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from aiohttp import web
from standardwebhooks.webhooks import Webhook

from makegood.ports import Messenger
from makegood.runtime import Courier, Herald, Sequencer
from makegood_adapters.http.hooks_out import WebhookMessenger
from tests.adapters.queue_manager.scene import served
from tests.api.scene import OTHER, OWNER, Client, Scene, opened

SERVICE = "service:webhooks"
NOWHERE = "https://hooks.invalid/makegood"


@dataclass
class Receiver:
    """Somebody's service that takes our webhooks; it answers with `status`."""

    url: str = ""
    status: int = 200
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def hear(self, request: web.Request) -> web.Response:
        self.requests.append((dict(request.headers), await request.read()))
        return web.Response(status=self.status, text="read it")

    def verified(self, secret: str) -> list[Any]:
        """Return the bodies, each checked with the secret."""
        return [Webhook(secret).verify(raw, headers) for headers, raw in self.requests]


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver, app = Receiver(), web.Application()
    app.add_routes([web.post("/hooks", receiver.hear)])
    async with served(app) as page:
        receiver.url = f"{page.base}/hooks"
        yield receiver


@pytest_asyncio.fixture(params=["aiohttp", "asgi"])
async def scene(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> AsyncIterator[Scene]:
    async with (
        WebhookMessenger.open(private=True) as messenger,
        opened(database, tmp_path, asgi=request.param == "asgi", messenger=messenger) as made,
    ):
        yield made


async def carry(scene: Scene) -> None:
    """Let what is committed become messages, and what is due be carried."""
    context = scene.engine._context
    messenger: Messenger | None = context.messenger
    assert messenger is not None
    herald, courier = Herald(context), Courier(context, messenger)
    while await Sequencer(context).turn():
        pass
    await herald.turn()
    await courier.turn()
    await courier.crew.drain(30)


async def make(service: Client, **given: Any) -> tuple[str, str]:
    """Make an endpoint and return its path and its secret."""
    reply = await service.post("/endpoints", json=given)
    assert reply.status == 201, reply
    return f"/endpoints/{reply.body['endpoint']['id']}", reply.body["secret"]


async def test_a_service_hears_of_a_job_to_its_end(scene: Scene, receiver: Receiver) -> None:
    service = scene.client.as_(SERVICE)
    path, secret = await make(service, url=receiver.url, owner=OWNER, events=["job.queued", "job.cancelled"])
    elsewhere, _ = await make(service, url=receiver.url, owner=OTHER)
    job = (await scene.client.post("/jobs", json=await scene.order())).body
    await scene.client.post(f"/jobs/{job['id']}/cancel")
    await carry(scene)
    bodies = sorted(receiver.verified(secret), key=lambda body: body["data"]["transition"]["seq"])
    assert [body["type"] for body in bodies] == ["job.queued", "job.cancelled"]
    assert {body["data"]["job"]["id"] for body in bodies} == {job["id"]}
    # job and money are told as they stand when it is sent
    assert {body["data"]["money"]["released"] for body in bodies} == {job["price"]}
    page = (await service.get(f"{path}/deliveries")).body
    assert [d["state"] for d in page["deliveries"]] == ["delivered", "delivered"]
    ids = {headers["webhook-id"] for headers, _ in receiver.requests}
    assert ids == {d["id"] for d in page["deliveries"]}
    assert (await service.get(f"{elsewhere}/deliveries")).body == {"deliveries": [], "next": None}


async def test_what_failed_is_seen_in_the_log_and_sent_again(scene: Scene, receiver: Receiver) -> None:
    service, receiver.status = scene.client.as_(SERVICE), 500
    path, secret = await make(service, url=receiver.url)
    await scene.client.post("/jobs", json=await scene.order())
    await carry(scene)
    page = (await service.get(f"{path}/deliveries?limit=1")).body
    [waiting] = page["deliveries"]
    assert (waiting["state"], waiting["tries"], page["next"]) == ("waiting", 1, waiting["seq"])
    first = (await service.get(f"{path}/deliveries?before={page['next']}")).body
    assert [d["seq"] for d in first["deliveries"]] == [waiting["seq"] - 1]
    [tried] = (await service.get(f"{path}/deliveries/{waiting['seq']}/tries")).body["tries"]
    assert (tried["status"], tried["problem"], tried["body"]) == (500, None, "read it")
    assert (await service.get(path)).body["failing_since"] is not None
    receiver.status = 200
    reply = await service.post(f"{path}/resend", json={"seqs": [waiting["seq"]]})
    assert reply.body == {"resent": 1}
    await carry(scene)
    [sent, _] = (await service.get(f"{path}/deliveries")).body["deliveries"]
    assert (sent["state"], sent["id"]) == ("delivered", waiting["id"])
    again = await service.post(f"{path}/resend", json={"since": "2020-01-01T00:00:00Z"})
    assert again.body == {"resent": 0}
    assert receiver.verified(secret)[-1]["data"]["transition"]["seq"] == waiting["seq"]


async def test_a_secret_is_shown_once_rotated_and_let_go(scene: Scene, receiver: Receiver) -> None:
    service = scene.client.as_(SERVICE)
    path, first = await make(service, url=receiver.url)
    shown = [await service.get(path), await service.get("/endpoints")]
    second = (await service.post(f"{path}/rotate", json={})).body["secret"]
    shown.append(await service.call("PATCH", path, json={"description": "ours"}))
    for secret in (first, second):
        assert not [reply for reply in shown if secret.encode() in reply.raw]
    assert (await service.post(f"{path}/test")).body["delivered"]
    assert receiver.verified(first) == receiver.verified(second)
    receiver.requests.clear()
    third = (await service.post(f"{path}/rotate", json={"keep_seconds": 0})).body["secret"]
    tested = (await service.post(f"{path}/test")).body
    assert (tested["status"], tested["problem"], tested["body"]) == (200, None, "read it")
    assert [body["type"] for body in receiver.verified(third)] == ["test"]
    assert receiver.requests[0][0]["webhook-signature"].count("v1,") == 1


async def test_an_endpoint_is_changed_switched_off_and_removed(scene: Scene, receiver: Receiver) -> None:
    service = scene.client.as_(SERVICE)
    path, _ = await make(service, url=receiver.url)
    changed = await service.call("PATCH", path, json={"events": ["job.failed"], "enabled": False})
    assert (changed.body["events"], changed.body["disabled_why"]) == (["job.failed"], "it was switched off")
    refused = await service.post(f"{path}/resend", json={"seqs": [1]})
    assert (refused.status, refused.body["code"]) == (422, "endpoint_refused")
    enabled = await service.call("PATCH", path, json={"enabled": True})
    assert (enabled.body["disabled_at"], enabled.body["events"]) == (None, ["job.failed"])
    gone = await service.call("DELETE", path)
    assert (gone.status, gone.raw) == (204, b"")
    for method, rest in (("GET", ""), ("DELETE", ""), ("GET", "/deliveries"), ("GET", "/deliveries/1/tries")):
        assert (await service.call(method, path + rest)).status == 404


async def test_endpoints_are_paged(scene: Scene, receiver: Receiver) -> None:
    service = scene.client.as_(SERVICE)
    made = [(await make(service, url=receiver.url, owner=owner))[0] for owner in (OWNER, OTHER, OWNER)]
    first = (await service.get("/endpoints?limit=2")).body
    rest = (await service.get(f"/endpoints?limit=2&after={first['next']}")).body
    assert [f"/endpoints/{e['id']}" for e in first["endpoints"] + rest["endpoints"]] == made
    assert rest["next"] is None
    of_owner = (await service.get(f"/endpoints?owner={OWNER}")).body["endpoints"]
    assert [e["owner"] for e in of_owner] == [OWNER, OWNER]


async def test_nobody_but_a_service_with_the_scope_has_to_do_with_endpoints(scene: Scene) -> None:
    others = {None: 401, f"user:{OWNER}": 403, "public": 403, "service:owners,credits,operations": 403}
    for who, status in others.items():
        for method, path, body in (
            ("GET", "/endpoints", None),
            ("POST", "/endpoints", {"url": NOWHERE}),
            ("GET", f"/endpoints/{uuid4()}", None),
            ("POST", f"/endpoints/{uuid4()}/rotate", {}),
            ("POST", f"/endpoints/{uuid4()}/test", None),
        ):
            reply = await scene.client.as_(who).call(method, path, **({"json": body} if body else {}))
            assert reply.status == status, (who, path)


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ({"url": "ftp://x"}, 422, "endpoint_refused"),
        ({"url": "http://u:p@127.0.0.1/"}, 422, "endpoint_refused"),
        ({"url": "http://127.0.0.1/", "events": ["job.done"]}, 422, "endpoint_refused"),
        ({"url": "http://127.0.0.1/", "events": ["completed"]}, 422, "invalid_body"),
        ({"url": "http://127.0.0.1/", "types": ["nothing"]}, 422, "endpoint_refused"),
        ({"url": "http://127.0.0.1/", "owner": "a\nb"}, 400, "invalid_request"),
        ({"url": "http://127.0.0.1/", "secret": "whsec_mine"}, 422, "invalid_body"),
        ({"url": ""}, 422, "invalid_body"),
    ],
)
async def test_what_cannot_be_is_a_problem(scene: Scene, given: Any, status: int, code: str) -> None:
    service = scene.client.as_(SERVICE)
    reply = await service.post("/endpoints", json=given)
    assert (reply.status, reply.body["code"]) == (status, code), reply
    assert (await service.get("/endpoints")).body["endpoints"] == []


async def test_a_process_that_sends_no_webhooks_says_so(database: str, tmp_path: Path) -> None:
    async with opened(database, tmp_path) as scene:
        reply = await scene.client.as_(SERVICE).post("/endpoints", json={"url": NOWHERE})
    assert (reply.status, reply.body["code"]) == (409, "webhooks_off")
