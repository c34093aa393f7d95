"""`makegood doctor --provider` as an operator meets it: lines with marks, an exit status, never a key."""

import re
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from PIL import Image

from makegood.errors import MakegoodError
from makegood.outcome import Accepted
from makegood_adapters.cli.doctor import command
from makegood_adapters.cli.doctor.findings import Findings
from makegood_adapters.cli.doctor.provider import Wanted, examine, wanted
from makegood_adapters.config import AccountConfig
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.runninghub import RunningHub, open_session
from makegood_adapters.runninghub.simulator import Faults, Rule, Simulator
from makegood_adapters.toolfiles import default_tools_folder, load_tools
from tests.adapters.scripted_runninghub import KEY, PAGE, Script, reply, serve_script
from tests.adapters.simulated_site import FAST
from tests.doctor.scene import NOWHERE, SECRET, Doctor
from tests.scenarios.line import client_to, line_to, patient
from tests.shipped import file_names


async def test_an_account_that_works(doctor: Doctor, ours: str) -> None:
    told = await doctor("--provider", account="capacity = 3", hooks=ours)
    assert "main at http://127.0.0.1" in told.out
    for line in (
        "✓ the key is accepted by 127.0.0.1, as one of type NORMAL",
        "✓ limit: 3 tasks at one time; capacity = 3",
        "✓ load: 0 tasks now",
        f"✓ {ours} answers from here; that RunningHub reaches it only --run shows",
        "everything that was looked at works",
    ):
        assert line in told.out
    assert "✓ balance: " in told.out
    assert (told.status, told.err) == (0, "")


async def test_a_key_of_another_site(doctor: Doctor, simulator: Simulator) -> None:
    told = await doctor("--provider", key="another-key")
    assert "✗ key: RunningHub " in told.out
    assert "keys of runninghub.cn and runninghub.ai are not shared" in told.out
    assert "problems: 1" in told.out
    assert told.status == 1
    assert "another-key" not in told.out + told.err


async def test_a_site_that_is_not_there(doctor: Doctor) -> None:
    told = await doctor("--provider", url="http://127.0.0.1:1")
    assert "✗ key: RunningHub gave no usable answer: no connection" in told.out
    assert told.status == 1


async def test_more_capacity_than_the_account_has(doctor: Doctor) -> None:
    told = await doctor("--provider", account="capacity = 5")
    assert "✗ limit: 3 tasks at one time, and capacity = 5 is more: lower it" in told.out
    assert told.status == 1


async def test_webhooks_that_lead_elsewhere(doctor: Doctor, simulator: Simulator) -> None:
    told = await doctor("--provider", hooks="http://127.0.0.1:1")
    assert "✗ http://127.0.0.1:1 cannot be reached from here" in told.out
    told = await doctor("--provider", hooks=f"{simulator.url}/output")
    assert "/hooks answered HTTP 404, which is not this service: look at the proxy's rules" in told.out
    assert told.status == 1


async def test_one_paid_run(doctor: Doctor, ours: str, tmp_path: Path, simulator: Simulator) -> None:
    Image.new("RGB", (64, 48), "teal").save(tmp_path / "cat.png")
    told = await doctor("--provider", "--run", "upscaler", "--image", "cat.png", hooks=ours)
    assert "one run of upscaler with main; it is paid from its balance" in told.out
    for line in ("✓ upload: openapi/", "✓ create: task ", "✓ task: succeeded (", "✓ result: png, "):
        assert line in told.out
    assert "✓ webhook: RunningHub reached webhook_base_url from outside" in told.out
    assert told.status == 0
    assert len(simulator.tasks) == 1


async def test_a_run_that_takes_too_long_is_cancelled(
    doctor: Doctor, tmp_path: Path, simulator: Simulator
) -> None:
    simulator.add(Rule(faults=Faults(hold="running")))
    Image.new("RGB", (64, 48), "teal").save(tmp_path / "cat.png")
    told = await doctor("--provider", "--run", "upscaler", "--image", "cat.png", "--seconds", "1")
    assert "✗ task: not over within 1 s: it runs; asked to be cancelled: requested" in told.out
    assert told.status == 1
    await simulator.wait_for(lambda: simulator.tasks[0].state == "CANCEL")


async def test_a_refused_run_is_told(doctor: Doctor, tmp_path: Path, simulator: Simulator) -> None:
    simulator.add(Rule(faults=Faults(refuse="416")))
    Image.new("RGB", (64, 48), "teal").save(tmp_path / "cat.png")
    told = await doctor("--provider", "--run", "upscaler", "--image", "cat.png")
    assert "✗ create: 416 TASK_CREATE_FAILED_BY_NOT_ENOUGH_WALLET" in told.out
    assert told.status == 1


async def created(simulator: Simulator, webhook: str) -> str:
    """Create a task with this webhook, let it end, and return its id."""
    async with open_session() as session:
        provider = line_to(session, simulator.url, SECRET)
        request = {"app": "2037188547966406658", "nodes": [{"node": "548", "field": "value", "value": 2}]}
        outcome = await provider.submit(request, {}, webhook)
    assert isinstance(outcome, Accepted)
    task = simulator.task(outcome.task_id)
    await simulator.wait_for(lambda: len(task.deliveries) == 1 + FAST.webhook_retries)
    return outcome.task_id


