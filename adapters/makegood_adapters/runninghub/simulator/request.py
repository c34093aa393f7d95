"""A create call as the simulated site reads it."""

from dataclasses import dataclass
from typing import Literal

Api = Literal["v1", "v2"]
Kind = Literal["app", "workflow", "model"]


@dataclass(frozen=True, slots=True)
class Node:
    """One entry of nodeInfoList; the value is always text here. `data` is its fieldData, mostly left out."""

    node: str
    field: str
    value: str
    data: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRequest:
    """A create call: `inputs` are the SHA-256 digests, in hex, of the files that its nodes name.

    `app` is the id of the AI app or of the workflow, or the endpoint of the model, as `kind` says.
    `instance` is the kind of machine that was asked for.
    """

    arrival: int
    api: Api
    app: str
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    webhook_url: str | None
    kind: Kind = "app"
    personal_queue: bool = False
    instance: str = "default"
