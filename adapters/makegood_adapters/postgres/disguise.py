"""Run the programs of Postgres, which refuse root, as somebody else, and make them die with us (Linux)."""

import enum
import errno
import os
import pwd
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import IO

from makegood_adapters import launcher

PROBE_SECONDS = 30.0


class Disguise(enum.Enum):
    """Under which account a child runs."""

    #: That of this process.
    NONE = launcher.AS_WE_ARE
    #: The same under another number, in a user namespace.
    NAMESPACE = launcher.IN_NAMESPACE
    #: The unprivileged account of the system.
    NOBODY = launcher.AS_ANOTHER

    def launch(self, command: list[str], output: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start *command*; Ctrl-C does not reach it, the death of the calling thread does (as SIGINT)."""
        # What a host sets must change neither the server nor the language of its log.
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
        other = stand_in()
        return subprocess.Popen(
            launcher.bound(command, signal.SIGINT, self.value, other.pw_uid, other.pw_gid),
            cwd="/",
            env=kept | {"LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    def can_use(self, place: Path, binaries: Path | None = None) -> bool:
        """Try whether *place* can be entered and written, and *binaries* be run.

        Raises OSError with one of `launcher.OUT_OF_ROOM` where that cannot be tried now.
        """
        script = (
            'cd "$1" && [ -w . ] && if [ -n "$2" ]; then "$2/initdb" --version && "$2/postgres" --version; fi'
        )
        command = ["/bin/sh", "-c", script, "probe", str(place), str(binaries or "")]
        try:
            with open(os.devnull, "wb") as silence:
                status = self.launch(command, silence).wait(PROBE_SECONDS)
        except subprocess.TimeoutExpired:
            return False
        except OSError as error:
            if error.errno in launcher.OUT_OF_ROOM:
                raise
            return False
        if status == launcher.NO_ROOM_NOW:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return status == 0

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
