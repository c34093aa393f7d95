"""A page of another origin may use the API where the configuration names it, and nothing else may."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from makegood_adapters.config import ServiceConfig
from makegood_adapters.http.v1 import OPERATIONS
from tests.api.scene import NamingGate
from tests.api.test_front import Site, opened

PAGE, OTHER = "https://shop.example", "https://evil.example"
ASKS = "Access-Control-Request-Headers"
SENT = "authorization,content-type,idempotency-key,last-event-id,makegood-owner,range,if-none-match,apikey"
OLD_WIRE = ("/functions/v1/runninghub-upscaler/run", "/rest/v1/upscaler_jobs", "/storage/v1/object/a/b")
READ = {"Location", "Retry-After", "RateLimit", "RateLimit-Policy", "X-Request-Id", "ETag", "Content-Range"}


@asynccontextmanager
async def site_for(database: str, folder: Path, *origins: str) -> AsyncIterator[Site]:
    async with opened(database, folder, NamingGate(), http={"origins": list(origins)}) as site:
        site.client.base += "/v1"
        site.client.who = "user:ada"
        yield site


def words(text: str) -> set[str]:
    return set(text.split(", "))


async def test_a_preflight_of_every_path_lets_the_page_send_what_the_api_reads(
    database: str, tmp_path: Path
) -> None:
    async with site_for(database, tmp_path, PAGE) as site:
        site.client.who = None  # a browser asks first without credentials
        for path, method in [(op.path, m) for op in OPERATIONS for m in op.methods] + [("/nowhere", "POST")]:
            asked = {"Origin": PAGE, "Access-Control-Request-Method": method, ASKS: SENT}
            told = await site.client.call("OPTIONS", path.replace("{", "").replace("}", ""), headers=asked)
            assert told.status == 200, path
            assert told.headers["Access-Control-Allow-Origin"] == PAGE
            assert method in words(told.headers["Access-Control-Allow-Methods"])
            assert set(SENT.split(",")) <= words(told.headers["Access-Control-Allow-Headers"])
            assert told.headers["Vary"] == "Origin"
            assert "Access-Control-Allow-Credentials" not in told.headers


async def test_answers_errors_and_streams_may_be_read_by_the_page_alone(
    database: str, tmp_path: Path
) -> None:
    async with site_for(database, tmp_path, PAGE) as site:
        for path, status in (("/wallet", 200), ("/jobs/no-id", 404), ("/nowhere", 404), ("/events", 200)):
            for origin, allowed in ((PAGE, PAGE), (OTHER, None), ("null", None), (None, None)):
                sent = {**site.client.headers, **({"Origin": origin} if origin else {})}
                async with site.client.session.get(site.client.base + path, headers=sent) as reply:
                    assert reply.status == status
                    assert reply.headers.get("Access-Control-Allow-Origin") == allowed
                    assert words(reply.headers["Access-Control-Expose-Headers"]) >= READ
                    assert "Origin" in words(reply.headers["Vary"])
        plain = await site.client.get("/../health", headers={"Origin": PAGE})
        assert plain.status == 200
        assert "Access-Control-Allow-Origin" not in plain.headers
        for path in OLD_WIRE:
            for origin, allowed in ((PAGE, PAGE), (OTHER, None)):
                told = await site.client.call("OPTIONS", f"/..{path}", headers={"Origin": origin})
                assert told.headers.get("Access-Control-Allow-Origin") == allowed, path


async def test_every_page_or_none(database: str, tmp_path: Path) -> None:
    async with site_for(database, tmp_path, "*") as site:
        told = await site.client.get("/wallet", headers={"Origin": OTHER})
        assert (told.headers["Access-Control-Allow-Origin"], told.headers.get("Vary")) == ("*", None)
    async with site_for(database, tmp_path) as site:
        asked = {"Origin": PAGE, "Access-Control-Request-Method": "GET"}
        told = await site.client.call("OPTIONS", "/wallet", headers=asked)
        assert (told.status, told.body["code"]) == (405, "method_not_allowed")
        told = await site.client.get("/wallet", headers={"Origin": PAGE})
        assert [name for name in told.headers if name.startswith("Access-Control")] == []
        for path in OLD_WIRE:
            told = await site.client.call("OPTIONS", f"/..{path}", headers={"Origin": OTHER})
            assert told.headers["Access-Control-Allow-Origin"] == "*", path


@pytest.mark.parametrize(
    "origins",
    [
        [f"{PAGE}/"],
        ["shop.example"],
        ["https://Shop.example"],
        ["https://*.example"],
        ["null"],
        ["https://shop.example:443"],
        ["http://localhost:80"],
        ["ftp://shop.example"],
        ["https://shop.example\r\nX: y"],
        ["*", PAGE],
    ],
)
def test_what_no_browser_sends_is_refused(origins: list[str]) -> None:
    given: dict[str, Any] = {"database_url": "postgresql://x/y", "http": {"origins": origins}}
    with pytest.raises(ValidationError, match=r"no origin|every origin"):
        ServiceConfig.model_validate(given)
