"""Tell observers, and see to it that none of them can disturb the work that it looks at."""

import logging
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from typing import Any

from makegood.errors import ResultTooLarge
from makegood.job import Attempt, Job, ProviderAccount
from makegood.outcome import (
    JSON,
    Accepted,
    Answer,
    CancelReply,
    Capacity,
    Features,
    Hint,
    Output,
    Rejected,
    Submission,
    Uncertain,
    Unfinished,
)
from makegood.ports import Call, Move, Moved, Observer, Operation, Provider, Reception, Word, unheard
from makegood.subject import SUBJECT, Subject

log = logging.getLogger("makegood.observing")


def subject_of(attempt: Attempt) -> Subject:
    """Return what a task works on that works on *attempt*."""
    return Subject(job_id=attempt.job_id, attempt=attempt.number, account=attempt.account)


def type_is_known(job: Job) -> None:
    """Let the running task know of which type the job is that it works on."""
    if (subject := SUBJECT.get()) and subject.job_id == job.id and subject.type is None:
        SUBJECT.set(replace(subject, type=job.type))


class Observers:
    """Tells each of them; one that raises is logged and told of the next thing all the same."""

    def __init__(self, observers: Sequence[Observer] = ()) -> None:
        self._observers = tuple(observers)

    def __bool__(self) -> bool:
        return bool(self._observers)

    def moved(self, move: Move) -> None:
        """See `Observer.moved`."""
        self._tell(lambda each: each.moved(move))

    def dispatched(self, attempt: Attempt) -> None:
        """See `Observer.dispatched`."""
        self._tell(lambda each: each.dispatched(attempt))

    def called(self, call: Call) -> None:
        """See `Observer.called`."""
        self._tell(lambda each: each.called(call))

    def received(self, account: str | None, reception: Reception) -> None:
        """See `Observer.received`."""
        self._tell(lambda each: each.received(account, reception))

    def learned(self, attempt: Attempt, word: Word, heard_at: datetime | None) -> None:
        """See `Observer.learned`."""
        self._tell(lambda each: each.learned(attempt, word, heard_at))

    def _tell(self, tell: Callable[[Observer], None]) -> None:
        for observer in self._observers:
            try:
                tell(observer)
            except Exception:
                log.exception("an observer failed; the work that it looks at goes on")


#: For an engine at which nobody looks.
NOBODY = Observers()


def observed(
    providers: Mapping[ProviderAccount, Provider], observers: Observers
) -> Mapping[ProviderAccount, Provider]:
    """Return the providers as observers hear of them; themselves where nobody looks."""
    if not observers:
        return providers
    return {account: ObservedProvider(account.name, one, observers) for account, one in providers.items()}


class ObservedProvider:
    """Another provider, whose calls are told; it changes nothing of them."""

    def __init__(self, account: str, provider: Provider, observers: Observers) -> None:
        self._account, self._provider, self._observers = account, provider, observers

    @property
    def features(self) -> Features:
        """See `Provider.features`."""
        return self._provider.features

    async def upload(self, name: str, data: bytes, moved: Moved = unheard) -> str:
        """See `Provider.upload`."""
        with _Watch(self, Operation.UPLOAD, len(data)):
            return await self._provider.upload(name, data, moved)

    async def submit(self, request: JSON, files: Mapping[str, str], webhook: str | None) -> Submission:
        """See `Provider.submit`. One that is cut off may have made a task: it is uncertain."""
        with _Watch(self, Operation.SUBMIT) as watch:
            watch.if_cut = "uncertain"
            submission = await self._provider.submit(request, files, webhook)
            match submission:
                case Accepted():
                    watch.outcome = "accepted"
                case Rejected(code=code):
                    watch.outcome, watch.problem = "rejected", code
                case Uncertain():
                    watch.outcome = "uncertain"
            return submission

    async def query(self, task_id: str) -> Answer:
        """See `Provider.query`."""
        with _Watch(self, Operation.QUERY) as watch:
            answer = await self._provider.query(task_id)
            watch.outcome = _answered(answer)
            return answer

    async def cancel(self, task_id: str) -> CancelReply:
        """See `Provider.cancel`."""
        with _Watch(self, Operation.CANCEL) as watch:
            reply = await self._provider.cancel(task_id)
            watch.outcome = reply.value.replace(" ", "_")
            return reply

    async def capacity(self) -> Capacity:
        """See `Provider.capacity`."""
        with _Watch(self, Operation.CAPACITY):
            return await self._provider.capacity()

    async def fetch(self, output: Output, size_max: int) -> AsyncGenerator[bytes, None]:
        """See `Provider.fetch`."""
        with _Watch(self, Operation.FETCH) as watch:
            async with aclosing(self._provider.fetch(output, size_max)) as pieces:
                async for piece in pieces:
                    watch.bytes += len(piece)
                    yield piece

    async def confirm_binding(self, task_id: str, token_hash: bytes) -> bool:
        """See `Provider.confirm_binding`."""
        with _Watch(self, Operation.CONFIRM) as watch:
            confirmed = await self._provider.confirm_binding(task_id, token_hash)
            watch.outcome = "confirmed" if confirmed else "denied"
            return confirmed

    def parse_webhook(self, headers: Mapping[str, str], raw: bytes) -> Hint:
        """See `Provider.parse_webhook`."""
        return self._provider.parse_webhook(headers, raw)

    def tell(self, operation: Operation, watch: "_Watch", seconds: float) -> None:
        """Tell of one call."""
        self._observers.called(
            Call(
                account=self._account,
                operation=operation,
                outcome=watch.outcome,
                seconds=seconds,
                subject=SUBJECT.get(),
                bytes=watch.bytes,
                problem=watch.problem,
            )
        )


def _answered(answer: Answer) -> str:
    if isinstance(answer, Unfinished):
        return "running" if answer.running else "waiting"
    kind = type(answer).__name__
    return {"NotFound": "not_found"}.get(kind, kind.lower())


class _Watch:
    """The time of one call, and how it ended: what it raised goes on."""

    def __init__(self, provider: ObservedProvider, operation: Operation, size: int = 0) -> None:
        self._provider, self._operation = provider, operation
        self.outcome, self.if_cut, self.bytes = "ok", "cut_off", size
        self.problem: str | None = None

    def __enter__(self) -> "_Watch":
        self._began = time.perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: Any) -> None:
        if isinstance(error, ResultTooLarge):
            self.outcome, self.problem = "too_large", type(error).__name__
        elif isinstance(error, Exception):
            self.outcome, self.problem = "failed", type(error).__name__
        elif error is not None:  # cancelled by a time limit or the end of the process, or nobody read on
            self.outcome, self.problem = self.if_cut, type(error).__name__
        self._provider.tell(self._operation, self, time.perf_counter() - self._began)
