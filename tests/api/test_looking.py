"""Who may look without a key: whoever is on this machine, and nobody whom a proxy or another page sends."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from makegood.catalog import Catalog
from makegood.engine import Engine
from makegood.lifecycle import BaseJob
from makegood.ports import Worker, WorkerName, WorkerState
from makegood.settings import Settings
from makegood_adapters.access import LimitsConfig
from makegood_adapters.config import ServiceConfig
from makegood_adapters.http.callers import Scope
from makegood_adapters.http.local import is_local
from makegood_adapters.http.operation import Request
from makegood_adapters.http.v1.api import PageRules
from makegood_adapters.http.v1.overview import WorkerView
from makegood_adapters.redaction import Redaction
from tests.api.issuer import MANY, a_gate
from tests.api.scene import OWNER, POOL, Client, Scene, opened
from tests.api.streams import PATIENCE_SECONDS
from tests.site.terminal import a_busy_service

OPEN = PageRules(open=True)
HOST = {"host": "127.0.0.1:8000"}
HERE: list[tuple[str, dict[str, str]]] = [
    ("127.0.0.1", HOST),
    ("127.0.0.9", {"host": "LOCALHOST"}),
    ("::1", {"host": "[::1]:8000", "sec-fetch-site": "none"}),
    ("::ffff:127.0.0.1", {"host": "localhost:8000", "origin": "http://localhost:8000"}),
    ("127.0.0.1", {**HOST, "sec-fetch-site": "same-origin", "origin": "http://127.0.0.1:8000"}),
]
ELSEWHERE: dict[str, tuple[str, dict[str, str]]] = {
    "another machine": ("192.0.2.7", HOST),
    "another machine in the dress of IPv6": ("::ffff:192.0.2.7", HOST),
    "nobody knows whence": ("", HOST),
    "a socket of the system": ("/run/makegood.sock", HOST),
    "no host": ("127.0.0.1", {}),
    "a name that was made to lead here": ("127.0.0.1", {"host": "rebound.example:8000"}),
    "a name that begins like ours": ("127.0.0.1", {"host": "127.0.0.1.rebound.example:8000"}),
    "a user before our name": ("127.0.0.1", {"host": "rebound.example@localhost"}),
    "two hosts": ("127.0.0.1", {"host": "localhost, rebound.example"}),
    "a mapped name": ("127.0.0.1", {"host": "[::ffff:127.0.0.1]:8000"}),
    "a port that is none": ("127.0.0.1", {"host": "localhost:80x"}),
    "a page of another site": ("127.0.0.1", {**HOST, "sec-fetch-site": "cross-site"}),
    "a page on another port": ("127.0.0.1", {**HOST, "sec-fetch-site": "same-site"}),
    "an origin on another port": ("127.0.0.1", {**HOST, "origin": "http://127.0.0.1:5173"}),
    "an origin by another name": ("127.0.0.1", {**HOST, "origin": "http://localhost:8000"}),
    "an origin of elsewhere": ("127.0.0.1", {**HOST, "origin": "https://evil.example"}),
    "an origin that hides": ("127.0.0.1", {**HOST, "origin": "null"}),
    "a publishable key": ("127.0.0.1", {**HOST, "apikey": "sb_publishable"}),
    "an empty key": ("127.0.0.1", {**HOST, "authorization": ""}),
    **{
        f"a proxy that says {name}": ("127.0.0.1", {**HOST, name: "127.0.0.1"})
        for name in ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "via")
    },
    "a proxy that is as nginx comes": ("127.0.0.1", {**HOST, "connection": "close"}),
    "a proxy that tells the address": ("127.0.0.1", {**HOST, "x-real-ip": "127.0.0.1"}),
}


async def nothing() -> AsyncIterator[bytes]:
    return
    yield b""


def a_request(address: str, headers: dict[str, str]) -> Request:
    return Request(method="GET", path={}, query={}, headers=headers, chunks=nothing(), address=address)


def test_who_is_on_this_machine_is_known_as_such() -> None:
    assert [is_local(a_request(*each)) for each in HERE] == [True] * len(HERE)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_who_may_be_elsewhere_is_not_taken_for_one_on_this_machine(name: str) -> None:
    assert not is_local(a_request(*ELSEWHERE[name]))


@pytest.mark.parametrize(
    "given",
    [
        {"page": {"open": False}},
        {"host": "0.0.0.0"},
        {"host": "192.168.1.4"},
        {"public_url": "https://api.shop.example"},
        {"engine": {"webhook_base_url": "https://hooks.shop.example"}},
        {"auth": {"jwks_url": "https://issuer.example/jwks", "issuer": "a", "audience": "b"}},
    ],
    ids=str,
)
def test_a_service_to_which_others_come_is_open_to_nobody(given: dict[str, Any]) -> None:
    usual: dict[str, Any] = {"database_url": "postgresql://db/shop"}
    assert not ServiceConfig(**{**usual, **given}).page_open
    for host in ("127.0.0.1", "localhost", "::1"):
        here: dict[str, Any] = {
            "public_url": "http://localhost:8000",
            "engine": {"webhook_base_url": "http://127.0.0.1:8000"},
        }
        assert ServiceConfig(**{**usual, **here, "host": host}).page_open


@pytest_asyncio.fixture(params=["aiohttp", "asgi"])
async def here(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> AsyncIterator[Scene]:
    """A service with a real gate, open to whoever is on this machine."""
    async with (
        a_gate(None, limits=MANY) as gate,
        opened(database, tmp_path, asgi=request.param == "asgi", gate=gate, page=OPEN) as scene,
    ):
        yield scene


async def test_who_is_here_looks_and_changes_nothing(here: Scene) -> None:
    client = here.client.as_(None)
    me = await client.get("/operations/me")
    assert me.status == 200
    assert {name: me.body[name] for name in ("caller", "scopes", "acts", "credits")} == {
        "caller": "local",
        "scopes": ["observe"],
        "acts": False,
        "credits": False,
    }
    pause = {"scope": "owner", "name": "ada", "by": "Grace", "reason": "because"}
    for method, path, body in (
        ("POST", "/operations/pauses", pause),
        ("POST", "/owners/ada/grants", {"amount": 1, "source_ref": "x"}),
        ("GET", "/keys", None),
        ("GET", "/jobs", None),
        ("GET", "/job-types", None),
        ("GET", "/endpoints", None),
    ):
        reply = await client.call(method, path, json=body, headers={"Makegood-Owner": "ada"})
        assert (reply.status, reply.body["code"]) == (401, "unauthenticated"), path
    assert (await here.engine.rules()) == []
    for headers in (
        {"Host": "rebound.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.example"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
    ):
        assert (await client.get("/operations/me", headers=headers)).status == 401, headers
    for wrong in ("mgk_0123456789ab_" + "x" * 43, "nonsense"):
        assert (await client.as_(wrong).get("/operations/me")).status == 401


async def test_the_stream_of_all_jobs_is_open_to_who_is_here(here: Scene) -> None:
    url = f"{here.client.base}/operations/events"
    async with here.client.session.get(url) as reply:
        assert (reply.status, reply.content_type) == (200, "text/event-stream")
    async with here.client.session.get(url, headers={"X-Forwarded-For": "192.0.2.1"}) as reply:
        assert reply.status == 401


async def test_who_looks_too_often_from_here_is_told_so(database: str, tmp_path: Path) -> None:
    few = LimitsConfig(address={"looks": "2/minute"})
    async with (
        a_gate(None, limits=few) as gate,
        opened(database, tmp_path, gate=gate, page=OPEN) as scene,
    ):
        replies = [await scene.client.as_(None).get("/operations/me") for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 429]
    assert replies[2].body["code"] == "rate_limited"


async def test_a_revoked_key_is_not_taken_for_none(database: str, tmp_path: Path) -> None:
    async with opened(database, tmp_path) as made:
        key = await made.engine.make_key("page", [Scope.OBSERVE], actor="olga")
        await made.engine.revoke_key(key.key.id, actor="olga")
        async with (
            a_gate(None, keys=made.engine) as gate,
            opened(database, tmp_path, gate=gate, page=OPEN) as scene,
        ):
            reply = await scene.client.as_(key.secret).get("/operations/me")
    assert (reply.status, reply.body["code"]) == (401, "unauthenticated")


async def test_a_key_is_told_what_it_may(scene: Scene) -> None:
    for scopes, acts, credits in (
        ("observe", False, False),
        ("operations", True, False),
        ("observe,credits", False, True),
        ("operations,credits", True, True),
    ):
        me = (await scene.client.as_(f"service:{scopes}").get("/operations/me")).body
        assert (me["caller"], me["acts"], me["credits"]) == ("key:test", acts, credits)
        assert "observe" in me["scopes"]
        assert me["page"] == {"demo": False}


async def test_the_overview_counts_what_is_there(scene: Scene) -> None:
    operator = scene.client.as_("service:observe")
    for _ in range(2):
        await scene.client.post("/jobs", json=await scene.order())
    while await scene.store.stream.place(100):
        pass
    found = (await operator.get("/operations/overview")).body
    types = {each["name"]: each for each in found["types"]}
    assert types["upscaler"]["states"] == {"queued": 2}
    assert (types["upscaler"]["ended"], types["upscaler"]["capped"]) == ({}, 10_000)
    assert (types["upscaler"]["under_way"], types["upscaler"]["jobs"], types["upscaler"]["told"]) == (
        2,
        2,
        [],
    )
    assert found["pace"] == "Per minute: 2 accepted, 0 completed, 0 failed, 0 cancelled."
    assert {each["name"] for each in found["types"]} == set(scene.engine.catalog.names)
    [lane] = found["lanes"]
    assert (lane["pool"], lane["waiting"]) == (POOL, 2)
    assert found["last_seq"] == await scene.store.stream.last() == 4
    assert found["accounts"][0]["capacity"] == 50
    assert found["workers"] == []


class Sketch(BaseJob):
    name, pool, price = "sketch", POOL, 5


class SketchAgain(BaseJob):
    name, version, pool, price = "sketch", 2, POOL, 5


async def test_of_a_type_the_newest_version_is_named_and_all_its_jobs_are_counted(
    database: str, tmp_path: Path
) -> None:
    async with opened(database, tmp_path, types=[SketchAgain, Sketch]) as scene:
        jobs = [await scene.engine.submit(kind, OWNER, {}) for kind in (Sketch, SketchAgain, SketchAgain)]
        await scene.engine.accept(jobs[0].id)
        await scene.engine.cancel(jobs[1].id)
        while await scene.store.stream.place(100):
            pass
        told = (await scene.client.as_("service:observe").get("/operations/overview")).body
    [kind] = told["types"]
    assert (kind["name"], kind["version"], kind["label"]) == ("sketch", 2, "sketch")
    assert (kind["states"], kind["ended"]) == ({"queued": 1, "pending": 1}, {"cancelled": 1})
    assert (kind["under_way"], kind["jobs"]) == (2, 3)


async def seen(operator: Client, how: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """Return the one process once its loops, by name, are like that."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            for worker in (await operator.get("/operations/overview")).body["workers"]:
                if how({loop["name"]: loop for loop in worker["loops"]}):
                    return dict(worker)


