"""What a show stands on: a Postgres of its own, and engines in child processes that can be killed."""

import asyncio
import contextlib
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import asyncpg

from makegood.errors import MakegoodError, StoreUnavailable
from makegood_adapters.launcher import bound
from makegood_adapters.postgres.embedded import EmbeddedPostgres, EmbeddedPostgresError
from makegood_adapters.postgres.store import PostgresStore, connect
from makegood_adapters.toolfiles import default_tools_folder

API_KEY = "demo-key-of-the-simulator"
#: Short times, in seconds, so that a story of hours takes seconds.
DEADLINES: Mapping[str, float] = {"starting": 8, "running": 20}
SETTINGS: Mapping[str, float] = {
    "loop_interval_seconds": 0.25,
    "submit_timeout_seconds": 2,
    "upload_timeout_seconds": 2,
    "lease_seconds": 5,
    "poll_interval_seconds": 1.0,
    "fetch_timeout_seconds": 5,
    "absent_after_seconds": 5,
    "defer_seconds": 0.2,
    "drain_seconds": 3,
}
#: A child that has not started after so many looks, or not ended in so long, hangs: a busy machine is slower
#: than anybody's patience, and what can end by itself should.
_LOOK_SECONDS, _START_LOOKS, _STOP_SECONDS = 0.05, 1_200, 60.0
_REFUSED = "makegood: "  # how a command begins the sentence with which it gives up


class StageError(MakegoodError):
    """A show cannot be set up or did not come to its end; the message says what to do."""


class NotStarted(StageError):
    """A child did not start; the message has the end of its log."""


@contextmanager
def embedded_server(folder: Path) -> Iterator[EmbeddedPostgres]:
    """Yield a fresh Postgres that runs below *folder* and goes with it. Raises StageError."""
    server = EmbeddedPostgres(folder / "postgres")
    try:
        try:
            server.start()
        except EmbeddedPostgresError as error:
            raise StageError(str(error)) from None
        yield server
    finally:
        server.remove()


@contextmanager
def embedded_database(folder: Path) -> Iterator[str]:
    """Yield the DSN of such a Postgres."""
    with embedded_server(folder) as server:
        yield server.dsn


@asynccontextmanager
async def database_on(dsn: str, show: str = "demo") -> AsyncIterator[str]:
    """Yield the DSN of a fresh database on the user's own server; it is dropped at the end."""
    name = f"makegood_{show}_{secrets.token_hex(4)}"
    try:
        connection = await connect(dsn)
    except StoreUnavailable as error:
        raise StageError(
            f"{error} Or leave --dsn and DATABASE_URL out: the {show} brings a Postgres of its own."
        ) from None
    try:
        try:
            await connection.execute(f"create database {name}")
        except asyncpg.InsufficientPrivilegeError:
            raise StageError(
                f"The {show} makes a database of its own and drops it at the end, for which this user lacks "
                "the right: ALTER ROLE … CREATEDB, or leave --dsn out."
            ) from None
        try:
            parts = urlsplit(dsn)
            yield urlunsplit(parts._replace(path=f"/{name}"))
        finally:
            await connection.execute(f"drop database if exists {name} with (force)")
    finally:
        await connection.close()


def account_at(provider_url: str, capacity: int = 3, draining_seconds: float = 6) -> dict[str, Any]:
    """Return an account of the simulator there, as the configuration has it."""
    limits = {"capacity": capacity, "draining_seconds": draining_seconds}
    return {"name": "demo", "base_url": provider_url, "api_key": API_KEY, **limits}


def crowded_tools(folder: Path, names: Collection[str] = ()) -> Path:
    """Copy the shipped tools, or those of *names*, below *folder* but for `exclusive_by`, so that a few users
    may have many jobs at one time, and return where they are. A tool whose function makes the row has to have
    one, and keeps it."""
    tools = folder / "tools"
    tools.mkdir(parents=True, exist_ok=True)
    for path in default_tools_folder().glob("*.toml"):
        if names and path.stem not in names:
            continue
        text = path.read_text(encoding="utf-8")
        if "\nmakes_row = true\n" not in text:
            text = re.sub(r"(?m)^exclusive_by = .*\n", "", text)
        (tools / path.name).write_text(text, encoding="utf-8")
    return tools


async def forget_killed(dsn: str, pid: int) -> None:
    """Take the process of this id, which a show has killed and started anew, off the list of those that
    somebody would have to look after."""
    async with PostgresStore.open(dsn, connections_max=1) as store:
        for worker in await store.workers.present():
            if worker.name.pid == pid:
                await store.workers.leave(worker.id)


