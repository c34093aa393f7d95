"""comfykit 0.1.12 against the simulator: what works, the bugs it is known for, and our adapter beside it."""

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from makegood.outcome import Uncertain
from makegood_adapters.runninghub.simulator import Faults, Habits, Rule
from tests.adapters.simulated_site import KEY, UPSCALER, Site, open_site, png
from tests.strangers.guests import load

WORKFLOW = "1904136902449209346"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it repeat and poll at once: its pauses of seconds are no part of what is asked here."""

    async def pause(_: float) -> None:
        await asyncio.sleep(0)

    quick = SimpleNamespace(sleep=pause, get_event_loop=asyncio.get_running_loop)
    for name in ("runninghub_client", "runninghub_executor"):
        monkeypatch.setattr(load(f"comfykit.comfyui.{name}"), "asyncio", quick)


def executor_of(site: Site) -> Any:
    executor = load("comfykit.comfyui.runninghub_executor").RunningHubExecutor
    return executor(base_url=site.sim.url, api_key=KEY)


@pytest.fixture
async def executor(site: Site) -> AsyncIterator[Any]:
    async with executor_of(site) as opened:
        yield opened


@pytest.fixture
def image(tmp_path: Path) -> str:
    path = tmp_path / "a.png"
    path.write_bytes(png(7, 5))
    return str(path)


# What works


async def test_a_workflow_from_the_graph_to_the_file(site: Site, executor: Any, image: str) -> None:
    result = await executor.execute_by_id(WORKFLOW, {"image": image, "seed": 3})
    assert (result.status, len(result.images)) == ("completed", 1)
    async with site.session.get(result.images[0]) as reply:
        assert Image.open(io.BytesIO(await reply.read())).size == (14, 10)
    (task,) = site.sim.tasks
    assert {node.field: node.value for node in task.request.nodes}["seed"] == "3"
    assert (site.sim.counters.creates, site.sim.counters.duplicates) == (1, 0)


async def test_a_text_is_fetched(site: Site, executor: Any, image: str) -> None:
    site.sim.add(Rule(faults=Faults(text="a red square")))
    result = await executor.execute_by_id(WORKFLOW, {"image": image})
    assert result.texts == ["a red square"]


async def test_a_success_without_outputs(site: Site, executor: Any, image: str) -> None:
    site.sim.add(Rule(faults=Faults(no_outputs=True)))
    result = await executor.execute_by_id(WORKFLOW, {"image": image})
    assert (result.status, result.images) == ("completed", [])


async def test_a_failure(site: Site, executor: Any, image: str) -> None:
    site.sim.add(Rule(faults=Faults(fail="the sampler gave up")))
    result = await executor.execute_by_id(WORKFLOW, {"image": image})
    assert (result.status, result.msg) == ("error", f"RunningHub task {site.sim.tasks[0].id} failed")


# Its own bugs


async def test_bug_a_task_failed_with_success(image: str) -> None:
    async with open_site(habits=Habits(msg="lower")) as site, executor_of(site) as executor:
        site.sim.add(Rule(faults=Faults(fail="the sampler gave up")))
        result = await executor.execute_by_id(WORKFLOW, {"image": image})
        assert result.msg.endswith("failed: success")


@pytest.mark.parametrize("word", ["CANCEL", "CANCELED", "CANCELLED"])
async def test_bug_a_cancelled_task_is_asked_for_until_its_own_timeout(
    word: Any, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_site(cancel_word=word) as site, executor_of(site) as executor:
        task = site.sim.task((await site.submit()).task_id)
        site.sim.add(Rule(faults=Faults(hold="running")))
        held = site.sim.task((await site.submit()).task_id)
        await site.provider.cancel(held.id)
        await site.ended(held)
        asked = site.sim.counters.calls
        clock = SimpleNamespace(time=lambda: asked["status"])  # a question takes a second
        monkeypatch.setattr(load("comfykit.comfyui.runninghub_executor"), "time", clock)
        result = await executor._wait_for_task_completion(held.id, max_wait_time=3)
        assert "timeout" in result.msg
        assert asked["status"] == 3
        await site.ended(task)
        assert (await executor._wait_for_task_completion(task.id, max_wait_time=60)).status == "completed"


LOST = [
    {"drop_reply": True},
    {"reply_status": 502},
    {"reply": "html"},
    {"reply": "empty"},
    {"reply": "truncated"},
    {"reply": "cut"},
    {"reply": "not_json"},
    {"reply_code": "500"},
    {"reply_code": "1000"},
    {"reply_code": "1005"},
    {"reply_code": "1010"},
    {"reply_code": "1012"},
]


@pytest.mark.parametrize("faults", LOST, ids=lambda faults: "-".join(map(str, faults.values())))
async def test_bug_a_create_without_a_reply_is_repeated_three_times_and_paid_for_four_times(
    site: Site, executor: Any, image: str, faults: dict[str, Any]
) -> None:
    site.sim.add(Rule(faults=Faults(**faults), times=None))
    result = await executor.execute_by_id(WORKFLOW, {"image": image})
    assert result.status == "error"
    counters = site.sim.counters
    assert (counters.creates, counters.tasks, counters.duplicates) == (4, 4, 3)
    for task in site.sim.tasks:
        await site.ended(task)
    assert counters.coins == 4


# Ours, at the same site


@pytest.mark.parametrize("faults", LOST, ids=lambda faults: "-".join(map(str, faults.values())))
async def test_our_adapter_never_repeats_a_create(site: Site, faults: dict[str, Any]) -> None:
    site.sim.add(Rule(faults=Faults(**faults), times=None))
    assert isinstance(await site.submit(png(), webhook=site.receiver.url), Uncertain)
    (task,) = site.sim.tasks
    assert task.request.app == UPSCALER
    counters = site.sim.counters
    assert (counters.creates, counters.tasks, counters.duplicates) == (1, 1, 0)
    await site.ended(task)
    assert counters.coins == 1
