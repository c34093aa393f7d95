"""Mistakes sown into a right job type: every one is told before a job runs, most by the type checker."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from makegood_adapters.cli.targets import examine

HOUSE = Path(__file__).parents[2]
RIGHT = '''
from datetime import timedelta

from pydantic import BaseModel

from makegood import BaseJob, Completion, Empty, Event, Failure, Job, Money, Obligation, State, Transition


class Verdict(BaseModel):
    """What the reviewer says."""

    reviewer: str


class Video(BaseJob, drop=[(BaseJob.complete, BaseJob.running), (BaseJob.cancel, BaseJob.running)]):
    """Is looked at before it is delivered."""

    awaiting_review = State(deadline=timedelta(days=2), public="running", label="being looked at")
    deliver = Event(BaseJob.running >> awaiting_review)
    approve = Event(awaiting_review >> BaseJob.completed, Verdict, money=Money.CAPTURE)
    decline = Event((awaiting_review | BaseJob.running) >> BaseJob.failed, Verdict, money=Money.RELEASE)
    obligations = [Obligation("review", opened_by=deliver, closed_by=[approve, (decline, awaiting_review)])]
    # MORE


@Video.approve.guard
def named(job: Job, payload: Verdict) -> bool:
    return bool(payload.reviewer)


@Video.failed.on_enter
async def tell(transition: Transition) -> None: ...


@Video.approve.effect
async def publish(tx: object, job: Job, payload: Verdict) -> None: ...
'''
SHOWN = "deliver = Event(BaseJob.running >> awaiting_review)"
APPROVE = "approve = Event(awaiting_review >> BaseJob.completed, Verdict, money=Money.CAPTURE)"
DECLINE = (
    "decline = Event((awaiting_review | BaseJob.running) >> BaseJob.failed, Verdict, money=Money.RELEASE)"
)
MORE = "# MORE"


@dataclass(frozen=True)
class Mistake:
    """What is written instead of what, and the word of the report by which it is known."""

    old: str
    new: str
    told: str


#: Those of names, kinds and signatures, which a type checker sees in the editor.
OF_TYPES = {
    "misspelt state": Mistake("BaseJob.running >> awaiting", "BaseJob.runing >> awaiting", "'runing'"),
    "misspelt own state": Mistake(
        "Event(awaiting_review >>", "Event(awaiting_reviw >>", "'awaiting_reviw' is not defined"
    ),
    "misspelt option": Mistake('label="being', 'lable="being', "'lable'"),
    "option without its name": Mistake(
        "State(deadline=timedelta(days=2)", "State(timedelta(days=2)", "posit"
    ),
    "deadline as text": Mistake("deadline=timedelta(days=2)", 'deadline="2 days"', "MG116"),
    "money as text": Mistake("Verdict, money=Money.RELEASE", 'Verdict, money="release"', "MG116"),
    "misspelt money": Mistake("money=Money.RELEASE", "money=Money.REFUND", "REFUND"),
    "state as text": Mistake(SHOWN, 'deliver = Event(BaseJob.running >> "awaiting_review")', "MG116"),
    "forgotten brackets": Mistake(
        "Event((awaiting_review | BaseJob.running) >> BaseJob.failed,",
        "Event(awaiting_review | BaseJob.running >> BaseJob.failed,",
        "MG116",
    ),
    "arrow the wrong way": Mistake(SHOWN, "deliver = Event(awaiting_review << BaseJob.running)", "<<"),
    "states without an arrow": Mistake(MORE, "hold_up = Event(BaseJob.queued | BaseJob.running)", "MG116"),
    "payload is no model": Mistake("BaseJob.completed, Verdict,", "BaseJob.completed, dict,", "MG116"),
    "payload is a value": Mistake(
        "BaseJob.completed, Verdict,", 'BaseJob.completed, Verdict(reviewer=""),', "MG116"
    ),
    "money of an event": Mistake(
        SHOWN, f"{SHOWN}.with_money(Money.NONE)", "'Event' object has no attribute 'with_money'"
    ),
    "drop by names": Mistake("(BaseJob.complete, BaseJob.running)", '("complete", "running")', "'name'"),
    "data is no model": Mistake('public="running"', 'public="running", data="Verdict"', "MG116"),
    "obligation by name": Mistake("opened_by=deliver", 'opened_by="deliver"', "MG304"),
    "guard of no event": Mistake("@Video.approve.guard", "@Video.aprove.guard", "'aprove'"),
    "guard that is not there": Mistake(
        "@Video.failed.on_enter", "Video.approve.guard(is_named)\n\n\n@Video.failed.on_enter", "'is_named'"
    ),
    "guard of another payload": Mistake("payload: Verdict) -> bool", "payload: Completion) -> bool", "MG118"),
    "guard that is async": Mistake("def named(", "async def named(", "MG118"),
    "guard without payload": Mistake("job: Job, payload: Verdict) -> bool", "job: Job) -> bool", "MG118"),
    "hook that is not async": Mistake("async def tell", "def tell", "MG119"),
    "effect without transaction": Mistake("publish(tx: object, job", "publish(job", "MG119"),
}
#: Those of the machine as a whole, which only the proof sees.
OF_THE_MACHINE = {
    "forgotten refund": Mistake(
        "BaseJob.failed, Verdict, money=Money.RELEASE", "BaseJob.failed, Verdict", "MG201"
    ),
    "forgotten deadline": Mistake("deadline=timedelta(days=2), ", "", "MG111"),
    "unreachable state": Mistake(
        MORE,
        "parked = State(deadline=timedelta(1))\n    unpark = Event(parked >> BaseJob.cancelled)",
        "MG108",
    ),
    "state without a way out": Mistake(
        MORE, "hole = State(deadline=timedelta(1))\n    fall = Event(BaseJob.queued >> hole)", "MG109"
    ),
    "retry of a failed job": Mistake(MORE, "retry = Event(BaseJob.failed >> BaseJob.queued)", "MG105"),
    "captured after a refund": Mistake(
        MORE,
        "undone = State(deadline=timedelta(1))\n"
        "    undo = Event(BaseJob.running >> undone, money=Money.RELEASE)\n"
        "    again = Event(undone >> BaseJob.completed, money=Money.CAPTURE)\n"
        "    leave = Event(undone >> BaseJob.failed)",
        "MG206",
    ),
    "only way out costs": Mistake(
        "Event((awaiting_review | BaseJob.running) >>", "Event((BaseJob.running | BaseJob.queued) >>", "MG112"
    ),
    "dropped twice": Mistake(
        "(BaseJob.cancel, BaseJob.running)]", "(BaseJob.cancel, BaseJob.failed)]", "MG114"
    ),
    "review never ends": Mistake("[approve, (decline, awaiting_review)]", "approve", "MG301"),
}
MISTAKES = {**OF_TYPES, **OF_THE_MACHINE}

#: What nobody can see before a job runs but the type checker: the class is right, its use is not.
OF_ITS_USE = {
    "misspelt event": "Video.aprove, Verdict(reviewer='x')",
    "payload of another event": "Video.approve, Failure()",
}
FIRE = """

