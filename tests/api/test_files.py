"""Files over `/v1`: what an owner brings is told by its bytes, bounded, and used by nobody else."""

import asyncio
import gzip
import hashlib
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from makegood.ports import DAY_SECONDS
from makegood_adapters.http.pace import steady
from tests.api.contents import NOBODYS, PAGE, kept, line, of_kind, order, pieces
from tests.api.scene import CREDITS, OTHER, PNG, RULES, Scene
from tests.loop_time import time_by_hand, turns

MAX = RULES.upload_bytes_max


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
            (b"GIF89a" + bytes(64), "is gif"),
            (b"PK\x03\x04" + bytes(64), "is zip"),
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
        assert reply.status == 415
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

    async def test_d29_an_upload_that_is_slow_and_goes_on_survives(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It takes longer in all than any pause may be: not the whole time counts, but that nothing comes."""
        content, taken, pause = PNG + bytes(8_000), asyncio.Queue[int](), 0.5

        async def hasty(chunks: AsyncIterator[bytes], bytes_min: int, seconds: float) -> AsyncIterator[bytes]:
            async for piece in steady(chunks, bytes_min=bytes_min, seconds=pause):
                taken.put_nowait(len(piece))
                yield piece

        monkeypatch.setattr("makegood_adapters.http.v1.files.steady", hasty)
        head = f"POST /files\nContent-Length: {len(content)}\n"
        async with line(scene.client, head) as (reader, writer):
            with time_by_hand() as pass_:
                async for piece in pieces(content, 2_000):
                    writer.write(piece)
                    came = 0
                    while came < len(piece):
                        came += await taken.get()
                    pass_(pause * 0.6)
                    await turns()
            assert b" 201 " in await reader.readline()

    async def test_d29_an_upload_that_stands_still_is_cut_off(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def hasty(chunks: AsyncIterator[bytes], bytes_min: int, seconds: float) -> AsyncIterator[bytes]:
            assert seconds == RULES.stall_seconds
            return steady(chunks, bytes_min=bytes_min, seconds=0.1)

        monkeypatch.setattr("makegood_adapters.http.v1.files.steady", hasty)
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

    async def test_a_storage_in_trouble_is_told_and_nothing_is_counted(
        self, scene: Scene, caplog: pytest.LogCaptureFixture
    ) -> None:
        brought = (await scene.client.post("/files", data=PNG)).body["key"]
        folder = scene.blobs.path(brought).parent
        away = folder.rename(folder.with_name("away"))
        folder.write_text("where files were")
        content = PNG + bytes(MAX - len(PNG))
        for reply in (
            await scene.client.post("/files", data=content),
            await scene.client.post("/files", data=content),
            await scene.client.get(f"/files/{brought}"),
        ):
            assert of_kind(reply) == (503, "unavailable")
            assert int(reply.headers["Retry-After"]) > 0
            assert str(folder) not in str(reply.body)
        assert "Not a directory" in caplog.text
        folder.unlink()
        away.rename(folder)
        assert (await scene.client.post("/files", data=content)).status == 201

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
