"""A full run of the service at its most talkative level: no secret that was used is in its log."""

import asyncio
import base64
import json
import secrets
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import asyncpg
import pytest
from PIL import Image

from makegood import Catalog, Engine
from makegood_adapters.folder import FolderBlobs
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.runninghub.simulator import Faults, Rule, Simulator
from makegood_adapters.toolfiles import default_tools_folder, load_tools
from tests.adapters.scripted_runninghub import serve_script
from tests.adapters.simulated_site import FAST
from tests.test_serve_command import PATIENCE_SECONDS, Service, serving

INPUT = {"category": "comida", "resolution": 1024}


def with_password(dsn: str, password: str) -> str:
    """Return the address with a password, which the server of the tests does not look at."""
    parts = urlsplit(dsn)
    user, _, place = parts.netloc.rpartition("@")
    if ":" in user:
        pytest.skip("the server of DATABASE_URL looks at passwords, so this test cannot make one up")
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{place}").geturl()


async def work(dsn: str, folder: Path) -> list[str]:
    """Order a job for each of three users as a host would and wait for their ends."""
    picture = BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    catalog, blobs = Catalog(load_tools(default_tools_folder())), FolderBlobs(folder)
    async with (
        PostgresStore.open(dsn) as store,
        Engine(store, catalog, blobs=blobs, run_loops=False) as engine,
    ):
        jobs = []
        for owner in ("ada", "bo", "cy"):
            await engine.grant(owner, 1_000, source_ref=f"order of {owner}")
            image = await blobs.put(picture.getvalue(), "person.png")
            job = await engine.submit("upscaler", owner, {"image": image, **INPUT}, key="1")
            jobs.append(await engine.accept(job.id))
        ends = []
        for job in jobs:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (now := await engine.get(job.id)).finished_at is None:  # noqa: ASYNC110 - of others
                    await asyncio.sleep(0.05)
            ends.append(now.state)
        return ends


async def rudeness(service: Service, tokens: dict[str, str]) -> None:
    """Call as those do who put secrets where they do not belong."""
    base, known, unknown = f"http://127.0.0.1:{service.port}", tokens["hook"], tokens["unknown hook"]
    async with aiohttp.ClientSession(trust_env=False) as session:
        for path, headers in (
            (f"/v1/job-types?apikey={tokens['query']}", {"Authorization": f"Bearer {tokens['jwt']}"}),
            ("/v1/jobs/1", {"Authorization": f"Bearer {tokens['service key']}"}),
            ("/metrics", {"Authorization": f"Basic {tokens['basic']}"}),
            ("/rest/v1/upscaler_jobs?select=id", {"apikey": tokens["query"]}),
            (f"/hooks/{unknown}", {}),
            (f"/nowhere/hooks/{known}?token={tokens['query']}", {"X-Request-Id": "a b"}),
        ):
            async with session.get(base + path, headers=headers) as reply:
                await reply.read()
        for token, body in (
            (known, b"{"),
            (known, b'{"taskId": 1}'),
            (unknown, b"{}"),
            (known, 300_000 * b"x"),
        ):
            async with session.post(f"{base}/hooks/{token}", data=body) as reply:
                await reply.read()
    for raw in (
        f"POST /hooks/{known} HTTP/9.9\r\nHost: x\r\n\r\n",
        f"POST /hooks/{known} HTTP/1.1\r\nHost: x\r\nAuthorization Bearer {tokens['jwt']}\r\n\r\n",
        f"GET /{known}\x00 HTTP/1.1\r\n\r\n",
        f"POST /hooks/{known} HTTP/1.1\r\nHost: x\r\nContent-Length: 5, {tokens['query']}\r\n\r\n",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(raw.encode())
        async with asyncio.timeout(PATIENCE_SECONDS):
            await reader.read()
        writer.close()


async def an_error_with_its_trace(service: Service, dsn: str, token: str) -> None:
    """Take a table away, so that a webhook fails as nobody expected, and loops with it."""
    owner = await asyncpg.connect(dsn)
    await owner.execute("alter table makegood.attempt rename to attempt_away")
    async with (
        aiohttp.ClientSession(trust_env=False) as session,
        session.post(f"http://127.0.0.1:{service.port}/hooks/{token}", json={"token": token}) as reply,
    ):
        assert reply.status in (500, 503)
    await service.logs("could not take its turn")
    await owner.execute("alter table makegood.attempt_away rename to attempt")
    await owner.close()


def forms(secret: str) -> list[str]:
    raw = secret.encode()
    return [
        secret,
        quote(secret, safe=""),
        raw.hex(),
        json.dumps(secret)[1:-1],
        *(base64.b64encode(n * b"u" + raw).decode().rstrip("=")[4:-2] for n in range(3)),
    ]


@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_a_full_run_at_debug_level_writes_no_secret_into_its_log(
    database: str, tmp_path: Path, log_format: str
) -> None:
    key, echoed, public = (
        secrets.token_hex(16),
        secrets.token_hex(16),
        f"sb_publishable_{secrets.token_hex(12)}",
    )
    password = f"p/{secrets.token_hex(8)}+ü"
    tokens = {
        "unknown hook": secrets.token_urlsafe(32),
        "query": secrets.token_urlsafe(24),
        "jwt": f"eyJhbGciOiJIUzI1NiJ9.{secrets.token_urlsafe(24)}.{secrets.token_urlsafe(32)}",
        "service key": f"mgk_{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}",
        "basic": base64.b64encode(f"ada:{secrets.token_hex(8)}".encode()).decode(),
    }
    async with Simulator(keys={key: 2}, pace=FAST) as simulator, serve_script() as script:
        script.reply({"code": 301, "msg": f"apiKey={echoed} of {key} is wrong: {echoed!r}", "data": echoed})
        simulator.add(Rule(faults=Faults(fail=f"CUDA error, apiKey {key} at {simulator.url}?apiKey={key}")))
        secret_file = tmp_path / "public_key"
        secret_file.write_text(f"{public}\n")
        secret_file.chmod(0o600)
        more = f'log_level = "debug"\npublic_key_file = "{secret_file}"\n' + "".join(
            f'[[accounts]]\nname = "{name}"\npool = "{pool}"\nbase_url = "{url}"\napi_key = "{given}"\n'
            for name, pool, url, given in (
                ("main", "runninghub", simulator.url, key),
                ("echo", "studio", script.url, echoed),
            )
        )
        settings: dict[str, Any] = {
            "webhook_base_url": "http://127.0.0.1:{port}", "poll_interval_seconds": 0.1, "defer_seconds": 0.1,
            "survey_interval_seconds": 0.2,
        }  # fmt: skip
        dsn = with_password(database, password)
        async with serving(tmp_path, dsn, more=more, log_format=log_format, **settings) as service:
            await service.until(service.health, "an answer")
            ends = await work(database, tmp_path / "files")
            assert "completed" in ends
            [hook, *_] = [task.request.webhook_url for task in simulator.tasks]
            assert hook
            tokens["hook"] = hook.rpartition("/")[2]
            await rudeness(service, tokens)
            await an_error_with_its_trace(service, database, tokens["hook"])
            service.process.terminate()
            assert await service.ended() == 0
        log = service.log
        assert script.requests
    assert "Traceback" in log
    assert "[redacted]" in log
    assert " unreadable 400 " in log
    assert "Unhandled exception" not in log
    if log_format == "json":
        assert all(json.loads(line)["message"] for line in log.splitlines())
    used = {"key": key, "echoed": echoed, "public": public, "password": password, **tokens}
    found = [name for name, secret in used.items() for form in forms(secret) if form in log]
    assert not found, found