from uuid import UUID

from makegood import Engine


async def use(engine: Engine, job: UUID) -> None:
    await engine.fire(job, {})
"""


def file_of(folder: Path, label: str) -> Path:
    return folder / f"{label.replace(' ', '_')}.py"


@pytest.fixture(scope="module")
def sown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the right file, and one file for each mistake."""
    folder = tmp_path_factory.mktemp("sown")
    file_of(folder, "right").write_text(RIGHT + FIRE.format("Video.approve, Verdict(reviewer='x')"))
    for label, mistake in MISTAKES.items():
        assert RIGHT.count(mistake.old) == 1, label
        file_of(folder, label).write_text(RIGHT.replace(mistake.old, mistake.new))
    for label, fired in OF_ITS_USE.items():
        file_of(folder, label).write_text(RIGHT + FIRE.format(fired))
    return folder


def told_before(folder: Path, label: str) -> str:
    """Return what `makegood check` says of the file; it only imports it."""
    found = examine([str(file_of(folder, label))])
    return "\n".join([*(str(finding.problem) for finding in found.findings), *found.unreadable])


def seen_by_the_type_checker(folder: Path) -> set[str]:
    """Run mypy once over all files and return the names of those in which it finds an error."""
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context"),
            *("--config-file", os.devnull, "--cache-dir", str(HOUSE / ".mypy_cache" / "sown")),
            *map(str, sorted(folder.glob("*.py"))),
        ],
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(HOUSE / "engine")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    errors = [line for line in ran.stdout.splitlines() if ": error: " in line]
    return {Path(line.split(":", 1)[0]).stem.replace("_", " ") for line in errors}


def test_the_file_into_which_the_mistakes_are_sown_is_right(sown: Path) -> None:
    assert told_before(sown, "right") == ""


@pytest.mark.parametrize("label", MISTAKES)
def test_a_mistake_is_told_before_any_job_runs(sown: Path, label: str) -> None:
    assert MISTAKES[label].told in told_before(sown, label)


def test_all_are_told_before_a_job_runs_and_seven_of_ten_by_the_type_checker(sown: Path) -> None:
    missed = {label for label in MISTAKES if not told_before(sown, label)}
    seen = seen_by_the_type_checker(sown)
    assert len(MISTAKES) >= 20
    assert missed == set()
    assert "right" not in seen
    assert seen == {*OF_TYPES, *OF_ITS_USE}
    assert len(seen & set(MISTAKES)) / len(MISTAKES) >= 0.7
