"""The job manager of the TypeScript client: pages live with it as they did before, and lose nothing."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from makegood import Verdict
from makegood.job import Job
from makegood_adapters.http.hub import StreamLimits
from tests.api.scene import OTHER, OWNER, PNG, Scene
from tests.client.site import a_site, node_of

#: Places are looked at often, and a stream that lives is never silent for long.
LIVELY = StreamLimits(place_seconds=0.1, heartbeat_seconds=0.2)
TOO_FEW = 7


async def test_d9_d47_f2_f3_f12_pages_live_by_the_functions_they_have_always_had(
    programs: Path, database: str, tmp_path: Path
) -> None:
    lives = ("completed", "failed", "queued", "refused", "named", "reported")
    await _lived(programs, database, tmp_path, lives)


async def test_d18_p17_c13_a_page_that_loses_its_line_or_leaves_loses_nothing_else(
    programs: Path, database: str, tmp_path: Path
) -> None:
    await _lived(programs, database, tmp_path, ("broken", "unstreamed", "left"))


async def test_the_page_of_the_docs_shows_its_result(
    programs: Path, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (programs / "picture.png").write_bytes(PNG)
    async with a_site(database, tmp_path, LIVELY) as (scene, environment):
        prepare, seen = scene.engine.prepare, asyncio.Event()

        async def later(*given: Any, **named: Any) -> Job:
            await seen.wait()  # it is started while its subscription looks at it for the first time
            return await prepare(*given, **named)

        monkeypatch.setattr(scene.engine, "prepare", later)
        node = await node_of(programs, environment, "out/page.js")
        assert node.stdout is not None
        told = [(await node.stdout.readline()).decode()]
        seen.set()
        told += [(await node.stdout.readline()).decode() for _ in range(2)]
        [job] = (await scene.engine.list_jobs(OWNER)).jobs
        await _Service(scene).do("complete", str(job.id))
        told += (await node.stdout.read()).decode().splitlines(keepends=True)
        assert await node.wait() == 0
    assert told[0].strip() == "pending"
    assert sorted(line.strip() for line in told[1:3]) == ["queued 1", "started: true true"]
    assert told[-1].split() == ["completed", "with", "a", "result"]


async def _lived(programs: Path, database: str, folder: Path, lives: tuple[str, ...]) -> None:
    """Let a page live *lives*, and do at the service what it asks for."""
    async with a_site(database, folder, LIVELY) as (scene, environment):
        await scene.engine.grant(OTHER, TOO_FEW, source_ref="order-2")
        service, order = _Service(scene), await scene.order()
        price = await scene.engine.quote(order["type"], order["input"])
        node = await node_of(programs, {**environment, "PRICE": str(price)}, "out/manager.js", *lives)
        assert node.stdout is not None
        assert node.stdin is not None
        async for line in node.stdout:
            told = json.loads(line)
            await service.do(told["what"], told["job_id"])
            node.stdin.write(b"done\n")
        assert await node.wait() == 0


class _Service:
    """What happens at the service when a page's test asks for it."""

    def __init__(self, scene: Scene) -> None:
        self._scene, self._others = scene, list[Job]()

    async def do(self, what: str, job_id: str) -> None:
        acts: dict[str, Callable[[Job], Awaitable[object]]] = {
            "starting": self._starting,
            "running": self._running,
            "complete": self._complete,
            "fail": self._fail,
        }
        match what:
            case "two of others wait":
                self._others = [await self._other() for _ in range(2)]
            case "the next one starts":
                await self._scene.drive.dispatch(self._others.pop(0))
            case _:
                await acts[what](await self._scene.engine.get(UUID(job_id)))

    async def _other(self) -> Job:
        owner = str(uuid4())
        await self._scene.engine.grant(owner, 1_000, source_ref="order")
        order = await self._scene.order(owner)
        job = await self._scene.engine.submit(order["type"], owner, order["input"])
        return await self._scene.engine.accept(job.id)

    async def _starting(self, job: Job) -> Job:
        return await self._scene.drive.submit(await self._scene.drive.dispatch(job))

    async def _running(self, job: Job) -> Job:
        if job.state == "queued":
            job = await self._starting(job)
        return await self._scene.drive.event(job, "begin", Verdict.ACCEPTED)

    async def _complete(self, job: Job) -> Job:
        if job.state != "running":
            job = await self._running(job)
        content = PNG + b"result"
        key = await self._scene.blobs.put(content, "result.png")
        file = {"key": key, "kind": "png", "node": "", "size": len(content), "sha256": key[:64]}
        return await self._scene.drive.event(job, "complete", Verdict.SUCCEEDED, output={"files": [file]})

    async def _fail(self, job: Job) -> Job:
        error = {"category": "provider", "message": "It failed."}
        return await self._scene.drive.event(await self._running(job), "fail", Verdict.FAILED, error=error)
