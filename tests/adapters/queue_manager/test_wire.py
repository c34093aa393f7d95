"""The queue manager's calls as such: paths, methods, keys, CORS, hostile bodies, secrets."""

import gzip
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from makegood.errors import StoreUnavailable
from makegood.job import ProviderAccount
from makegood_adapters.queue_manager import Options
from makegood_adapters.runninghub.client import RunningHubClient, open_session
from makegood_adapters.runninghub.provider import RunningHub
from tests.adapters.queue_manager.scene import FUNCTIONS, PLACES, Reply, Scene, opened

NOBODY = "00000000-0000-0000-0000-000000000000"
KEY = "publishable-key"
SECRET = "0123456789abcdef0123456789abcdef"
DEEP = b'{"a":' * 20_000
BODIES: Mapping[str, bytes] = {
    "empty": b"",
    "blank": b"  ",
    "array": b"[]",
    "arrays": b"[[{}]]",
    "two rows": b"[{},{}]",
    "text": b'"x"',
    "null": b"null",
    "number": b"1e999",
    "not a number": b'{"table": NaN}',
    "many digits": b'{"table": ' + b"9" * 5_000 + b"}",
    "half": b'{"table": "upscaler_jobs"',
    "not UTF-8": b'{"table": "\xff\xfe"}',
    "UTF-16": '{"table": 1}'.encode("utf-16"),
    "deep object": DEEP,
    "deep array": b"[" * 200_000,
    "deep and whole": b'{"a":' * 900 + b"1" + b"}" * 900,
    "nul": b'{"table": "\\u0000", "jobId": "\\ud800"}',
    "wrong types": b'{"table": {}, "jobId": [1]}',
}
TARGETS = (
    ("POST", f"{FUNCTIONS}/finish"),
    ("POST", "/rest/v1/upscaler_jobs?select=id"),
    ("PATCH", f"/rest/v1/upscaler_jobs?id=eq.{NOBODY}"),
)


async def test_check_counts(scene: Scene) -> None:
    free = {
        "available": True,
        "running": 0,
        "maxConcurrent": 50,
        "slotsAvailable": 50,
        "totalQueued": 0,
        "accountName": None,
        "accountApiKey": None,
    }
    reply = await scene.page.call("POST", f"{FUNCTIONS}/check", json={})
    assert (reply.status, reply.body) == (200, free)
    await scene.job_at("running")
    waiting = await scene.job_at("queued")
    # Another account of the same pool tells of the same queue.
    await scene.store.attempts.register(ProviderAccount(name="second", pool="runninghub", capacity=5))
    reply = await scene.page.call("POST", f"{FUNCTIONS}/check", data=b"anything")
    assert reply.body == {
        **free,
        "available": False,
        "running": 1,
        "maxConcurrent": 55,
        "slotsAvailable": 54,
        "totalQueued": 1,
    }
    await scene.page.finish("upscaler_jobs", waiting.id)
    await scene.drive.resize("runninghub", 1)
    await scene.store.attempts.register(ProviderAccount(name="second", pool="runninghub", capacity=0))
    reply = await scene.page.call("POST", f"{FUNCTIONS}/check")
    assert reply.body == {**free, "available": False, "running": 1, "maxConcurrent": 1, "slotsAvailable": 0}


async def test_the_last_segment_of_the_path_decides(scene: Scene) -> None:
    for path in ("/check", "/v2/check"):
        assert (await scene.page.call("POST", FUNCTIONS + path)).status == 200
    for path in ("", "/", "/check/", "/unknown", "/check/x", "/CHECK"):
        reply = await scene.page.call("POST", FUNCTIONS + path)
        assert (reply.status, reply.body) == (400, {"error": "Invalid endpoint"}), path


async def test_other_methods_are_405(scene: Scene) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        reply = await scene.page.call(method, f"{FUNCTIONS}/check")
        assert (reply.status, reply.body) == (405, {"error": "Method Not Allowed"})
        assert reply.headers["Allow"] == "POST"
    for method in ("PUT", "DELETE"):
        reply = await scene.page.call(method, "/rest/v1/upscaler_jobs")
        assert (reply.status, reply.body["code"]) == (405, "PGRST117")


async def test_unknown_paths_are_404_in_json(scene: Scene) -> None:
    for path in ("/", "/functions/v1", "/functions/v1/other/run", "/nowhere"):
        reply = await scene.page.call("POST", path)
        assert (reply.status, list(reply.body)) == (404, ["error"])
    reply = await scene.page.call("POST", "/rest/v1/rpc/consume_credits")
    assert (reply.status, reply.body["code"]) == (404, "PGRST202")


async def test_preflight_is_answered_on_every_path(database: str, tmp_path: Path) -> None:
    async with opened(database, tmp_path, Options(public_key=KEY)) as scene:
        for path in (f"{FUNCTIONS}/finish", f"{FUNCTIONS}/unknown", "/rest/v1/upscaler_jobs", "/rest/v1/a/b"):
            reply = await scene.page.call("OPTIONS", path, headers={"Origin": "https://page.example"})
            assert (reply.status, reply.body) == (200, None)
            assert reply.headers["Access-Control-Allow-Origin"] == "*"
            assert {"GET", "POST", "PATCH"} <= set(reply.headers["Access-Control-Allow-Methods"].split(", "))
            allowed = set(reply.headers["Access-Control-Allow-Headers"].split(", "))
            assert {"authorization", "x-client-info", "apikey", "content-type", "prefer"} <= allowed
        for path in (f"{FUNCTIONS}/unknown", "/rest/v1/nobody_jobs", "/rest/v1/a/b"):
            reply = await scene.page.call("POST", path, json={})
            assert reply.status >= 400
            assert reply.headers["Access-Control-Allow-Origin"] == "*"


