"""`makegood serve` as pages have it: a service with users, the simulated provider, and programs of Node."""

import asyncio
import base64
import hashlib
import json
import os
import socket
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import SecretStr

from makegood import Catalog, Engine, Job
from makegood_adapters.access import USER_RATES, LimitsConfig
from makegood_adapters.config import AccountConfig, ServiceConfig
from makegood_adapters.folder import FolderBlobs
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.runninghub.simulator import Account, Faults, Match, Rule, Simulator
from makegood_adapters.service import serve
from makegood_adapters.toolfiles import default_tools_folder, load_tools
from tests.api.issuer import BY_SECRET, PUBLIC, by_secret
from tests.scenarios.stage import FAST, KEY, PATIENCE_SECONDS, picture, quick

CREDITS: Mapping[str, int] = {"ada": 5_000, "poor": 10, "hasty": 500, "blocker": 1_000}


def id_of(user: str) -> str:
    """Return the id of a user, which is a UUID where such pages sign in."""
    return str(uuid5(NAMESPACE_URL, user))


@dataclass
class Service:
    """A service with one slot, and the hand that moves its provider."""

    url: str
    engine: Engine
    simulator: Simulator
    pictures: int = 0
    blocking: Job | None = None
    lived: list[str] = field(default_factory=list)

    async def answer(self, what: str, given: Mapping[str, Any]) -> Any:
        """Do what a program asks for."""
        answers: dict[str, Callable[[Mapping[str, Any]], Awaitable[Any]]] = {
            "picture": self._picture,
            "fill": self._fill,
            "drain": self._drain,
            "release": self._release,
        }
        return await answers[what](given)

    async def _picture(self, given: Mapping[str, Any]) -> Any:
        """Return a picture that nobody else has; the faults meet its task."""
        self.pictures += 1
        data = picture(self.pictures)
        if faults := given.get("faults"):
            match = Match(input_sha256=hashlib.sha256(data).hexdigest())
            self.simulator.add(Rule(faults=Faults(**faults), match=match))
        return {"png": base64.b64encode(data).decode()}

    async def _fill(self, _: Mapping[str, Any]) -> Any:
        """Take the only slot for the job of somebody else."""
        made = await self._picture({"faults": {"hold": "running"}})
        key = await self.engine.blobs.put(base64.b64decode(made["png"]), "input.png")
        job = await self.engine.submit("upscaler", id_of("blocker"), {"image": key})
        self.blocking = await self.engine.accept(job.id)
        await self._reached(self.blocking.id, "running")
        return {}

    async def _drain(self, _: Mapping[str, Any]) -> Any:
        """Give the slot back."""
        assert self.blocking is not None
        await self._release({})
        await self._reached(self.blocking.id, "completed")
        return {}

    async def _release(self, _: Mapping[str, Any]) -> Any:
        """Let the provider go on with what it holds."""
        for task in self.simulator.tasks:
            self.simulator.release(task.id)
        return {}

    async def _reached(self, job_id: UUID, state: str) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for step in self.engine.watch(job_id):
                if step.to_state == state:
                    return
        raise AssertionError(f"{job_id} never was {state}")


@asynccontextmanager
async def serving(dsn: str, folder: Path) -> AsyncIterator[Service]:
    """Serve, with credits for the users."""
    async with AsyncExitStack() as stack:
        simulator = await stack.enter_async_context(Simulator(keys={KEY: Account(limit=50)}, pace=FAST))
        listener = socket.create_server(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = ServiceConfig(
            database_url=SecretStr(dsn),
            blobs=str(folder / "files"),
            link_secret=SecretStr("e" * 16 + hashlib.sha256(b"pages").hexdigest()),
            public_key=SecretStr(PUBLIC),
            public_url=url,
            auth=BY_SECRET,
            accounts=[AccountConfig(name="main", base_url=simulator.url, api_key=SecretStr(KEY), capacity=1)],
            engine=quick(webhook_base_url=url),
            # As many as in a minute: on a slow machine nobody makes these within one.
            limits=LimitsConfig(user={"submits": USER_RATES["submits"].replace("minute", "hour")}),
        )
        stopping, listening = asyncio.Event(), asyncio.Event()
        running = asyncio.create_task(
            serve(config, stopping, listener=listener, listening=listening.set), name="the service"
        )
        stack.push_async_callback(asyncio.wait, {running})
        stack.callback(stopping.set)
        began = asyncio.create_task(listening.wait())
        await asyncio.wait({running, began}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        store = await stack.enter_async_context(PostgresStore.open(dsn))
        catalog, blobs = Catalog(load_tools(default_tools_folder())), FolderBlobs(folder / "files")
        engine = await stack.enter_async_context(Engine(store, catalog, blobs=blobs, run_loops=False))
        for user, credits in CREDITS.items():
            await engine.grant(id_of(user), credits, source_ref=f"order-{user}")
        yield Service(url, engine, simulator)


async def live(service: Service, folder: Path, program: str, *words: str) -> list[str]:
    """Run a program of Node beside the service and do what it asks for; return the lives that it had."""
    now = time.time()
    users = {
        user: {"id": id_of(user), "token": by_secret(sub=id_of(user), iat=now, exp=now + 3_600)}
        for user in CREDITS
    }
    environment = {**os.environ, "URL": service.url, "PUBLIC_KEY": PUBLIC, "USERS": json.dumps(users)}
    node = await asyncio.create_subprocess_exec(
        "node", program, *words, cwd=folder, env=environment, stdin=PIPE, stdout=PIPE
    )
    try:
        await _converse(service, node)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await node.wait() == 0, service.lived
    finally:
        if node.returncode is None:
            node.kill()
            await node.wait()
    return service.lived


async def _line_of(told: asyncio.StreamReader) -> bytes:
    """Return the next line; that the program hangs is seen between two of them, however many there are."""
    async with asyncio.timeout(2 * PATIENCE_SECONDS):
        return await told.readline()


async def _converse(service: Service, node: Process) -> None:
    assert node.stdout is not None
    assert node.stdin is not None
    while line := await _line_of(node.stdout):
        told = json.loads(line)
        if told["what"] == "lived":
            service.lived.append(told["name"])
            continue
        answer = await service.answer(told.pop("what"), told)
        node.stdin.write(json.dumps(answer).encode() + b"\n")
        await node.stdin.drain()
