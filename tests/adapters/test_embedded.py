"""The embedded Postgres keeps its data, dies with its parent, and explains itself when it cannot start."""

import errno
import importlib.util
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from makegood_adapters import launcher
from makegood_adapters.postgres import embedded
from makegood_adapters.postgres.disguise import Disguise, needs_disguise
from makegood_adapters.postgres.embedded import EmbeddedPostgres, EmbeddedPostgresError

WAIT_SECONDS = 60
SMALL = {"shared_buffers": "16MB", "max_connections": 10}
needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="what root may not do can only be tried as root; ordinary users never get there"
)

HOLD = """
import signal, sys
from pathlib import Path
from makegood_adapters.postgres.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), shared_buffers="16MB", max_connections=10)
server.start()
print(server.pid, flush=True)
signal.pause()
"""

#: Before it: a library whose hook on forks leaves a thread in the child, as OpenTelemetry's and Sentry's may.
THREAD_AT_FORK = """
import os, threading
wait = threading.Event().wait
os.register_at_fork(after_in_child=lambda: threading.Thread(target=wait, daemon=True).start())
"""


async def ask(dsn: str, question: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that is not yet there, on a short path, deleted afterwards with what was moved out of it."""
    with tempfile.TemporaryDirectory(prefix="mg-") as folder:
        yield Path(folder, "postgres")
        EmbeddedPostgres(Path(folder, "postgres")).remove()


def without_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behave like a system that refuses user namespaces, as containers often do."""
    really = Disguise.can_use

    def can_use(self: Disguise, place: Path, binaries: Path | None = None) -> bool:
        return self is not Disguise.NAMESPACE and really(self, place, binaries)

    monkeypatch.setattr(Disguise, "can_use", can_use)


async def test_data_outlives_a_restart(home: Path) -> None:
    with EmbeddedPostgres(home, **SMALL) as server:
        await ask(server.dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
        first = server.pid
    assert server.pid is None
    assert server.start() == server.start()
    assert server.pid != first
    assert await ask(server.dsn, "SELECT answer FROM kept") == 42
    server.stop()
    server.stop()
    with EmbeddedPostgres(home, **SMALL) as again:
        assert await ask(again.dsn, "SELECT answer FROM kept") == 42


async def test_safe_by_default_and_settings_are_passed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("LANG", "xx_XX.nonsense")
    with EmbeddedPostgres(home, max_connections=17, shared_buffers="16MB") as server:
        told = [
            await ask(server.dsn, f"SHOW {name}") for name in ("fsync", "listen_addresses", "max_connections")
        ]
        assert told == ["on", "", "17"]
        assert await ask(server.dsn, "SHOW server_encoding") == "UTF8"
        assert await ask(server.dsn, "SHOW timezone") == "UTC"
    socket = home / "run"
    assert not socket.exists() or socket.stat().st_mode & 0o077 == 0


def test_it_dies_with_its_parent_and_the_data_can_be_used_at_once(home: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", HOLD, str(home)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    # Started while the orphan may still be shutting down.
    with EmbeddedPostgres(home, **SMALL) as server:
        assert server.pid != pid
    assert gone(pid)


def gone(pid: int) -> bool:
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        ended, _, _ = select.select([process], [], [], WAIT_SECONDS)
    finally:
        os.close(process)
    return bool(ended)


def test_a_folder_in_use_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "PREDECESSOR_SECONDS", 0.05)
    with (
        EmbeddedPostgres(home, **SMALL),
        pytest.raises(EmbeddedPostgresError, match=r"Another Postgres \(process"),
    ):
        EmbeddedPostgres(home, **SMALL).start()


def test_a_bad_setting_is_one_clear_sentence(home: Path) -> None:
    server = EmbeddedPostgres(home, shared_buffers="nonsense")
    with pytest.raises(EmbeddedPostgresError) as caught:
        server.start()
    said = str(caught.value)
    assert 'invalid value for parameter "shared_buffers": "nonsense"' in said
    assert str(home / "log") in said
    assert "\n" not in said
    assert server.pid is None
    with pytest.raises(EmbeddedPostgresError, match="not running"):
        _ = server.dsn
    with EmbeddedPostgres(home, **SMALL) as corrected:
        assert corrected.pid is not None


def test_no_binaries_is_one_clear_sentence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(embedded, "SYSTEM", home)
    monkeypatch.setenv("PATH", str(home))
    with pytest.raises(
        EmbeddedPostgresError, match=r"Found no PostgreSQL 15 or newer: .*makegood\[demo\].*DATABASE_URL"
    ):
        EmbeddedPostgres(home).start()


def test_a_file_in_the_way_is_one_clear_sentence(home: Path) -> None:
    home.write_text("not a folder")
    with pytest.raises(EmbeddedPostgresError, match="choose a folder that is yours"):
        EmbeddedPostgres(home).start()
    home.unlink()


async def test_a_path_too_long_for_a_socket(home: Path) -> None:
    deep = home.joinpath(*["a-long-name-of-a-folder"] * 6)
    server = EmbeddedPostgres(deep, **SMALL)
    server.start()
    socket = server._socket
    assert socket is not None
    assert await ask(server.dsn, "SELECT 1") == 1
    assert not socket.is_relative_to(deep)
    assert socket.stat().st_mode & 0o077 == 0
    server.stop()
    assert not socket.exists()
    server.remove()
    assert not deep.exists()


def test_a_socket_folder_of_others_is_refused(home: Path) -> None:
    home.joinpath("run").mkdir(parents=True, mode=0o755)
    home.joinpath("run").chmod(0o755)
    with pytest.raises(EmbeddedPostgresError, match="must belong to you with mode 0700"):
        EmbeddedPostgres(home, **SMALL).start()


def test_removing_leaves_the_files_of_others(home: Path) -> None:
    home.mkdir()
    home.joinpath("letter").write_text("mine")
    server = EmbeddedPostgres(home, **SMALL)
    server.start()
    server.remove()
    assert [path.name for path in home.iterdir()] == ["letter"]


@needs_root
async def test_root_in_a_folder_only_root_may_enter(home: Path) -> None:
    """In a user namespace root's files stay root's, so the data lies where it was asked for."""
    home.parent.chmod(0o700)
    with EmbeddedPostgres(home, **SMALL) as server:
        assert needs_disguise()
        assert await ask(server.dsn, "SELECT 1") == 1
        if server.disguise is Disguise.NAMESPACE:
            assert home.joinpath("data", "PG_VERSION").exists()
    assert home.parent.stat().st_mode & 0o777 == 0o700


@needs_root
async def test_root_where_user_namespaces_are_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data moves to a folder of the unprivileged account, and is found there again."""
    without_namespaces(monkeypatch)
    home.parent.chmod(0o700)
    with EmbeddedPostgres(home, **SMALL) as server:
        assert server.disguise is Disguise.NOBODY
        await ask(server.dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
        place = Path(home.joinpath("place").read_text().strip())
        assert place.stat().st_mode & 0o077 == 0
        assert Path(f"/proc/{server.pid}").stat().st_uid == place.stat().st_uid != 0
    with EmbeddedPostgres(home, **SMALL) as again:
        assert await ask(again.dsn, "SELECT answer FROM kept") == 42
    assert home.parent.stat().st_mode & 0o777 == 0o700
    again.remove()
    assert not place.exists()


@needs_root
async def test_root_with_binaries_only_root_may_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_namespaces(monkeypatch)
    really = Disguise.can_use
    original = embedded.find_binaries()

    def can_use(self: Disguise, place: Path, binaries: Path | None = None) -> bool:
        return binaries != original and really(self, place, binaries)

    monkeypatch.setattr(Disguise, "can_use", can_use)
    with EmbeddedPostgres(home, **SMALL) as server:
        assert await ask(server.dsn, "SELECT 1") == 1
        program = Path(f"/proc/{server.pid}/exe").readlink()
        assert program.is_relative_to(home.joinpath("place").read_text().strip())


@needs_root
def test_data_that_was_moved_and_is_gone_is_not_silently_replaced(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_namespaces(monkeypatch)
    home.mkdir()
    home.joinpath("place").write_text(f"{home}/gone\n")
    with pytest.raises(EmbeddedPostgresError, match="to begin anew"):
        EmbeddedPostgres(home, **SMALL).start()


@needs_root
async def test_a_second_start_asks_no_more_what_the_first_has_found_out(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A probe can fail for a moment on a full machine; data that is there was served so before."""
    with EmbeddedPostgres(home, **SMALL) as server:
        if server.disguise is not Disguise.NAMESPACE:
            pytest.skip("this system refuses user namespaces")
        await ask(server.dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
    without_namespaces(monkeypatch)
    with EmbeddedPostgres(home, **SMALL) as again:
        assert await ask(again.dsn, "SELECT answer FROM kept") == 42


@needs_root
def test_data_of_a_namespace_where_none_may_be_made_any_more_says_so(home: Path) -> None:
    with EmbeddedPostgres(home, **SMALL) as server:
        if server.disguise is not Disguise.NAMESPACE:
            pytest.skip("this system refuses user namespaces")
    inner = ["sh", "-c", 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"', "sh"]
    command = ["unshare", "--user", "--map-root-user", *inner, sys.executable, "-c", HOLD, str(home)]
    child = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)
    assert child.returncode == 1
    assert "this system refuses user namespaces (No space left on device)" in child.stderr


@needs_root
def test_a_thread_that_a_library_starts_at_each_fork_is_not_in_the_way(home: Path) -> None:
    """No process with two threads enters a user namespace; so nothing of the host runs in the child."""
    with EmbeddedPostgres(home, **SMALL) as server:
        if server.disguise is not Disguise.NAMESPACE:
            pytest.skip("this system refuses user namespaces")
    home = home.with_name("beside")
    command = [sys.executable, "-c", THREAD_AT_FORK + HOLD, str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        told = child.stdout.readline().strip()
        assert told.isdecimal(), child.stderr and child.stderr.read()
        child.kill()
    assert gone(int(told))
    assert home.joinpath("data", "PG_VERSION").exists()  # not moved out to another account


def test_a_program_that_cannot_be_run_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddedPostgres(home, **SMALL):
        pass
    monkeypatch.setattr(embedded, "find_binaries", lambda: home)  # where none are
    with pytest.raises(EmbeddedPostgresError, match=f"could not start in {home}: No such file or directory"):
        EmbeddedPostgres(home, **SMALL).start()


@pytest.mark.parametrize("where", ["start of the probe", "probe", "binaries"])
def test_a_machine_without_room_is_not_taken_for_one_that_refuses(
    home: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def full(*_: object, **__: object) -> subprocess.Popen[bytes]:
        if where == "probe":
            return subprocess.Popen(["/bin/sh", "-c", f"exit {launcher.NO_ROOM_NOW}"])
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(embedded, "needs_disguise", lambda: True)
    owner, name = (subprocess, "run") if where == "binaries" else (Disguise, "launch")
    monkeypatch.setattr(owner, name, full)
    with pytest.raises(EmbeddedPostgresError, match="temporarily unavailable; end something else"):
        EmbeddedPostgres(home, **SMALL).start()
    monkeypatch.undo()
    with EmbeddedPostgres(home, **SMALL) as server:  # nothing is left that would be in its way
        assert server.pid is not None
