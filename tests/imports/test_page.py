"""The guide to replace the queue manager: its commands run in their order, and print what it shows."""

import asyncio
import os
import re
import shlex
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from makegood_adapters.runninghub.simulator import Simulator
from tests.command import PROGRAM, run
from tests.imports.old_app import ANA, BO, OldApp
from tests.ports import kept_port
from tests.scenarios.stage import PATIENCE_SECONDS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "replace-the-queue-manager.md"
BLOCK = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\S+\.toml)\n")


async def furnish(app: OldApp, task_id: str) -> None:
    """Bring about what the page shows."""
    await app.balance(ANA, 300, 1_000)
    await app.balance(BO, 50, 20, days=-3)
    for status, table in (("completed", "upscaler_jobs"), ("failed", "bg_remover_jobs")):
        await app.job(ANA, status, table)
    await app.job(BO, "cancelled", "arcano_cloner_jobs")
    given: dict[str, Any] = {
        "credits_refunded": False,
        "completed_at": None,
        "created_at": datetime.now(UTC) - timedelta(minutes=1),
    }
    await app.job(ANA, "running", id=UUID(int=0x4000_8000_0000_0000_000A), task_id=task_id, **given)
    await app.job(BO, "queued", "pose_changer_jobs", id=UUID(int=0x4000_8000_0000_0000_000B), **given)


async def told(folder: Path, environment: dict[str, str], line: str) -> str:
    words = shlex.split(line, comments=True)[1:]
    ended = await asyncio.to_thread(run, *words, folder=folder, environment=environment)
    assert ended.returncode == 0, f"{line}\n{ended.stdout}{ended.stderr}"
    return ended.stdout


async def serve(folder: Path, environment: dict[str, str]) -> None:
    """Let the service start, be ready, and end in order."""
    process = await asyncio.create_subprocess_exec(PROGRAM, "serve", cwd=folder, env=environment)
    ready = f"http://127.0.0.1:{environment['MAKEGOOD_PORT']}/readyz"
    try:
        async with asyncio.timeout(PATIENCE_SECONDS), aiohttp.ClientSession(trust_env=False) as session:
            while process.returncode is None:
                try:
                    async with session.get(ready) as reply:
                        if reply.status == 200:
                            break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)
        assert process.returncode is None
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
def port() -> Iterator[int]:
    with kept_port() as kept:
        yield kept


async def test_the_commands_of_the_guide_move_an_app_and_print_what_it_shows(
    app: OldApp, tmp_path: Path, port: int
) -> None:
    page = re.sub(r"^ +(?=makegood )", "", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    blocks = BLOCK.findall(page)
    async with Simulator(keys={"a-key": 20}) as simulator:
        await furnish(app, "1904152026220003330")
        for name, text in {
            "database_url": app.new_dsn,
            "old_database_url": app.dsn,
            "public_key": "sb_publishable_Zq3vB8nTf5KxWm2LrYd7",
            "link_secret": "9f2c5b7e1a4d8063f6e9b2c57a10d384",
            "jwt_secret": "Vt7Qm2Xc9Lp4Rz8Kn3Wd6Hb1Yf5Js0Ga",
            "runninghub_key": "a-key",
        }.items():
            path = tmp_path / "secrets" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            path.chmod(0o600)
        environment = {**os.environ, "MAKEGOOD_PORT": str(port), "COLUMNS": "100"}
        for name in ("DATABASE_URL", "OLD_DATABASE_URL"):
            environment.pop(name, None)
        printed, shown, ran = "", [], []
        for kind, text in blocks:
            if kind == "toml" and (named := FILE.match(text)):
                path = tmp_path / named[1]
                path.parent.mkdir(exist_ok=True)
                path.write_text(text.replace("https://www.runninghub.ai", simulator.url))
            elif kind == "text":
                assert [line.rstrip() for line in printed.splitlines()] == text.splitlines()
                shown.append(text)
            elif kind == "sh":
                for line in text.splitlines():
                    if line.startswith("pip "):
                        continue
                    ran.append(line)
                    if line == "makegood serve":
                        await serve(tmp_path, environment)
                    else:
                        printed = await told(tmp_path, environment, line)
    assert len(shown) == 1
    assert [line.split()[1] for line in ran] == [
        *("migrate", "doctor", "import", "import", "import", "audit", "serve", "key", "audit", "rules"),
    ]
    back = next(text for kind, text in blocks if kind == "sql" and text.startswith("select"))
    rows = {row["owner_id"]: tuple(row)[1:] for row in await app.new.fetch(back)}
    assert rows[ANA][0] == 300
    assert rows[BO] == (0, 80, 0)
