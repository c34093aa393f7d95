"""Put on a disguise, bind the own life to the parent's, and become a program of Postgres (Linux).

It is run as a program of its own. Between a fork and an exec of the parent this could not be done: what a
library hangs to a fork may start a thread in the child, and no process with two threads enters a user
namespace (unshare(2): EINVAL). It imports nothing of makegood, for it begins without site packages.
"""

import ctypes
import errno
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2)
CLONE_NEWUSER = 0x10000000  # unshare(2)
#: What starting any program ends with on a system that is short of memory, processes or open files.
OUT_OF_ROOM = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
#: The exit status that stands for OUT_OF_ROOM.
NO_ROOM_NOW = os.EX_TEMPFAIL


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


def main(parent: int, disguise: str, user: int, group: int, command: list[str]) -> None:
    """Become *command* under *disguise*; the death of the thread that started us is heard as SIGINT.

    The order matters: the kernel forgets the death signal at every change of credentials; exec keeps it.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for name in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and exec would keep that
        signal.signal(name, signal.SIG_DFL)
    if disguise == "NAMESPACE":
        _enter_namespace(user, group)
    elif disguise == "NOBODY":
        _change_account(user, group)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0)
    if os.getppid() == parent:  # else it died before the signal was set
        os.execv(command[0], command)


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
    except Refused as refusal:
        sys.stderr.write(f"FATAL:  {refusal}\n")
    except OSError as error:
        sys.stderr.write(f"FATAL:  {error.strerror}: {error.filename or sys.argv[5]}\n")
        if error.errno in OUT_OF_ROOM:
            sys.exit(NO_ROOM_NOW)
    sys.exit(1)