@asynccontextmanager
async def taken_away(database: str, function: str) -> AsyncIterator[None]:
    owner = await asyncpg.connect(database)
    try:
        await owner.execute(f"alter function makegood.{function} rename to taken_away")
        try:
            yield
        finally:
            await owner.execute(f"alter function makegood.taken_away rename to {function}")
    finally:
        await owner.close()


def test_a_process_that_is_lost_is_called_so_whatever_it_said_last() -> None:
    found, _ = a_busy_service()
    views = [WorkerView.of(worker, found.at, Redaction()) for worker in found.workers]
    assert [(view.state, view.lost) for view in views] == [
        ("running", False),
        ("running", False),
        ("draining", False),
        ("lost", True),
    ]


async def test_every_process_sees_how_the_loops_of_all_are_doing(scene: Scene, database: str) -> None:
    """One process runs the loops, another one answers; what one of them calls is taken away and put back."""
    working = Engine(
        scene.store,
        Catalog([]),
        blobs=scene.blobs,
        providers={},
        settings=Settings(
            loop_interval_seconds=0.01,
            loop_backoff_max_seconds=0.05,  # however often it fails before that is seen
            worker_beat_seconds=0.01,
            reckon_interval_seconds=0.01,
        ),
        worker=WorkerName(host="gpu-host", pid=7, number=1, version="0.1.0"),
    )
    operator = scene.client.as_("service:observe")
    async with working:
        worker = await seen(operator, lambda loops: all(loop["healthy"] for loop in loops.values()))
        async with taken_away(database, "reckon"):
            ill = await seen(operator, lambda loops: loops["estimator"]["failures"] > 1)
        well = await seen(operator, lambda loops: loops["estimator"]["healthy"])
    assert (worker["host"], worker["pid"], worker["state"]) == ("gpu-host", 7, "running")
    assert worker["lost"] is False
    assert worker["process"] == "gpu-host 7 [1]"
    assert worker["told"] == {"level": "good", "text": f"{len(worker['loops'])} well"}
    loops = {loop["name"]: loop for loop in worker["loops"]}
    assert {"dispatcher", "poller", "watchdog"} <= loops.keys()
    assert worker["told"] == well["told"] == {"level": "good", "text": f"{len(loops)} well"}
    assert [loop["name"] for loop in ill["loops"] if not loop["healthy"]] == ["estimator"]
    assert ill["told"]["level"] == "bad"
    assert re.fullmatch(r"estimator failed \d+ times \(\w+\)", ill["told"]["text"])


