"""A create call as the simulated site reads it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Node:
    """One entry of nodeInfoList; the value is always text here."""

    node: str
    field: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRequest:
    """A create call: `inputs` are the SHA-256 digests, in hex, of the files that its nodes name."""

    arrival: int
    api: Literal["v1", "v2"]
    app: str
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    webhook_url: str | None
