"""`makegood serve` as processes: several behind one port, restarts, an orderly end and one at once."""

import asyncio
import json
import logging
import os
import re
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from makegood_adapters.cli.serve.parent import Parent
from makegood_adapters.cli.serve.signals import obey_signals
from tests.ports import kept_port

HOUSE = Path(__file__).resolve().parent.parent
PROGRAM = Path(sys.executable).with_name("makegood")
#: What takes so long has failed; nothing waits so long on purpose.
PATIENCE_SECONDS = 60.0
#: A service that ends still answers for so long, so that a slow machine finds it there.
STAYS = "[http]\nleave_seconds = 600"
BLOCKED = "select true from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"


class Service:
    """A running `makegood serve`, its port and what it has logged."""

    def __init__(self, process: Process, port: int, log: Path, plain: asyncpg.Connection) -> None:
        self.process, self.port, self._log, self.plain = process, port, log, plain

    @property
    def log(self) -> str:
        return self._log.read_text()

    async def until(self, holds: Callable[[], Awaitable[Any]], what: str) -> Any:
        """Return what *holds* returns once that is true; the service must not have ended."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (found := await holds()):
                assert self.process.returncode is None, f"{what}:\n{self.log}"
                await asyncio.sleep(0.02)
        return found

    async def health(self) -> Any:
        """Return what /health says, None while nobody answers."""
        with suppress(aiohttp.ClientError):
            async with (
                aiohttp.ClientSession(trust_env=False) as session,
                session.get(f"http://127.0.0.1:{self.port}/health") as reply,
            ):
                return await reply.json()
        return None

    async def ask(self, path: str) -> tuple[int, Any]:
        """Return status and body of what *path* says."""
        async with (
            aiohttp.ClientSession(trust_env=False) as session,
            session.get(f"http://127.0.0.1:{self.port}{path}") as reply,
        ):
            return reply.status, await reply.json()

    async def ready(self) -> None:
        """Wait until /readyz says so: on a slow machine the store may be late for a look."""

        async def is_ready() -> bool:
            with suppress(aiohttp.ClientError):
                return await self.ask("/readyz") == (200, {"ok": True, "reasons": []})
            return False

        await self.until(is_ready, "readiness")

    async def workers(self) -> list[asyncpg.Record]:
        return await self.plain.fetch("select * from makegood.worker order by number")

    async def has_workers(self, count: int) -> list[asyncpg.Record]:
        """Wait until so many processes are there."""

        async def there() -> list[asyncpg.Record] | None:
            found = await self.workers()
            return found if len(found) == count else None

        found: list[asyncpg.Record] = await self.until(there, f"{count} processes")
        return found

    async def logs(self, text: str) -> None:
        """Wait until the log has *text*."""

        async def has() -> bool:
            return text in self.log

        await self.until(has, text)

    async def ended(self) -> int:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.process.wait()


@asynccontextmanager
async def serving(
    folder: Path, dsn: str, *words: str, more: str = "", log_format: str = "text", **settings: Any
) -> AsyncIterator[Service]:
    with kept_port() as port:
        async with _serving(folder, dsn, port, *words, more=more, log_format=log_format, **settings) as it:
            yield it


@asynccontextmanager
async def _serving(
    folder: Path, dsn: str, port: int, *words: str, more: str, log_format: str, **settings: Any
) -> AsyncIterator[Service]:
    log = folder / "log"
    engine = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    engine = engine.replace("{port}", str(port))
    (folder / "service.toml").write_text(
        f'database_url = "{dsn}"\nport = {port}\nblobs = "{folder / "files"}"\nlog_format = "{log_format}"\n'
        f"{more}\n[engine]\n{engine}"
    )
    plain = await asyncpg.connect(dsn)
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            PROGRAM, "serve", "--config", "service.toml", *words,
            cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
            # Whoever runs the tests may ignore it, as `nohup` does, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
        )  # fmt: skip
    try:
        yield Service(process, port, log, plain)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        plain.terminate()


async def test_several_processes_share_a_port_and_their_logs_carry_their_numbers(
    database: str, tmp_path: Path
) -> None:
    async with serving(tmp_path, database, "--workers", "3") as service:
        rows = await service.has_workers(3)
        assert [row["number"] for row in rows] == [1, 2, 3]
        assert len({row["pid"] for row in rows}) == 3
        assert {row["state"] for row in rows} == {"running"}
        assert {row["host"] for row in rows} == {socket.gethostname()}
        await service.until(service.health, "an answer")
        body = await service.health()
        assert body["ok"], body
        assert body["worker"]["pid"] in {row["pid"] for row in rows}
        assert body["wakeups"]["connected"]
        service.process.send_signal(signal.SIGTERM)
        assert await service.ended() == 0
        assert await service.workers() == []
        assert {
            int(number) for number in re.findall(r" \[(\d)\] makegood\.service: stopping", service.log)
        } == {*(1, 2, 3)}


async def test_a_process_that_is_killed_starts_again_and_its_siblings_go_on(
    database: str, tmp_path: Path
) -> None:
    async with serving(tmp_path, database, "--workers", "2") as service:
        first, second = await service.has_workers(2)
        os.kill(second["pid"], signal.SIGKILL)
        await service.logs(
            f"worker 2 (process {second['pid']}) was killed by signal 9; it starts again in 0.5 s"
        )
        assert await service.until(service.health, "the sibling")
        rows = await service.has_workers(3)  # the row of the dead stays until it is forgotten
        new = [row for row in rows if row["number"] == 2 and row["pid"] != second["pid"]]
        assert len(new) == 1
        assert [row["pid"] for row in rows if row["number"] == 1] == [first["pid"]]


async def test_processes_whose_parent_is_killed_end_in_order(database: str, tmp_path: Path) -> None:
    async with serving(tmp_path, database, "--workers", "2") as service:
        rows = await service.has_workers(2)
        service.process.kill()
        await service.process.wait()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await service.workers():  # noqa: ASYNC110 - the database has no event for it
                await asyncio.sleep(0.02)
        assert service.log.count("the parent ends") == len(rows)


async def test_one_mistake_is_told_once_and_nothing_is_started_again(database: str, tmp_path: Path) -> None:
    more = 'tools = "nowhere"\n'
    async with serving(tmp_path, database, "--workers", "3", more=more) as service:
        assert await service.ended() == 2
        assert service.log.count("makegood: The tools folder nowhere cannot be used") == 1
        assert "start again" not in service.log


async def test_a_configuration_that_is_not_safe_is_refused_before_anything_is_opened(
    empty_database: str, tmp_path: Path
) -> None:
    more = 'host = "0.0.0.0"\n[auth]\njwt_secret = "short-secret"\n'
    async with serving(tmp_path, empty_database, more=more) as service:
        assert await service.ended() == 2
        [line] = service.log.splitlines()
        assert line.startswith(
            "makegood: The configuration is not safe to serve with. auth.jwt_secret: has 12"
        )
        assert "short-secret" not in line
        assert not await service.plain.fetchval("select to_regclass('makegood.job') is not null")


async def test_a_port_in_use_is_told_before_anything_starts(database: str, tmp_path: Path) -> None:
    async with serving(tmp_path, database, "--workers", "2") as first:
        await first.has_workers(2)
        other = await asyncio.create_subprocess_exec(
            PROGRAM, "serve", "--config", "service.toml", "--workers", "2",
            cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await other.communicate()
        assert (other.returncode, out) == (2, b"")
        assert re.fullmatch(rb"makegood: Cannot listen on 127\.0\.0\.1:\d+: the port is in use\. .*\n", err)


@pytest.mark.parametrize("more", ["", "[page]\nopen = false\n"], ids=["open", "closed"])
async def test_who_may_look_without_a_key_is_told_where_a_proxy_may_hide_who_comes(
    database: str, tmp_path: Path, more: str
) -> None:
    async with serving(tmp_path, database, more=more) as service:
        await service.until(service.health, "an answer")
        status, _ = await service.ask("/v1/operations/overview")
        assert status == (401 if more else 200)
        told = [
            text in service.log for text in ("without a key", "X-Forwarded-For", "`open = false` in [page]")
        ]
        assert told == [not more] * 3


@pytest.mark.parametrize("count", ["0", "65"])
async def test_the_number_of_processes_has_bounds(database: str, tmp_path: Path, count: str) -> None:
    async with serving(tmp_path, database, "--workers", count) as service:
        assert await service.ended() == 2
        assert service.log == f"makegood: --workers takes 1 to 64, not {count}.\n"


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_at_once_also_what_cannot_end(
    database: str, tmp_path: Path, number: signal.Signals, workers: int
) -> None:
    """A lock keeps the dispatcher in its turn, so that the orderly end would take its whole time."""
    more = f"workers = {workers}\n{STAYS}"  # whoever waits for a lock gives up before a slow machine goes on
    async with serving(tmp_path, database, more=more, drain_seconds=600) as service:
        await service.has_workers(workers)
        await service.plain.execute("begin; lock table makegood.attempt in access exclusive mode")

        async def waits() -> Any:
            return await service.plain.fetchval(BLOCKED)

        await service.until(waits, "a loop that waits for the lock")
        service.process.send_signal(number)
        await service.logs("once more ends it at once")
        service.process.send_signal(number)
        assert await service.ended() == 128 + number
        await service.plain.execute("rollback")


async def test_nothing_new_is_begun_while_the_end_is_delayed(database: str, tmp_path: Path) -> None:
    async with serving(tmp_path, database, more=STAYS) as service:
        await service.until(service.health, "an answer")
        service.process.send_signal(signal.SIGTERM)

        async def drains() -> bool:
            return [row["state"] for row in await service.workers()] == ["draining"]

        await service.until(drains, "the end begins")
        service.process.send_signal(signal.SIGTERM)
        assert await service.ended() == 128 + signal.SIGTERM


async def test_a_terminal_that_is_closed_ends_the_service_in_order(database: str, tmp_path: Path) -> None:
    async with serving(tmp_path, database) as service:
        await service.until(service.health, "an answer")
        service.process.send_signal(signal.SIGHUP)
        assert await service.ended() == 0
        assert await service.workers() == []


async def test_a_terminal_that_is_closed_tells_it_twice_and_ends_nothing_at_once(
    database: str, tmp_path: Path
) -> None:
    async with serving(tmp_path, database, more=STAYS) as service:
        await service.until(service.health, "an answer")
        service.process.send_signal(signal.SIGHUP)
        await service.logs("SIGHUP: what is under way")
        service.process.send_signal(signal.SIGHUP)  # the shell's, after the kernel's
        assert (await service.ask("/livez"))[0] == 200
        service.process.send_signal(signal.SIGTERM)
        assert await service.ended() == 128 + signal.SIGTERM


async def test_who_shall_outlive_the_terminal_does() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)}
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` does
    try:
        obey_signals(stopping)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await stopping.wait()
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


async def test_whoever_asks_learns_that_the_end_begins_before_it_comes(database: str, tmp_path: Path) -> None:
    """While `leave_seconds` pass, requests are answered and `/readyz` sends balancers elsewhere."""
    async with serving(tmp_path, database, more=STAYS) as service:
        await service.ready()
        service.process.send_signal(signal.SIGTERM)
        await service.logs("stopping")
        assert await service.ask("/readyz") == (503, {"ok": False, "reasons": ["the service is being ended"]})
        assert (await service.ask("/livez"))[0] == 200
        service.process.send_signal(signal.SIGTERM)
        assert await service.ended() == 128 + signal.SIGTERM


async def test_what_cannot_be_loaded_disables_itself_and_the_service_goes_on(
    database: str, tmp_path: Path
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    good = (HOUSE / "docs" / "examples" / "new_app.toml").read_text("utf-8")
    (tools / "a.toml").write_text(good)
    (tools / "b.toml").write_text("name = ")
    film = good.replace('name = "sharpen"', 'name = "film"')
    (tools / "c.toml").write_text(film.replace('pool = "runninghub"', 'pool = "films"'))
    more = 'tools = "tools"\n' + "".join(
        f'[[accounts]]\nname = "{name}"\nprovider = "{provider}"\napi_key = "a-secret-of-{name}"\n{url}'
        for name, provider, url in (
            ("elsewhere", "unheard-of", ""),
            ("odd", "replicate", 'base_url = "no-address"\n'),
            ("main", "runninghub", 'base_url = "http://127.0.0.1:1"\n'),
        )
    )
    async with serving(tmp_path, database, more=more) as service:
        await service.until(service.health, "an answer")
        body = await service.health()
        assert body["left_out"] == ["tool file: b.toml", "account: elsewhere", "account: odd"]
        assert [*body["accounts"]] == ["main"]
        await service.ready()
        for told in ("the tool file 'b.toml' is not used: ", "the account 'elsewhere' is not used: it is at"):
            assert told in service.log
        assert "a-secret-of" not in service.log
        assert "no new jobs of film are taken: no process has a provider account" in service.log


PROGRAM_OF_A_CHILD = f"""#!{sys.executable}
import os, sys
os.write(0, b"listening\\n")
open(sys.argv[0] + sys.argv[sys.argv.index("--number") + 1], "w").close()
while os.read(0, 1):
    pass
"""


async def test_a_program_that_is_being_replaced_is_started_once_it_is_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program, new, stopping = tmp_path / "program", tmp_path / "new", asyncio.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener, caplog.at_level(logging.INFO, "makegood.serve"):
        running = asyncio.create_task(Parent([str(program)], 2, listener, os.environ).run(stopping))

        async def until(holds: Callable[[], bool]) -> None:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not holds():
                    assert not running.done(), running
                    await asyncio.sleep(0.01)

        try:
            await until(lambda: "worker 1 cannot be started ([Errno 2]" in caplog.text)
            new.write_text(PROGRAM_OF_A_CHILD)
            new.chmod(0o755)
            new.rename(program)
            await until((tmp_path / "program2").exists)
        finally:
            stopping.set()
        assert await running == 0
