"""The simulator's accounts, what they may spend, its counters, and its clocks."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from makegood_adapters.runninghub.simulator import Account, Faults, Pace, RealClock, Rule, VirtualClock
from tests.adapters.simulated_site import FAST, KEY, UPSCALER, Site, open_site, png

NODES = [{"nodeId": "1", "fieldName": "prompt", "fieldValue": "a red square"}]
SLOW = Pace(queued_seconds=30, running_seconds=600)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with open_site() as opened:
        yield opened


@pytest.fixture
async def slow() -> AsyncIterator[Site]:
    async with open_site(pace=SLOW, clock=VirtualClock()) as opened:
        yield opened


async def test_out_of_coins_out_of_money() -> None:
    keys = {KEY: Account(limit=3, coins=2), "other": Account(type="SHARED", money=0)}
    async with open_site(keys=keys) as site:
        await site.run()
        status = await site.post("/uc/openapi/accountStatus", apiKey=KEY)
        assert (status["data"]["remainCoins"], status["data"]["apiType"]) == ("1", "NORMAL")
        site.sim.add(Rule(faults=Faults(hold="running")))
        await site.submit()
        assert (await site.submit()).code == "416"  # the live task will cost the last one
        told = await site.post(
            "/task/openapi/ai-app/run", apiKey="other", webappId=UPSCALER, nodeInfoList=NODES
        )
        assert told["code"] == 812
        status = await site.post("/uc/openapi/accountStatus", apiKey="other")
        assert (status["data"]["remainMoney"], status["data"]["apiType"]) == ("0", "SHARED")
        assert site.sim.refusals == {"416": 1, "812": 1}


async def test_keys_of_one_owner_share_limit_and_tasks() -> None:
    keys = {KEY: Account(limit=1, owner="us"), "other": Account(limit=9, owner="us")}
    async with open_site(keys=keys) as site:
        site.sim.add(Rule(faults=Faults(hold="running")))
        task_id = (await site.submit()).task_id
        run = {"webappId": UPSCALER, "nodeInfoList": NODES}
        assert (await site.post("/task/openapi/ai-app/run", apiKey="other", **run))["code"] == 421
        assert (await site.post("/openapi/v2/query", apiKey="other", taskId=task_id))["errorCode"] == ""


async def test_a_wallet_key_is_refused_in_the_body() -> None:
    async with open_site(keys={KEY: Account(bearer_only=True)}) as site:
        bearer = {"Authorization": f"Bearer {KEY}"}
        url = site.sim.url + "/uc/openapi/accountStatus"
        codes = []
        for body in ({"apiKey": KEY}, {}):
            async with site.session.post(url, json=body, headers=bearer) as reply:
                codes.append((await reply.json())["code"])
        assert codes == [401, 0]


async def test_counters_tell_what_a_client_cost(site: Site) -> None:
    image = png()
    await site.run(image)
    await site.run(image, webhook=site.receiver.url)
    await site.run(png(colour="blue"))
    site.sim.add(Rule(faults=Faults(refuse="1003")))
    await site.submit()
    counters = site.sim.counters
    assert (counters.creates, counters.tasks, counters.duplicates) == (4, 3, 1)
    assert (counters.coins, counters.webhooks, counters.live_max[KEY]) == (3, 1, 1)
    async with site.session.get(site.sim.url + "/admin/counters") as reply:
        text = await reply.text()
    told = json.loads(text)
    assert told["refusals"] == {"1003": 1}
    assert told["accounts"] == [
        {"key": f"1 (…{KEY[-4:]})", "limit": 3, "live_max": 1},
        {"key": "2 (…ther)", "limit": 1, "live_max": 0},
    ]
    assert KEY not in text
    assert told["calls"]["create"] == 4


# The clock


async def test_another_process_moves_virtual_time(slow: Site) -> None:
    task = slow.sim.task((await slow.submit()).task_id)
    assert "now" in await slow.post("/admin/advance", seconds=630)
    assert task.state.value == "SUCCESS"
    assert (await slow.post("/admin/advance", seconds=-1))["error"].endswith(".")


async def test_real_time_cannot_be_moved(site: Site) -> None:
    with pytest.raises(ValueError, match="virtual clock"):
        await site.sim.advance(1)
    assert "virtual clock" in (await site.post("/admin/advance", seconds=1))["error"]


async def test_scaled_time_shortens_every_wait() -> None:
    pace = Pace(queued_seconds=3600, running_seconds=3600, cancel_seconds=0, speed=1_000_000)
    async with open_site(pace=pace) as site:
        task = await site.run()
        assert task.finished_at is not None
        assert task.finished_at - task.created_at >= timedelta(hours=2)
        assert task.coins >= 720
    with pytest.raises(ValueError, match="speed"):
        RealClock(0)


async def test_the_usual_clock_is_the_real_one() -> None:
    async with open_site(pace=FAST) as site:
        await site.run()
        with pytest.raises(ValueError, match="virtual clock"):
            await site.sim.advance(0)


async def test_stages_vary_by_the_spread_and_the_seed() -> None:
    async def seconds(seed: int, spread: float) -> float:
        pace = Pace(queued_seconds=0, running_seconds=100, spread=spread)
        async with open_site(pace=pace, clock=VirtualClock(), seed=seed) as site:
            task = site.sim.task((await site.submit()).task_id)
            await site.sim.advance(200)
            assert task.started_at is not None
            assert task.finished_at is not None
            return (task.finished_at - task.started_at).total_seconds()

    assert await seconds(1, 0) == 100
    first = await seconds(1, 0.5)
    assert first == await seconds(1, 0.5) != await seconds(2, 0.5)
    assert 50 <= first <= 150
