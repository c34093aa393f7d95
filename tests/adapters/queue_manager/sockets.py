"""A page's WebSocket as its library uses it, over a real engine and database that tells what happens."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp

from makegood import Catalog, Engine, Job, Settings
from makegood_adapters.http.callers import Gate
from makegood_adapters.http.v1.links import FileRules
from makegood_adapters.queue_manager import Options
from tests.adapters.queue_manager.scene import OWNER, PNG, Page, Scene, opened
from tests.api.issuer import PUBLIC, SECRET, by_secret

TABLE = "upscaler_jobs"
QUICK = Settings(loop_interval_seconds=0.05)
PATIENCE_SECONDS = 60.0


@dataclass
class Ear:
    """One socket; `lines` is what came, as it came."""

    wire: aiohttp.ClientWebSocketResponse
    version: str = "1.0.0"
    refs: int = 0
    lines: list[str] = field(default_factory=list)

    async def send(self, topic: str, event: str, payload: Mapping[str, Any], join: bool = False) -> str:
        """Send a message and return its ref."""
        self.refs += 1
        ref = str(self.refs)
        message = {
            "topic": topic,
            "event": event,
            "payload": payload,
            "ref": ref,
            "join_ref": ref if join else None,
        }
        if self.version == "2.0.0":
            await self.wire.send_json([message[n] for n in ("join_ref", "ref", "topic", "event", "payload")])
        else:
            await self.wire.send_json(message)
        return ref

    async def next(self) -> dict[str, Any]:
        """Return the next message as an object; a socket that is closed fails the test."""
        message = await self.wire.receive(PATIENCE_SECONDS)
        assert message.type is aiohttp.WSMsgType.TEXT, (message, self.wire.close_code)
        self.lines.append(message.data)
        told = json.loads(message.data)
        if self.version == "2.0.0":
            return dict(zip(("join_ref", "ref", "topic", "event", "payload"), told, strict=True))
        assert isinstance(told, dict)
        return told

    async def join(
        self, token: str | None, *filters: str, topic: str = "realtime:job-x", **given: Any
    ) -> Any:
        """Join for these filters and return the payload of the reply."""
        entries = [
            {"event": "UPDATE", "schema": "public", "table": TABLE, "filter": text, **given}
            for text in filters
        ]
        config = {
            "broadcast": {"ack": False, "self": False},
            "presence": {"key": "", "enabled": False},
            "postgres_changes": entries,
            "private": False,
        }
        payload: dict[str, Any] = {"config": config}
        if token is not None:
            payload["access_token"] = token
        ref = await self.send(topic, "phx_join", payload, join=True)
        return await self.reply(ref)

    async def reply(self, ref: str) -> Any:
        """Return the payload of the reply to a message; nothing else may come before it."""
        told = await self.next()
        assert (told["event"], told["ref"]) == ("phx_reply", ref), told
        return told["payload"]

    async def change(self) -> dict[str, Any]:
        """Return the record of the next change."""
        told = await self.next()
        assert told["event"] == "postgres_changes", told
        record = told["payload"]["data"]["record"]
        assert isinstance(record, dict)
        return record

    async def beat(self) -> list[dict[str, Any]]:
        """Send a heartbeat and return what came before its reply."""
        ref = await self.send("phoenix", "heartbeat", {})
        before: list[dict[str, Any]] = []
        while (told := await self.next())["ref"] != ref:
            before.append(told)
        assert told["payload"] == {"status": "ok", "response": {}}
        return before

    async def closed(self) -> int | None:
        """Return the code with which the server closes, whatever comes before."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not self.wire.closed:
                await self.wire.receive()
        return self.wire.close_code


@asynccontextmanager
async def listening(
    base: str, *, version: str = "1.0.0", key: str = PUBLIC, **given: Any
) -> AsyncIterator[Ear]:
    """Open a socket as the library does."""
    address = f"{base}/realtime/v1/websocket?{urlencode({'apikey': key, 'vsn': version})}"
    async with aiohttp.ClientSession() as session, session.ws_connect(address, **given) as wire:
        yield Ear(wire, version)


_INPUTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "upscaler_jobs": ("upscaler", ("image",)),
    "pose_changer_jobs": ("pose_changer", ("person", "reference")),
}


class ListenedScene(Scene):
    """A scene whose jobs are made by the engine, for it is only what becomes of them that is heard."""

    async def insert(self, table: str, **given: Any) -> Job:
        job_type, files = _INPUTS[table]
        return await self.engine.submit(
            job_type, OWNER, {name: await self.blobs.put(PNG, f"{name}.png") for name in files}
        )


@asynccontextmanager
async def telling(database: str, folder: Path, gate: Gate | None, **given: Any) -> AsyncIterator[Scene]:
    """Yield a scene whose sockets hear: another process, which has the loops, places transitions. Its page
    is that of the owner, signed in."""
    files = FileRules(link_secret=SECRET.encode())
    options = Options(gate=gate, public_key=PUBLIC, base_url="https://pages.example", files=files, **given)
    headers = {"apikey": PUBLIC, "Authorization": f"Bearer {by_secret(sub=OWNER) if gate else PUBLIC}"}
    async with (
        opened(database, folder, options, settings=QUICK) as scene,
        Engine(scene.store, Catalog([]), blobs=scene.blobs, settings=QUICK),
        aiohttp.ClientSession(headers=headers) as session,
    ):
        yield ListenedScene(**{**vars(scene), "page": Page(session, scene.page.base)})