async def test_only_the_configured_pages_may_call(database: str, tmp_path: Path) -> None:
    async with opened(database, tmp_path, Options(origins=("https://page.example",))) as scene:
        for origin, told in (
            ("https://page.example", "https://page.example"),
            ("https://evil.example", None),
        ):
            for method in ("OPTIONS", "POST"):
                reply = await scene.page.call(method, f"{FUNCTIONS}/check", headers={"Origin": origin})
                assert reply.headers.get("Access-Control-Allow-Origin") == told
                assert reply.headers["Vary"] == "Origin"


async def test_the_publishable_key_is_demanded_where_it_is_configured(database: str, tmp_path: Path) -> None:
    async with opened(database, tmp_path, Options(public_key=KEY)) as scene:
        wrong: tuple[dict[str, str], ...] = (
            {},
            {"apikey": "other"},
            {"Authorization": "Bearer other"},
            {"Authorization": f"Basic {KEY}"},
            {"Authorization": KEY},
            {"apikey": "ключ"},
        )
        for headers in wrong:
            reply = await scene.page.call("POST", f"{FUNCTIONS}/check", headers=headers)
            assert (reply.status, list(reply.body)) == (401, ["error"])
            reply = await scene.page.call("GET", "/rest/v1/upscaler_jobs", headers=headers)
            assert (reply.status, reply.body["code"]) == (401, "PGRST301")
        right = ({"apikey": KEY, "Authorization": "Bearer user-token"}, {"Authorization": f"Bearer {KEY}"})
        for headers in right:
            assert (await scene.page.call("POST", f"{FUNCTIONS}/check", headers=headers)).status == 200


@pytest.mark.parametrize(("method", "path"), TARGETS)
@pytest.mark.parametrize("body", BODIES)
async def test_hostile_bodies_are_refused_in_shape(scene: Scene, method: str, path: str, body: str) -> None:
    reply = await scene.page.call(method, path, data=BODIES[body])
    if method == "PATCH" and reply.status == 204:
        return
    assert 400 <= reply.status < 500, reply
    if path.startswith("/rest"):
        assert set(reply.body) == {"code", "message", "details", "hint"}
    else:
        assert set(reply.body) == {"error"}
    assert len(json.dumps(reply.body)) < 1_000


@pytest.mark.parametrize(("method", "path"), TARGETS)
async def test_huge_bodies_are_413(scene: Scene, method: str, path: str) -> None:
    huge = b'{"a": "' + b"x" * 300 * 1024 + b'"}'

    async def unannounced() -> Any:
        for _ in range(300):
            yield b" " * 1024

    bomb = {"data": gzip.compress(huge), "headers": {"Content-Encoding": "gzip"}}
    for given in ({"data": huge}, {"data": unannounced()}, bomb):
        reply = await scene.page.call(method, path, **given)
        assert reply.status == 413
    broken = {"data": b"no gzip at all", "headers": {"Content-Encoding": "gzip"}}
    assert (await scene.page.call(method, path, **broken)).status == 400


async def test_missing_fields_of_finish(scene: Scene) -> None:
    job = await scene.job_at("queued")
    for body in ({}, {"table": "upscaler_jobs"}, {"jobId": str(job.id)}, {"table": "", "jobId": ""}):
        reply = await scene.page.call("POST", f"{FUNCTIONS}/finish", json={**body, "status": "failed"})
        assert (reply.status, reply.body) == (400, {"error": "table and jobId are required"})


async def test_a_database_in_trouble_is_503_and_not_explained(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("postgres at db.internal does not answer")

    monkeypatch.setattr(scene.store.jobs, "get", gone)
    replies = (
        await scene.page.finish("upscaler_jobs", NOBODY),
        await scene.page.select("upscaler_jobs", NOBODY),
    )
    for reply in replies:
        assert (reply.status, reply.headers["Retry-After"]) == (503, "5")
        assert "internal" not in str(reply.body)


async def test_what_nobody_expected_is_500_and_not_explained(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(scene.store.jobs, "get", broken)
    reply = await scene.page.finish("upscaler_jobs", NOBODY)
    assert (reply.status, reply.body) == (500, {"error": "Something went wrong on our side."})
    assert "ZeroDivisionError" in caplog.text


async def test_m13_no_key_and_no_account_in_any_reply_or_log(
    database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    account = ProviderAccount(name="primary-account", pool="elsewhere", capacity=3)
    replies: list[Reply] = []
    async with open_session() as session:
        client = RunningHubClient(session, "http://127.0.0.1:9", SECRET)
        providers = {account: RunningHub(client)}
        async with opened(database, tmp_path, Options(public_key=KEY), key=KEY, providers=providers) as scene:
            # A job that is queued again would be dispatched before the next one.
            for place in sorted(PLACES, key=lambda place: place == "queued again"):
                job = await scene.job_at(place)
                for columns in ("*", "api_account,task_id,raw_api_response,job_payload"):
                    replies.append(await scene.page.select("upscaler_jobs", job.id, columns))
                replies.append(await scene.page.finish("upscaler_jobs", job.id))
                replies.append(await scene.page.patch("upscaler_jobs", job.id, status="failed"))
                replies.append(await scene.page.call("POST", f"{FUNCTIONS}/check", json={}))
            for path in ("/status", "/reconcile", "/x"):
                replies.append(await scene.page.call("POST", FUNCTIONS + path, json={}))
    assert {reply.status for reply in replies} == {200, 204, 400, 401}
    for secret in (SECRET, "primary-account", "runninghub-a"):
        assert secret not in str(replies)
    assert SECRET not in caplog.text
    assert KEY not in caplog.text
