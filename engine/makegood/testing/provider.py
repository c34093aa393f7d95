"""A provider in memory that does what it is told, and remembers what it was asked."""

import asyncio
import hashlib
from collections import Counter, deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field

from makegood.errors import ProviderUnavailable, ResultTooLarge, WebhookRefused
from makegood.outcome import (
    JSON,
    Accepted,
    Answer,
    Cancelled,
    CancelReply,
    Capacity,
    Features,
    Hint,
    NotFound,
    Output,
    Signature,
    Submission,
    Succeeded,
    Uncertain,
    Unfinished,
)
from makegood.ports import Moved, unheard

SIGNATURE = "scripted-signature"
PNG = b"\x89PNG\r\n\x1a\n"
#: With what every PNG ends.
PNG_END = b"\0\0\0\0IEND\xaeB`\x82"


def signed(raw: bytes) -> dict[str, str]:
    """Return the headers with which a ScriptedProvider whose features say that it signs sends *raw*."""
    return {SIGNATURE: hashlib.sha256(raw).hexdigest()}


@dataclass(slots=True)
class Task:
    """What one create call asked for; `answers` are what queries will hear, the last one for ever."""

    task_id: str
    request: JSON
    files: Mapping[str, str]
    webhook: str | None
    answers: deque[Answer | Exception] = field(default_factory=deque)
    cancelled: bool = False
    ran: bool = False

    @property
    def token_hash(self) -> bytes:
        """SHA-256 of the token, which is the last part of the webhook's address."""
        return hashlib.sha256((self.webhook or "").rpartition("/")[2].encode()).digest()


@dataclass(slots=True)
class Gate:
    """Holds one call: `reached` is set when it has come, and it goes on once `opened` is set.

    `moved` tells the caller of an upload that bytes have left.
    """

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    moved: Moved = unheard


class ScriptedProvider:
    """Implements `makegood.ports.Provider`: takes every task and delivers one PNG for it.

    `plan` says what comes instead, `fail` lets calls go unanswered, `gate` holds one back. `calls`
    lists what was asked, as (method, file name, task id or address); `tasks` what exists, by id; `room` is
    what it says of the account. `contents` says in which pieces a result comes, by its address; an
    exception among them is raised. A `deaf` one takes requests to cancel, and goes on.
    """

    def __init__(self, features: Features | None = None) -> None:
        self.features = features or Features(tells_webhook=True)
        self.room = Capacity()
        self.deaf = False
        self.calls: list[tuple[str, str]] = []
        self.tasks: dict[str, Task] = {}
        self.contents: dict[str, Sequence[bytes | Exception]] = {}
        self._plans: deque[tuple[Submission | Exception | None, tuple[Answer | Exception, ...]]] = deque()
        self._failing: Counter[str] = Counter()
        self._gates: dict[str, deque[Gate]] = {}

    def plan(self, submission: Submission | Exception | None = None, *answers: Answer | Exception) -> None:
        """Say how the next create call that has no plan yet ends, and what queries then hear.

        None accepts it. With Uncertain or an exception the task exists all the same and only the
        reply is lost. Without *answers* the task has succeeded; an exception among them is raised.
        """
        self._plans.append((submission, answers))

    def fail(self, method: str, times: int = 1) -> None:
        """Let the next *times* calls of *method* raise ProviderUnavailable."""
        self._failing[method] += times

    def gate(self, method: str) -> Gate:
        """Hold the next call of *method* that no other gate holds, and return its gate."""
        gate = Gate()
        self._gates.setdefault(method, deque()).append(gate)
        return gate

    def count(self, method: str) -> int:
        """Return how often *method* was called."""
        return sum(name == method for name, _ in self.calls)

    async def upload(self, name: str, data: bytes, moved: Moved = unheard) -> str:
        """See `Provider.upload`; it is silent but for what a gate's `moved` says."""
        await self._called("upload", name, moved)
        return f"there/{name}"

    async def submit(self, request: JSON, files: Mapping[str, str], webhook: str | None) -> Submission:
        """See `Provider.submit`; the task exists from the moment at which the call came."""
        submission, answers = self._plans.popleft() if self._plans else (None, ())
        task_id = submission.task_id if isinstance(submission, Accepted) else f"task-{len(self.tasks) + 1}"
        if submission is None or isinstance(submission, (Accepted, Uncertain, Exception)):
            output = Output(f"https://provider.example/{task_id}.png", "png")
            left = deque(answers or (Succeeded((output,)),))
            self.tasks[task_id] = Task(task_id, request, files, webhook, left)
        await self._called("submit", task_id)
        if isinstance(submission, Exception):
            raise submission
        return submission or Accepted(task_id)

    async def query(self, task_id: str) -> Answer:
        """See `Provider.query`; a cancelled task answers so instead of being unfinished."""
        await self._called("query", task_id)
        task = self.tasks.get(task_id)
        if task is None:
            return NotFound()
        answer = task.answers.popleft() if len(task.answers) > 1 else task.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Unfinished):
            if task.cancelled:
                answer = Cancelled(ran=task.ran)
                task.answers = deque([answer])
                return answer
            task.ran = task.ran or answer.running
        return answer

    async def cancel(self, task_id: str) -> CancelReply:
        """See `Provider.cancel`."""
        await self._called("cancel", task_id)
        task = self.tasks.get(task_id)
        if task is None:
            return CancelReply.NOT_FOUND
        task.cancelled = not self.deaf
        return CancelReply.REQUESTED

    async def capacity(self) -> Capacity:
        """See `Provider.capacity`; it is what `room` says."""
        await self._called("capacity", "")
        return self.room

    async def fetch(self, output: Output, size_max: int) -> AsyncGenerator[bytes, None]:
        """See `Provider.fetch`; what `contents` does not say is a PNG around its address."""
        await self._called("fetch", output.url)
        pieces = self.contents.get(output.url, (PNG, output.url.encode(), PNG_END))
        if sum(len(piece) for piece in pieces if isinstance(piece, bytes)) > size_max:
            raise ResultTooLarge(size_max)
        for piece in pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def confirm_binding(self, task_id: str, token_hash: bytes) -> bool:
        """See `Provider.confirm_binding`."""
        await self._called("confirm_binding", task_id)
        return task_id in self.tasks and self.tasks[task_id].token_hash == token_hash

    def parse_webhook(self, headers: Mapping[str, str], raw: bytes) -> Hint:
        """See `Provider.parse_webhook`: the body is a task id and nothing else, signed as `signed` does."""
        if self.features.signature is not Signature.NONE and headers.get(SIGNATURE) != signed(raw)[SIGNATURE]:
            raise WebhookRefused("the message is not signed by the scripted provider")
        if not raw:
            raise ValueError("the message names no task")
        return Hint(raw.decode())

    async def _called(self, method: str, about: str, moved: Moved = unheard) -> None:
        self.calls.append((method, about))
        if gates := self._gates.get(method):
            gate = gates.popleft()
            gate.moved = moved
            gate.reached.set()
            await gate.opened.wait()
        if self._failing[method]:
            self._failing[method] -= 1
            raise ProviderUnavailable(f"{method} was told to fail")
