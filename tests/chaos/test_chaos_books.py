"""The books of a chaos run would show what they say did not happen."""

import io
from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from makegood_adapters.cli.chaos.books import Findings, hold_against_each_other
from makegood_adapters.cli.chaos.crowd import HEIGHT, WIDTH
from makegood_adapters.runninghub.simulator import Simulator
from tests.scenarios.stage import Stage, staged

Tasks = list[dict[str, Any]]


@pytest.fixture
async def stage(database: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(database, tmp_path) as opened:
        yield opened


def picture(number: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT), (number, 0, 7)).save(file, "PNG")
    return file.getvalue()


async def two_jobs(stage: Stage) -> Tasks:
    """One job is delivered, one fails; return the provider's list."""
    delivered = await stage.settled(await stage.order(data=picture(1)))
    failed = await stage.settled(await stage.order(data=picture(2), fail="odd input"))
    assert (delivered.state, failed.state) == ("completed", "failed")
    await stage.slots_free()
    return listed(stage.simulator)


def listed(simulator: Simulator) -> Tasks:
    return [task.to_json(simulator.url) for task in simulator.tasks]


async def found(stage: Stage, tasks: Tasks) -> Findings:
    return await hold_against_each_other(stage.sql, tasks, stage.blobs.path("0" * 64 + ".png").parent)


async def test_what_is_right_is_not_complained_of(stage: Stage) -> None:
    findings = await found(stage, await two_jobs(stage))
    assert findings.disagreements == []
    assert (findings.jobs, findings.files) == ({"completed": 1, "failed": 1}, 1)
    assert (findings.captured, findings.released, findings.held) == (60, 60, 0)


def twice(tasks: Tasks) -> None:
    tasks.append(deepcopy(tasks[0]))


def of_nobody(tasks: Tasks) -> None:
    tasks[0]["webhook_sha256"] = "0" * 64


def of_another_picture(tasks: Tasks) -> None:
    tasks[0]["outputs"][0]["sha256"] = "0" * 64


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (twice, "created twice"),
        (twice, "task again"),
        (of_nobody, "task of nobody"),
        (of_another_picture, "file"),
    ],
)
async def test_another_list_of_the_providers_is_complained_of(
    stage: Stage, change: Callable[[Tasks], None], kind: str
) -> None:
    tasks = await two_jobs(stage)
    change(tasks)
    assert kind in {line.split(":")[0] for line in (await found(stage, tasks)).disagreements}


@pytest.mark.parametrize("content", [None, b"half a pic"])
async def test_a_result_that_is_not_there_or_not_whole_is_complained_of(
    stage: Stage, content: bytes | None
) -> None:
    tasks = await two_jobs(stage)
    key = await stage.value("select output #>> '{files,0,key}' from makegood.job where state = 'completed'")
    path = stage.blobs.path(key)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    assert (await found(stage, tasks)).disagreements[0].startswith("file: job ")


async def test_a_slot_that_is_still_taken_and_credits_that_are_held_are_complained_of(stage: Stage) -> None:
    await stage.reached(await stage.order(hold="running"), "running")
    findings = await found(stage, listed(stage.simulator))
    assert findings.held == 60
    assert [line.split(":")[0] for line in findings.disagreements] == ["money", "slot"]


@pytest.mark.tampers
async def test_a_broken_bucket_is_complained_of(stage: Stage, database: str) -> None:
    tasks = await two_jobs(stage)
    await stage.sql.execute("set session_replication_role = replica")
    await stage.sql.execute("update makegood.bucket set remaining = remaining + 1, issued = issued + 1")
    kinds = {line.split(":")[0] for line in (await found(stage, tasks)).disagreements}
    assert kinds == {"violation", "journal"}
