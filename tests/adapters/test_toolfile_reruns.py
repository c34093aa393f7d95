"""What a tool file says of runs that failed: the pauses, the machine, and how it is written back."""

from pathlib import Path
from typing import Any

import pytest

from makegood import BaseJob, DeclarationError, Job, Rerun, RerunPolicy
from makegood.outcome import JSON, Trouble
from makegood_adapters.toolfiles import ToolJob, load_tool, to_toml
from tests.engine.world import a_job

TOOL = Path(__file__).with_name("background_remover.toml").read_text()
LARGER = {"instance_type": "plus"}


def made(folder: Path, table: str = "", text: str = TOOL) -> type[ToolJob]:
    path = folder / "tool.toml"
    path.write_text(f"{text}\n{table}", encoding="utf-8")
    return load_tool(path)


def after(tool: type[ToolJob], trouble: Trouble, **request: Any) -> Rerun | None:
    return tool.rerun_after(a_job(), trouble, {"app": "1", "nodes": [], **request})


def test_left_out_it_runs_again_and_asks_for_a_larger_machine(tmp_path: Path) -> None:
    tool = made(tmp_path)
    assert after(tool, Trouble.PASSING) == Rerun(5)
    assert after(tool, Trouble.MEMORY) == Rerun(5, LARGER)
    assert after(tool, Trouble.MEMORY, instance_type="default") == Rerun(5, LARGER)
    assert after(tool, Trouble.REQUEST) is None


@pytest.mark.parametrize("machine", ["plus", "ultra"])
def test_what_has_the_largest_machine_fails_for_want_of_memory_only(tmp_path: Path, machine: str) -> None:
    tool = made(tmp_path)
    assert after(tool, Trouble.MEMORY, instance_type=machine) is None
    assert after(tool, Trouble.PASSING, instance_type=machine) == Rerun(5)


def test_every_key_is_used(tmp_path: Path) -> None:
    tool = made(
        tmp_path,
        '[rerun]\ntroubles = ["memory"]\nfirst_seconds = 2\nfactor = 10\nseconds_max = 50\n'
        "larger_instance = false\n",
    )
    assert after(tool, Trouble.PASSING) is None
    assert after(tool, Trouble.MEMORY) == Rerun(2)
    assert tool.rerun_policy.rerun({}, Trouble.MEMORY, 1) == Rerun(20)
    assert tool.rerun_policy.rerun({}, Trouble.MEMORY, 2) == Rerun(50)


def test_nothing_is_run_again_where_the_file_says_so(tmp_path: Path) -> None:
    tool = made(tmp_path, "[rerun]\ntroubles = []\n")
    assert [after(tool, trouble) for trouble in Trouble] == [None, None, None]


def test_what_a_file_says_is_written_back(tmp_path: Path) -> None:
    tool = made(tmp_path, '[rerun]\ntroubles = ["passing"]\nfirst_seconds = 7\nlarger_instance = false\n')
    again = made(tmp_path, text=to_toml(tool))
    assert (again.tool.rerun, again.rerun_policy) == (tool.tool.rerun, tool.rerun_policy)


def test_a_class_with_other_pauses_becomes_a_file(tmp_path: Path) -> None:
    class Slow(BaseJob):
        price = 1
        rerun_policy = RerunPolicy(troubles=frozenset({Trouble.PASSING}), first_seconds=60)

    again = made(tmp_path, text=to_toml(Slow))
    assert again.rerun_policy == Slow.rerun_policy


class Changed(BaseJob):
    price = 1
    rerun_policy = RerunPolicy(larger={"gpu": "A100"})


class Stubborn(BaseJob):
    price = 1
    rerun_policy = RerunPolicy(troubles=frozenset(Trouble))


class Own(BaseJob):
    price = 1

    @classmethod
    def rerun_after(cls, job: Job, trouble: Trouble, request: JSON) -> Rerun | None:
        return None


@pytest.mark.parametrize(
    ("job_type", "told"),
    [(Changed, "changes the request"), (Stubborn, "its own request"), (Own, "rerun_after is computed")],
)
def test_what_a_file_cannot_say_is_refused(job_type: type[BaseJob], told: str) -> None:
    with pytest.raises(DeclarationError, match=told):
        to_toml(job_type)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("first_seconds = 500", "first_seconds = 500 is above seconds_max = 300; exchange them"),
        ('troubles = ["memory", "memory"]', 'rerun.troubles: "memory" stands twice'),
        ('troubles = ["request"]', "rerun.troubles #1: must be 'passing' or 'memory'"),
        ("factor = 0.5", "rerun.factor: must be greater than or equal to 1"),
        ("seconds = 3", "rerun.seconds: there is no key 'seconds' here"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, table: str, told: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        made(tmp_path, f"[rerun]\n{table}\n")
    assert told in str(refused.value)