class Child:
    """A service of ours as a child that can be killed like any process; its log is kept.

    It answers `/health` at *port*, of `keep_port`, which is its own as long as this object lives.
    """

    def __init__(
        self, command: Sequence[str], log: Path, environment: Mapping[str, str], port: socket.socket
    ) -> None:
        self.url = url_of(port)
        weakref.finalize(self, port.close)
        self._command, self._log = [sys.executable, "-m", *command], log
        self._environment = {**os.environ, **environment}
        self._process: subprocess.Popen[bytes] | None = None
        self._retired = False
        self._began = 0  # where in the log the last start has its first word

    async def start(self) -> None:
        """Start and return when the service answers. Raises NotStarted."""
        if self._retired:
            raise NotStarted("Another engine works meanwhile.")
        with self._log.open("ab") as log:
            self._began = log.tell()
            self._process = subprocess.Popen(  # noqa: ASYNC220  # starting takes a millisecond
                bound(self._command, signal.SIGKILL),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        async with aiohttp.ClientSession(trust_env=False) as session:
            for _ in range(_START_LOOKS):
                if self._process.poll() is not None:
                    raise NotStarted(f"The engine did not start{self._last_words()}")
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"{self.url}/health") as reply:
                        if reply.status == 200:
                            return
                await asyncio.sleep(_LOOK_SECONDS)
        raise NotStarted(f"The engine does not answer; look into {self._log}.")

    def kill(self) -> int:
        """End it as a power cut would, and return its process id."""
        process = self._running()
        process.send_signal(signal.SIGKILL)
        process.wait()
        return process.pid

    def stop(self) -> int | None:
        """End it in order and return its exit status, None if it never began."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        return self._process.returncode if self._process else None

    def retire(self) -> None:
        """End it in order, never to be started again."""
        self._retired = True
        self.stop()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise StageError("The engine was not started.")
        return self._process

    def _last_words(self) -> str:
        """Return what this start has said: the sentence with which it ended, else its last lines."""
        with self._log.open("rb") as log:
            log.seek(self._began)
            lines = log.read().decode(errors="replace").splitlines()[-8:]
        if lines and lines[-1].startswith(_REFUSED):
            return f": {lines[-1].removeprefix(_REFUSED)}"
        return f"; the last lines of {self._log}:\n" + "\n".join(lines)


class EngineProcess(Child):
    """`makegood serve` as such a child.

    *accounts*, *deadlines*, *settings* and *tools* are those of its configuration.
    """

    def __init__(
        self,
        folder: Path,
        log: Path,
        *,
        dsn: str,
        blobs: Path,
        accounts: Sequence[Mapping[str, Any]],
        deadlines: Mapping[str, float] = DEADLINES,
        settings: Mapping[str, float] = SETTINGS,
        tools: Path | None = None,
    ) -> None:
        kept = keep_port()
        self.port: int = kept.getsockname()[1]
        config = folder / f"engine-{self.port}.toml"
        keys: dict[str, str | float] = {"database_url": dsn, "port": self.port, "blobs": str(blobs)}
        keys["log_format"] = "text"
        if tools is not None:
            keys["tools"] = str(tools)
        engine: dict[str, str | float] = {"webhook_base_url": url_of(kept), **settings}
        text = _toml(keys) + "[deadlines]\n" + _toml(deadlines) + "[engine]\n" + _toml(engine)
        config.write_text(text)
        environment = {"MAKEGOOD_ACCOUNTS": json.dumps([dict(a) for a in accounts])}
        command = ["makegood_adapters.cli", "serve", "--config", str(config)]
        super().__init__(command, log, environment, kept)


def _toml(table: Mapping[str, str | float]) -> str:
    """Return lines of TOML; texts are written as JSON strings, which are TOML too."""
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())


def keep_port(wanted: int = 0) -> socket.socket:
    """Return a socket that keeps a port of this machine, a free one unless one is *wanted*, until it is
    closed, which the caller does. Raises OSError for one that is taken.

    Nobody listens there and nobody else is given it; who was told of it may listen there any number of times,
    with SO_REUSEADDR, as servers do.
    """
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        kept.bind(("127.0.0.1", wanted))
    except OSError:
        kept.close()
        raise
    return kept


def url_of(port: socket.socket) -> str:
    """Return the address of a port that is kept."""
    return f"http://127.0.0.1:{port.getsockname()[1]}"
