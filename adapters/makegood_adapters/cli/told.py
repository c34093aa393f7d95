"""How a command tells a program what it has to tell: one JSON document, or a line of JSON each."""

import json
import sys
from datetime import datetime
from typing import Annotated

from cyclopts import Parameter

#: The option `--json` of every command that tells something.
Json = Annotated[bool, Parameter(name="--json", negative="")]


def tell(document: object) -> None:
    """Write one JSON document; times and ids become texts."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, default=_plain) + "\n")


def tell_line(document: object) -> None:
    """Write one JSON document as a line, at once."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, default=_plain) + "\n")
    sys.stdout.flush()


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
