"""`makegood doctor --provider` as an operator meets it: lines with marks, an exit status, never a key."""

import asyncio
import json
import re
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from aiohttp import web
from PIL import Image

from makegood.errors import MakegoodError
from makegood.outcome import Accepted
from makegood_adapters.cli.doctor import command
from makegood_adapters.cli.doctor.database import lends_by_transaction
from makegood_adapters.cli.doctor.findings import Findings
from makegood_adapters.cli.doctor.provider import Wanted, examine, wanted
from makegood_adapters.config import AccountConfig
from makegood_adapters.http import application, runner
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.runninghub import RunningHub, RunningHubClient, open_session
from makegood_adapters.runninghub.patience import Patience
from makegood_adapters.runninghub.simulator import Faults, Pace, Rule, Simulator
from makegood_adapters.toolfiles import default_tools_folder, load_tools
from tests.adapters.scripted_runninghub import KEY, PAGE, Script, reply, serve_script

PROGRAM = Path(sys.executable).with_name("makegood")
SECRET = "a-key-that-nobody-must-see"
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
FAST = Pace(queued_seconds=0, running_seconds=0, cancel_seconds=0, webhook_retry_seconds=0)


@dataclass(frozen=True)
class Told:
    """How the command ended."""

    status: int
    out: str
    err: str


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(keys={SECRET: 3}, pace=FAST) as running:
        yield running


