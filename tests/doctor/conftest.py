"""A site, a service of ours, and the command that looks at both."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from makegood_adapters.http import application, runner
from makegood_adapters.runninghub.simulator import Simulator
from tests.adapters.simulated_site import FAST
from tests.command import run
from tests.doctor.scene import NOWHERE, SECRET, Doctor, Told


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(keys={SECRET: 3}, pace=FAST) as running:
        yield running


@pytest.fixture
async def ours() -> AsyncIterator[str]:
    """The address of a service of ours; it answers a token that nobody has as any path without a route."""
    running = runner(application())
    await running.setup()
    try:
        await web.TCPSite(running, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{running.addresses[0][1]}"
    finally:
        await running.cleanup()


@pytest.fixture
def doctor(tmp_path: Path, simulator: Simulator) -> Doctor:
    async def call(
        *words: str,
        account: str = "",
        hooks: str | None = None,
        key: str = SECRET,
        url: str | None = None,
        dsn: str = NOWHERE,
        root: str = "",
    ) -> Told:
        engine = f'[engine]\nwebhook_base_url = "{hooks}"\n' if hooks else ""
        (tmp_path / "makegood.toml").write_text(
            f'database_url = "{dsn}"\n{root}\n[[accounts]]\nname = "main"\napi_key = "{key}"\n'
            f'base_url = "{url or simulator.url}"\n{account}\n{engine}'
        )
        ended = await asyncio.to_thread(run, "doctor", "--config", "makegood.toml", *words, folder=tmp_path)
        told = Told(ended.returncode, ended.stdout, ended.stderr)
        assert SECRET not in told.out + told.err
        assert "Traceback" not in told.err
        return told

    return call
