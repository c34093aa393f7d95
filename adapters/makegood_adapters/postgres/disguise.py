"""Run the programs of Postgres, which refuse root, as somebody else, and make them die with us (Linux)."""

import ctypes
import enum
import errno
import os
import pwd
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import IO

PR_SET_PDEATHSIG = 1  # prctl(2)
CLONE_NEWUSER = 0x10000000  # unshare(2)
PROBE_SECONDS = 30.0
#: What starting any program ends with on a system that is short of memory, processes or open files.
OUT_OF_ROOM = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})


class Disguise(enum.Enum):
    """Under which account a child runs."""

    NONE = "the account of this process"
    NAMESPACE = "the same account under another number, in a user namespace"
    NOBODY = "the unprivileged account of the system"

    def launch(self, command: list[str], output: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start *command*; Ctrl-C does not reach it, the death of the calling thread does (as SIGINT)."""
        other = stand_in() if self is Disguise.NOBODY else None
        # What a host sets must change neither the server nor the language of its log.
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
        with warnings.catch_warnings():
            # Python 3.12 warns of preexec_fn beside threads; ours makes system calls only and takes no lock.
            warnings.simplefilter("ignore", DeprecationWarning)
            return subprocess.Popen(
                command,
                cwd="/",
                env=kept | {"LC_ALL": "C", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=self._binding(),
                user=other.pw_uid if other else None,
                group=other.pw_gid if other else None,
                extra_groups=[] if other else None,
            )

    def can_use(self, place: Path, binaries: Path | None = None) -> bool:
        """Try whether *place* can be entered and written, and *binaries* be run.

        Raises OSError with one of OUT_OF_ROOM where that cannot be tried now.
        """
        script = (
            'cd "$1" && [ -w . ] && if [ -n "$2" ]; then "$2/initdb" --version && "$2/postgres" --version; fi'
        )
        command = ["/bin/sh", "-c", script, "probe", str(place), str(binaries or "")]
        try:
            with open(os.devnull, "wb") as silence:
                return self.launch(command, silence).wait(PROBE_SECONDS) == 0
        except subprocess.SubprocessError:
            return False
        except OSError as error:
            if error.errno in OUT_OF_ROOM:
                raise
            return False

    def folder(self, parent: Path) -> Path | None:
        """Make a folder below *parent* that this account alone may enter; None where that cannot be."""
        try:
            made = Path(tempfile.mkdtemp(prefix="makegood-", dir=parent))
        except OSError:
            return None
        try:
            self.give(made)
            if self.can_use(made):
                return made
        except OSError:
            pass  # for instance root without the capability to give files away
        made.rmdir()
        return None

    def give(self, path: Path) -> None:
        """Make this account the owner of *path*, which must be ours."""
        if self is Disguise.NOBODY:
            account = stand_in()
            os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)

    def _binding(self) -> Callable[[], None]:
        """Return what the child does between fork and exec: put on its disguise, then bind its life to ours.

        The order matters: the kernel forgets the death signal at every change of credentials, entering a user
        namespace and setuid (which came before this) included; exec keeps it.
        """
        libc, parent = ctypes.CDLL(None, use_errno=True), os.getpid()
        prctl, unshare = libc.prctl, libc.unshare
        maps: list[tuple[str, bytes]] = []
        if self is Disguise.NAMESPACE:
            shown = stand_in()
            # user_namespaces(7): a gid_map needs privileges or that setgroups is given up first.
            maps = [
                ("/proc/self/setgroups", b"deny"),
                ("/proc/self/uid_map", b"%d %d 1" % (shown.pw_uid, os.geteuid())),
                ("/proc/self/gid_map", b"%d %d 1" % (shown.pw_gid, os.getegid())),
            ]

        def bind() -> None:
            if maps and unshare(CLONE_NEWUSER):
                reason = os.strerror(ctypes.get_errno())
                os.write(2, f"FATAL:  this system refuses user namespaces ({reason})\n".encode())
                os._exit(1)
            for path, text in maps:
                file = os.open(path, os.O_WRONLY)
                os.write(file, text)
                os.close(file)
            prctl(PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)  # the parent died before the signal was set

        return bind


def needs_disguise() -> bool:
    """Tell whether Postgres would refuse this account: root, or a number without a name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_uid == 0
    except KeyError:
        return True


def stand_in() -> pwd.struct_passwd:
    """Return whom Postgres takes itself for: `nobody`, else anybody but root who has a name."""
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        for account in pwd.getpwall():
            if account.pw_uid != 0:
                return account
        raise PermissionError(
            1, "is the only account of this system, and Postgres refuses it", "root"
        ) from None