async def test_the_queue_says_who_is_next_and_what_holds_it_back(scene: Scene) -> None:
    operator = scene.client.as_("service:observe")
    made = [(await scene.client.post("/jobs", json=await scene.order())).body["id"] for _ in range(2)]
    found = (await operator.get("/operations/queue", params={"pool": POOL})).body
    assert (found["pools"], [job["id"] for job in found["jobs"]]) == ([POOL], made)
    assert [job["position"] for job in found["jobs"]] == [1, 2]
    assert found["told"] == {"level": "plain", "text": "2 waiting"}
    [first, _] = found["jobs"]
    assert first["starts"] == {"level": "warn", "text": "No process works on this database."}
    assert (first["held_back"], first["wait_seconds"]) == (first["starts"]["text"], None)
    await scene.store.workers.beat(
        Worker(id=uuid4(), name=WorkerName(), state=WorkerState.RUNNING, accounts=(), health={})
    )
    await seen(operator, lambda loops: not loops)  # looks are shared for a moment
    found = (await operator.get("/operations/queue", params={"pool": POOL})).body
    assert found["jobs"][0]["held_back"] is None
    assert found["jobs"][0]["starts"] == {"level": "plain", "text": "any moment"}
    assert 0 <= found["jobs"][1]["waited_seconds"] < 60
    await scene.engine.pause(type="upscaler", reason="the app is broken", actor="olga")
    [first] = (await operator.get("/operations/queue?limit=1")).body["jobs"]
    assert first["held_back"] == "The type upscaler is paused: the app is broken"
    assert first["starts"] == {"level": "warn", "text": first["held_back"]}
    assert first["wait_seconds"] is None
    nothing = (await operator.get("/operations/queue?pool=nothing")).body
    assert (nothing["jobs"], nothing["told"]["text"]) == ([], "0 waiting")
    assert (await operator.get("/operations/queue?limit=0")).status == 422


