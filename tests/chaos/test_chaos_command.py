"""`makegood chaos` in small: everything goes wrong at once, and the books agree."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests import command
from tests.conftest import Tally

JOBS = 60
LONGEST_SECONDS = 1_800.0


def run(
    *words: str, cwd: Path, seconds: float = command.SECONDS, **environment: str
) -> subprocess.CompletedProcess[str]:
    surroundings = {**os.environ, "COLUMNS": "100", **environment}
    return command.run("chaos", *words, folder=cwd, environment=surroundings, seconds=seconds)


@pytest.mark.timeout(LONGEST_SECONDS)  # for what hangs
def test_everything_goes_wrong_at_once_and_the_books_agree(tmp_path: Path, postgres_dsn: str) -> None:
    told = run(
        "--jobs", str(JOBS), "--odds", "0.04", "--kills", "1", "--seed", "3", "--dsn", postgres_dsn, "--json",
        cwd=tmp_path, seconds=LONGEST_SECONDS,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr
    figures = json.loads(told.stdout)
    assert figures["problems"] == []
    assert sum(figures["states"].values()) == JOBS
    assert set(figures["states"]) <= {"completed", "failed", "cancelled"}
    assert figures["states"]["completed"] == figures["valid_files"] > 0
    assert figures["held"] == 0
    assert figures["captured"] == 60 * figures["valid_files"] + 60 * figures["paid_cancellations"]
    assert all(most <= allowed for most, allowed in zip(figures["live_max"], figures["allowed"], strict=True))
    assert sum(figures["allowed"]) == 120
    assert any(figures["live_max"])
    assert figures["attempts_sent"] >= figures["creates"] >= figures["tasks"] >= figures["valid_files"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.soak(short=1, long=1)
@pytest.mark.timeout(LONGEST_SECONDS)  # for what hangs; the long form takes ten minutes where others work too
def test_engines_are_killed_and_the_server_is_stopped_and_no_job_is_lost(
    tmp_path: Path, part: int, soak: bool, tally: Tally
) -> None:
    """The server is its own, with what it says is committed on disk."""
    jobs, struck = (2_000, "--kill-every 2 --stops 3 --workers 4") if soak else (JOBS, "--kills 2 --stops 1")
    seed = str(5 + part)
    told = run(
        "--jobs", str(jobs), "--seed", seed, *struck.split(), "--json",
        cwd=tmp_path, seconds=LONGEST_SECONDS, DATABASE_URL="",
    )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr
    figures = json.loads(told.stdout)
    assert figures["problems"] == []
    assert sum(figures["states"].values()) == jobs
    assert set(figures["states"]) <= {"completed", "failed", "cancelled"}
    assert all(most <= allowed for most, allowed in zip(figures["live_max"], figures["allowed"], strict=True))
    assert figures["stops"] == (3 if soak else 1)
    assert figures["kills"] >= (20 if soak else 1)
    assert len(figures["strikes"]) == figures["kills"] + figures["stops"]
    for strike in figures["strikes"]:
        assert strike["taken_over"] is not None, strike
    tally("engines killed and servers stopped", len(figures["strikes"]))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--jobs", "0"), "--jobs takes 1 to 100,000, not 0."),
        (("--odds", "0.5"), "--odds takes 0 to 0.2, the probability of each fault, not 0.5."),
        (("--workers", "0"), "--workers takes 1 or more, not 0."),
        (("--slots", "0"), "--slots takes 1 or more, not 0."),
        (("--accounts", "0"), "--accounts takes 1 or more, not 0."),
        (("--slots", "2"), "--accounts takes at most as many as --slots, which is 2."),
        (("--kills", "-1"), "--kills takes 0 or more, not -1."),
        (("--stops", "-1"), "--stops takes 0 or more, not -1."),
        (("--kill-every", "0"), "--kill-every takes 0.5 to 3600 seconds, not 0."),
        (
            ("--stops", "1", "--dsn", "postgresql://127.0.0.1/x"),
            "--stops stops the Postgres that chaos brings: leave --dsn and DATABASE_URL out.",
        ),
    ],
)
def test_what_cannot_be_played_is_told_in_a_sentence(
    words: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    told = run(*words, cwd=tmp_path)
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr == f"makegood: {sentence}\n"
