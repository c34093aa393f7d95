"""runninghub-sdk 1.1.9 against the simulator: what works, and the bugs it is known for."""

import asyncio
import hashlib
import io
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from makegood_adapters.runninghub.simulator import Faults, Habits, Rule
from tests.adapters.simulated_site import KEY, POSE, UPSCALER, Site, open_site, png
from tests.strangers.conftest import ENTERPRISE
from tests.strangers.guests import load

WORKFLOW = "1904136902449209346"
QUICK = {"poll_interval": 0.001}


@pytest.fixture
def sdk(site: Site) -> Iterator[Any]:
    client = load("runninghub_sdk").RunningHubClient(api_key=KEY, base_url=site.sim.url)
    yield client
    client.close()


async def call(work: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Make a call of the synchronous client, in a thread, since the site lives in this loop."""
    return await asyncio.to_thread(work, *args, **options)


async def run_app(sdk: Any, image: bytes = png(6, 4), **options: Any) -> Any:
    stored = await call(sdk.upload_file, image, "a.png")
    nodes = [{"nodeId": "1", "fieldName": "image", "fieldValue": stored.file_name}]
    return await call(sdk.run_ai_app, UPSCALER, nodes, **options)


async def refusal(work: Callable[..., Any], *args: Any) -> Any:
    """Return the error of the SDK that a call ends with."""
    with pytest.raises(load("runninghub_sdk").RunningHubError) as caught:
        await call(work, *args)
    return caught.value


# What works


async def test_an_app_from_the_upload_to_the_file(site: Site, sdk: Any, tmp_path: Path) -> None:
    task = await run_app(sdk)
    assert task.task_status.value == "QUEUED"
    (output,) = await call(sdk.wait_for_completion, task.task_id, **QUICK)
    assert (output.file_type, output.consume_coins) == ("png", "1")
    path = await call(sdk.download_file, output.file_url, tmp_path / "out.png")
    assert Image.open(io.BytesIO(path.read_bytes())).size == (12, 8)
    assert (site.sim.counters.creates, site.sim.counters.duplicates) == (1, 0)


async def test_a_workflow_and_its_graph(site: Site, sdk: Any) -> None:
    graph = await call(sdk.get_workflow_json_parsed, WORKFLOW)
    stored = await call(sdk.upload_file, png(5, 5), "a.png")
    load_node = next(node for node, found in graph.items() if found["class_type"] == "LoadImage")
    nodes = [{"nodeId": load_node, "fieldName": "image", "fieldValue": stored.file_name}]
    task = await call(sdk.run, WORKFLOW, nodes)
    (output,) = await call(sdk.wait_for_completion, task.task_id, **QUICK)
    assert output.node_id == "9"
    assert Image.open(io.BytesIO(site.sim.task(task.task_id).results[0].data)).size == (10, 10)


async def test_v2_query_knows_tasks_of_v1(sdk: Any) -> None:
    task = await run_app(sdk)
    result = await call(sdk.wait_for_query_v2_completion, task.task_id, **QUICK)
    assert (result.status.value, result.results[0]["outputType"]) == ("SUCCESS", "png")
    assert result.usage.consume_coins == "1"


@pytest.fixture
async def async_sdk(site: Site) -> AsyncIterator[Any]:
    async with load("runninghub_sdk").RunningHubClient(api_key=KEY, base_url=site.sim.url) as client:
        yield client


async def test_the_asynchronous_client(site: Site, async_sdk: Any) -> None:
    name = await site.provider.upload("a.png", png())
    nodes = [{"nodeId": "1", "fieldName": "image", "fieldValue": name}]
    task = await async_sdk.async_run_ai_app(int(UPSCALER), nodes)
    (output,) = await async_sdk.async_wait_for_completion(task.task_id, **QUICK)
    assert output.file_type == "png"
    assert (await async_sdk.async_get_account_status()).remain_coins == "99998"
    assert (await async_sdk.async_get_queue_status()).concurrent_limit == 5


async def test_accounts_and_keys(site: Site, sdk: Any) -> None:
    status = await call(sdk.get_account_status)
    assert (status.remain_coins, status.current_task_counts, status.api_type_enum.value) == (
        "99999",
        "0",
        "NORMAL",
    )
    queue = await call(sdk.get_queue_status)
    assert (queue.concurrent_limit, queue.api_key_type_enum.value) == (5, "NORMAL")
    (key,) = await call(sdk.list_api_keys)
    assert (key.key, key.is_enabled) == (f"***{KEY[-4:]}", True)
    assert await call(sdk.validate_api_key)
    stranger = load("runninghub_sdk").RunningHubClient(api_key="wrong", base_url=site.sim.url)
    assert not await call(stranger.validate_api_key)
    await call(stranger.close)


async def test_a_webhook_is_told_and_sent_again(site: Site, sdk: Any) -> None:
    site.receiver.statuses = [503] * 4
    task = await run_app(sdk, webhook_url=site.receiver.url)
    await site.ended(site.sim.task(task.task_id))
    detail = await call(sdk.get_webhook_detail, task.task_id)
    assert (detail.is_callback_success, detail.retry_count) == (False, 3)
    assert json.loads(detail.event_data)["code"] == 0
    await call(sdk.retry_webhook, detail.id, site.receiver.url)
    await site.sim.wait_for(lambda: site.sim.task(task.task_id).deliveries[-1].ok)
    assert (await call(sdk.get_webhook_detail, task.task_id)).is_callback_success
    assert [body["taskId"] for body in site.receiver.bodies] == [task.task_id] * 5


async def test_cancelling(site: Site, sdk: Any) -> None:
    site.sim.add(Rule(faults=Faults(hold="running")))
    task = await run_app(sdk)
    await call(sdk.cancel, task.task_id)
    assert (await site.ended(site.sim.task(task.task_id))).state.value == "CANCEL"
    assert (await refusal(sdk.cancel, task.task_id)).code == 817


async def test_a_refusal_is_not_repeated(site: Site, sdk: Any) -> None:
    site.sim.add(Rule(faults=Faults(refuse="421")))
    stored = await call(sdk.upload_file, png(), "a.png")
    nodes = [{"nodeId": "1", "fieldName": "image", "fieldValue": stored.file_name}]
    assert (await refusal(sdk.run_ai_app, UPSCALER, nodes)).code == 421
    assert (site.sim.counters.creates, site.sim.counters.tasks) == (1, 0)


async def test_the_inputs_of_an_app_and_the_models(sdk: Any) -> None:
    demo = await call(sdk.get_ai_app_api_demo, POSE)
    assert [(node.node_id, node.field_name) for node in demo.node_info_list] == [
        ("27", "image"),
        ("60", "image"),
    ]
    assert (await call(sdk.list_public_models)).total == 0


async def test_a_lora(site: Site, sdk: Any) -> None:
    name = await call(sdk.upload_lora, "mine", b"weights")
    assert name == f"api-lora-cn/{hashlib.md5(b'weights', usedforsecurity=False).hexdigest()}.safetensors"


async def test_a_standard_model(site: Site) -> None:
    with load("runninghub_sdk").RunningHubClient(api_key=ENTERPRISE, base_url=site.sim.url) as sdk:
        stored = await call(sdk.upload_file, png(3, 3), "a.png")
        payload = {"imageUrl": stored.download_url}
        price = await call(sdk.preview_model_price, "simulated-image/upscale", payload)
        assert (price.estimated_price, price.currency) == (0.1, "CNY")
        task = await call(sdk.run_model_api, "simulated-image/upscale", payload)
        result = await call(sdk.wait_for_query_v2_completion, task.task_id, **QUICK)
        assert result.results[0]["url"].startswith(site.sim.url)


async def test_a_failure_is_explained_by_v2(site: Site, sdk: Any) -> None:
    site.sim.add(Rule(faults=Faults(fail="the sampler gave up")))
    task = await run_app(sdk)
    await site.ended(site.sim.task(task.task_id))
    result = await call(sdk.query_v2, task.task_id)
    assert (result.status.value, result.failed_reason.exception_message) == ("FAILED", "the sampler gave up")


# Its own bugs


async def test_bug_a_failure_is_raised_before_its_reason_is_read(site: Site, sdk: Any) -> None:
    site.sim.add(Rule(faults=Faults(fail="the sampler gave up")))
    task = await run_app(sdk)
    error = await refusal(lambda: sdk.wait_for_completion(task.task_id, **QUICK))
    assert (error.code, error.message) == (805, "APIKEY_TASK_STATUS_ERROR")
    assert not hasattr(error, "failed_reason")
    told = await site.post("/task/openapi/outputs", apiKey=KEY, taskId=task.task_id)
    assert told["data"]["failedReason"]["exception_message"] == "the sampler gave up"


@pytest.mark.parametrize(("stage", "code"), [("queued", 813), ("running", 804)])
async def test_bug_a_task_that_is_not_over_is_an_error(site: Site, sdk: Any, stage: Any, code: int) -> None:
    site.sim.add(Rule(faults=Faults(hold=stage)))
    task = await run_app(sdk)
    await site.sim.wait_for(lambda: site.sim.task(task.task_id).state.value == stage.upper())
    assert (await refusal(sdk.get_outputs, task.task_id)).code == code


@pytest.mark.parametrize("word", ["CANCEL", "CANCELED", "CANCELLED"])
async def test_bug_a_cancelled_task_has_no_status(word: Any) -> None:
    async with open_site(cancel_word=word) as site:
        site.sim.add(Rule(faults=Faults(hold="running")))
        with load("runninghub_sdk").RunningHubClient(api_key=KEY, base_url=site.sim.url) as sdk:
            task = await run_app(sdk)
            await call(sdk.cancel, task.task_id)
            await site.ended(site.sim.task(task.task_id))
            for work in (sdk.get_status, sdk.query_v2):
                with pytest.raises(ValueError, match=f"'{word}' is not a valid TaskStatus"):
                    await call(work, task.task_id)


async def test_bug_a_task_in_state_create_is_paid_for_and_lost() -> None:
    async with open_site(habits=Habits(first_state="CREATE")) as site:
        with (
            load("runninghub_sdk").RunningHubClient(api_key=KEY, base_url=site.sim.url) as sdk,
            pytest.raises(ValueError, match="'CREATE' is not a valid TaskStatus"),
        ):
            await run_app(sdk)
        assert site.sim.counters.tasks == 1


async def test_bug_the_asynchronous_upload_is_labelled_json(site: Site, async_sdk: Any) -> None:
    with pytest.raises(load("runninghub_sdk").RunningHubError) as caught:
        await async_sdk.async_upload_file(png())
    assert caught.value.code == 1007
