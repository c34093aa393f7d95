"""runninghub-cli 0.1.0 against the simulator: what works, and the bugs it is known for."""

import asyncio
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from makegood_adapters.runninghub.simulator import Faults, Habits, Rule
from tests.adapters.simulated_site import KEY, POSE, UPSCALER, Site, open_site, png
from tests.strangers.conftest import ENTERPRISE, KEYS
from tests.strangers.guests import load

HOME = "https://www.runninghub.cn"
ADDRESSES = (
    "STANDARD_BASE",
    "STANDARD_QUERY",
    "STANDARD_UPLOAD",
    "ACCOUNT_URL",
    "APP_UPLOAD_URL",
    "RUN_APP_URL",
    "OUTPUTS_URL",
    "APP_LIST_URL",
    "APP_INFO_URL",
)
#: It takes a waiting task for a failed one, so its tasks have to skip the queue.
SKIPS_QUEUE = Habits(first_state="RUNNING")


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Callable[[Site], Any]:
    """Return the client, pointed at a site: its addresses are constants of the real one."""

    def pointed(site: Site) -> Any:
        rh = load("rh.client")
        for name in ADDRESSES:
            monkeypatch.setattr(rh, name, getattr(rh, name).replace(HOME, site.sim.url))
        monkeypatch.setattr(rh, "POLL_INTERVAL", 0.001)
        return rh

    return pointed


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    path.write_bytes(png(7, 5))
    return path


async def run_app(rh: Any, image: Path, **options: Any) -> Any:
    files = [("1", "image", str(image))]
    return await asyncio.to_thread(rh.run_app, UPSCALER, [], files, api_key=KEY, **options)


async def test_an_app_from_the_upload_to_the_file(
    visit: Callable[[Site], Any], image: Path, tmp_path: Path
) -> None:
    async with open_site(habits=SKIPS_QUEUE) as site:
        told = await run_app(visit(site), image, output_path=str(tmp_path / "out.png"))
        assert (told["status"], told["outputs"][0]["fileType"]) == ("SUCCESS", "png")
        assert Image.open(io.BytesIO(Path(told["savedTo"]).read_bytes())).size == (14, 10)
        status = await asyncio.to_thread(load("rh.client").get_task_status, told["taskId"], KEY)
        assert status["status"] == "SUCCESS"
        assert (site.sim.counters.creates, site.sim.counters.duplicates) == (1, 0)


async def test_a_failure(visit: Callable[[Site], Any], image: Path) -> None:
    async with open_site(habits=SKIPS_QUEUE) as site:
        site.sim.add(Rule(faults=Faults(fail="the sampler gave up")))
        with pytest.raises(load("rh.client").RunningHubError, match=r"\(code=805\)"):
            await run_app(visit(site), image)


async def test_a_refusal_is_not_repeated(site: Site, visit: Callable[[Site], Any], image: Path) -> None:
    site.sim.add(Rule(faults=Faults(refuse="421")))
    with pytest.raises(load("rh.client").RunningHubError, match=r"TASK_QUEUE_MAXED \(code=421\)"):
        await run_app(visit(site), image)
    assert site.sim.counters.creates == 1


async def test_accounts_and_apps(site: Site, visit: Callable[[Site], Any]) -> None:
    rh = visit(site)
    assert (await asyncio.to_thread(rh.get_account_status, KEY))["remainCoins"] == "99999"
    with pytest.raises(rh.RunningHubError) as caught:
        await asyncio.to_thread(rh.get_account_status, "wrong")
    assert caught.value.error_key == "auth_failed"
    first, second = [await asyncio.to_thread(rh.list_apps, page=page) for page in (1, 2)]
    apps = [app["webappId"] for app in (*first["records"], *second["records"])]
    assert len(apps) == len({*apps}) == first["total"]
    assert UPSCALER in apps
    info = await asyncio.to_thread(rh.get_app_info, POSE, KEY)
    assert [node["nodeId"] for node in info["nodes"]] == ["27", "60"]


async def test_the_command_on_the_terminal(
    site: Site, visit: Callable[[Site], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    visit(site)
    monkeypatch.setenv("RH_API_KEY", KEY)
    runner, cli = load("click.testing").CliRunner(), load("rh.cli").cli
    result = await asyncio.to_thread(runner.invoke, cli, ["account", "status"])
    assert result.exit_code == 0
    assert json.loads(result.output)["remainCoins"] == "99999"


async def test_a_standard_model(site: Site, visit: Callable[[Site], Any], image: Path) -> None:
    rh = visit(site)
    model = "simulated-image/upscale"
    parameters = [{"key": "imageUrl", "type": "IMAGE", "required": True}]
    catalog = [{"endpoint": model, "params": parameters}]

    def run(key: str) -> Any:
        return rh.run_model(model, {"image": str(image)}, api_key=key, catalog=catalog)

    told = await asyncio.to_thread(run, ENTERPRISE)
    assert told["outputs"][0]["fileUrl"].startswith(site.sim.url)
    with pytest.raises(rh.RunningHubError, match="1014"):
        await asyncio.to_thread(run, KEY)


async def test_bug_a_task_that_waits_is_taken_for_failed(
    site: Site, visit: Callable[[Site], Any], image: Path
) -> None:
    site.sim.add(Rule(faults=Faults(hold="queued")))
    with pytest.raises(load("rh.client").RunningHubError, match="code=813"):
        await run_app(visit(site), image)
    (task,) = site.sim.tasks
    site.sim.release(task.id)
    assert (await site.ended(task)).state.value == "SUCCESS"  # paid for, and given up


async def test_bug_the_other_success_code_of_an_upload_is_an_error(
    visit: Callable[[Site], Any], image: Path
) -> None:
    async with open_site(keys=KEYS, habits=Habits(upload_code=200)) as site:
        rh = visit(site)
        with pytest.raises(rh.RunningHubError, match="Upload failed"):
            await asyncio.to_thread(rh._upload_file_for_model, ENTERPRISE, image)
