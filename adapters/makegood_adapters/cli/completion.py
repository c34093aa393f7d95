"""The command `makegood completion`: what makes a shell complete our commands and options."""

import sys
from collections.abc import Iterator
from typing import Literal

from cyclopts import App

Shell = Literal["bash", "zsh", "fish"]

#: Where bash is offered files; a folder is only gone into if bash knows it for one.
_BASH_FILES = 'COMPREPLY=( $(compgen -f -- "${cur}") )'
#: What is written ends with a function. Zsh takes a file of its `fpath` for the function that the file is
#: called after, and would only define the other one, at each key; read as a script it has to register it.
_ZSH_END = """
if [[ $funcstack[1] == _* ]]; then
  _cyclopts_makegood "$@"
else
  compdef _cyclopts_makegood makegood
fi
"""


def completion(shell: Shell, /) -> None:
    """Print what makes a shell complete commands, options and their values.

    Parameters
    ----------
    shell
        Which one.

    Examples
    --------
    makegood completion bash > ~/.local/share/bash-completion/completions/makegood
    """
    from makegood_adapters.cli.app import build  # which knows this command, and would not be known to it yet

    app = build()
    written = app.generate_completion(prog_name="makegood", shell=shell)
    if shell == "bash":
        written = written.replace(_BASH_FILES, f"compopt -o filenames 2>/dev/null; {_BASH_FILES}")
    sys.stdout.write(written)
    if shell == "zsh":
        sys.stdout.write(_ZSH_END)
    elif shell == "fish":
        sys.stdout.writelines(_no_files(app))


def _no_files(app: App) -> Iterator[str]:
    """Yield what keeps fish from offering files where the next word is a command."""
    yield "complete -c makegood -n __fish_use_subcommand -f\n"
    for name in app:
        if not name.startswith("-") and not app[name].default_command:
            yield f"complete -c makegood -n '__fish_makegood_using_command {name}' -f\n"
