"""A provider whose tasks do what the story says: it alone knows what is true about them."""

import hashlib
from collections import Counter, deque
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from makegood.errors import ProviderUnavailable
from makegood.outcome import (
    JSON,
    Accepted,
    Answer,
    Cancelled,
    CancelReply,
    Capacity,
    Cause,
    Failed,
    Features,
    Hint,
    NotFound,
    Output,
    Rejected,
    Retry,
    Submission,
    Succeeded,
    Trouble,
    Uncertain,
    Unfinished,
)
from makegood.ports import Moved, unheard
from makegood.testing.provider import PNG, PNG_END


class WorkerKilled(BaseException):
    """The process is gone at this very call: nothing of it runs any more, no clean-up either."""


class Create(StrEnum):
    """How a create call ends; the names tell whether a task exists afterwards."""

    ACCEPTED = "accepted"
    REFUSED = "refused for good"
    BUSY = "refused for now"
    FULL = "refused because the account is full"
    KEY = "refused because the key failed in passing"
    BROKE = "refused because the account has no money"
    UNKNOWN_TASK = "answer unusable, but there is a task"
    UNKNOWN_NONE = "answer unusable, and there is no task"
    LOST_TASK = "no answer, but there is a task"
    LOST_NONE = "no answer, and there is no task"
    KILLED_BEFORE = "worker killed before the provider heard of it"
    KILLED_AFTER = "worker killed, but there is a task"


class Fate(StrEnum):
    """Where a task stands at the provider."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    EMPTY = "succeeded without a result"
    FAILED = "failed"
    TRANSIENT = "failed and may be tried again"
    CANCELLED = "cancelled"
    LOST = "no longer known"


ENDS = frozenset(Fate) - {Fate.WAITING, Fate.RUNNING}
_REFUSED = {Create.REFUSED, Create.BUSY, Create.FULL, Create.KEY, Create.BROKE}
_MAKE_A_TASK = {Create.ACCEPTED, Create.UNKNOWN_TASK, Create.LOST_TASK, Create.KILLED_AFTER}


@dataclass(slots=True)
class Task:
    """One task; `begun` tells whether it was ever worked on."""

    id: str
    token_hash: bytes
    fate: Fate = Fate.WAITING
    begun: bool = False

    def __str__(self) -> str:
        return self.id


class Site:
    """Implements `makegood.ports.Provider`; `plans` say how the next create calls end, `killing` at which
    next call the worker dies, `silent` which next call is not answered."""

    features = Features(tells_webhook=True)

    def __init__(self) -> None:
        self.tasks: dict[str, Task] = {}
        self.created: Counter[bytes] = Counter()  # create calls by the hash of their webhook token
        self.refused: set[bytes] = set()
        self.plans: deque[Create] = deque()
        self.killing: set[str] = set()
        self.silent: set[str] = set()

    def task_of(self, token_hash: bytes | None) -> Task | None:
        """Return the task that was created with a webhook token of this hash."""
        return next((task for task in self.tasks.values() if task.token_hash == token_hash), None)

    def move(self, task: Task, fate: Fate) -> None:
        """Let the provider do with the task what it does; what is over stays over."""
        if task.fate not in ENDS:
            task.fate = fate
            task.begun = task.begun or fate in {Fate.RUNNING, Fate.SUCCEEDED, Fate.EMPTY}

    async def upload(self, name: str, data: bytes, moved: Moved = unheard) -> str:
        """See `Provider.upload`."""
        raise AssertionError("these jobs have no files")

    async def submit(self, request: JSON, files: Mapping[str, str], webhook: str | None) -> Submission:
        """See `Provider.submit`."""
        plan = self.plans.popleft() if self.plans else Create.ACCEPTED
        if plan is Create.KILLED_BEFORE:
            raise WorkerKilled
        token_hash = hashlib.sha256((webhook or "").rpartition("/")[2].encode()).digest()
        self.created[token_hash] += 1
        task = Task(f"task-{len(self.tasks) + 1}", token_hash)
        if plan in _MAKE_A_TASK:
            self.tasks[task.id] = task
        elif plan in _REFUSED:
            self.refused.add(token_hash)
        match plan:
            case Create.ACCEPTED:
                return Accepted(task.id)
            case Create.REFUSED:
                return Rejected("400", "bad request", Retry.NEVER)
            case Create.BUSY:
                return Rejected("421", "busy", Retry.LATER)
            case Create.FULL:
                return Rejected("421", "full", Retry.LATER, cause=Cause.ROOM)
            case Create.KEY:
                return Rejected("-1", "key", Retry.LATER, cause=Cause.ACCOUNT)
            case Create.BROKE:
                return Rejected("416", "no money", Retry.NEVER, cause=Cause.ACCOUNT)
            case Create.UNKNOWN_TASK | Create.UNKNOWN_NONE:
                return Uncertain("the answer could not be read")
            case Create.LOST_TASK | Create.LOST_NONE:
                raise TimeoutError
            case Create.KILLED_AFTER:
                raise WorkerKilled

    async def query(self, task_id: str) -> Answer:
        """See `Provider.query`."""
        self._called("query")
        task = self.tasks.get(task_id)
        match task and task.fate:
            case None | Fate.LOST:
                return NotFound()
            case Fate.WAITING | Fate.RUNNING as fate:
                return Unfinished(running=fate is Fate.RUNNING)
            case Fate.SUCCEEDED:
                return Succeeded((Output(f"https://provider.example/{task_id}.png", "png"),))
            case Fate.EMPTY:
                return Succeeded(())
            case Fate.FAILED | Fate.TRANSIENT as fate:
                return Failed("out of memory", Trouble.PASSING if fate is Fate.TRANSIENT else Trouble.REQUEST)
            case Fate.CANCELLED:
                return Cancelled(ran=bool(task and task.begun))
            case other:
                raise AssertionError(other)

    async def cancel(self, task_id: str) -> CancelReply:
        """See `Provider.cancel`."""
        self._called("cancel")
        task = self.tasks.get(task_id)
        if task is None or task.fate is Fate.LOST:
            return CancelReply.NOT_FOUND
        if task.fate in ENDS:
            return CancelReply.ALREADY_OVER
        self.move(task, Fate.CANCELLED)
        return CancelReply.REQUESTED

    async def capacity(self) -> Capacity:
        """See `Provider.capacity`."""
        return Capacity()

    async def fetch(self, output: Output, size_max: int) -> AsyncGenerator[bytes, None]:
        """See `Provider.fetch`."""
        self._called("fetch")
        yield PNG + output.url.encode() + PNG_END

    async def confirm_binding(self, task_id: str, token_hash: bytes) -> bool:
        """See `Provider.confirm_binding`."""
        self._called("confirm_binding")
        task = self.tasks.get(task_id)
        return task is not None and task.fate is not Fate.LOST and task.token_hash == token_hash

    def parse_webhook(self, headers: Mapping[str, str], raw: bytes) -> Hint:
        """See `Provider.parse_webhook`."""
        return Hint(raw.decode().split()[-1])  # a message is what happened, and the task

    def _called(self, method: str) -> None:
        if method in self.killing:
            self.killing.discard(method)
            raise WorkerKilled
        if method in self.silent:
            self.silent.discard(method)
            raise ProviderUnavailable(f"{method} was not answered")
