"""The command `makegood`, and programs, as processes that need not load a thousand modules first.

A process that has loaded them waits, and each run is a fork of it with arguments, environment, folder,
streams and exit status of its own. Tests of signals, of terminals or of several processes start `PROGRAM`
itself.
"""

import multiprocessing
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess
from types import ModuleType

from makegood_adapters.cli.commands import COMMANDS

PROGRAM = Path(sys.executable).with_name("makegood")
#: For what hangs; a test that means a time has its own.
SECONDS = 240.0

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    ["makegood_adapters.cli.app", *(command.address.partition(":")[0] for command in COMMANDS)]
)


def run(
    *words: str,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
) -> "CompletedProcess[str]":
    """Run `makegood` with *words* in *folder*, without input, and return how it ended and what it wrote.

    *environment* replaces that of this process. Raises TimeoutError, with the command killed, after
    *seconds*.
    """
    return _forked(_command, (str(PROGRAM), *words), folder or Path.cwd(), environment, seconds)


def run_python(
    code: str, folder: Path, environment: Mapping[str, str], seconds: float = SECONDS
) -> "CompletedProcess[str]":
    """Run *code* as `python -W error -c` does, else like `run`."""
    return _forked(partial(_program, code), ("-c",), folder, environment, seconds)


def _forked(
    work: Callable[[], None],
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None,
    seconds: float,
) -> "CompletedProcess[str]":
    given = dict(os.environ if environment is None else environment)
    with tempfile.TemporaryDirectory(prefix="makegood-command-") as place:
        streams = [Path(place, name) for name in ("out", "err")]
        process = _FORKS.Process(target=_become, args=(work, arguments, folder, given, streams))
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutError(f"{' '.join(arguments)} did not end within {seconds:g} seconds")
        out, err = (stream.read_text(encoding="utf-8") for stream in streams)
        status = process.exitcode
        process.close()
    return CompletedProcess(arguments, status, out, err)


def _become(
    work: Callable[[], None],
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    streams: Sequence[Path],
) -> None:
    """Be the program from here on; its end is the end of the process."""
    for number, stream in enumerate(streams, start=1):
        opened = os.open(stream, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    house = str(Path(__file__).resolve().parent.parent)
    sys.path[:] = [entry for entry in sys.path if entry not in ("", house)]
    sys.argv = list(arguments)
    work()


def _command() -> None:
    from makegood_adapters.cli import main

    sys.path.insert(0, str(PROGRAM.parent))
    main()


def _program(code: str) -> None:
    warnings.simplefilter("error")
    sys.path.insert(0, "")
    sys.modules["__main__"] = ModuleType("__main__")
    exec(compile(code, "<string>", "exec"), sys.modules["__main__"].__dict__)
