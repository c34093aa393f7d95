"""One job's money on a terminal, line by line; whether its books balance comes last, in green or red."""

from rich.console import Console
from rich.text import Text

from makegood_adapters.cli.audit.explain import Explanation


def print_lines(explained: Explanation, console: Console, first: int = 0) -> None:
    """Print the explanation from line *first* on."""
    shown = explained.lines[first:]
    for number, line in enumerate(shown, 1 - len(shown)):
        last = number >= -len(explained.faults)
        style = ("bold red" if explained.faults else "green") if last else ""
        console.print(Text(line, style), soft_wrap=True)
