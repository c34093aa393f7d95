"""What no store can keep as it was sent is refused or kept without harm, over both stores alike."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from makegood import BaseJob, Catalog, Engine, JobInput
from makegood.ports import Store
from makegood_adapters.http.v1 import Api
from makegood_adapters.memory import MemoryBlobs, MemoryStore
from makegood_adapters.postgres.store import PostgresStore
from tests.api.scene import Client, NamingGate, serving
from tests.api.test_jobs import BAD_BODIES

TEXTS = ("\\ud83d\\ude00\\u202e\\n", "a\\u0000b")
ALL = "service:owners,credits,operations"


class Poem(BaseJob):
    price = 7

    class Input(JobInput):
        text: str
        lines: float = 1


@asynccontextmanager
async def stored(request: str, database: str) -> AsyncIterator[Store]:
    if request == "memory":
        yield MemoryStore()
        return
    async with PostgresStore.open(database) as store:
        yield store


def body(raw: str) -> bytes:
    """Return an order whose text is *raw*, as JSON writes it."""
    return b'{"type": "poem", "input": {"text": "' + raw.encode() + b'"}}'


@pytest.mark.parametrize("kind", ["memory", "postgres"])
async def test_nothing_that_is_sent_breaks_a_store_or_costs_anything(kind: str, database: str) -> None:
    async with (
        stored(kind, database) as store,
        Engine(store, Catalog([Poem]), blobs=MemoryBlobs(), run_loops=False) as engine,
        serving(Api(engine=engine), NamingGate(), asgi=False) as client,
    ):
        await engine.grant("ada", 1_000, source_ref="gift")
        for raw, status, _ in BAD_BODIES:
            reply = await client.post("/jobs", data=raw)
            assert reply.status in (status, 404), (raw[:80], reply)  # the type is another one
        assert (await engine.wallet("ada")).available == 1_000
        made = [await client.post("/jobs", data=body(text)) for text in TEXTS]
        assert [reply.status for reply in made] == [201] * len(TEXTS)
        assert made[0].body["input"]["text"] == "\U0001f600\u202e\n"
        assert (await client.post("/jobs", data=body("\\udc00"))).body["code"] == "invalid_json"
        for method, path, sent in strange(str(made[0].body["id"])):
            answer = await client.as_(ALL).call(method, path, headers={"Makegood-Owner": "ada"}, json=sent)
            assert answer.status < 500, (path, sent, answer)
        await audited(client)


def strange(job_id: str) -> list[tuple[str, str, Any]]:
    """Return requests with texts and numbers that some program on the way stumbles over."""
    nul, long, deep = "a\x00b", "x" * 10_001, json.loads("[" * 300 + "]" * 300)
    signed, credit = {"by": "Grace", "reason": nul}, {"amount": 1, "source_ref": "y"}
    return [
        ("POST", f"/jobs/{job_id}/report", {"message": nul}),
        ("POST", f"/jobs/{job_id}/cancel", {"reason": nul}),
        ("POST", f"/jobs/{job_id}/cancel", {"reason": long}),
        ("POST", f"/operations/jobs/{job_id}/end", {"event": "fail", **signed}),
        ("POST", f"/operations/jobs/{job_id}/end", {"event": "complete", **signed, "files": [nul]}),
        ("POST", f"/operations/jobs/{job_id}/end", {"event": "complete", "files": ["../../x"], **signed}),
        ("POST", f"/operations/jobs/{job_id}/attempts/{10**17}/resolve", signed),
        ("POST", "/operations/limits", {"scope": "owner", "name": "ada", "by": "G", "weight": 1e308}),
        ("POST", "/operations/limits", {"scope": "owner", "name": "ada", "by": "G", "running_max": 10**30}),
        ("POST", "/operations/pauses", {"scope": "owner", "name": "ada", "by": "G", "reason": nul}),
        ("POST", "/owners/a%00b/grants", {"amount": 1, "source_ref": "x"}),
        ("POST", "/owners/eva/grants", {"amount": 1, "source_ref": nul}),
        ("POST", "/owners/eva/grants", {"amount": 10**12, "source_ref": "big", "priority": -(2**31) + 1}),
        ("POST", "/owners/eva/grants", {**credit, "expires_at": "9999-12-31T23:59:59-12:00"}),
        ("POST", "/owners/eva/grants", {**credit, "expires_at": "9999-12-31T23:59:59Z"}),
        ("GET", "/jobs?since=0001-01-01T00:00:00Z&until=9999-12-31T23:59:59Z", None),
        ("GET", "/jobs?after=" + "_" * 32, None),
        ("GET", "/jobs?after=AAAA", None),
        ("GET", "/jobs?type=%00&state=%ED%A0%80", None),
        ("GET", f"/statement?after={10**15}&since=0001-01-01T00:00:00Z", None),
        ("POST", "/quotes", {"type": "poem", "input": {"text": deep}}),
        ("POST", "/quotes", {"type": "poem", "input": {"text": "a", "lines": 1e400}}),
    ]


async def audited(client: Client) -> None:
    audit = (await client.as_("service:operations").get("/operations/audit")).body
    assert (audit["broken"], audit["total"]["difference"]) == (0, 0)
