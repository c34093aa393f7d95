"""The command `makegood schema`: the JSON Schema of tool files, for editors."""

import sys

from makegood_adapters.toolfiles import schema_text


def schema() -> None:
    """Print the JSON Schema of tool files, by which an editor completes keys and marks mistakes.

    Save it beside the files and let each begin with `#:schema ./schema.json`.

    Examples
    --------
    makegood schema > tools/schema.json
    """
    sys.stdout.write(schema_text())