async def test_a_webhook_that_did_not_arrive_is_told_and_sent_again(
    doctor: Doctor, simulator: Simulator, ours: str
) -> None:
    task_id = await created(simulator, f"{ours}/hooks/a-token-that-nobody-has")
    told = await doctor("--provider", "--webhook", task_id)
    assert told.status == 1
    assert f"task {task_id} of main\n  ✗ its webhook did not arrive: HTTP 404" in told.out
    assert "✓ RunningHub was asked to send it once more" in told.out
    deliveries = simulator.task(task_id).deliveries
    await simulator.wait_for(lambda: len(deliveries) > 1 + FAST.webhook_retries)


async def test_the_webhook_of_a_task_that_is_not_there(doctor: Doctor) -> None:
    told = await doctor("--provider", "--webhook", "1904163390028185602")
    assert (told.status, "✗ RunningHub does not tell about the webhook: 807" in told.out) == (1, True)


async def test_without_run_nothing_is_created(doctor: Doctor, simulator: Simulator) -> None:
    await doctor("--provider")
    assert simulator.tasks == ()


@pytest.mark.parametrize("words", [["--run", "upscaler"], ["--account", "main"], ["--webhook", "1"]])
async def test_what_belongs_to_providers_needs_the_word(doctor: Doctor, words: list[str]) -> None:
    told = await doctor(*words)
    assert told.status == 2
    assert told.err.endswith("belong to --provider: add it.\n")


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"image": Path("x.png")}, "--image and --input are what --run sends: add --run TOOL."),
    ({"run": "upscaler"}, "upscaler wants a file: add --image FILE."),
    ({"run": "upscaler", "image": Path("none.png")}, "none.png cannot be read: No such file"),
    ({"run": "upscaler", "image": Path(__file__)}, "cannot be the image of upscaler: the file is"),
    ({"run": "upscale"}, f"There is no job type 'upscale'. Known job types: {', '.join(file_names())}."),
    ({"account": "mane"}, "No account called 'mane' at RunningHub is configured"),
    ({"run": "upscaler", "input": ["x"]}, "--input takes NAME=VALUE, not 'x'."),
]


@pytest.mark.parametrize("number", range(len(MISTAKES)))
async def test_a_mistake_is_one_sentence(simulator: Simulator, tmp_path: Path, number: int) -> None:
    words, sentence = MISTAKES[number]
    path = tmp_path / "makegood.toml"
    path.write_text(
        f'database_url = "{NOWHERE}"\n[[accounts]]\nname = "main"\napi_key = "{SECRET}"\n'
        f'base_url = "{simulator.url}"\n'
    )
    with pytest.raises(MakegoodError, match=re.escape(sentence)):
        await command.doctor(provider=True, config=path, **words)
    assert simulator.tasks == ()


async def test_tasks_that_are_not_ours(doctor: Doctor, database: str, simulator: Simulator) -> None:
    async with PostgresStore.open(database, update_schema=True):
        pass
    told = await doctor("--provider", dsn=database)
    assert "✓ tells which tasks are makegood's" in told.out
    assert "✓ load: 0 tasks now, none that is not makegood's" in told.out


# What a site may say, line by line


Look = Callable[..., Awaitable[str]]
BALANCE = {
    "remainCoins": "5",
    "currentTaskCounts": "2",
    "remainMoney": "0",
    "currency": "CNY",
    "apiType": "SHARED",
}
LOAD = {"concurrentLimit": 2, "totalCurrentTasks": "2"}
ID = "2037188547966406658"


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    async with serve_script() as scripted:
        yield scripted


@pytest.fixture
def look(script: Script, capsys: pytest.CaptureFixture[str]) -> Look:
    async def call(
        *targets: Wanted, ours: dict[str, int] | None = None, capacity: int = 2, **data: object
    ) -> str:
        script.routes = {
            "/uc/openapi/accountStatus": reply({"code": 0, "data": {**BALANCE, **data}}),
            "/openapi/v2/queue/status": reply({"code": 0, "data": {**LOAD, **data}}),
            **script.routes,
        }
        account = AccountConfig(name="main", api_key=KEY, base_url=script.url, capacity=capacity)  # type: ignore[arg-type]  # pydantic takes text for a secret
        async with open_session() as session:
            hub = RunningHub(client_to(session, script.url, KEY), patience=patient(0.001))
            await examine(account, hub, targets, ours, Findings())
        return capsys.readouterr().out

    return call


async def test_no_money_is_a_problem(look: Look) -> None:
    assert "✗ balance: 0 coins, 0 CNY; RunningHub will refuse every task (416)" in await look(remainCoins="0")


async def test_a_balance_that_is_not_told_is_none(look: Look) -> None:
    assert "? balance: the site does not tell it" in await look(remainCoins=None, remainMoney=None)


