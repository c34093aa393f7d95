"""What the stage shows and does: the story so far, the buttons, and presses that are under way."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from makegood.errors import MakegoodError
from makegood_adapters.cli.stage import StageError

log = logging.getLogger("makegood.stage")

_LINES = 100
#: How long a press is followed; what it began goes on behind that.
PRESS_SECONDS = 60.0
_GOES_ON = "It goes on; the story tells how it ends."


class Tone(StrEnum):
    """How a line of the story sounds; the value is what the page is told."""

    PLAIN = "plain"
    GOOD = "good"
    BAD = "bad"
    WARN = "warn"


class UnknownButton(StageError):
    """There is no button of this name; the message lists those that there are."""


class Busy(StageError):
    """The button was pressed before, and what that began is not over."""


@dataclass(slots=True)
class Button:
    """What one can do: `told` says in a sentence what it does, `run` does it and tells how that ended."""

    name: str
    label: str
    told: str
    run: Callable[[], Awaitable[str]] = field(repr=False)
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the story; `at` has a zone, `job` is the one that it tells of."""

    at: datetime
    text: str
    tone: Tone
    job: UUID | None


class Board:
    """The stage of one show. *hear* is told every line too, for the terminal.

    Presses live in tasks of their own: a page that leaves ends nothing.
    """

    def __init__(self, title: str, hear: Callable[[str, Tone], None]) -> None:
        self.title = title
        self._hear = hear
        self._story: deque[Line] = deque(maxlen=_LINES)
        self._buttons: dict[str, Button] = {}
        self._presses: set[asyncio.Task[str]] = set()
        self._askers: set[asyncio.Future[None]] = set()
        self._open, self._quiet, self._running = asyncio.Event(), asyncio.Event(), 0
        self._open.set()
        self._quiet.set()

    def say(self, text: str, tone: Tone = Tone.PLAIN, job: UUID | None = None) -> None:
        """Add a line to the story and tell it to the terminal."""
        self.note(text, tone, job)
        self._hear(text, tone)

    def note(self, text: str, tone: Tone = Tone.PLAIN, job: UUID | None = None) -> None:
        """Add a line to the story that the terminal knows already."""
        self._story.append(Line(datetime.now(UTC), text, tone, job))

    def offer(self, buttons: Iterable[Button]) -> None:
        """Show these buttons in place of those before."""
        self._buttons = {button.name: button for button in buttons}

    def shown(self) -> dict[str, Any]:
        """Return what a page shows, as JSON has it; the story's newest line is its last."""
        return {
            "title": self.title,
            "story": [
                {
                    "at": line.at.isoformat(),
                    "text": line.text,
                    "tone": line.tone.value,
                    "job": line.job and str(line.job),
                }
                for line in self._story
            ],
            "buttons": [
                {"name": b.name, "label": b.label, "told": b.told, "busy": b.busy}
                for b in self._buttons.values()
            ],
        }

    async def press(self, name: str) -> str:
        """Do what the button says and return how it ended, or that it goes on, if who serves the asker leaves
        before. Raises UnknownButton and Busy."""
        button = self._buttons.get(name)
        if button is None:
            there = ", ".join(self._buttons) or "none yet"
            raise UnknownButton(f"There is no button {name!r}; there is {there}.")
        if button.busy:
            raise Busy(f"{button.label!r} is under way; press it again when it has ended.")
        task = asyncio.create_task(self._run(button), name=f"stage: {name}")
        self._presses.add(task)
        task.add_done_callback(self._presses.discard)
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task.add_done_callback(lambda _: _answer(answered))
        self._askers.add(answered)
        try:
            await answered
        finally:
            self._askers.discard(answered)
        return task.result() if task.done() else _GOES_ON

    def hold(self) -> None:
        """Let presses wait until `resume`: what they would act on is about to be another."""
        self._open.clear()

    def resume(self) -> None:
        """Let presses that wait begin, each with the button that has its name now."""
        self._open.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Wait for the end of all presses, and hold others back while the block runs."""
        self._open.clear()
        try:
            await self._quiet.wait()
            yield
        finally:
            self._open.set()

    def answer(self) -> None:
        """Let pages that wait for what they pressed have an answer: who serves them is about to leave, and
        would wait for them."""
        for asker in self._askers:
            _answer(asker)

    async def end(self) -> None:
        """End all presses where they are."""
        for task in (presses := list(self._presses)):
            task.cancel()
        await asyncio.gather(*presses, return_exceptions=True)

    async def _run(self, button: Button) -> str:
        button.busy = True
        try:
            await self._open.wait()
            async with self._counted(), asyncio.timeout(PRESS_SECONDS):
                return await self._buttons.get(button.name, button).run()
        except TimeoutError:
            told = (
                f"{button.label}: not over after {PRESS_SECONDS:.0f} s, and it goes on. The page shows where "
                "the job is: a queue may be paused, or nobody works."
            )
        except MakegoodError as error:
            told = f"{button.label}: {error}"
        except Exception as error:
            log.exception("the button %s", button.name)
            told = f"{button.label}: {type(error).__name__}: {error}"
        finally:
            button.busy = False
        self.say(told, Tone.BAD)
        return told

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[None]:
        """Be one of those whose end `alone` waits for: who is held back is none."""
        self._running += 1
        self._quiet.clear()
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                self._quiet.set()


def _answer(asker: asyncio.Future[None]) -> None:
    if not asker.done():
        asker.set_result(None)
