"""Tasks that work beside their loop, and give back what they had taken when they are cut short."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

from makegood.subject import SUBJECT, Subject

log = logging.getLogger("makegood.runtime")

#: Longest wait for those who were ended to give back what they had taken; then they are told again, at most
#: so often.
_HAND_BACK_SECONDS, _TOLD_MAX = 5.0, 3

#: Gives back what a task had taken from the store, so that another process need not wait for a lease to end.
HandBack = Callable[[], Awaitable[None]]


class Crew:
    """At most `size` tasks that work beside their loop; each that ends calls `free_again`."""

    def __init__(self, size: int, free_again: Callable[[], None]) -> None:
        self._size, self._free_again = size, free_again
        self._tasks: set[asyncio.Task[None]] = set()
        self._kept: set[asyncio.Task[None]] = set()
        self._returning: set[asyncio.Task[None]] = set()

    @property
    def room(self) -> int:
        """How many more tasks may start."""
        return self._size - len(self._tasks)

    @property
    def working(self) -> int:
        """How many tasks are at work."""
        return len(self._tasks)

    def start(
        self,
        work: Coroutine[Any, Any, None],
        name: str,
        hand_back: HandBack | None = None,
        about: Subject | None = None,
    ) -> None:
        """Run *work* as a task; what it raises is logged, the store's rows bring it up again. If it is
        cancelled, even before its first step, *hand_back* is called. *about* is what it works on."""
        context = copy_context()
        context.run(SUBJECT.set, about)
        task = asyncio.create_task(work, name=name, context=context)
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._ended(ended, hand_back), context=context)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """From here on the calling task does what must not be cut short: `dismiss` leaves it alone."""
        task = asyncio.current_task()
        assert task is not None
        self._kept.add(task)
        try:
            yield
        finally:
            self._kept.discard(task)

    def dismiss(self) -> None:
        """Cancel all tasks but those that are kept."""
        for task in self._tasks - self._kept:
            task.cancel()

    async def drain(self, seconds: float, kept_seconds: float = 0.0) -> None:
        """Let the tasks come to their end, at most *seconds*, and those that are kept *kept_seconds* if that
        is longer; then cancel what is left and wait until it has given back what it had taken."""
        try:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=seconds)
            self.dismiss()
            if self._kept and kept_seconds > seconds:
                await asyncio.wait(set(self._kept), timeout=kept_seconds - seconds)
        finally:
            await self._end()

    async def _end(self) -> None:
        for _ in range(_TOLD_MAX):
            for task in self._tasks:
                task.cancel()
            try:
                async with asyncio.timeout(_HAND_BACK_SECONDS):
                    while left := self._tasks | self._returning:
                        await asyncio.wait(left)
                return
            except TimeoutError:
                for task in self._returning:
                    task.cancel()
        for task in self._tasks | self._returning:
            log.error("%s does not end; what it had taken comes back when its lease is over", task.get_name())

    def _ended(self, task: "asyncio.Task[None]", hand_back: HandBack | None) -> None:
        self._tasks.discard(task)
        if task.cancelled() and not task.cancelling():
            # Not we have cut it short: handed back at once, it would fail again and again without a pause.
            log.error("%s ended: something that it waited for was cancelled", task.get_name())
        elif task.cancelled():
            if hand_back:
                name = f"hand back {task.get_name()}"
                returning = asyncio.create_task(self._hand_back(hand_back, name), name=name)
                self._returning.add(returning)
                returning.add_done_callback(self._returning.discard)
        elif error := task.exception():
            log.error("%s ended with an error", task.get_name(), exc_info=error)
        self._free_again()

    async def _hand_back(self, hand_back: HandBack, name: str) -> None:
        try:
            await hand_back()
        except Exception:
            log.exception("%s: it comes back when its lease is over", name)
        self._free_again()  # only now another process finds it
