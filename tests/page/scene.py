"""The page as operators have it: a real service with its loops, in the process of the test, and a browser."""

import os
import shutil
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

from makegood import BaseJob, Catalog, Engine, Job, JobInput, ProviderAccount
from makegood.outcome import Output, Succeeded, Unfinished
from makegood.settings import Settings
from makegood.testing.provider import ScriptedProvider
from makegood_adapters.config import ServiceConfig
from makegood_adapters.folder import FolderBlobs
from makegood_adapters.front import Front, bind, gate_of
from makegood_adapters.postgres.store import PostgresStore
from tests.ports import kept_port

FLAGS = [
    "--no-sandbox",  # the tests may run as root in a container, where there is no other way
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
#: For what hangs, in milliseconds: no test wants a machine to be quick.
PATIENCE_MS = 120_000
expect.set_options(timeout=PATIENCE_MS)
#: A slow machine must not decide: what the page takes back after a while stays until it is looked at, and
#: what it asks for may take as long as it is held; who means a limit of the page aborts its `limits`.
#: `fetched` counts by name what the page asks for (of several requests that are alike a browser lets one
#: through), `unanswered` what of it is on its way.
PATIENT = """{
    const { setTimeout: later, fetch: ask } = window, said = 8_000;
    window.setTimeout = (what, ms, ...given) => ms === said ? 0 : later(what, ms, ...given);
    window.limits = [];
    AbortSignal.timeout = () => limits[limits.push(new AbortController()) - 1].signal;
    window.fetched = {};
    window.unanswered = {};
    window.fetch = async (url, how) => {
        const name = url.split('?')[0].split('/').pop();
        fetched[name] = (fetched[name] ?? 0) + 1;
        unanswered[name] = (unanswered[name] ?? 0) + 1;
        try { return await ask(url, how); } finally { unanswered[name] -= 1; }
    };
}"""
POOL, OWNER, CREDITS = "studio", "ada", 10_000


class Portrait(BaseJob):
    """A picture for 60 credits."""

    pool, price, label = POOL, 60, "Portrait"

    class Input(JobInput):
        """What is painted."""

        prompt: str


def chromium() -> str:
    """Return the browser of this machine; without one the test is skipped, or fails where one must be."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None and os.environ.get("BROWSER_TESTS") == "required":
        pytest.fail("BROWSER_TESTS=required, but there is no Chromium: install it, or set CHROMIUM")
    if found is None:
        pytest.skip("no Chromium on PATH (Debian: apt install chromium), and CHROMIUM names none")
    return found


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """Run the browser of this machine."""
    program = chromium()
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        await browser.close()


@dataclass
class Watched:
    """Pages whose every complaint is kept: of the console, of scripts, and of the policy."""

    browser: Browser
    complaints: list[str] = field(default_factory=list)
    _open: list[Page] = field(default_factory=list)

    async def __call__(self, url: str, *, broken: bool = False, width: int = 1280, dark: bool = False,
                       calm: bool = False) -> Page:  # fmt: skip
        """Open *url*. What a *broken* service does not answer, the browser may tell in the console."""
        page = await self.browser.new_page(
            viewport={"width": width, "height": 800},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce" if calm else "no-preference",
        )
        self._open.append(page)
        page.set_default_timeout(PATIENCE_MS)
        await page.add_init_script(PATIENT)
        page.on("console", self._listener(broken))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        await page.goto(url)
        return page

    def _listener(self, broken: bool) -> Callable[[ConsoleMessage], None]:
        def hear(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning") and not (broken and "load resource" in message.text):
                self.complaints.append(message.text)

        return hear

    async def close(self) -> None:
        """Close all, and fail for what was complained of."""
        for page in self._open:
            await page.close()
        assert not self.complaints, "\n".join(self.complaints)


@dataclass
class Service:
    """A service whose provider does what a test says, and a key of an operator."""

    front: Front
    engine: Engine
    provider: ScriptedProvider
    key: str
    key_id: str
    port: int
    _up: AsyncExitStack | None = None

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}/page/"

    async def start(self) -> None:
        """Answer requests, on the same port as before."""
        self._up = AsyncExitStack()
        listener = bind(self.front.config)
        await self._up.enter_async_context(self.front.open(listener))

    async def stop(self) -> None:
        """Answer nothing more; the loops go on."""
        if self._up:
            await self._up.aclose()
            self._up = None

    async def order(self, *, held: bool = False) -> Job:
        """Put a job of the owner into the queue; the provider delivers it, or runs it until `release`."""
        if held:
            self.provider.plan(None, Unfinished(running=True))
        job = await self.engine.submit(Portrait, OWNER, {"prompt": "a lighthouse"})
        return await self.engine.accept(job.id)

    def release(self) -> None:
        """Let the provider deliver all that it runs."""
        for task_id, task in self.provider.tasks.items():
            task.answers = deque([Succeeded((Output(f"https://provider.example/{task_id}.png", "png"),))])


@asynccontextmanager
async def serving(
    dsn: str,
    folder: Path,
    *,
    types: Sequence[type[BaseJob]] = (Portrait,),
    accounts: bool = True,
    **given: Any,
) -> AsyncIterator[Service]:
    """Run engine and front, with one account of three slots."""
    provider = ScriptedProvider()
    studio = {ProviderAccount(name="studio", pool=POOL, capacity=3): provider} if accounts else {}
    settings = Settings(loop_interval_seconds=0.1, poll_interval_seconds=0.2)
    with kept_port() as port:  # also while the service has stopped
        keys = {"database_url": dsn, "port": port, "http": {"leave_seconds": 0}, **given}
        config = ServiceConfig.model_validate(keys)
        async with (
            PostgresStore.open(dsn) as store,
            Engine(store, Catalog(types), blobs=FolderBlobs(folder), providers=studio, settings=settings)
            as engine,
            gate_of(config, engine) as gate,
        ):  # fmt: skip
            await engine.grant(OWNER, CREDITS, source_ref="order-1")
            made = await engine.make_key("grace", ["operations", "credits"], actor="test")
            front = Front(
                config=config, engine=engine, store=store, wakeups=None, worker=None, left_out={}, gate=gate
            )
            service = Service(front, engine, provider, made.secret, made.key.id, port)
            await service.start()
            try:
                yield service
            finally:
                await service.stop()
