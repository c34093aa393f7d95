"""Looking again and again: a page that is drawn in place, or a line for each change."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Protocol, Self, TypeVar

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from makegood.audit import Audit
from makegood.errors import StoreError
from makegood_adapters.cli.audit.report import closing, page, report

T = TypeVar("T")
#: Waits for the next look; True when nobody wants one any more.
Pause = Callable[[], Awaitable[bool]]


class Screen(Protocol):
    """Where the operator looks."""

    def show(self, audit: Audit) -> None:
        """Tell what was found."""

    def lose(self, sentence: str) -> None:
        """Tell that nothing could be found, and why."""


async def watch(
    look: Callable[[], Awaitable[Audit]], screen: Screen, pause: Pause, stopping: asyncio.Event
) -> int:
    """Look until *stopping* is set and return the exit status of the last state: 1 broken, 2 not reached.

    An error of the first look is the caller's; later ones are told, and another look is taken.
    """
    status = 0
    seen: Audit | None = None
    while True:
        try:
            found = await _unless(stopping, look())
        except StoreError as error:
            if seen is None:
                raise
            status = 2
            screen.lose(str(error))
        else:
            if found is None:
                return status
            seen, status = found, 1 if found.broken else 0
            screen.show(found)
        if await pause():
            return status


async def _unless(stopping: asyncio.Event, work: Awaitable[T]) -> T | None:
    """Return what *work* returns, None if *stopping* is set before."""
    doing, stop = asyncio.ensure_future(work), asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({doing, stop}, return_when=asyncio.FIRST_COMPLETED)
        return doing.result() if doing.done() else None
    finally:
        for task in (doing, stop):
            task.cancel()
        await asyncio.gather(doing, stop, return_exceptions=True)


class Page:
    """A page of its own on a terminal; the last report stays behind when it closes."""

    def __init__(self, console: Console, owner: str | None, seconds: float) -> None:
        self._console, self._owner = console, owner
        self._live = Live(console=console, screen=True, auto_refresh=False)
        self._foot = f"every {seconds:g} seconds, Ctrl-C ends"
        self._last: Audit | None = None
        self._problem: str | None = None

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
        if self._last:
            self._console.print(report(self._last, self._owner))
        if self._problem:
            self._console.print(Text(self._problem, "bold red"))

    def show(self, audit: Audit) -> None:
        """Draw the report."""
        self._last, self._problem = audit, None
        self._draw()

    def lose(self, sentence: str) -> None:
        """Draw the problem above the last report."""
        self._problem = sentence
        self._draw()

    def _draw(self) -> None:
        assert self._last is not None
        head = Text(f"{self._last.at:%Y-%m-%d %H:%M:%S %Z} · {self._foot}", "dim")
        problem = [Text(self._problem, "bold red")] if self._problem else []
        self._live.update(Group(head, *problem, page(self._last, self._owner)), refresh=True)


class Lines:
    """A line when something has changed, for a log."""

    def __init__(self, console: Console) -> None:
        self._console, self._told = console, ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Every line was written when it was told."""

    def show(self, audit: Audit) -> None:
        """Write which invariants are broken, and since when."""
        self._tell(closing(audit).plain, f"{audit.at:%Y-%m-%d %H:%M:%S %Z}  ")

    def lose(self, sentence: str) -> None:
        """Write the problem."""
        self._tell(sentence)

    def _tell(self, line: str, before: str = "") -> None:
        if line != self._told:
            self._told = line
            self._console.print(Text(before + line), soft_wrap=True)
