"""How the simulator's settings are read: frozen dataclasses that check themselves and travel as JSON."""

import json
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

T = TypeVar("T")

#: For `pydantic.dataclasses.dataclass`: no field is converted, and an unknown one is refused.
CHECKED = ConfigDict(strict=True, extra="forbid")


def read(kind: type[T], value: Any) -> T:
    """Read a setting from what JSON gave; raises ValueError with a sentence that names the field."""
    try:
        return TypeAdapter(kind).validate_json(json.dumps(value))
    except ValidationError as error:
        told = [
            f"{'.'.join(map(str, item['loc'])) or kind.__name__}: {item['msg']} (got {item['input']!r:.60})"
            for item in error.errors(include_url=False)
        ]
        raise ValueError("; ".join(told) + ".") from None
