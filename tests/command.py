"""The command `makegood`, run as a process of its own that need not load a thousand modules first.

A process that has loaded them waits, and each run is a fork of it with arguments, environment, folder,
streams and exit status of its own. Tests of signals, of terminals or of several processes start `PROGRAM`
itself.
"""

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess

PROGRAM = Path(sys.executable).with_name("makegood")
#: For what hangs; a test that means a time has its own.
SECONDS = 110.0

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["makegood_adapters.cli.app"])


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
    given = dict(os.environ if environment is None else environment)
    with tempfile.TemporaryDirectory(prefix="makegood-command-") as place:
        streams = [Path(place, name) for name in ("out", "err")]
        command = _FORKS.Process(target=_become, args=(words, folder or Path.cwd(), given, streams))
        command.start()
        command.join(seconds)
        if command.exitcode is None:
            command.kill()
            command.join()
            raise TimeoutError(
                f"makegood {' '.join(words)} did not come to an end within {seconds:g} seconds"
            )
        out, err = (stream.read_text(encoding="utf-8") for stream in streams)
        status = command.exitcode
        command.close()
    return CompletedProcess([str(PROGRAM), *words], status, out, err)


def _become(words: Sequence[str], folder: Path, environment: Mapping[str, str], streams: list[Path]) -> None:
    """Be the command from here on; the caller's end is the end of the process."""
    for number, stream in enumerate(streams, start=1):
        opened = os.open(stream, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    house = str(Path(__file__).resolve().parent.parent)
    sys.path[:] = [str(PROGRAM.parent), *(entry for entry in sys.path if entry not in ("", house))]
    sys.argv = [str(PROGRAM), *words]
    from makegood_adapters.cli import main

    main()
