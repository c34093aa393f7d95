"""The command `makegood completion`: what makes a shell complete our commands and options."""

import sys
from typing import Literal

Shell = Literal["bash", "zsh", "fish"]


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

    sys.stdout.write(build().generate_completion(prog_name="makegood", shell=shell))
