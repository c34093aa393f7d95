"""The command `makegood config`: what is in effect, and where each value comes from."""

import json as as_json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from makegood_adapters.config import load_config, told


def configuration(
    *,
    config: Annotated[Path, Parameter(name="--config")] = Path("config/makegood.toml"),
    changed: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Check the configuration and show every value with where it comes from; secrets are masked.

    The exit status is 2 if `makegood serve` would refuse it.

    Parameters
    ----------
    config
        The configuration file.
    changed
        Only what does not have its default.
    json
        Tell it as one JSON object.

    Examples
    --------
    makegood config --changed
    """
    read = load_config(config)
    values = [each for each in told(read) if not changed or each.origin != "default"]
    if json:
        shown = {each.key: {"value": each.value, "origin": each.origin} for each in values}
        whole = {"values": shown, "warnings": read.warnings}
        sys.stdout.write(as_json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("key", "value", "from"):
        table.add_column(name, overflow="fold")
    for each in values:
        style = "dim" if each.origin == "default" else ""
        table.add_row(Text(each.key), Text(each.value, style), Text(each.origin, style))
    Console(highlight=False).print(table)
    for warning in read.warnings:
        sys.stderr.write(f"makegood: {warning}\n")
