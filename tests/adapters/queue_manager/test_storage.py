"""Files as the existing pages bring and read them: both forms of an upload, names, bounds, strangers."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from makegood_adapters.access import LimitsConfig
from makegood_adapters.http.pace import steady
from makegood_adapters.queue_manager import Options
from tests.adapters.queue_manager.scene import OWNER, PNG, RULES, Scene, opened
from tests.api.issuer import BY_SECRET, NOW, PUBLIC, a_gate, by_secret

BUCKET = "artes-cloudinary"
ADA, BOB = by_secret(sub=OWNER), by_secret(sub="bob")
MAX = RULES.upload_bytes_max
PATH = f"upscaler/{OWNER}/1764100000-photo.png"
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 600
BOUNDARY = "----WebKitFormBoundarySyBnZ4fFZJYwYnAE"


def of_form(content: bytes, *, name: str = 'name=""; filename="blob"', kind: str = "image/png") -> bytes:
    """Return the form that the page's library sends, byte for byte."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="cacheControl"\r\n\r\n3600\r\n'
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {name}\r\nContent-Type: {kind}\r\n\r\n"
    )
    return head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", "x-upsert": "true"}
RAW = {"Content-Type": "image/png", "Cache-Control": "max-age=3600", "x-upsert": "true"}


@dataclass(frozen=True)
class Answer:
    status: int
    raw: bytes
    headers: Mapping[str, str]

    @property
    def body(self) -> dict[str, str]:
        told: dict[str, str] = json.loads(self.raw)
        return told

    @property
    def refused(self) -> tuple[int, str]:
        """The status and the error, of a refusal in the storage API's shape."""
        assert sorted(self.body) == ["error", "message", "statusCode"]
        assert self.body["statusCode"] == str(self.status)
        return self.status, self.body["error"]


