"""A child that does not start says why in its own words, and not in those of its predecessors."""

from pathlib import Path

import pytest

from makegood_adapters.cli.stage import Child, NotStarted, keep_port


def child(folder: Path, program: str) -> tuple[Child, Path]:
    (folder / "engine_of_the_test.py").write_text(program)
    log = folder / "engine.log"
    log.write_text("INFO what an engine before it has said\nmakegood: its last sentence\n")
    environment = {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return Child(["engine_of_the_test"], log, environment, keep_port()), log


async def refusal(started: Child) -> str:
    with pytest.raises(NotStarted) as refused:
        await started.start()
    return str(refused.value)


async def test_the_sentence_with_which_it_gives_up_is_the_reason(tmp_path: Path) -> None:
    engine, _ = child(
        tmp_path, "import sys\nprint('INFO on my way')\nsys.exit('makegood: There is no such pool.')"
    )
    told = "The engine did not start: There is no such pool."
    assert await refusal(engine) == told
    assert await refusal(engine) == told, "the second start tells what the first one said"


async def test_without_such_a_sentence_the_last_lines_of_this_start_are_told(tmp_path: Path) -> None:
    engine, log = child(tmp_path, "print('INFO on my way')\nraise ZeroDivisionError('nothing to share')")
    told = await refusal(engine)
    assert told.startswith(f"The engine did not start; the last lines of {log}:\nINFO on my way\n")
    assert told.endswith("ZeroDivisionError: nothing to share")