async def test_a_shared_account_is_noticed(look: Look) -> None:
    assert "? load: 2 tasks now, 1 of them makegood's: the account seems to be shared" in await look(
        ours={"main": 1}
    )
    assert "✓ load: 2 tasks now, none that is not makegood's" in await look(ours={"main": 2})
    assert "✓ load: 2 tasks now; those that makegood did not make are somebody else's" in await look()


async def test_a_limit_that_is_not_told(look: Look) -> None:
    assert "? limit: the site does not tell it; capacity = 2" in await look(concurrentLimit=None)


NODE = frozenset({("1", "image")})
APP, WORKFLOW = Wanted("app", ID, "sharpen", NODE), Wanted("workflow", ID, "dream", NODE)
LISTED = {"webappName": "Sharpen", "nodeInfoList": [{"nodeId": "1", "fieldName": "image"}]}
TARGETS = [
    (APP, {"code": 0, "data": LISTED}, f"✓ sharpen: app {ID} (Sharpen)\n"),
    (APP, {"code": 0, "data": {"webappName": "Sharpen"}}, f"✓ sharpen: app {ID} (Sharpen)\n"),
    (
        APP,
        {"code": 0, "data": {"nodeInfoList": [{"nodeId": "2", "fieldName": "image"}]}},
        f"? sharpen: app {ID} does not list what is set in it: 1 image; RunningHub may refuse it (803)\n",
    ),
    (
        APP,
        {"code": 901, "msg": "WEBAPP_NOT_EXISTS"},
        f"✗ sharpen: app {ID}: RunningHub does not run app {ID}: 901",
    ),
    (APP, PAGE, f"? sharpen: app {ID}: the site has no call that tells about it\n"),
    (
        WORKFLOW,
        {"code": 0, "msg": "SUCCESS", "data": {"prompt": '{"1": {"inputs": {"image": "x"}}}'}},
        f"✓ dream: workflow {ID}\n",
    ),
    (WORKFLOW, {"code": 0, "data": {"prompt": '{"3": {"inputs": {}, "x": 1}}'}}, f"✓ dream: workflow {ID}\n"),
    (WORKFLOW, {"code": 0, "data": {"prompt": "{"}}, f"✓ dream: workflow {ID}\n"),
    (
        WORKFLOW,
        {"code": 380, "msg": "x"},
        f"✗ dream: workflow {ID}: RunningHub does not run workflow {ID}: 380",
    ),
]


@pytest.mark.parametrize("number", range(len(TARGETS)))
async def test_apps_and_workflows_are_looked_up(look: Look, script: Script, number: int) -> None:
    target, body, line = TARGETS[number]
    answer = reply(body, 404) if body is PAGE else reply(body)
    script.routes = {"/api/webapp/apiCallDemo": answer, "/api/openapi/getJsonApiFormat": answer}
    assert line in await look(target)


def test_no_text_of_a_site_shows_a_key_or_moves_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    found = Findings(secrets=[SECRET])
    found.good(f"key {SECRET} \x1b[2J \x00 \ud800\nforged: 二")
    found.head("x" * 100_000)
    first, second = capsys.readouterr().out.splitlines()
    bad = "\N{REPLACEMENT CHARACTER}"
    assert first == f"  ✓ key [key] {bad}[2J {bad} {bad}{bad}forged: 二"
    assert len(second) == 800


async def test_a_site_that_answers_anything_is_looked_at_to_the_end(doctor: Doctor, script: Script) -> None:
    odd = f"{SECRET}\ud800\x1b[2J"
    balance = {"remainCoins": odd, "apiType": odd, "currency": odd, "currentTaskCounts": 10**30}
    script.routes = {
        "/uc/openapi/accountStatus": reply({"code": 0, "data": balance}),
        "/openapi/v2/queue/status": reply({"code": 0, "data": {"concurrentLimit": 10**30}}),
    }
    script.reply({"code": 0, "msg": odd, "data": {"webappName": odd, "nodeInfoList": [odd]}})
    told = await doctor("--provider", url=script.url)
    assert "as one of type [key]" in told.out
    assert "\x1b" not in told.out
    assert (told.status, told.err) == (0, "")


def test_what_the_tools_of_a_pool_run() -> None:
    found = wanted(load_tools(default_tools_folder()), "runninghub")
    texts = {path.stem: path.read_text("utf-8") for path in default_tools_folder().glob("*.toml")}
    tools = {name for name, text in texts.items() if tomllib.loads(text)["pool"] == "runninghub"}
    assert {(target.kind, target.tool) for target in found} == {("app", name) for name in tools}
    assert {"upscaler", "pose_changer"} <= tools < {*texts}
    assert wanted(load_tools(default_tools_folder()), "elsewhere") == []


async def test_the_query_for_our_tasks_can_be_prepared(database: str) -> None:
    async with PostgresStore.open(database, update_schema=True):
        pass
    folder = Path(examine.__code__.co_filename).parent
    connection = await asyncpg.connect(database)
    try:
        assert await connection.fetch((folder / "open_attempts.sql").read_text()) == []
    finally:
        await connection.close()