@dataclass
class Page:
    """The page of a user, whose library brings files, and whose browser reads them without credentials."""

    scene: Scene
    folder: Path
    token: str | None = ADA

    async def call(self, method: str, path: str, data: object = None, **headers: str) -> Answer:
        url = URL(f"{self.scene.page.base}{path}", encoded=True)
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, data=data, headers=headers) as reply,
        ):
            return Answer(reply.status, await reply.read(), reply.headers)

    @property
    def credentials(self) -> dict[str, str]:
        return {} if self.token is None else {"apikey": PUBLIC, "Authorization": f"Bearer {self.token}"}

    async def bring(self, data: object = PNG, path: str = PATH, **given: str) -> Answer:
        headers = {**self.credentials, **RAW, **given}
        return await self.call("POST", f"/storage/v1/object/{BUCKET}/{path}", data, **headers)

    async def read(self, path: str = PATH, method: str = "GET", **headers: str) -> Answer:
        return await self.call(method, f"/storage/v1/object/public/{BUCKET}/{path}", **headers)

    def kept(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.exists() else []

    @asynccontextmanager
    async def line(self, body: bytes, length: int, **headers: str) -> AsyncIterator[asyncio.StreamReader]:
        """Yield what answers a request of which *body* is the beginning."""
        url = urlsplit(self.scene.page.base)
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        told = {"Host": "x", "Content-Length": str(length), **self.credentials, **headers}
        lines = [f"POST /storage/v1/object/{BUCKET}/{PATH} HTTP/1.1", *(f"{n}: {v}" for n, v in told.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        try:
            yield reader
        finally:
            writer.close()


@pytest_asyncio.fixture
async def page(database: str, tmp_path: Path) -> AsyncIterator[Page]:
    async with (
        a_gate(BY_SECRET) as gate,
        opened(database, tmp_path, Options(gate=gate, public_key=PUBLIC, files=RULES)) as scene,
    ):
        yield Page(scene, tmp_path)


async def test_both_forms_of_an_upload_are_taken_and_read_without_credentials(page: Page) -> None:
    for body, headers, content, media_type in (
        (of_form(PNG), FORM, PNG, "image/png"),
        (PNG + b"raw", RAW, PNG + b"raw", "image/png"),
        (of_form(JPEG, name='name="file"; filename="a.svg"', kind="text/html"), FORM, JPEG, "image/jpeg"),
    ):
        reply = await page.bring(body, **headers)
        assert (reply.status, reply.body["Key"]) == (200, f"{BUCKET}/{PATH}"), reply.raw
        assert sorted(reply.body) == ["Id", "Key"]
        assert str(UUID(reply.body["Id"])) == reply.body["Id"]
        assert reply.headers["Access-Control-Allow-Origin"] == "*"
        read = await page.read()
        assert (read.status, read.raw, read.headers["Content-Type"]) == (200, content, media_type)
        assert read.headers["X-Content-Type-Options"] == "nosniff"
        assert read.headers["Content-Security-Policy"] == "sandbox"
        assert read.headers["Content-Disposition"].startswith("inline; filename=")
        assert read.headers["Access-Control-Allow-Origin"] == "*"
        part = await page.read(Range="bytes=8-9")
        assert (part.status, part.raw) == (206, content[8:10])
        head = await page.read(method="HEAD")
        assert (head.status, head.raw, head.headers["Content-Length"]) == (200, b"", str(len(content)))


async def test_a_file_is_found_after_a_restart_and_by_another_process(
    page: Page, database: str, tmp_path: Path
) -> None:
    await page.bring()
    async with opened(database, tmp_path) as again:
        there = Page(again, tmp_path)
        assert (await there.read()).raw == PNG
        url = f"{again.page.base}/storage/v1/object/public/{BUCKET}/{PATH}"
        assert await again.addresses.key_of(OWNER, url) == await page.scene.addresses.key_of(
            OWNER, url.replace(again.page.base, page.scene.page.base)
        )


async def test_what_is_brought_so_may_be_ordered_and_a_replaced_file_stays_with_its_job(page: Page) -> None:
    scene, url = page.scene, f"{page.scene.page.base}/storage/v1/object/public/{BUCKET}/{PATH}"
    await page.bring()
    key = await scene.addresses.key_of(OWNER, url)
    given = {"image": key, "category": "comida", "resolution": 1024}
    job = await scene.engine.submit("upscaler", OWNER, given)
    assert (await page.bring(PNG + b"new")).status == 200
    assert (await page.read()).raw == PNG + b"new"
    assert await scene.addresses.key_of(OWNER, url) != key
    assert await scene.blobs.get(str((await scene.engine.get(job.id)).input["image"])) == PNG


async def test_a_path_that_is_taken_is_refused_unless_it_shall_be_replaced(page: Page) -> None:
    assert (await page.bring(**{"x-upsert": "false"})).status == 200
    before = page.kept()
    for body in (PNG, PNG + b"other"):
        reply = await page.bring(body, **{"x-upsert": "false"})
        assert reply.refused == (409, "Duplicate")
        assert reply.body["message"].startswith("The resource already exists")
    assert (await page.read()).raw == PNG
    assert page.kept() == before
    reply = await page.call(
        "PUT", f"/storage/v1/object/{BUCKET}/{PATH}", PNG + b"put", **page.credentials, **RAW
    )
    assert (reply.status, (await page.read()).raw) == (200, PNG + b"put")


async def test_of_uploads_of_one_path_at_once_the_path_shows_one_whole(page: Page) -> None:
    files = [PNG + bytes([number]) * 5_000 for number in range(4)]
    replies = await asyncio.gather(*(page.bring(each, **{"x-upsert": "false"}) for each in files))
    assert sorted(reply.status for reply in replies) == [200, 409, 409, 409]
    [taken] = [each for each, reply in zip(files, replies, strict=True) if reply.status == 200]
    assert (await page.read()).raw == taken
    replies = await asyncio.gather(*(page.bring(each) for each in files))
    assert [reply.status for reply in replies] == [200] * 4
    assert (await page.read()).raw in files


async def test_d38_nobody_brings_a_file_for_another_user(page: Page) -> None:
    for token, status in (
        (BOB, 403),
        (PUBLIC, 401),
        (None, 401),
        (by_secret(exp=NOW - 60), 401),
        (by_secret("x" * 32), 401),
        (by_secret(role="service_role"), 401),
    ):
        page.token = token
        for body, headers in ((PNG, RAW), (of_form(PNG), FORM)):
            assert (await page.bring(body, **headers)).refused == (status, "Unauthorized")
    assert page.kept() == []
    page.token = BOB
    assert (await page.bring(path=f"{OWNER}/bob/a.png")).status == 200, "the folder may have any name"
    mine = f"{page.scene.page.base}/storage/v1/object/public/{BUCKET}/{OWNER}/bob/a.png"
    assert await page.scene.addresses.key_of("bob", mine)
    assert await page.scene.addresses.key_of(OWNER, mine) is None


NAMES = {
    "up": f"upscaler/{OWNER}/../{OWNER}/a.png",
    "up, encoded": f"upscaler/{OWNER}/%2e%2e/a.png",
    "up, half encoded": f"upscaler/{OWNER}/.%2E/a.png",
    "into the folder of another": f"upscaler/{OWNER}/%2e%2e%2fbob/a.png",
    "an encoded slash": f"upscaler/{OWNER}/a%2Fb.png",
    "a backslash": f"upscaler/{OWNER}/a%5Cb.png",
    "nothing between": f"upscaler//{OWNER}/a.png",
    "an end": f"upscaler/{OWNER}/",
    "here": f"upscaler/{OWNER}/./a.png",
    "NUL": f"upscaler/{OWNER}/a%00.png",
    "a line": f"upscaler/{OWNER}/a%0D%0AX-Evil:1.png",
    "a mark that turns the text": f"upscaler/{OWNER}/a%E2%80%AEgnp.html",
    "no UTF-8": f"upscaler/{OWNER}/%FF.png",
    "half a code": f"upscaler/{OWNER}/%2.png",
    "half a character": f"upscaler/{OWNER}/%ED%A0%80.png",
    "too long": f"upscaler/{OWNER}/{'a' * 500}.png",
    "no folder": f"{OWNER}/a.png",
}


async def test_a_path_that_is_more_than_a_path_is_refused(page: Page) -> None:
    for name, path in NAMES.items():
        assert (await page.bring(path=path)).refused[0] in (400, 403, 404), name
        assert (await page.read(path)).refused[0] in (400, 404), name
    assert page.kept() == []
    for bucket in ("other", "public", "results", "artes-cloudinary%2F..", "ARTES-CLOUDINARY"):
        reply = await page.call("POST", f"/storage/v1/object/{bucket}/{PATH}", PNG, **page.credentials)
        assert reply.refused[0] == 404, bucket
    for path in (f"a%20b%C3%A9/{OWNER}/deep/%2525.png", f"%2561/{OWNER}/x%2520.png"):
        assert (await page.bring(path=path)).status == 200
        assert (await page.read(path)).raw == PNG
    assert (await page.bring(path=f"a%20b/{OWNER}/%2525.png")).body["Key"] == f"{BUCKET}/a b/{OWNER}/%25.png"


async def test_what_is_no_file_that_a_job_takes_is_not_kept(page: Page) -> None:
    for content, status in (
        (b"", 415),
        (b"<html><script>", 415),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", 415),
        (PNG + bytes(MAX), 413),
    ):
        for body, headers in ((content, RAW), (of_form(content), FORM)):
            assert (await page.bring(body, **headers)).refused[0] == status
    assert (await page.bring(PNG + bytes(MAX - len(PNG)))).status == 200, "the largest"
    assert (await page.bring(of_form(PNG + bytes(MAX - len(PNG))), **FORM)).status == 200
    before = page.kept()
    packed = await page.bring(gzip.compress(PNG + bytes(1_000_000)), **{"Content-Encoding": "gzip"})
    assert packed.refused[0] == 415
    unending = await page.bring(_pieces(PNG + bytes(MAX + 1)))  # its length is not told
    assert unending.refused[0] == 413
    assert page.kept() == before


FORMS = {
    "no file": of_form(b"")[:100] + f"\r\n--{BOUNDARY}--\r\n".encode(),
    "nothing": f"--{BOUNDARY}--\r\n".encode(),
    "no boundary": PNG,
    "a file without its end": of_form(PNG)[: -len(BOUNDARY) - 10],
    "a form in a form": of_form(PNG, kind="multipart/mixed; boundary=x"),
    "a strange beginning": of_form(PNG).replace(
        b'name="cacheControl"\r\n\r\n3600', b'name="_charset_"\r\n\r\n' + b"x" * 40
    ),
    "no end of fields": (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n' * 50
    ).encode()
    + of_form(PNG),
    "a long head": of_form(PNG, name=f'name="{"x" * 20_000}"; filename="a"'),
}


async def test_a_form_that_is_none_is_told_and_leaves_nothing(page: Page) -> None:
    for name, body in FORMS.items():
        assert (await page.bring(body, **FORM)).refused == (400, "InvalidRequest"), name
    for kind in ("multipart/form-data", f"multipart/form-data; boundary={'x' * 71}"):
        assert (await page.bring(of_form(PNG), **{"Content-Type": kind})).refused == (400, "InvalidRequest")
    assert page.kept() == []


async def test_d29_an_upload_that_stands_still_is_cut_off_and_does_not_count(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hasty(chunks: AsyncIterator[bytes], bytes_min: int, seconds: float) -> AsyncIterator[bytes]:
        assert seconds == RULES.stall_seconds
        return steady(chunks, bytes_min=bytes_min, seconds=0.1)

    monkeypatch.setattr("makegood_adapters.queue_manager.storage.steady", hasty)
    for body, headers in ((PNG, RAW), (of_form(PNG)[:60], FORM), (of_form(PNG + bytes(500))[:-200], FORM)):
        async with page.line(body, 5_000, **headers) as reader:
            assert b" 408 " in await reader.readline()
    monkeypatch.undo()
    assert page.kept() == []
    for number in range(2):  # all that a day takes is still there
        assert (await page.bring(PNG + bytes([number]) + bytes(MAX - 100))).status == 200
    reply = await page.bring(PNG + b"\x07" + bytes(MAX - 100))
    assert reply.refused == (429, "RateLimited")
    assert int(reply.headers["Retry-After"]) > 80_000


async def test_a_page_that_leaves_in_the_middle_leaves_nothing(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, uploads = asyncio.Event(), page.scene.store.uploads
    drop = uploads.drop

    async def dropped(upload_id: UUID) -> None:
        await drop(upload_id)
        ended.set()

    monkeypatch.setattr(uploads, "drop", dropped)
    for body, headers in ((PNG, RAW), (of_form(PNG + bytes(5_000))[:-200], FORM)):
        ended.clear()
        async with page.line(body, 50_000, Expect="100-continue", **headers) as reader:
            assert b" 100 " in await reader.readline()
        await ended.wait()
    assert page.kept() == []
    assert (await page.read()).refused == (404, "not_found")


async def test_readers_are_counted_by_their_address_whatever_they_send(database: str, tmp_path: Path) -> None:
    few = LimitsConfig(address={"downloads": "2/minute"}, user={"uploads": "1/minute"})
    async with (
        a_gate(BY_SECRET, limits=few) as gate,
        opened(database, tmp_path, Options(gate=gate, public_key=PUBLIC, files=RULES)) as scene,
    ):
        page = Page(scene, tmp_path)
        assert (await page.bring()).status == 200
        again = await page.bring()
        assert (again.refused, again.headers["Retry-After"]) == ((429, "RateLimited"), "60")
        old = {"Authorization": f"Bearer {by_secret(exp=NOW - 60)}"}  # a page that was left open
        assert [(await page.read(**headers)).status for headers in (old, {}, old)] == [200, 200, 429]
        path = "/functions/v1/runninghub-queue-manager/check"
        called = await scene.page.call("POST", path, headers={"Authorization": f"Bearer {PUBLIC}"})
        assert called.status == 200, "pictures do not use up what a page's calls need"


async def test_a_page_of_another_origin_may_bring_and_read(page: Page) -> None:
    headers = {"Origin": "https://shop.example", "Access-Control-Request-Method": "PUT"}
    reply = await page.call("OPTIONS", f"/storage/v1/object/{BUCKET}/{PATH}", **headers)
    assert reply.status == 200
    for name in ("x-upsert", "cache-control", "authorization", "apikey", "content-type"):
        assert name in reply.headers["Access-Control-Allow-Headers"]
    assert {"POST", "PUT"} <= set(reply.headers["Access-Control-Allow-Methods"].split(", "))
    assert (await page.call("DELETE", f"/storage/v1/object/{BUCKET}/{PATH}")).refused[0] == 405


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for place in range(0, len(data), 10_000):
        yield data[place : place + 10_000]
