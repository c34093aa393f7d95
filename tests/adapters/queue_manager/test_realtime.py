"""Pages hear of their rows: what the library sends and gets, a life in order, and whose rows are told."""

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import WSServerHandshakeError

from makegood.job import Verdict
from makegood_adapters.http.callers import Caller
from makegood_adapters.http.gatekeeper import Gatekeeper
from makegood_adapters.queue_manager.realtime_rows import COLUMNS
from tests.adapters.queue_manager.scene import OWNER, Scene
from tests.adapters.queue_manager.sockets import TABLE, listening, telling
from tests.api.issuer import BY_SECRET, NOW, PUBLIC, a_gate, by_secret
from tests.loop_time import hasten

ADA, BOB = by_secret(sub=OWNER), by_secret(sub="bob")
EXPIRED = by_secret(exp=NOW - 60)


@pytest_asyncio.fixture
async def gate() -> AsyncIterator[Gatekeeper]:
    async with a_gate(BY_SECRET) as made:
        yield made


@pytest_asyncio.fixture
async def scene(database: str, tmp_path: Path, gate: Gatekeeper) -> AsyncIterator[Scene]:
    async with telling(database, tmp_path, gate) as made:
        yield made


PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "realtime.md"
#: What the library and the service that it was made for say to each other, as it was recorded.
JOIN, JOINED, HEARTBEAT, BEATEN, LEAVE, LEFT = re.findall(r"^\{.*\}$", PAGE.read_text(), re.MULTILINE)


async def test_the_messages_are_those_that_were_recorded(scene: Scene) -> None:
    job = await scene.job_at("pending")
    topic = f"realtime:job-upscaler-{job.id}"
    given = {"topic": topic, "table": TABLE, "id": str(job.id), "token": ADA}

    def filled(text: str) -> str:
        for name, value in given.items():
            text = text.replace(f"<{name}>", value)
        return text

    async with listening(scene.page.base) as ear:
        for sent in (JOIN, HEARTBEAT):
            await ear.wire.send_str(filled(sent))
            await ear.next()
        await scene.engine.cancel(job.id)
        change = await ear.next()
        await ear.wire.send_str(filled(LEAVE))
        await ear.next()
    [joined, beaten, _, left] = ear.lines
    assert [joined, beaten, left] == [filled(JOINED), BEATEN, filled(LEFT)]
    record = change["payload"]["data"].pop("record")
    assert change["payload"]["data"].pop("commit_timestamp")
    assert change == {
        "topic": topic,
        "event": "postgres_changes",
        "payload": {
            "ids": [1],
            "data": {
                "schema": "public",
                "table": TABLE,
                "type": "UPDATE",
                "columns": [],
                "old_record": None,
                "errors": None,
            },
        },
        "ref": None,
    }
    assert set(record) == set(COLUMNS)
    assert (record["id"], record["status"]) == (str(job.id), "cancelled")


@pytest.mark.parametrize("version", ["1.0.0", "2.0.0"])
async def test_a_life_is_heard_in_order_each_change_once_and_its_result_with_its_end(
    scene: Scene, version: str
) -> None:
    """Two topics and two entries for one row: each topic hears each change once, for both of its entries."""
    job = await scene.job_at("pending")
    given = f"id=eq.{job.id}"
    async with listening(scene.page.base, version=version) as ear:
        reply = await ear.join(ADA, given, "id=eq.7", given)
        assert [entry["id"] for entry in reply["response"]["postgres_changes"]] == [1, 2, 3]
        await ear.join(ADA, given, topic="realtime:job-sync-x")
        job = await scene.drive.submit(await scene.drive.dispatch(await scene.engine.accept(job.id)))
        job = await scene.event(job, "begin", Verdict.ACCEPTED)
        key = await scene.blobs.put(b"\x89PNG\r\n\x1a\nresult", "result.png")
        file = {"key": key, "kind": "png", "bytes": 14}
        await scene.event(job, "complete", Verdict.SUCCEEDED, output={"files": [file]})
        heard: dict[str, list[Any]] = {}
        for _ in range(8):
            told = await ear.next()
            heard.setdefault(told["topic"], []).append(told["payload"])
            assert told["ref"] is None
        assert await ear.beat() == []
    assert [each["ids"] for each in heard["realtime:job-x"]] == [[1, 3]] * 4
    for payloads in heard.values():
        records = [each["data"]["record"] for each in payloads]
        assert [row["status"] for row in records] == ["queued", "starting", "running", "completed"]
        assert [bool(row["output_url"]) for row in records] == [False, False, False, True]


