"""Results over `/v1`: served whole or in part to who has paid, never run, and to the slow without harm."""

import asyncio
import hashlib
import logging
import tracemalloc
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from makegood.job import Job, Verdict
from makegood_adapters.folder import FolderBlobs
from makegood_adapters.http.v1 import links
from makegood_adapters.http.v1.links import FileRules
from tests.api.contents import MP4, NOBODYS, PAGE, kept, line, lower, of_kind
from tests.api.scene import CREDITS, PNG, RULES, SECRET, Answer, Scene, opened
from tests.api.streams import PATIENCE_SECONDS


class Breaking(FolderBlobs):
    """A storage that fails in the middle of a file."""

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        yield MP4[: len(MP4) // 2]
        raise OSError("the disk broke")


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
        operator = scene.client.as_("service:observe")
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
            shown = (await operator.get(f"/operations/jobs/{job.id}")).body
            kept_back = {"level": "plain", "text": "1 result file kept back: not paid for"}
            assert (shown["files"], shown["told"][-1]) == ([], kept_back)

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

    async def test_a_file_that_breaks_off_ends_the_connection_and_nothing_follows(self, scene: Scene) -> None:
        """Its length was told: whatever came after would be taken for the rest of the file."""
        job = await scene.completed(MP4, "mp4")
        scene.engine.blobs = Breaking(scene.blobs.path(NOBODYS).parent)
        async with line(scene.client, f"GET /jobs/{job.id}/files/0\n") as (reader, _):
            told = bytearray()
            with suppress(ConnectionResetError):
                while piece := await reader.read(1 << 20):
                    told += piece
        assert told.count(b"HTTP/1.1") <= 1
        assert len(told.partition(b"\r\n\r\n")[2]) in (0, len(MP4) // 2)


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
        async with opened(database, tmp_path, files=FileRules()) as scene:
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
    async def test_who_stands_still_is_cut_off(
        self, database: str, tmp_path: Path, asgi: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with opened(database, tmp_path, asgi=asgi, write_seconds=0.2) as scene:
            read, let_go = scene.blobs.read, asyncio.Event()

            async def reading(*given: Any, **named: Any) -> AsyncGenerator[bytes, None]:
                size = 0
                try:
                    async for piece in read(*given, **named):
                        size += len(piece)
                        yield piece
                finally:
                    if size > 100_000:  # less is only looked at
                        let_go.set()

            monkeypatch.setattr(scene.blobs, "read", reading)
            job = await scene.completed(MP4[:12] + bytes(20_000_000), "mp4")
            async with line(scene.client, f"GET /jobs/{job.id}/files/0\n") as (reader, _):
                assert b" 200 " in await reader.readline()
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await let_go.wait()  # meanwhile it takes nothing
                taken = 0
                with suppress(ConnectionResetError):
                    while piece := await reader.read(1 << 20):
                        taken += len(piece)
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