@pytest.fixture
async def ours() -> AsyncIterator[str]:
    """The address of a service of ours; it answers a token that nobody has as any path without a route."""
    running = runner(application())
    await running.setup()
    try:
        await web.TCPSite(running, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{running.addresses[0][1]}"
    finally:
        await running.cleanup()


Doctor = Callable[..., Awaitable[Told]]


@pytest.fixture
def doctor(tmp_path: Path, simulator: Simulator) -> Doctor:
    async def call(
        *words: str,
        account: str = "",
        hooks: str | None = None,
        key: str = SECRET,
        url: str | None = None,
        dsn: str = NOWHERE,
        root: str = "",
    ) -> Told:
        engine = f'[engine]\nwebhook_base_url = "{hooks}"\n' if hooks else ""
        (tmp_path / "makegood.toml").write_text(
            f'database_url = "{dsn}"\n{root}\n[[accounts]]\nname = "main"\napi_key = "{key}"\n'
            f'base_url = "{url or simulator.url}"\n{account}\n{engine}'
        )
        process = await asyncio.create_subprocess_exec(
            PROGRAM,
            "doctor",
            "--config",
            "makegood.toml",
            *words,
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        told = Told(process.returncode or 0, out.decode(), err.decode())
        assert SECRET not in told.out + told.err
        assert "Traceback" not in told.err
        return told

    return call


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
        provider = RunningHub(RunningHubClient(session, simulator.url, SECRET))
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


class TestWholeService:
    """`makegood doctor` without more: everything that `makegood serve` will need."""

    @staticmethod
    def marks(told: Told) -> dict[str, str]:
        return {check["subject"]: check["mark"] for check in json.loads(told.out)["checks"]}

    async def test_all_is_well(self, doctor: Doctor, ours: str, database: str) -> None:
        told = await doctor("--json", account="capacity = 3", hooks=ours, dsn=database)
        assert (told.status, told.err) == (0, "")
        assert self.marks(told) == dict.fromkeys(
            (
                "versions", "configuration", "job types", "database", "clock", "schema", "rights", "pooler",
                "connections", "wake-ups", "files", "account main", "webhooks",
            ),
            "ok",
        )  # fmt: skip
        table = await doctor(account="capacity = 3", hooks=ours, dsn=database)
        assert "13 checks, all well" in table.out

    async def test_without_a_database_the_rest_is_looked_at(self, doctor: Doctor) -> None:
        told = await doctor("--json")
        marks = self.marks(told)
        assert told.status == 1
        assert (marks["database"], marks["files"], marks["account main"]) == ("fail", "ok", "ok")
        assert "schema" not in marks
        table = await doctor()
        assert "→ until then nothing else of it can be looked at" in " ".join(table.out.split())
        assert table.status == 1

    async def test_a_schema_that_is_missing_or_a_user_without_rights(
        self, doctor: Doctor, empty_database: str, database: str
    ) -> None:
        marks = self.marks(await doctor("--json", dsn=empty_database))
        assert marks["schema"] == "warn"  # the service brings it itself
        told = await doctor("--json", dsn=empty_database, root="database_update_schema = false")
        assert (told.status, self.marks(told)["schema"]) == (1, "fail")
        assert "run `makegood migrate`" in told.out
        owner = await asyncpg.connect(database)
        role = f"looker_{secrets.token_hex(4)}"
        await owner.execute(f"create role {role} login; select makegood.grant_rights('{role}', 'readonly')")
        try:
            user = urlsplit(database)
            dsn = user._replace(netloc=f"{role}@{user.netloc.rpartition('@')[2]}").geturl()
            told = await doctor("--json", dsn=dsn)
            assert (told.status, self.marks(told)["rights"]) == (1, "fail")
            assert "select makegood.grant_rights(" in told.out
            await owner.execute(f"select makegood.grant_rights('{role}', 'worker')")
            assert self.marks(await doctor("--json", dsn=dsn))["rights"] == "ok"
        finally:
            await owner.execute(f"drop owned by {role} cascade; drop role {role}")
            await owner.close()

    async def test_what_does_not_load_is_told_with_what_to_do(
        self, doctor: Doctor, database: str, tmp_path: Path
    ) -> None:
        (tmp_path / "tools").mkdir()
        (tmp_path / "tools" / "a.toml").write_text("name = ")
        more = f'\n[[accounts]]\nname = "odd"\nprovider = "unheard-of"\napi_key = "{SECRET}"'
        told = await doctor("--json", dsn=database, key="another-key", root='tools = "tools"', account=more)
        assert told.status == 1
        found = {check["subject"]: check for check in json.loads(told.out)["checks"]}
        for subject, remedy in (
            ("job types", "see below"),
            ("tool file: a.toml", "repair the file; `makegood check` tells every mistake with its line"),
            ("account: odd", "repair the account in the configuration"),
            ("account main", "check api_key and base_url; `makegood doctor --provider` looks closer"),
        ):
            assert (found[subject]["mark"], found[subject]["remedy"]) == ("fail", remedy)
        assert found["webhooks"]["mark"] == "warn"

    async def test_a_wrong_configuration_is_told_alone(self, doctor: Doctor) -> None:
        told = await doctor("--json", root="prot = 3")
        assert (told.status, self.marks(told)) == (1, {"versions": "ok", "configuration": "fail"})
        assert "did you mean port?" in told.out


class Lent:
    """A connection to a pooler that lends a session of the server for each transaction."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._session: Any = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        async with self._pool.acquire() as self._session, self._session.transaction():
            yield

    async def fetchval(self, query: str) -> Any:
        return await self._session.fetchval(query)


async def test_a_pooler_by_transaction_is_found_out(database: str) -> None:
    async with asyncpg.create_pool(database, min_size=2, max_size=2) as pool:
        one, other = Lent(pool), Lent(pool)
        assert await lends_by_transaction(one, other)  # type: ignore[arg-type]  # it does what is needed
        async with pool.acquire() as straight, pool.acquire() as second:
            assert not await lends_by_transaction(straight, second)  # type: ignore[arg-type]  # of a pool


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"image": Path("x.png")}, "--image and --input are what --run sends: add --run TOOL."),
    ({"run": "upscaler"}, "upscaler wants a file: add --image FILE."),
    ({"run": "upscaler", "image": Path("none.png")}, "none.png cannot be read: No such file"),
    ({"run": "upscaler", "image": Path(__file__)}, "cannot be the image of upscaler: the file is"),
    ({"run": "upscale"}, "There is no job type 'upscale'. Known job types: pose_changer, upscaler"),
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
            hub = RunningHub(
                RunningHubClient(session, script.url, KEY), patience=Patience(first_seconds=0.001)
            )
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
    assert {(target.kind, target.tool) for target in found} == {("app", "upscaler"), ("app", "pose_changer")}
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
