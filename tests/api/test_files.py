"""Files over `/v1`: brought by their owner, used by nobody else, served whole or in part and never run."""

import asyncio
import gzip
import hashlib
import logging
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from makegood.job import Job, Verdict
from makegood.ports import DAY_SECONDS
from makegood_adapters.http.v1 import links
from makegood_adapters.http.v1.links import FileRules
from tests.api.scene import CREDITS, OTHER, PNG, Answer, Client, Scene, opened

MAX, DAY = 200_000, 500_000
SECRET = hashlib.sha256(b"a secret of the tests").digest()
RULES = FileRules(
    upload_bytes_max=MAX, day_bytes_max=DAY, stall_bytes=1_024, stall_seconds=0.5, link_secret=SECRET
)
MP4 = b"\x00\x00\x00\x18ftypisom" + bytes(range(256)) * 400
PAGE = b"<html><script>alert(document.cookie)</script>"
NOBODYS = "0" * 64 + ".png"


@pytest_asyncio.fixture(params=["aiohttp", "asgi"])
async def scene(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> AsyncIterator[Scene]:
    asgi = request.param == "asgi"
    async with opened(database, tmp_path / "files", asgi=asgi, files=RULES) as made:
        (tmp_path / "files").mkdir(exist_ok=True)
        yield made


async def pieces(data: bytes, size: int = 1_000) -> AsyncIterator[bytes]:
    for place in range(0, len(data), size):
        yield data[place : place + size]


def kept(scene: Scene) -> list[str]:
    return sorted(path.name for path in scene.blobs.path(NOBODYS).parent.iterdir())


def of_kind(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.body["code"]


def lower(answer: Answer) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


def order(key: str) -> dict[str, Any]:
    return {"type": "upscaler", "input": {"image": key, "category": "comida", "resolution": 1024}}


@asynccontextmanager
async def line(
    client: Client, head: str, *, body: bytes = b""
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Yield a connection on which a request of the owner was begun by hand; it takes little at a time."""
    url = urlsplit(client.base)
    assert url.hostname
    reader, writer = await asyncio.open_connection(url.hostname, url.port, limit=1_024)
    method, _, rest = head.partition(" ")
    path, _, headers = rest.partition("\n")
    told = [f"{method} {url.path}{path} HTTP/1.1", "Host: x", f"Authorization: Bearer {client.who}"]
    writer.write("\r\n".join([*told, *headers.splitlines(), "", ""]).encode() + body)
    try:
        yield reader, writer
    finally:
        writer.close()


class TestBringing:
    async def test_what_an_owner_brings_is_told_by_its_bytes_and_may_be_ordered(self, scene: Scene) -> None:
        reply = await scene.client.post("/files", data=PNG, headers={"Content-Type": "text/html"})
        digest = hashlib.sha256(PNG).hexdigest()
        assert reply.status == 201, reply
        assert reply.body == {
            "key": f"{digest}.png",
            "kind": "png",
            "size": len(PNG),
            "sha256": digest,
            "brought_at": reply.body["brought_at"],
        }
        read = await scene.client.get(f"/files/{reply.body['key']}")
        assert (read.status, read.raw, read.headers["Content-Type"]) == (200, PNG, "image/png")
        assert (await scene.client.post("/jobs", json=order(reply.body["key"]))).status == 201

    async def test_a_body_of_any_length_comes_in_pieces(self, scene: Scene) -> None:
        content = PNG + bytes(MAX - len(PNG))
        reply = await scene.client.post("/files", data=pieces(content))
        assert (reply.status, reply.body["size"]) == (201, MAX)
        assert await scene.blobs.get(reply.body["key"]) == content

    async def test_what_no_job_takes_is_not_kept(self, scene: Scene) -> None:
        for body, told in (
            (b"", "is empty"),
            (PAGE, "unknown kind"),
            (b"GIF89a" + bytes(64), "unknown kind"),
            (b"PK\x03\x04" + bytes(64), "unknown kind"),
            (b"\x00\x00\x00\x18ftypheic" + bytes(64), "is heic"),
        ):
            reply = await scene.client.post("/files", data=body)
            assert of_kind(reply) == (415, "unsupported_media")
            assert told in reply.body["detail"]
        assert kept(scene) == []

    async def test_a_form_is_refused_with_what_to_do_instead(self, scene: Scene) -> None:
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        reply = await scene.client.post("/files", data=PNG, headers=headers)
        assert of_kind(reply) == (415, "unsupported_media")
        assert "body: file" in reply.body["detail"]

    async def test_a_compressed_body_is_refused_before_it_is_unpacked(self, scene: Scene) -> None:
        bomb = gzip.compress(PNG + bytes(50_000_000))
        reply = await scene.client.post("/files", data=bomb, headers={"Content-Encoding": "gzip"})
        assert of_kind(reply) == (415, "unsupported_media")
        assert kept(scene) == []

    async def test_too_large_is_refused_before_it_is_read_if_its_length_is_told(self, scene: Scene) -> None:
        head = f"POST /files\nContent-Length: {MAX + 1}\n"
        async with line(scene.client, head, body=PNG) as (reader, _):
            assert b" 413 " in await reader.readline()  # though most of the body has never come

    async def test_too_large_is_cut_off_if_its_length_is_not_told(self, scene: Scene) -> None:
        head = "POST /files\nTransfer-Encoding: chunked\n"
        chunk = b"4000\r\n" + PNG + bytes(0x4000 - len(PNG)) + b"\r\n"
        async with line(scene.client, head, body=chunk * (MAX // 0x4000 + 1)) as (reader, _):
            assert b" 413 " in await reader.readline()  # and no end of it was sent
        assert kept(scene) == []

    async def test_d29_an_upload_that_is_slow_and_goes_on_survives(self, scene: Scene) -> None:
        """It takes longer in all than any pause may be: not the whole time counts, but that nothing comes."""
        content = PNG + bytes(8_000)
        head = f"POST /files\nContent-Length: {len(content)}\n"
        async with line(scene.client, head) as (reader, writer):
            async for piece in pieces(content, 1_500):
                writer.write(piece)
                await asyncio.sleep(RULES.stall_seconds / 3)
            assert b" 201 " in await reader.readline()

    async def test_d29_an_upload_that_stands_still_is_cut_off(self, scene: Scene) -> None:
        for body in (b"", PNG):
            async with line(scene.client, "POST /files\nContent-Length: 5000\n", body=body) as (reader, _):
                assert b" 408 " in await reader.readline()
        assert kept(scene) == []

    async def test_a_client_that_leaves_in_the_middle_leaves_nothing(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ended, drop = asyncio.Event(), scene.store.uploads.drop

        async def dropped(upload_id: UUID) -> None:
            await drop(upload_id)
            ended.set()

        monkeypatch.setattr(scene.store.uploads, "drop", dropped)
        head = f"POST /files\nContent-Length: {MAX}\nExpect: 100-continue\n"
        async with line(scene.client, head) as (reader, writer):
            assert b" 100 " in await reader.readline()
            writer.write(PNG + bytes(100_000))
            await writer.drain()
        await ended.wait()
        assert kept(scene) == []
        for number in range(2):  # nor does it count for the day
            content = PNG + bytes([number]) + bytes(MAX - len(PNG) - 1)
            assert (await scene.client.post("/files", data=content)).status == 201

    async def test_a_length_that_lies_does_not_make_a_file(self, scene: Scene) -> None:
        async with line(scene.client, "POST /files\nContent-Length: 5000\n", body=PNG) as (reader, writer):
            writer.write_eof()
            assert b" 201 " not in await reader.read()
        assert kept(scene) == []

    async def test_a_day_takes_so_many_bytes_of_an_owner_and_the_next_as_many(self, scene: Scene) -> None:
        files = [PNG + bytes([i]) + bytes(MAX - len(PNG) - 1) for i in range(3)]
        for content in files[:2]:
            assert (await scene.client.post("/files", data=content)).status == 201
        reply = await scene.client.post("/files", data=files[2])
        assert of_kind(reply) == (429, "uploads_exhausted")
        assert DAY_SECONDS - 60 < int(reply.headers["Retry-After"]) <= DAY_SECONDS
        assert (await scene.client.as_(f"user:{OTHER}").post("/files", data=files[2])).status == 201

    async def test_of_many_at_once_as_many_are_taken_as_fit(self, scene: Scene) -> None:
        files = [PNG + bytes([i]) + bytes(MAX - len(PNG) - 1) for i in range(8)]
        replies = await asyncio.gather(*(scene.client.post("/files", data=content) for content in files))
        assert sorted(reply.status for reply in replies) == [201] * 2 + [429] * 6

    async def test_who_is_no_owner_brings_nothing(self, scene: Scene) -> None:
        for who, status in (("public", 403), (None, 401), ("service:credits", 403), ("service:owners", 400)):
            assert (await scene.client.as_(who).post("/files", data=PNG)).status == status
        assert kept(scene) == []


class TestWhoseFilesAreUsed:
    async def test_what_is_no_file_of_the_owner_is_no_input_and_leads_nowhere(self, scene: Scene) -> None:
        for key in (
            *(NOBODYS, "../../etc/passwd", "/etc/passwd", "..%2f..%2fetc%2fpasswd", "C:\\boot.ini"),
            *("file:///etc/passwd", "", "a\x00b.png", "\xe9" * 300, "\ud800"),
        ):
            reply = await scene.client.post("/jobs", json=order(key))
            assert reply.status in (400, 422), reply
        assert (await scene.engine.wallet("ada")).available == CREDITS
        for path in (
            "..%2F..%2Fetc%2Fpasswd",
            "%2Fetc%2Fpasswd",
            "%00",
            "..%00.png",
            "%ff",
            "...",
            "x" * 3_000,
        ):
            async with line(scene.client, f"GET /files/{path}\n") as (reader, _):
                assert b" 404 " in await reader.readline()

    async def test_a_file_of_somebody_else_answers_as_one_that_is_not_there(self, scene: Scene) -> None:
        key = (await scene.client.as_(f"user:{OTHER}").post("/files", data=PNG)).body["key"]
        ordered = [await scene.client.post("/jobs", json=order(each)) for each in (key, NOBODYS)]
        read = [await scene.client.get(f"/files/{each}") for each in (key, NOBODYS)]
        for (foreign, missing), status in ((ordered, 422), (read, 404)):
            assert foreign.status == missing.status == status
            assert foreign.raw.replace(key.encode(), b"") == missing.raw.replace(NOBODYS.encode(), b"")
        assert (await scene.client.post("/files", data=PNG)).status == 201, "who has it may use it"
        assert (await scene.client.post("/jobs", json=order(key))).status == 201

    async def test_a_result_may_be_the_input_of_the_next_job(self, scene: Scene) -> None:
        job = await scene.completed(PNG + b"better", "png")
        key = job.output["files"][0]["key"] if job.output else ""
        assert (await scene.client.post("/jobs", json=order(key))).status == 422
        path = f"/jobs/{job.id}/files/0/reuse"
        assert (await scene.client.as_(f"user:{OTHER}").post(path)).status == 404
        reply = await scene.client.post(path)
        assert (reply.status, reply.body["key"], reply.body["kind"]) == (200, key, "png")
        assert (await scene.client.post("/jobs", json=order(key))).status == 201

    async def test_a_result_that_no_job_takes_is_not_reused(self, scene: Scene) -> None:
        job = await scene.completed(b"glTF" + bytes(64), "glb")
        assert of_kind(await scene.client.post(f"/jobs/{job.id}/files/0/reuse")) == (415, "unsupported_media")


class TestResults:
    async def test_a_result_is_served_with_what_keeps_it_from_running(self, scene: Scene) -> None:
        job = await scene.completed(MP4, "mp4")
        reply = await scene.client.get(f"/jobs/{job.id}/files/0")
        assert (reply.status, reply.raw) == (200, MP4)
        told = {
            "Content-Type": "video/mp4",
            "Content-Length": str(len(MP4)),
            "Content-Disposition": f'inline; filename="{job.id}-0.mp4"',
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox",
            "Cache-Control": "private, no-cache",
            "Accept-Ranges": "bytes",
            "ETag": f'"{hashlib.sha256(MP4).hexdigest()}"',
        }
        assert {name: lower(reply).get(name.lower()) for name in told} == told
        asked = await scene.client.call("HEAD", f"/jobs/{job.id}/files/0")
        assert (asked.status, asked.raw, asked.headers["Content-Length"]) == (200, b"", str(len(MP4)))

    async def test_what_could_be_a_page_is_none(self, scene: Scene) -> None:
        for content, kind, media_type, shown in (
            (b"<svg onload=alert(1)>", "svg", "text/plain; charset=utf-8", "attachment"),
            (PAGE, "html", "text/plain; charset=utf-8", "attachment"),
            (PNG + PAGE, "png", "image/png", "inline"),
            (PAGE, "png", "image/png", "inline"),
            (PAGE, "xhtml", "application/octet-stream", "attachment"),
        ):
            job = await scene.completed(content, kind)
            reply = await scene.client.get(f"/jobs/{job.id}/files/0")
            told = lower(reply)
            assert (told["content-type"], reply.raw) == (media_type, content)
            assert (told["x-content-type-options"], told["content-security-policy"]) == ("nosniff", "sandbox")
            assert told["content-disposition"] == f'{shown}; filename="{job.id}-0.{kind}"'

    async def test_a_part_is_served(self, scene: Scene) -> None:
        job = await scene.completed(MP4, "mp4")
        parts: list[tuple[str, int, int, int | None]] = [
            ("bytes=0-9", 206, 0, 10),
            ("bytes=100000-", 206, 100_000, None),
            ("bytes=-10", 206, -10, None),
            ("bytes=-999999999", 206, 0, None),
            ("bytes=70000-999999999", 206, 70_000, None),
            ("bytes=999999999-", 416, 0, 0),
            ("bytes=-0", 416, 0, 0),
            ("bytes=9-0", 200, 0, None),
            ("bytes=0-1,5-6", 200, 0, None),
            ("bytes=-", 200, 0, None),
            ("bytes=" + "9" * 5_000 + "-", 200, 0, None),
            ("pages=1-2", 200, 0, None),
        ]
        for asked, status, start, end in parts:
            reply = await scene.client.get(f"/jobs/{job.id}/files/0", headers={"Range": asked})
            assert reply.status == status, (asked, reply)
            whole = f"bytes */{len(MP4)}"
            if status == 206:
                first = len(MP4) + start if start < 0 else start
                whole = f"bytes {first}-{first + len(reply.raw) - 1}/{len(MP4)}"
            assert lower(reply).get("content-range", whole) == whole
            if status == 416:
                assert reply.body["code"] == "range_not_satisfiable"
            else:
                assert reply.raw == MP4[start:end]

    async def test_who_has_it_already_is_told_so(self, scene: Scene) -> None:
        job = await scene.completed(MP4, "mp4")
        path, tag = f"/jobs/{job.id}/files/0", f'"{hashlib.sha256(MP4).hexdigest()}"'
        for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            reply = await scene.client.get(path, headers={"If-None-Match": known})
            assert (reply.status, reply.raw) == (304, b"")
        assert (await scene.client.get(path, headers={"If-None-Match": '"other"'})).status == 200
        for known, status in ((tag, 206), ('"other"', 200)):
            asked = {"Range": "bytes=0-9", "If-Range": known}
            assert (await scene.client.get(path, headers=asked)).status == status

    async def test_another_number_leads_nowhere(self, scene: Scene) -> None:
        job = await scene.completed(MP4, "mp4")
        for number in ("1", "-1", "99999999999999999999", "x", "0x0", "%00"):
            assert (await scene.client.get(f"/jobs/{job.id}/files/{number}")).status == 404

    async def test_what_is_not_paid_for_is_not_handed_out(self, scene: Scene) -> None:
        """Whatever a job has in its output: not before its credits are captured, nor once they are back."""
        made = (await scene.client.post("/jobs", json=await scene.order())).body
        job = await scene.drive.submit(await scene.drive.dispatch(await scene.engine.get(UUID(made["id"]))))
        files = {"files": [{"key": await scene.blobs.put(MP4, "a.mp4"), "kind": "mp4"}]}
        job = await scene.drive.event(job, "begin", Verdict.ACCEPTED, output=files)
        paths = [f"/jobs/{job.id}/files/0{rest}" for rest in ("", "/link", "/reuse")]
        for ended in (False, True):
            if ended:
                job = await scene.drive.event(job, "fail", Verdict.FAILED)
                assert (await scene.engine.wallet("ada")).available == CREDITS
            assert job.output == files
            for path in paths:
                method = "POST" if path.endswith(("link", "reuse")) else "GET"
                assert (await scene.client.call(method, path)).status == 404, (path, job.state)

    async def test_a_file_that_is_gone_is_a_problem_and_an_error_in_the_log(
        self, scene: Scene, caplog: pytest.LogCaptureFixture
    ) -> None:
        job = await scene.completed(MP4, "mp4")
        for name in kept(scene):
            scene.blobs.path(name).unlink()
        with caplog.at_level(logging.ERROR, "makegood.http"):
            reply = await scene.client.get(f"/jobs/{job.id}/files/0")
        assert of_kind(reply) == (404, "not_found")
        assert "not in our storage" in caplog.text


class TestLinks:
    async def made(self, scene: Scene, query: str = "") -> tuple[Job, Answer]:
        job = await scene.completed(MP4, "mp4")
        return job, await scene.client.post(f"/jobs/{job.id}/files/0/link{query}")

    async def test_a_link_leads_to_the_file_without_credentials(self, scene: Scene) -> None:
        _, reply = await self.made(scene)
        assert reply.status == 200, reply
        nobody = scene.client.as_(None)
        read = await nobody.get(reply.body["path"])
        assert (read.status, read.raw) == (200, MP4)
        told = lower(read)
        assert (told["content-security-policy"], told["referrer-policy"]) == ("sandbox", "no-referrer")
        part = await nobody.get(reply.body["path"], headers={"Range": "bytes=5-6"})
        assert (part.status, part.raw) == (206, MP4[5:7])
        left = datetime.fromisoformat(reply.body["expires_at"]) - await scene.engine.now()
        assert timedelta(minutes=59) < left <= timedelta(hours=1)

    async def test_a_link_ends_and_cannot_be_made_longer_or_lead_elsewhere(
        self, scene: Scene, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        job, reply = await self.made(scene, "?seconds=60")
        token = reply.body["path"].removeprefix("/links/")
        now = await scene.engine.now()
        assert links.read(SECRET, token, now) == (job.id, 0)
        assert links.read(SECRET, token, now + timedelta(seconds=62)) is None
        forged = [
            links.sign(SECRET, job.id, 0, now - timedelta(seconds=1)),
            links.sign(SECRET, job.id, 1, now + timedelta(days=1)),
            links.sign(SECRET, uuid4(), 0, now + timedelta(days=1)),
            links.sign(bytes(32), job.id, 0, now + timedelta(days=1)),
            *(token[:i] + ("A" if token[i] != "A" else "B") + token[i + 1 :] for i in range(len(token))),
            token[:-1],
            token + "A",
            token + "=",
            "%00",
        ]
        nobody = scene.client.as_(None)
        told = {(await nobody.get(f"/links/{each}")).raw for each in forged}
        assert len(told) == 1, "nobody learns what is wrong with a link"
        assert (await nobody.get(f"/links/{token}")).status == 200
        records = [r.getMessage() for r in caplog.records if r.name.startswith("makegood")]
        assert not [text for text in records if token in text]

    async def test_a_link_for_ever_is_not_given(self, scene: Scene) -> None:
        job = await scene.completed(MP4, "mp4")
        for query in ("?seconds=0", "?seconds=604801", "?seconds=x", "?until=2099"):
            reply = await scene.client.post(f"/jobs/{job.id}/files/0/link{query}")
            assert of_kind(reply) == (422, "invalid_query")

    async def test_without_a_secret_there_are_no_links(self, database: str, tmp_path: Path) -> None:
        async with opened(database, tmp_path) as scene:
            _, reply = await self.made(scene)
            assert of_kind(reply) == (409, "not_configured")
            assert (await scene.client.get("/links/" + "A" * 80)).status == 404

    def test_a_secret_that_can_be_tried_out_is_refused(self) -> None:
        with pytest.raises(ValueError, match="32 bytes"):
            FileRules(link_secret=b"secret")
        assert "secret of" not in repr(RULES)
        assert repr(SECRET) not in repr(RULES)


class TestSlowClients:
    @pytest.mark.parametrize("asgi", [False, True])
    async def test_who_stands_still_is_cut_off(self, database: str, tmp_path: Path, asgi: bool) -> None:
        async with opened(database, tmp_path, asgi=asgi, write_seconds=0.2) as scene:
            job = await scene.completed(MP4[:12] + bytes(20_000_000), "mp4")
            async with line(scene.client, f"GET /jobs/{job.id}/files/0\n") as (reader, _):
                assert b" 200 " in await reader.readline()
                await asyncio.sleep(1)  # it takes nothing
                taken = 0
                try:
                    while piece := await reader.read(1 << 20):
                        taken += len(piece)
                except ConnectionResetError:
                    pass
                assert taken < 20_000_000

    async def test_two_hundred_slow_downloads_do_not_stop_another(self, scene: Scene) -> None:
        large = await scene.completed(MP4[:12] + bytes(20_000_000), "mp4")
        small = await scene.completed(MP4, "mp4")
        async with AsyncExitStack() as stack:
            slow = [line(scene.client, f"GET /jobs/{large.id}/files/0\n") for _ in range(200)]
            lines = await asyncio.gather(*map(stack.enter_async_context, slow))
            told = await asyncio.gather(*(reader.readline() for reader, _ in lines))
            assert all(b" 200 " in each for each in told)
            reply = await scene.client.get(f"/jobs/{small.id}/files/0")
            assert (reply.status, reply.raw) == (200, MP4)

    async def test_a_result_of_300_megabytes_passes_through_little_memory(self, scene: Scene) -> None:
        size = 300_000_000
        job = await scene.completed(MP4, "mp4")
        with scene.blobs.path(job.output["files"][0]["key"] if job.output else "").open("r+b") as file:
            file.truncate(size)
        tracemalloc.start()
        try:
            url, taken = f"{scene.client.base}/jobs/{job.id}/files/0", 0
            async with scene.client.session.get(url, headers=scene.client.headers) as reply:
                async for piece in reply.content.iter_any():
                    taken += len(piece)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert taken == size
        assert peak < 10_000_000
