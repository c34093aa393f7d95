"""aiohttp and ASGI answer alike, byte for byte."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

from yarl import URL

from makegood_adapters.http.v1 import Api
from tests.api.scene import Answer, Client, NamingGate, Scene, opened, serving

ALL = "service:owners,credits,operations"
ODD = "a/b{c} %2F ü?#&+;=€'\"<"
ENCODED = quote(ODD, safe="")
#: What a server adds, or what differs from second to second.
OF_SERVERS = {"Date", "Server", "Content-Length", "Connection", "Transfer-Encoding"}
UNKNOWN = UUID(int=7)
Request = tuple[str | None, str, str, dict[str, Any]]
CORPUS: list[Request] = [
    ("user:ada", "GET", "/job-types", {}),
    ("public", "GET", "/job-types/upscaler", {}),
    ("public", "GET", "/job-types/nothing", {}),
    (None, "GET", "/job-types", {}),
    (None, "GET", "/openapi.json", {}),
    ("nobody:x", "GET", "/jobs", {}),
    ("user:ada", "GET", "/wallet", {}),
    ("user:ada", "GET", "/statement?limit=1", {}),
    ("user:ada", "GET", "/statement?limit=0", {}),
    ("user:ada", "GET", "/statement?after=9999999999", {}),
    ("user:ada", "GET", "/jobs?state=queued&state=pending&active=true&limit=5", {}),
    ("user:ada", "GET", "/jobs?active=yes", {}),
    ("user:ada", "GET", "/jobs?after=%F0%9F%98%80", {}),
    ("user:ada", "GET", "/jobs?type=a+b%2Bc&type=d", {}),
    ("user:ada", "GET", "/jobs?unknown=1&&=&x", {}),
    ("user:ada", "GET", "/wallet?x=1", {}),
    ("user:ada", "GET", f"/jobs/{UNKNOWN}", {}),
    ("user:ada", "GET", f"/jobs/{{{UNKNOWN}}}", {}),
    ("user:ada", "GET", "/jobs/not-a-uuid", {}),
    ("user:ada", "GET", "/jobs/", {}),
    ("user:ada", "GET", "/jobs//", {}),
    ("user:ada", "GET", "/nowhere", {}),
    ("user:ada", "GET", "/%6Aobs", {}),
    ("user:ada", "PUT", "/jobs", {}),
    ("user:ada", "DELETE", f"/jobs/{UNKNOWN}", {}),
    ("user:ada", "OPTIONS", "/jobs", {}),
    ("user:ada", "HEAD", "/jobs", {}),
    ("user:ada", "POST", "/jobs", {"data": b""}),
    ("user:ada", "POST", "/jobs", {"data": b"[" * 5_000}),
    ("user:ada", "POST", "/jobs", {"data": b"x" * 300_000}),
    ("user:ada", "POST", "/jobs", {"data": b"{}", "headers": {"Content-Encoding": "gzip"}}),
    ("user:ada", "POST", "/quotes", {"json": {"type": "upscaler", "input": {"image": "no"}}}),
    ("user:ada", "POST", "/quotes", {"json": {"type": "upscaler", "input": {"image": "a/../../b\x00"}}}),
    (ALL, "GET", "/jobs", {}),
    (ALL, "GET", "/jobs", {"headers": {"Makegood-Owner": "ada"}}),
    (ALL, "GET", "/wallet", {"headers": {"Makegood-Owner": "björn €"}}),
    (ALL, "GET", "/wallet", {"headers": {"Makegood-Owner": "x" * 501}}),
    (ALL, "POST", f"/owners/{ENCODED}/grants", {"json": {"amount": 7, "source_ref": "once"}}),
    (ALL, "GET", f"/owners/{ENCODED}/wallet", {}),
    (ALL, "GET", "/owners/a/b/wallet", {}),
    (ALL, "GET", "/owners/%00/wallet", {}),
    (ALL, "GET", "/owners/%FF%FE/wallet", {}),
    (ALL, "GET", "/owners/%252F/wallet", {}),
    (ALL, "GET", "/owners//wallet", {}),
    (ALL, "GET", "/operations/rules", {}),
    (ALL, "GET", "/operations/accounts", {}),
    (ALL, "GET", f"/operations/jobs/{UNKNOWN}", {}),
    (ALL, "POST", f"/operations/jobs/{UNKNOWN}/attempts/1_0/resolve", {"json": {"by": "G", "reason": "r"}}),
    (ALL, "POST", f"/operations/jobs/{UNKNOWN}/attempts/{'9' * 30}/resolve", {"json": {}}),
    (ALL, "POST", "/operations/pauses", {"json": {"scope": "type", "name": "no", "by": "G", "reason": "r"}}),
]


async def test_both_servers_answer_a_corpus_alike(database: str, tmp_path: Path) -> None:
    async with opened(database, tmp_path) as scene:
        await scene.client.post("/jobs", json=await scene.order())
        async with serving(Api(engine=scene.engine), NamingGate(), asgi=True) as asgi:
            for request in CORPUS:
                one, other = await answer(scene.client, request), await answer(asgi, request)
                assert one == other, request


async def answer(client: Client, request: Request) -> tuple[int, dict[str, str], bytes]:
    who, method, path, given = request
    told = await sent(client.as_(who), method, path, **given)
    headers = {name.title(): value for name, value in told.headers.items() if name.title() not in OF_SERVERS}
    # Which of two equal requests came first is the one thing that may differ.
    return told.status, headers, re.sub(rb'"done":(true|false)', b"", told.raw)


async def sent(client: Client, method: str, path: str, **given: Any) -> Answer:
    """Send the path as it stands: a client of HTTP would write some of it in another way."""
    headers = {**client.headers, **given.pop("headers", {})}
    url = URL(client.base + path, encoded=True)
    async with client.session.request(method, url, headers=headers, **given) as reply:
        return Answer(reply.status, None, dict(reply.headers), await reply.read())


async def test_an_owner_may_have_any_printable_name(scene: Scene) -> None:
    await scene.engine.grant(ODD, 5, source_ref="gift")
    told = await sent(scene.client.as_(ALL), "GET", f"/owners/{quote(ODD, safe='')}/wallet")
    wallet = json.loads(told.raw)
    assert (wallet["owner"], wallet["available"]) == (ODD, 5)
