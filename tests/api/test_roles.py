"""Every operation by every caller, with real tokens and keys: what each gets is what was written down."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from makegood.catalog import Catalog
from makegood.engine import Engine
from makegood.ports import Endpoint
from makegood_adapters.access import LimitsConfig
from makegood_adapters.http import application, hook_routes
from makegood_adapters.http.callers import Scope
from makegood_adapters.http.operation import Op
from makegood_adapters.http.v1 import OPERATIONS
from makegood_adapters.http.v1.api import PageRules
from makegood_adapters.memory import MemoryBlobs
from makegood_adapters.postgres.store import PostgresStore
from tests.adapters.queue_manager.scene import served
from tests.api.issuer import MANY, NOW, PUBLIC, Issuer, a_gate, an_issuer, claims, forged
from tests.api.roles import COLUMNS, OWNERS, ROWS, Cell, Row
from tests.api.scene import OTHER, OWNER, PNG, POOL, Scene, opened


@dataclass
class Stage:
    """The scene behind the real gate, and what each caller shows."""

    scene: Scene
    issuer: Issuer
    keys: Mapping[Scope | None, str]  # secrets of keys with every scope but this one, and what is more
    observe: str  # secret of a key that may observe, and nothing else

    def headers(self, column: str, needed: Scope) -> dict[str, str]:
        """Return the headers of a caller of an operation that *needed* is the scope for."""
        match column:
            case "none":  # from elsewhere, past a proxy of ours
                return {"X-Forwarded-For": "192.0.2.1"}
            case "local":
                return {}
            case "anonymous":
                return {"apikey": PUBLIC}
            case "service":
                return {**bearer(self.keys[None]), "Makegood-Owner": OWNER}
            case "without scope":
                return {**bearer(self.keys[needed]), "Makegood-Owner": OWNER}
            case "observe":
                return {**bearer(self.observe), "Makegood-Owner": OWNER}
            case "unknown key":
                return bearer("mgk_0123456789ab_" + "x" * 43)
            case _:
                return bearer(self.token(column))

    def token(self, column: str) -> str:
        """Return the token of a user, or what somebody made of one."""
        key = self.issuer.keys[0][0]
        match column:
            case "other":
                return self.issuer.token(sub=OTHER)
            case "expired":
                return self.issuer.token(exp=NOW - 60)
            case "wrong audience":
                return self.issuer.token(aud="others")
            case "alg none":
                return forged({"alg": "none", "kid": key.kid}, claims())
            case "HS256 by the public key":
                pem = key.as_bytes("PEM", private=False)  # type: ignore[union-attr]  # an EC key
                return forged({"alg": "HS256", "kid": key.kid}, claims(), pem)
        assert column == "owner"
        return self.issuer.token(sub=OWNER)

    async def ask(self, op: Op, row: Row, column: str, path: str) -> tuple[Cell, bytes]:
        """Call once, and return how it went; of an answer without an end only the beginning is read."""
        given: dict[str, Any] = {"data": PNG} if op.takes_file else {}
        if row.json is not None:
            given["json"] = await self.order() if row.json == "order" else row.json
        needed = op.who if isinstance(op.who, Scope) else Scope.OWNERS
        client = self.scene.client
        url = f"{client.base}{path}{row.query}"
        headers = self.headers(column, needed)
        async with client.session.request(op.method, url, headers=headers, **given) as reply:
            if reply.content_type == "text/event-stream":
                return (reply.status, None), b""
            raw = await reply.read()
        problem = json.loads(raw) if reply.content_type == "application/problem+json" else {}
        return (reply.status, problem.get("code")), raw

    async def path(self, op: Op, row: Row) -> str:
        """Return the path of the operation to new things of the owner."""
        things = dict(row.path)
        for name in set(re.findall(r"{(\w+)}", op.path)) - things.keys():
            things[name] = await self.thing(name, row)
        return op.path.format(**things)

    async def thing(self, name: str, row: Row) -> str:
        """Return a new thing of the owner, as a path names it."""
        match name:
            case "job_id":
                return str(await self.job(delivered=row.delivered))
            case "key":
                content = PNG + uuid4().bytes  # which nobody else has
                key = await self.scene.blobs.put(content, "file.png")
                await self.scene.store.uploads.keep(OWNER, key, "png", len(content))
                return key
            case "key_id":
                return (await self.scene.engine.make_key(str(uuid4()), [Scope.METRICS], actor="olga")).key.id
            case "endpoint_id":
                new = Endpoint(id=uuid4(), url="https://example.org/", created_at=datetime.now(UTC))
                made = await self.scene.store.endpoints.add(new, "whsec_" + "c2VjcmV0" * 6)
                assert made is not None
                return str(made.id)
            case "token":
                path = f"/jobs/{await self.job(delivered=True)}/files/0/link"
                reply = await self.scene.client.as_(self.token("owner")).post(path)
                return str(reply.body["path"]).removeprefix("/links/")
        raise AssertionError(f"nothing is known that {name} may stand for: say it in the row, or here")

    async def job(self, *, delivered: bool = False) -> UUID:
        """Return a job of the owner that waits, or one that is paid, with a result file."""
        order, first = await self.order(), 1 if delivered else 0
        job = await self.scene.engine.submit(order["type"], OWNER, order["input"], priority=first)
        job = await self.scene.engine.accept(job.id)
        return (await self.scene.complete(job, PNG, "png")).id if delivered else job.id

    async def order(self) -> dict[str, Any]:
        """Return an order that both owners may send: each has brought the file."""
        order = await self.scene.order()
        await self.scene.store.uploads.keep(OTHER, order["input"]["image"], "png", len(PNG))
        return order


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def a_stage(
    database: str, folder: Path, *, asgi: bool, limits: LimitsConfig = MANY
) -> AsyncIterator[Stage]:
    async with (
        an_issuer() as issuer,
        PostgresStore.open(database, connections_max=2) as store,
    ):
        keyring = Engine(store, Catalog([]), blobs=MemoryBlobs(), run_loops=False)
        keys = {}
        for missing in (None, *Scope):
            more = {Scope.OPERATIONS} if missing is Scope.OBSERVE else set()
            scopes = [scope for scope in Scope if scope not in {missing, *more}]
            keys[missing] = (await keyring.make_key(f"without {missing}", scopes, actor="olga")).secret
        observe = (await keyring.make_key("page", [Scope.OBSERVE], actor="olga")).secret
        async with (
            a_gate(issuer.auth, limits=limits, keys=keyring) as gate,
            opened(database, folder, asgi=asgi, gate=gate, page=PageRules(open=True)) as scene,
        ):
            for owner in (OWNER, OTHER):
                await scene.engine.grant(owner, 1_000_000, source_ref="matrix")
            # A job that is to be delivered goes first, however long others wait.
            await scene.engine.limit_pool(POOL, oldest_every=1_000_000, actor="olga")
            yield Stage(scene, issuer, keys, observe)


@pytest_asyncio.fixture(params=["aiohttp", "asgi"])
async def stage(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with a_stage(database, tmp_path, asgi=request.param == "asgi") as made:
        yield made


def test_every_operation_has_its_row() -> None:
    assert set(ROWS) == {op.name for op in OPERATIONS}


async def test_every_caller_gets_what_is_written_down_for_it(stage: Stage) -> None:
    wrong = []
    for op in OPERATIONS:
        row = ROWS[op.name]
        for column in COLUMNS:
            found, raw = await stage.ask(op, row, column, await stage.path(op, row))
            if found != row.expected(column):
                wrong.append((op.name, column, found, row.expected(column), raw[:200]))
    assert wrong == []


async def test_what_is_anothers_answers_as_what_is_not_there(stage: Stage) -> None:
    for op in OPERATIONS:
        row = ROWS[op.name]
        if row.who is OWNERS and "{job_id}" in op.path:
            path, nowhere = await stage.path(op, row), uuid4()
            job_id = path.split("/")[2]
            cell, foreign = await stage.ask(op, row, "other", path)
            same, missing = await stage.ask(op, row, "other", path.replace(job_id, str(nowhere)))
            assert cell == same == (404, "not_found"), op.name
            assert foreign.replace(job_id.encode(), b"") == missing.replace(str(nowhere).encode(), b"")


async def test_c3_nobody_reads_cancels_or_changes_the_job_of_another(stage: Stage) -> None:
    job_id = str(await stage.job())
    before = await stage.scene.engine.get(UUID(job_id))
    strangers = [column for column in COLUMNS if column not in ("owner", "service")]
    for op in OPERATIONS:
        if "{job_id}" in op.path and op.who is not Scope.OBSERVE:
            path = op.path.format(job_id=job_id, **ROWS[op.name].path)
            for column in strangers:
                found, raw = await stage.ask(op, ROWS[op.name], column, path)
                assert found[0] in (401, 403, 404), (op.name, column)
                assert b"upscaler" not in raw
    assert await stage.scene.engine.get(UUID(job_id)) == before


async def test_a_key_hands_out_no_more_than_it_has_and_has_no_say_over_stronger_ones(stage: Stage) -> None:
    weak = await stage.scene.engine.make_key("weak", [Scope.KEYS, Scope.METRICS], actor="olga")
    strong = await stage.scene.engine.make_key("strong", [Scope.CREDITS], actor="olga")
    client = stage.scene.client.as_(weak.secret)
    for path, body in (
        ("/keys", {"name": "mine", "scopes": ["metrics", "credits"]}),
        (f"/keys/{strong.key.id}/rotate", {}),
        (f"/keys/{strong.key.id}/revoke", None),
    ):
        reply = await client.post(path, json=body)
        assert (reply.status, reply.body["code"]) == (403, "forbidden"), path
        assert "`credits`" in reply.body["detail"]
    made = await client.post("/keys", json={"name": "mine", "scopes": ["metrics"]})
    assert (made.status, made.body["created_by"]) == (201, "key:weak")
    assert (await client.post("/keys", json={"name": "mine", "scopes": ["metrics"]})).body[
        "code"
    ] == "name_taken"
    listed = await client.get("/keys")
    assert made.body["secret"].encode() not in listed.raw
    own = stage.scene.client.as_(made.body["secret"])
    assert (await own.get("/keys")).status == 403  # it may do what it is for, and nothing else
    rotated = await client.post(f"/keys/{made.body['id']}/rotate", json={"grace_seconds": 0})
    assert rotated.body["secret"] != made.body["secret"]
    assert (await client.post(f"/keys/{made.body['id']}/revoke")).body["revoked_by"] == "key:weak"
    assert (await client.post(f"/keys/{made.body['id']}/rotate", json={})).status == 404
    assert (await stage.scene.client.as_(rotated.body["secret"]).get("/keys")).status == 401


async def test_a_key_that_ends_makes_none_that_ends_later(stage: Stage) -> None:
    engine = stage.scene.engine
    end = (await engine.now()).replace(microsecond=0) + timedelta(hours=1)
    short = await engine.make_key("short", [Scope.KEYS, Scope.METRICS], actor="olga", expires_at=end)
    endless = await engine.make_key("endless", [Scope.METRICS], actor="olga")
    client, new = stage.scene.client.as_(short.secret), {"name": "mine", "scopes": ["keys", "metrics"]}
    later = (end + timedelta(seconds=1)).isoformat()
    for path, body in (
        ("/keys", new),
        ("/keys", {**new, "expires_at": later}),
        (f"/keys/{endless.key.id}/rotate", {}),
    ):
        reply = await client.post(path, json=body)
        assert (reply.status, reply.body["code"]) == (403, "forbidden"), body
    assert (await client.post("/keys", json={**new, "expires_at": end.isoformat()})).status == 201
    assert (await client.post(f"/keys/{short.key.id}/rotate", json={"grace_seconds": 0})).status == 200
    assert (await client.post(f"/keys/{endless.key.id}/revoke")).status == 200


async def test_a_secret_that_was_rotated_out_gives_itself_no_new_one(stage: Stage) -> None:
    """Who has stolen a secret must not be the next to rotate its key, while the grace lasts."""
    engine = stage.scene.engine
    stolen = await engine.make_key("shop", [Scope.KEYS], actor="olga")
    await engine.rotate_key(stolen.key.id, grace_seconds=60)
    client = stage.scene.client.as_(stolen.secret)
    assert (await client.get("/keys")).status == 200
    assert (await client.post(f"/keys/{stolen.key.id}/rotate", json={})).status == 403
    assert (await client.post("/keys", json={"name": "mine", "scopes": ["keys"]})).status == 403


async def test_of_two_callers_in_one_request_neither_is_taken(stage: Stage) -> None:
    client = stage.scene.client
    for second in (stage.token("owner"), stage.token("other"), "nonsense", ""):
        headers = [("Authorization", f"Bearer {stage.token('owner')}"), ("Authorization", f"Bearer {second}")]
        async with client.session.get(f"{client.base}/job-types", headers=headers) as reply:
            assert reply.status == 401, second
            assert "not one `Bearer` with one token" in reply.headers["WWW-Authenticate"]


@pytest.mark.parametrize("asgi", [False, True], ids=["aiohttp", "asgi"])
async def test_who_calls_too_often_is_told_so_and_when_to_come_again(
    database: str, tmp_path: Path, asgi: bool
) -> None:
    few = LimitsConfig(user={"requests": "2/minute", "submits": "1/minute"}, failures="1/minute")
    async with a_stage(database, tmp_path, asgi=asgi, limits=few) as stage:
        ada = stage.scene.client.as_(stage.token("owner"))
        replies = [await ada.post("/jobs", json=await stage.scene.order()) for _ in range(2)]
        replies += [await ada.get("/job-types") for _ in range(3)]
        assert [reply.status for reply in replies] == [201, 429, 200, 200, 429]
        for reply, cost, most in ((replies[1], "submits", 1), (replies[4], "requests", 2)):
            assert reply.body["code"] == "rate_limited"
            told = {name.lower(): value for name, value in reply.headers.items()}
            assert told["retry-after"] == "60"
            assert told["ratelimit-policy"] == f'"{cost}";q={most};w=60'
            assert told["ratelimit"] == f'"{cost}";r=0;t=60'
        for_ada = {**bearer(stage.keys[None]), "Makegood-Owner": OWNER}
        assert (await stage.scene.client.as_(None).get("/jobs/x", headers=for_ada)).status == 429
        assert (await stage.scene.client.as_(stage.token("other")).get("/job-types")).status == 200
        guesses = [await stage.scene.client.as_("mgk_x").get("/job-types") for _ in range(2)]
        assert [reply.status for reply in guesses] == [401, 429]


async def test_webhooks_are_never_counted(database: str, tmp_path: Path) -> None:
    few = LimitsConfig(address={"requests": "1/minute"}, failures="1/minute")
    async with a_stage(database, tmp_path, asgi=False, limits=few) as stage:
        app = application()
        app.add_routes(hook_routes(stage.scene.engine))
        async with served(app, bearer("nonsense")) as page:
            replies = [await page.call("POST", f"/hooks/{'x' * 43}", json={}) for _ in range(5)]
    assert {reply.status for reply in replies} == {404}
