"""What the simulator knows of each task, kept for whoever reconciles independently."""

import asyncio
import hashlib
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from makegood_adapters.runninghub.simulator.faults import Faults
from makegood_adapters.runninghub.simulator.request import TaskRequest


class State(StrEnum):
    """The states of RunningHub's v2 query; CREATE is another word for QUEUED and left to the wire."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    CANCEL = "CANCEL"


TERMINAL = frozenset({State.SUCCESS, State.FAILED, State.CANCEL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One attempt at a webhook: the receiver's HTTP status, or None and what went wrong."""

    at: datetime
    status: int | None
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the receiver took it."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One output: a file, or a text, which v1 tells as a file and v2 inline."""

    name: str
    node: str
    data: bytes = field(repr=False)
    text: str | None = None

    @property
    def kind(self) -> str:
        """The lower-case extension."""
        return self.name.rsplit(".", 1)[-1]


@dataclass(slots=True, kw_only=True, eq=False)
class Task:
    """One task from its acceptance on. `reply` is what became of the create reply.

    `released` lets it go on where it is held; `hurried` ends all its waiting.
    """

    id: str
    key: str = field(repr=False)
    request: TaskRequest
    faults: Faults
    created_at: datetime
    state: State = State.QUEUED
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    reply: Literal["pending", "sent", "dropped", "broken"] = "pending"
    results: tuple[Result, ...] = ()
    error: str | None = None
    error_type: str = "RuntimeError"
    error_code: str = ""
    webhook_id: str | None = None
    deliveries: list[Delivery] = field(default_factory=list)
    charged: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    hurried: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    life: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def over(self) -> bool:
        """Whether the task has ended."""
        return self.state in TERMINAL

    @property
    def cost_seconds(self) -> int:
        """Whole seconds of work, at least 1 once the task has begun; 0 if it never did."""
        if self.started_at is None:
            return 0
        ended_at = self.finished_at or self.started_at
        return max(1, round((ended_at - self.started_at).total_seconds()))

    @property
    def coins(self) -> int:
        """The bill: 0.2 coins a second, at least 1 once the task has begun."""
        return max(1, round(self.cost_seconds / 5)) if self.started_at is not None else 0

    def to_json(self, base_url: str) -> dict[str, Any]:
        """Return everything but the key and the webhook's address, which ends in a secret.

        `webhook_sha256` is the digest of that last path segment in hex; times are ISO 8601.
        """
        url = self.request.webhook_url
        token = url.rsplit("/", 1)[-1].encode() if url else None
        return {
            "id": self.id,
            "arrival": self.request.arrival,
            "api": self.request.api,
            "kind": self.request.kind,
            "app": self.request.app,
            "nodes": [asdict(node) for node in self.request.nodes],
            "inputs": list(self.request.inputs),
            "webhook_sha256": hashlib.sha256(token).hexdigest() if token is not None else None,
            "faults": asdict(self.faults),
            "reply": self.reply,
            "state": self.state.value,
            "error": self.error,
            "created_at": self.created_at.isoformat(),
            "started_at": self.started_at.isoformat() if self.started_at else None,
            "finished_at": self.finished_at.isoformat() if self.finished_at else None,
            "cancel_requested": self.cancel_requested_at is not None,
            "coins": self.coins,
            "outputs": [
                {
                    "name": result.name,
                    "url": f"{base_url}/output/{result.name}",
                    "size": len(result.data),
                    "sha256": hashlib.sha256(result.data).hexdigest(),
                }
                for result in self.results
            ],
            "deliveries": [
                {"at": item.at.isoformat(), "status": item.status, "error": item.error}
                for item in self.deliveries
            ],
        }
