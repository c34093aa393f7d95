"""Start programs that die with us, as somebody else where that is wanted (Linux).

`bound` has them started by this file, run as a program of its own. Between a fork and an exec of our process
it could not be done: what a library hangs to a fork may start a thread in the child, and no process with
two threads enters a user namespace (unshare(2): EINVAL). It imports nothing of makegood, for it begins
without site packages.
"""

import ctypes
import errno
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1  # prctl(2)
CLONE_NEWUSER = 0x10000000  # unshare(2)
#: What starting any program ends with on a system that is short of memory, processes or open files.
OUT_OF_ROOM = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
#: The exit status that stands for OUT_OF_ROOM.
NO_ROOM_NOW = os.EX_TEMPFAIL


#: Stay who we are.
AS_WE_ARE = "nobody else"
#: Stay who we are, but under other numbers, in a user namespace.
IN_NAMESPACE = "in a namespace"
#: Become another account.
AS_ANOTHER = "another account"


class Refused(Exception):
    """The system refuses what the message tells."""


def _enter_namespace(user: int, group: int) -> None:
    """Stay who we are, but under these numbers, in a user namespace of our own."""
    mine, ours = os.geteuid(), os.getegid()
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER):
        _refuse("user namespaces", ctypes.get_errno())
    # user_namespaces(7): a gid_map needs privileges or that setgroups is given up first.
    maps = {"setgroups": "deny", "uid_map": f"{user} {mine} 1", "gid_map": f"{group} {ours} 1"}
    for name, text in maps.items():
        try:
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
        except OSError as error:
            _refuse("user namespaces", error.errno or 0)


def _change_account(user: int, group: int) -> None:
    """Become another account, for which root's rights are needed."""
    try:
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)
    except OSError as error:
        _refuse(f"the account {user}", error.errno or 0)


def _refuse(what: str, code: int) -> None:
    if code in OUT_OF_ROOM:
        raise OSError(code, os.strerror(code))
    raise Refused(f"this system refuses {what} ({os.strerror(code)})")


def bound(
    command: Sequence[str], death: signal.Signals, disguise: str = AS_WE_ARE, user: int = 0, group: int = 0
) -> list[str]:
    """Return what to start so that it becomes *command* and hears the death of the calling thread as *death*.

    *user* and *group* are the numbers to which *disguise* changes. What cannot be done is told on standard
    error, as `FATAL:  …`; then the exit status is 1, or NO_ROOM_NOW.
    """
    numbers = [str(number) for number in (os.getpid(), int(death), user, group)]
    return [sys.executable, "-I", "-S", __file__, *numbers, disguise, *command]


def main(parent: int, death: int, user: int, group: int, disguise: str, command: list[str]) -> None:
    """Become *command*.

    The order matters: the kernel forgets the death signal at every change of credentials; exec keeps it.
    """
    # Python ignores some, and so perhaps does who started us; exec would keep that.
    for name in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(name, signal.SIG_DFL)
    if disguise == IN_NAMESPACE:
        _enter_namespace(user, group)
    elif disguise == AS_ANOTHER:
        _change_account(user, group)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death, 0, 0, 0)
    if os.getppid() == parent:  # else it died before the signal was set
        os.execv(command[0], command)


if __name__ == "__main__":
    try:
        parent, death, user, group = map(int, sys.argv[1:5])
        main(parent, death, user, group, sys.argv[5], sys.argv[6:])
    except Refused as refusal:
        sys.stderr.write(f"FATAL:  {refusal}\n")
    except OSError as error:
        sys.stderr.write(f"FATAL:  {error.strerror}: {error.filename or sys.argv[6]}\n")
        if error.errno in OUT_OF_ROOM:
            sys.exit(NO_ROOM_NOW)
    sys.exit(1)