async def test_a_failure_is_told_as_a_look_at_the_row_tells_it(scene: Scene) -> None:
    job = await scene.job_at("running")
    async with listening(scene.page.base) as ear:
        await ear.join(ADA, f"id=eq.{job.id}")
        assert (await ear.change())["status"] == "running"
        error = {"category": "provider", "message": "It failed there."}
        await scene.event(job, "fail", Verdict.FAILED, error=error)
        record = await ear.change()
    assert record["status"] == "failed"
    assert f"{job.price} credits were given back" in record["error_message"]
    assert (await scene.page.select(TABLE, job.id, ",".join(COLUMNS))).body == [record]


async def test_what_changed_between_the_look_and_the_join_is_told_after_the_join(scene: Scene) -> None:
    moved = await scene.job_at("completed", "pose_changer_jobs")
    fresh = await scene.job_at("pending")
    async with listening(scene.page.base) as ear:
        await ear.join(ADA, f"id=eq.{fresh.id}")
        assert await ear.beat() == [], "nothing has changed since the insert"
        await ear.join(ADA, f"id=eq.{moved.id}", table="pose_changer_jobs", topic="realtime:b")
        assert (await ear.change())["status"] == "completed"
        await ear.join(ADA, f"id=eq.{moved.id}", topic="realtime:c")
        assert await ear.beat() == [], "of another table"


@pytest.mark.parametrize("token", [BOB, PUBLIC, None], ids=["bob", "key", "none"])
async def test_c3_the_row_of_another_is_joined_and_never_heard(scene: Scene, token: str | None) -> None:
    """Nor is an id that there is not, or a filter that is none: nobody learns which ids there are."""
    job = await scene.job_at("running")
    odd = ["id=eq.7", "id=neq.1", "", "user_id=eq.ada", f"id=eq.{job.id}&x=1", f"id=in.({job.id})"]
    texts = [f"id=eq.{job.id}", "id=eq.00000000-0000-0000-0000-000000000000", *odd]
    async with listening(scene.page.base) as ear, listening(scene.page.base) as own:
        reply = await ear.join(token, *texts)
        assert reply["status"] == "ok"
        assert [entry["filter"] for entry in reply["response"]["postgres_changes"]] == texts
        await own.join(ADA, f"id=eq.{job.id}")
        assert (await own.change())["status"] == "running"
        await scene.event(job, "complete", Verdict.SUCCEEDED)
        assert (await own.change())["status"] == "completed"
        assert await ear.beat() == []


async def test_other_events_and_schemas_are_joined_and_not_heard(scene: Scene) -> None:
    job = await scene.job_at("running")
    async with listening(scene.page.base) as ear:
        others: tuple[dict[str, Any], ...] = ({"event": "INSERT"}, {"schema": "auth"}, {"table": 7})
        for n, given in enumerate([*others, {"filter": None}]):
            reply = await ear.join(ADA, f"id=eq.{job.id}", topic=f"realtime:{n}", **given)
            [entry] = reply["response"]["postgres_changes"]
            assert entry == {**entry, **given}
        assert await ear.beat() == []
        await ear.join(ADA, f"id=eq.{job.id}", event="*")
        assert (await ear.change())["status"] == "running"


