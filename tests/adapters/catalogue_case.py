"""One row of the catalogue of shipped tools, as tests have it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Raw = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """One condition of a tool: inputs, price, and what is asked; `also` are more inputs that ask the same."""

    tool: str
    raw: Raw
    price: int
    target: str
    asked: str | Raw
    also: tuple[Raw, ...] = field(default=())
