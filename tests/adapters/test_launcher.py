"""What is started to die with us does, becomes who it should, and says why it cannot."""

import os
import signal
import subprocess
import sys

import pytest

from makegood_adapters import launcher
from tests.adapters.test_embedded import gone

WAIT_SECONDS = 60
#: Starts a program that would go on for ever, tells its number, and waits to be killed.
PARENT = """
import signal, subprocess
from makegood_adapters.launcher import bound
command = bound(["/bin/sleep", "infinity"], signal.SIGKILL)
print(subprocess.Popen(command, start_new_session=True).pid, flush=True)
signal.pause()
"""
#: Tells which signals it ignores, and under which number it runs.
ASK = ["/bin/sh", "-c", "grep SigIgn: /proc/self/status; id -u"]


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)


def test_it_dies_with_who_started_it() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        started = int(parent.stdout.readline())
        parent.kill()
    assert gone(started)


def test_who_is_alone_before_it_was_bound_does_not_begin() -> None:
    """The program that started it is another than the one that it should die with."""
    command = launcher.bound(["/bin/echo", "begun"], signal.SIGKILL)
    ended = run(["/bin/sh", "-c", '"$@"; exit $?', "sh", *command])
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "")


def test_no_signal_is_ignored_because_python_does() -> None:
    _, ignored, number = run(launcher.bound(ASK, signal.SIGKILL)).stdout.split()
    for each in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
        assert int(ignored, 16) >> (each - 1) & 1 == 0, each
    assert number == str(os.geteuid())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another account")
def test_it_becomes_another_account_without_its_groups() -> None:
    ask = ["/bin/sh", "-c", "id -u; id -g; id -G"]
    ended = run(launcher.bound(ask, signal.SIGKILL, launcher.AS_ANOTHER, 65534, 65534))
    assert ended.stdout.splitlines() == ["65534"] * 3


def test_a_program_that_is_not_there_is_told() -> None:
    ended = run(launcher.bound(["/bin/nothing"], signal.SIGKILL))
    assert (ended.returncode, ended.stderr) == (1, "FATAL:  No such file or directory: /bin/nothing\n")
