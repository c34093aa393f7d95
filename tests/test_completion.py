"""What real shells complete, set up as docs/how-to/jobs-from-the-terminal.md says."""

import os
import pty
import re
import select
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from makegood_adapters.cli.commands import COMMANDS
from tests.command import PROGRAM

PAGE = Path(__file__).parent.parent / "docs/how-to/jobs-from-the-terminal.md"
BASH_COMPLETION = Path("/usr/share/bash-completion/bash_completion")
#: A key that tells what stands in the line, in words of each shell, and takes it away.
TELLS = {
    "bash": "tell() { printf '%s\\n' \"$READLINE_LINE\" >told; READLINE_LINE=; }; bind -x '\"\\C-g\": tell'",
    "zsh": "tell() { print -r -- $BUFFER >told; BUFFER= }; zle -N tell; bindkey '^G' tell",
}
#: What is typed before the key that completes, and what then stands there.
TYPED = {
    "makegood sett": "makegood settle ",
    "makegood key rot": "makegood key rotate ",
    "makegood top --au": "makegood top --audit ",
    "makegood graph base --format sv": "makegood graph base --format svg ",
    "makegood check too": "makegood check tools/",
    "makegood graph tools/cl": "makegood graph tools/clock.toml ",
    "makegood serve --config mak": "makegood serve --config makegood.toml ",
    "makegood conf": "makegood config ",
    "makegood init --site a": "makegood init --site ai ",
}
#: What is offered where more than one word fits, in fish, which says it to programs.
OFFERED = {
    "makegood ": {command.name for command in COMMANDS},
    "makegood se": {"serve", "settle"},
    "makegood key ": {"make", "list", "rotate", "revoke"},
    "makegood top --au": {"--audit"},
    "makegood graph base --format s": {"svg", "sql"},
    "makegood completion ": {"bash", "zsh", "fish"},
    "makegood init --site ": {"cn", "ai"},
    "makegood check too": {"tools/"},
}


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not shutil.which(shell), reason=f"{shell} is not installed here")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return an empty home in which one is, with a folder of tools and one that is called like a command."""
    for folder in ("tools", "config"):
        (tmp_path / folder).mkdir()
    for file in ("makegood.toml", "tools/clock.toml"):
        (tmp_path / file).touch()
    return tmp_path


def environment(home: Path) -> dict[str, str]:
    path = f"{PROGRAM.parent}:{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(home), "TERM": "xterm", "LC_ALL": "C.UTF-8"}


def set_up(shell: str, home: Path) -> str:
    """Do what the page says of *shell*; return the lines it has for the file that the shell reads."""
    _, _, text = PAGE.read_text(encoding="utf-8").partition("## Let the shell complete")
    _, _, part = text.partition(f"For {shell}")
    installed, *lines = re.findall(r"```sh\n(.*?)```", re.split(r"\nFor ", part)[0], re.DOTALL)
    subprocess.run(["bash", "-ec", installed], cwd=home, env=environment(home), check=True)
    return "".join(lines)


@contextmanager
def terminal(*words: str, home: Path) -> Iterator[int]:
    """Yield the other end of a terminal in which *words* run, as those of who sits before it."""
    here, there = pty.openpty()
    shell = subprocess.Popen(
        ["setsid", "-c", *words], cwd=home, env=environment(home), stdin=there, stdout=there, stderr=there
    )
    os.close(there)
    try:
        yield here
    finally:
        shell.kill()
        shell.wait()
        os.close(here)


@pytest.mark.parametrize("shell", [pytest.param(name, marks=needs(name)) for name in TELLS])
def test_what_is_typed_in_a_shell_is_completed(shell: str, home: Path) -> None:
    lines = set_up(shell, home)
    if shell == "bash":
        without = home / ".local/share/bash-completion/completions/makegood"
        lines = f"source {BASH_COMPLETION if BASH_COMPLETION.exists() else without}\n"
    (home / f".{shell}rc").write_text(lines + TELLS[shell])
    os.mkfifo(home / "told")
    told = os.open(home / "told", os.O_RDWR)
    found = {}
    with terminal(shell, "-i", home=home) as keyboard:
        for typed in TYPED:
            os.write(keyboard, f"{typed}\t\a".encode())
            while told not in (ready := select.select([keyboard, told], [], [])[0]):
                os.read(ready[0], 65_536)
            found[typed] = os.read(told, 4_096).decode().rstrip("\n")
    os.close(told)
    assert found == TYPED


@needs("fish")
def test_fish_offers_commands_options_values_and_files(home: Path) -> None:
    assert set_up("fish", home) == ""
    for typed, offered in OFFERED.items():
        told = subprocess.run(
            ["fish", "-c", f"complete -C '{typed}'"],
            cwd=home,
            env=environment(home),
            capture_output=True,
            text=True,
            check=True,
        )
        assert {line.partition("\t")[0] for line in told.stdout.splitlines()} == offered, typed
