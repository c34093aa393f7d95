"""How the demo closes: on one line that no terminal breaks in the middle, in red where books disagree."""

import os
import signal
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console

from makegood_adapters.cli.demo import command
from makegood_adapters.cli.demo.closing import print_closing
from makegood_adapters.cli.demo.reconcile import Findings, reconcile
from makegood_adapters.cli.demo.script import Part
from makegood_adapters.cli.demo.show import Ending, Show, Ticket
from makegood_adapters.cli.staging.board import Board, Tone

JOBS = "40 jobs · 37 completed · 2 failed · 1 cancelled"
CREDITS = "captured 2500 · refunded 200 · held 60 · difference 7"
LINE = f"{JOBS} · {CREDITS}"


@pytest.mark.parametrize(
    ("terminal", "width", "told"),
    [
        (True, 80, f"{JOBS}\n{CREDITS}\n"),
        (True, 120, f"{LINE}\n"),
        (True, len(LINE), f"{LINE}\n"),
        (True, len(LINE) - 1, f"{JOBS}\n{CREDITS}\n"),
        (False, 80, f"{LINE}\n"),
    ],
    ids=["a narrow terminal", "a wide one", "one that it fills", "one that lacks a place", "a file"],
)
def test_the_last_line_is_one_or_fits(terminal: bool, width: int, told: str) -> None:
    show = Show(lambda line, style, job: None)
    for number, state in enumerate(["completed"] * 37 + ["failed"] * 2 + ["cancelled"]):
        part = Part(number, "ana", "upscaler", (), {}, 0.0)
        show.tickets[UUID(int=number)] = Ticket(part, UUID(int=number), 60, "", state=state)
    shown = StringIO()
    console = Console(file=shown, width=width, force_terminal=terminal, no_color=True, highlight=False)
    print_closing(console, show, Findings(captured=2500, refunded=200, held=60, difference=7), "default")
    assert shown.getvalue() == told


@pytest.mark.parametrize("lies", [{"disagreements": ["a witness lies"]}, {"difference": 1}], ids=str)
async def test_a_demo_whose_witnesses_disagree_is_red_and_ends_with_1(
    lies: dict[str, Any],
    postgres_dsn: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Here the look at the books finds what is not there: the demo says so, whatever became of its jobs."""
    styles: list[str] = []
    notes: list[tuple[str, Tone]] = []

    async def lying(*given: Any) -> Findings:
        return replace(await reconcile(*given), **lies)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "reconcile", lying)
    monkeypatch.setattr(command, "print_closing", lambda *given: styles.append(given[-1]))
    monkeypatch.setattr(
        Board, "note", lambda board, text, tone=Tone.PLAIN, job=None: notes.append((text, tone))
    )
    assert await command.play(jobs=1, seed=1, headless=True, dsn=postgres_dsn) == 1
    out = capsys.readouterr().out
    assert ("✗ a witness lies" in out) == ("disagreements" in lies)
    assert ("✓ they agree" in out) == ("disagreements" not in lies)
    assert styles == ["bold red"]
    told, tone = notes[-1]
    assert (told.startswith("The books: 1 jobs · 1 completed"), tone) == (True, Tone.BAD)


@pytest.mark.parametrize(
    ("ended", "differences", "status"),
    [(True, (0, 0), 0), (False, (0, 0), 1), (True, (1, 0), 1), (True, (0, 1), 1)],
    ids=["well", "a mishap ended badly", "the story did", "what came after it did"],
)
async def test_a_demo_ends_with_0_only_if_everything_in_it_ended_well(
    ended: bool,
    differences: tuple[int, int],
    status: int,
    postgres_dsn: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What was wrong once stays so, also if the books are right when the page is left."""
    found = iter(differences)

    async def told(*given: Any) -> Findings:
        return replace(await reconcile(*given), difference=next(found))

    paragraph = command._paragraph

    def quickly(console: Console, text: str) -> None:
        """Press Ctrl-C as soon as it is said that this ends it."""
        paragraph(console, text)
        if "Ctrl-C ends" in text:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "reconcile", told)
    monkeypatch.setattr(command, "_paragraph", quickly)
    monkeypatch.setattr(command, "judge", lambda *given: [Ending("a mishap", "as it was", ended)])
    assert await command.play(jobs=1, seed=1, headless=True, dsn=postgres_dsn, page=True, port=0) == status
    assert f"{'✓' if ended else '✗'} a mishap" in capsys.readouterr().out
    assert next(found, None) is None
