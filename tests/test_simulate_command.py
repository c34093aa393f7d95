"""`makegood simulate` as a user meets it: what it prints, what it takes, how it ends."""

import asyncio
import json
import math
import re
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from makegood.errors import InvalidRequest
from makegood.outcome import Accepted, Rejected
from makegood_adapters.cli.simulate import simulate
from makegood_adapters.runninghub import open_session
from tests.adapters.simulated_site import UPSCALER, png
from tests.scenarios.line import line_to

PROGRAM = Path(sys.executable).with_name("makegood")
PAGE = Path(__file__).resolve().parent.parent / "docs" / "how-to" / "simulate.md"
FAST = ("--queued-seconds", "0", "--running-seconds", "0")


class Command:
    """The running command: its lines, its address, and what it said at the end."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process, self.lines, self.url = process, list[str](), ""

    async def until(self, pattern: str) -> str:
        """Read lines until one fits, and return it."""
        assert self.process.stdout is not None
        while line := (await self.process.stdout.readline()).decode():
            self.lines.append(line.rstrip("\n"))
            if re.search(pattern, line):
                return self.lines[-1]
        raise AssertionError(f"{pattern} is not in {self.lines}")

    async def stop(self) -> str:
        """Press Ctrl-C and return the rest of what it says."""
        self.process.send_signal(signal.SIGINT)
        out, err = await self.process.communicate()
        assert (self.process.returncode, err) == (0, b"")
        return out.decode()


@asynccontextmanager
async def running(*words: str) -> AsyncIterator[Command]:
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "simulate", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    command = Command(process)
    try:
        async with asyncio.timeout(60):
            line = await command.until("is simulated on")
            command.url = line.split()[-3]
            yield command
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def submit(session: aiohttp.ClientSession, url: str, key: str, webhook: str | None = None) -> Any:
    provider = line_to(session, url, key)
    name = await provider.upload("a.png", png())
    nodes = [{"node": "1", "field": "image", "value": {"file": "image"}}]
    return await provider.submit({"app": UPSCALER, "nodes": nodes}, {"image": name}, webhook)


async def test_it_tells_the_life_of_each_task_and_ends_with_the_counters() -> None:
    async with running("--port", "0", "--key", "a-key:2", "--coins", "50", *FAST) as command:
        opening = await command.until("^run ")
        assert "key       a-key  2 tasks at once, 50 coins, NORMAL" in command.lines
        assert f"{command.url}/task/openapi/ai-app/run" in opening
        async with open_session() as session:
            accepted = await submit(session, command.url, "a-key")
            assert isinstance(accepted, Accepted)
            line = await command.until("accepted as")
            assert f"#1    accepted as {accepted.task_id}: app {UPSCALER}, key …-key" in line
            assert "#1    SUCCESS: 1 outputs, 1 s, 1 coins" in await command.until("SUCCESS")
            wrong = await line_to(session, command.url, "a-key").submit(
                {"app": "12", "nodes": [{"node": "1", "field": "a", "value": "b"}]}, {}, None
            )
            assert isinstance(wrong, Rejected)
            assert "create refused: 901 WEBAPP_NOT_EXISTS" in await command.until("refused")
        end = await command.stop()
        assert "2 create calls: 1 tasks, 1 refused · 0 duplicates · 1 coins · 0 webhooks" in end
        assert "key 1 (…-key): at most 1 tasks at once of 2" in end
        assert "\x1b" not in "".join(command.lines) + end  # no colours where there is no terminal


async def test_mishaps_and_habits_are_taken_from_the_command_line() -> None:
    words = ["--key", "k:1", "--odds", "task_fails=1", "--habit", "ids=number", "--cancel-word", "CANCELED"]
    async with running("--port", "0", *words, *FAST) as command:
        assert await command.until("^mishaps") == ("mishaps   1 kind with a probability of 1 (seed 0)")
        async with open_session() as session:
            await submit(session, command.url, "k")
        assert "mishaps: fail, exception_type" in await command.until(" mishaps: ")
        assert "#1    FAILED 805: The sampler gave up." in await command.until("FAILED")
        assert "1 create calls" in await command.stop()


async def refused(*words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "simulate", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert (process.returncode, out) == (2, b"")
    return err.decode()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"key": ("my-key:few",)}, "--key takes a key and its limit, like my-key:3, not 'my-key:few'."),
        ({"key": ("my-key:3:FREE",)}, "type: "),
        ({"odds": ("often",)}, "--odds takes 0 to 1, or NAME=0.3"),
        ({"odds": ("1.5",)}, "less than or equal to 1 (got 1.5)"),
        ({"odds": ("create_lost=0.5",)}, "create_lost: "),
        ({"habit": ("ids",)}, "--habit takes NAME=VALUE, not 'ids'."),
        ({"habit": ("ids=roman",)}, "ids: "),
        ({"speed": 0.0}, "--speed not 0."),
        ({"coins": -1}, "must not be negative"),
        ({"speed": math.nan}, "must be finite numbers"),
        ({"queued_seconds": math.inf}, "must be finite numbers"),
        ({"port": 99_999}, "--port takes 0 to 65535, not 99999."),
        ({"port": -1}, "--port takes 0 to 65535, not -1."),
    ],
)
async def test_a_mistake_is_one_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await simulate(**options)
    told = str(caught.value)
    assert sentence in told
    assert told.endswith(".")
    assert "\n" not in told


async def test_a_mistake_ends_the_command_with_its_sentence() -> None:
    told = await refused("--key", "my-key")
    assert told == "makegood: --key takes a key and its limit, like my-key:3, not 'my-key'.\n"


async def test_a_port_in_use_is_one_sentence() -> None:
    async with running("--port", "0") as command:
        port = command.url.rsplit(":", 1)[1]
        assert "the port is in use" in await refused("--port", port)
        await command.until("^run ")
        await command.stop()


COMMANDS = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if line.startswith("makegood simulate")
]


async def _run_and_end(line: str) -> None:
    words = shlex.split(line, comments=True)[2:]
    async with running(*words, "--port", "0") as command:
        await command.until("^run ")
        async with aiohttp.ClientSession() as session, session.get(command.url + "/admin/counters") as reply:
            assert json.loads(await reply.text())["creates"] == 0
        assert "0 create calls" in await command.stop()


async def test_every_command_of_the_page_runs() -> None:
    assert len(COMMANDS) >= 3
    await asyncio.gather(*map(_run_and_end, COMMANDS))