async def test_a_bad_token_joins_nothing_and_ends_what_was_heard(scene: Scene) -> None:
    job = await scene.job_at("queued")
    async with listening(scene.page.base) as ear:
        bad: tuple[Any, ...] = (EXPIRED, by_secret("x" * 32), "no token", 7, {"a": 1})
        for token in bad:
            reply = await ear.join(token, f"id=eq.{job.id}", topic="realtime:bad")
            assert reply["status"] == "error"
            assert reply["response"]["reason"]
        await ear.join(ADA, f"id=eq.{job.id}")
        assert (await ear.change())["status"] == "queued"
        for token in (BOB, EXPIRED, PUBLIC, 7):
            await ear.send("realtime:job-x", "access_token", {"access_token": token})
        job = await scene.drive.dispatch(job)
        told = await ear.beat()
        assert {one["event"] for one in told} == {"system"}, "the library leaves these unheard"
        await ear.send("realtime:job-x", "access_token", {"access_token": ADA})
        assert (await ear.change())["status"] == "starting", "what was missed meanwhile"
        await ear.send("realtime:job-x", "access_token", {"access_token": by_secret(sub=OWNER, jti="new")})
        assert await ear.beat() == []
        job = await scene.event(await scene.drive.submit(job), "begin", Verdict.ACCEPTED)
        assert (await ear.change())["status"] == "running"


#: No machine is so slow that a token is over before it is meant to be; a socket may be silent for longer.
TOKEN_SECONDS = 80.0


class ShortTokens(Gatekeeper):
    """The next tokens of users are soon over."""

    short = 0

    async def identify(self, headers: Any, address: str) -> Caller:
        caller = await super().identify(headers, address)
        if caller.owner and self.short:
            self.short -= 1
            return Caller(kind=caller.kind, owner=caller.owner, expires_at=time.time() + TOKEN_SECONDS)
        return caller


async def test_a_token_that_expires_ends_its_delivery_until_another_comes(
    database: str, tmp_path: Path, gate: Gatekeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = ShortTokens.__new__(ShortTokens)
    short.__dict__.update(gate.__dict__)
    async with telling(database, tmp_path, short) as scene:
        job = await scene.job_at("queued")
        async with listening(scene.page.base) as ear:
            short.short = 1
            await ear.join(ADA, f"id=eq.{job.id}")
            assert (await ear.change())["status"] == "queued"
            now = time.time
            monkeypatch.setattr(time, "time", lambda: now() + TOKEN_SECONDS)
            hasten(TOKEN_SECONDS)
            told = await ear.next()
            assert (told["event"], told["payload"]["message"]) == ("system", "The access token has expired.")
            await scene.drive.dispatch(job)
            assert await ear.beat() == []
            await ear.send("realtime:job-x", "access_token", {"access_token": ADA})
            assert (await ear.change())["status"] == "starting"


async def test_who_has_left_hears_nothing_more(scene: Scene) -> None:
    job = await scene.job_at("queued")
    async with listening(scene.page.base) as ear:
        await ear.join(ADA, f"id=eq.{job.id}")
        assert (await ear.change())["status"] == "queued"
        assert (await ear.reply(await ear.send("realtime:job-x", "phx_leave", {})))["status"] == "ok"
        await scene.drive.dispatch(job)
        assert await ear.beat() == []


async def test_only_pages_with_the_key_and_of_a_known_origin_open_a_socket(
    database: str, tmp_path: Path, gate: Gatekeeper
) -> None:
    ours = "https://shop.example"
    async with telling(database, tmp_path, gate, origins=(ours,)) as scene:
        for given, status in (
            ({"key": "sb_publishable_other"}, 401),
            ({"key": ""}, 401),
            ({"version": "3.0.0"}, 400),
            ({"origin": "https://evil.example"}, 403),
        ):
            with pytest.raises(WSServerHandshakeError) as refused:
                async with listening(scene.page.base, **given):
                    pass
            assert refused.value.status == status
        for origin in (ours, None):
            async with listening(scene.page.base, origin=origin) as ear:
                assert await ear.beat() == []
        plain = await scene.page.call("GET", f"/realtime/v1/websocket?apikey={PUBLIC}")
        assert (plain.status, plain.headers["Upgrade"]) == (426, "websocket")
        assert "error" in plain.body


async def test_where_no_users_are_known_a_page_hears_of_the_job_whose_id_it_knows(
    database: str, tmp_path: Path
) -> None:
    async with telling(database, tmp_path, None) as scene:
        with pytest.raises(WSServerHandshakeError):
            async with listening(scene.page.base, key="another"):
                pass
        job = await scene.job_at("queued")
        async with listening(scene.page.base) as ear:
            await ear.join(None, f"id=eq.{job.id}")
            assert (await ear.change())["status"] == "queued"
            await scene.drive.dispatch(job)
            assert (await ear.change())["status"] == "starting"
