"""Lines of a story on a terminal: wrapped at words there, whole where a program reads them."""

import textwrap

from rich.console import Console
from rich.text import Text

from makegood_adapters.cli.staging.board import Tone

STYLES = {Tone.PLAIN: "", Tone.GOOD: "green", Tone.BAD: "bold red", Tone.WARN: "yellow"}
_WIDTH_MAX = 120


def print_line(console: Console, text: str, style: str) -> None:
    """Print *text*, indented."""
    if console.is_terminal:
        width = min(console.width, _WIDTH_MAX)
        text = textwrap.fill(text, width - 2, subsequent_indent="  ", break_on_hyphens=False)
    console.print(Text(textwrap.indent(text, "  "), style), soft_wrap=True)