@pytest.mark.tampers  # one credit too many in a wallet, taken out again
async def test_what_needs_a_person_is_told_with_what_to_do(scene: Scene, database: str) -> None:
    operator = scene.client.as_("service:observe")
    await scene.client.post("/jobs", json=await scene.order())
    plain = await asyncpg.connect(database)
    await plain.execute("set session_replication_role = replica")
    await plain.execute("update makegood.wallet set balance = balance + 1")
    # It looks at the books; concerns tell what that has found.
    books = (await operator.get("/operations/books")).body["told"]
    found = (await operator.get("/operations/concerns")).body
    await plain.execute("update makegood.wallet set balance = balance - 1")
    plain.terminate()
    assert books["level"] == "bad"
    assert books["text"].startswith("The books are wrong: 0 credits off, 1 violation. ")
    *broken, nobody = found["concerns"]
    assert (nobody["kind"], nobody["level"]) == ("worker_lost", "alarm")
    assert nobody["what"] == "No process works on this database: 1 job cannot go on."
    assert nobody["todo"] == "Start one: `makegood serve`."
    assert {nobody[name] for name in ("job_id", "account", "owner", "since")} == {None}
    assert {(each["kind"], each["level"], each["owner"]) for each in broken} == {
        ("violation", "alarm", OWNER)
    }
    assert "`makegood audit`" in broken[0]["todo"]
