"""A show that runs as its user started it: what it prints, its page, its API, and its buttons."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests import command

PATIENCE_SECONDS = 240.0
_ASKS_SECONDS = 0.1
JSON = {"Content-Type": "application/json"}
ADDRESS = re.compile(r"(http://127\.0\.0\.1:\d+)/page/")


@dataclass
class Show:
    """One process with a page; `lines` is what it has printed so far."""

    process: asyncio.subprocess.Process
    session: aiohttp.ClientSession
    lines: list[str] = field(default_factory=list)
    url: str = ""
    printed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            async with self.printed:
                self.lines.append(line.decode().rstrip("\n"))
                self.printed.notify_all()

    async def told(self, text: str, behind: int = 0) -> str:
        """Return the first line with *text* that was printed behind so many others."""

        def found() -> list[str]:
            return [line for line in self.lines[behind:] if text in line]

        async with asyncio.timeout(PATIENCE_SECONDS), self.printed:
            await self.printed.wait_for(found)
        return found()[0]

    async def stage(self, until: Callable[[dict[str, Any]], Any] = bool) -> dict[str, Any]:
        """Ask for the stage, as its page does, until it is as wanted."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            shown: dict[str, Any] = await self.get("/stage")
            while not until(shown):
                await asyncio.sleep(_ASKS_SECONDS)
                shown = await self.get("/stage")
        return shown

    async def jobs(self, query: str) -> list[dict[str, Any]]:
        """Ask for the jobs that are like that until there are some."""
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not found:
                await asyncio.sleep(_ASKS_SECONDS)
                found = (await self.get(f"/v1/operations/jobs?{query}"))["jobs"]
        return found

    async def buttons(self, *wanted: str) -> list[str]:
        """Wait until all buttons that are *wanted* are there, and return the names of all."""

        def names(stage: dict[str, Any]) -> list[str]:
            return [button["name"] for button in stage["buttons"]]

        return names(await self.stage(lambda stage: names(stage) and not set(wanted) - set(names(stage))))

    async def press(self, button: str) -> str:
        async with self.session.post(f"{self.url}/stage/{button}", headers=JSON) as reply:
            assert reply.status == 200, await reply.text()
            return str((await reply.json())["text"])

    async def get(self, path: str) -> Any:
        async with self.session.get(self.url + path) as reply:
            assert reply.status == 200, await reply.text()
            return await (reply.json() if path.startswith(("/v1", "/stage")) else reply.text())

    async def interrupt(self) -> int:
        """Press Ctrl-C and return the exit status."""
        self.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.process.wait()


@asynccontextmanager
async def shown(*words: str, folder: Path, environment: Mapping[str, str]) -> AsyncIterator[Show]:
    """Start `makegood` with *words* and yield it once it has told where its page is."""
    process = await asyncio.create_subprocess_exec(
        command.PROGRAM,
        *words,
        cwd=folder,
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with aiohttp.ClientSession(trust_env=False) as session:
        show = Show(process, session)
        reading = asyncio.create_task(show.read())
        try:
            address = ADDRESS.search(await show.told("/page/"))
            assert address
            show.url = address[1]
            yield show
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            await reading
