"""The documentation is true: its programs run and print what it says, its links lead somewhere."""

import asyncio
import os
import re
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from PIL import Image

from makegood.buckets import KINDS
from makegood.lifecycle import BaseJob
from makegood.machine.projections import mermaid
from makegood.settings import Settings
from makegood_adapters.access import AuthConfig, LimitsConfig
from makegood_adapters.config import (
    AccountConfig,
    HttpConfig,
    PageConfig,
    S3Config,
    ServiceConfig,
    StreamsConfig,
    WebhooksConfig,
    load_config,
)
from makegood_adapters.runninghub.simulator import Simulator
from makegood_adapters.safety import problems_of
from tests.command import run_python
from tests.s3_server import a_bucket

HOUSE = Path(__file__).resolve().parent.parent
PAGES = [HOUSE / "README.md", HOUSE / "CONTRIBUTING.md", *sorted((HOUSE / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[(?P<text>[^\]]+)\]\((?P<target>[^)#]+)(?:#[^)]*)?\)")


NAMED = re.compile(r"# (\w+\.py)\n")
NAMES_A_TOOL = re.compile(r"^name = ", re.MULTILINE)


@dataclass(frozen=True)
class Program:
    """A python block with the toml and text blocks around it.

    `files` are the blocks of the page, up to this one, whose first line is a comment with a file's name;
    `sql` are those that the owner of the database has executed by then.
    """

    page: Path
    number: int
    code: str
    output: str | None
    tool: str | None
    files: dict[str, str]
    sql: list[str]

    def __str__(self) -> str:
        return f"{self.page.name}-{self.number}"


def programs() -> list[Program]:
    found = []
    for page in PAGES:
        files: dict[str, str] = {}
        blocks = [(m[1], m[2]) for m in BLOCK.finditer(page.read_text("utf-8"))]
        for i, (kind, text) in enumerate(blocks):
            if kind == "python":
                after = blocks[i + 1] if i + 1 < len(blocks) else ("", "")
                tools = (t for k, t in reversed(blocks[:i]) if k == "toml" and NAMES_A_TOOL.search(t))
                tool = next(tools, None)
                if named := NAMED.match(text):
                    files = {**files, named[1]: text}
                sql = [t for k, t in blocks[:i] if k == "sql"]
                output = after[1] if after[0] == "text" else None
                found.append(Program(page, i, text, output, tool, files, sql))
    return found


@pytest.mark.parametrize("program", programs(), ids=str)
async def test_every_program_runs_and_prints_what_the_page_says(
    program: Program, database: str, tmp_path: Path
) -> None:
    Image.new("RGB", (64, 48), "teal").save(tmp_path / "picture.png")
    for name, text in program.files.items():
        (tmp_path / name).write_text(text)
    if program.tool:
        tools = tmp_path / "tools"
        tools.mkdir()
        name = str(tomllib.loads(program.tool)["name"])
        (tools / f"{name}.toml").write_text(program.tool)
    async with (
        Simulator(keys={"a-key": 3}) as simulator,
        as_owner(database, program.sql) as dsn,
        AsyncExitStack() as stack,
    ):
        bucket = stack.enter_context(a_bucket()).environment if "S3_BUCKET" in program.code else {}
        environment = {
            **os.environ,
            **bucket,
            "DATABASE_URL": dsn,
            "RUNNINGHUB_URL": simulator.url,
            "RUNNINGHUB_KEY": "a-key",
            "PICTURE": "picture.png",
        }
        ran = await _run(program.code, tmp_path, environment)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    if program.output is not None:
        assert ran.stdout == program.output


LOGIN = re.compile(r"create role (\w+) login password '([^']+)'")


@asynccontextmanager
async def as_owner(database: str, sql: list[str]) -> AsyncIterator[str]:
    """Execute *sql* and yield the address of the first user that it makes; its roles are gone at the end."""
    text = "\n".join(sql)
    made = re.findall(r"create role (\w+)", text)
    owner = await asyncpg.connect(database)
    try:
        if text:
            await owner.execute(text)
        parts, user = urlsplit(database), LOGIN.search(text)
        place = parts.netloc.rpartition("@")[2]
        yield parts._replace(netloc=f"{user[1]}:{user[2]}@{place}").geturl() if user else database
    finally:
        for row in await owner.fetch("select rolname from pg_roles where rolname = any($1)", made):
            await owner.execute(f"drop owned by {row['rolname']} cascade; drop role {row['rolname']}")
        await owner.close()


def test_the_bucket_of_a_page_is_a_configuration(tmp_path: Path) -> None:
    text = (HOUSE / "docs" / "how-to" / "keep-files.md").read_text("utf-8")
    [shown] = [body for kind, body in BLOCK.findall(text) if kind == "toml"]
    path = tmp_path / "makegood.toml"
    path.write_text(f'database_url = "postgresql://localhost/none"\n{shown}')
    config = load_config(path)
    assert (config.blobs, config.s3.region) == ("s3://studio/makegood", "eu-central-1")


def test_the_keys_of_a_page_are_a_configuration(tmp_path: Path) -> None:
    text = (HOUSE / "docs" / "how-to" / "run-the-service.md").read_text("utf-8")
    keys, pages = [body for kind, body in BLOCK.findall(text) if kind == "toml"]
    for name in ("database_url", "runninghub_key"):
        (tmp_path / name).write_text("postgresql://localhost/none\n")
    path = tmp_path / "makegood.toml"
    path.write_text(keys.replace("/run/secrets", str(tmp_path)))
    config = load_config(path)
    assert (config.http.connections_max, config.accounts[0].name) == (2000, "main")
    path.write_text(f'database_url = "postgresql://localhost/none"\n{pages}')
    assert problems_of(load_config(path)) == []


@pytest.mark.parametrize("page", [p for p in PAGES if "```sql" in p.read_text("utf-8")], ids=lambda p: p.stem)
async def test_the_sql_of_a_page_can_be_executed_by_the_owner(page: Path, database: str) -> None:
    sql = [text for kind, text in BLOCK.findall(page.read_text("utf-8")) if kind == "sql"]
    async with as_owner(database, sql):
        pass


async def _run(code: str, folder: Path, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    named = NAMED.match(code)
    if named and named[1].startswith("test_"):
        # Its own settings file keeps those of this repository out, should the folder lie below it.
        waits = "pytest_asyncio" in code
        scope = "asyncio_default_fixture_loop_scope = function\n" * waits
        (folder / "pytest.ini").write_text(f"[pytest]\nfilterwarnings = error\n{scope}")
        plugins = ["-p", "no:cacheprovider", *(() if waits else ("-p", "no:asyncio"))]
        return await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "pytest", "-q", *plugins, named[1]],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    return await asyncio.to_thread(run_python, textwrap.dedent(code), folder, environment)


def test_the_example_of_the_readme_has_at_most_twenty_lines() -> None:
    program, _ = (p for p in programs() if p.page.name == "README.md")
    assert len([line for line in program.code.splitlines() if line.strip()]) <= 21


@pytest.mark.parametrize(("kind", "name"), [("toml", "new_app.toml"), ("python", "typed_app.py")])
def test_the_second_example_of_the_readme_is_a_file_that_tests_run(kind: str, name: str) -> None:
    blocks = BLOCK.findall((HOUSE / "README.md").read_text("utf-8"))
    assert (kind, (HOUSE / "docs" / "examples" / name).read_text("utf-8")) in blocks


SERVED = ("login", "api_aiohttp", "api_fastapi", "api_poster")


def test_the_programs_that_serve_the_api_are_files_and_embed_it_in_ten_lines() -> None:
    page = (HOUSE / "docs" / "how-to" / "serve-the-api.md").read_text("utf-8")
    blocks = [text for kind, text in BLOCK.findall(page) if kind == "python"]
    assert blocks == [(HOUSE / "docs" / "examples" / f"{name}.py").read_text("utf-8") for name in SERVED]
    for text in blocks[1:3]:
        [embedding] = re.findall(r"^def application.*?return app\n", text, re.MULTILINE | re.DOTALL)
        needed = re.findall(r"^from .*(?:aiohttp_app|asgi_app|OPERATIONS|Login)$", text, re.MULTILINE)
        assert len(embedding.splitlines()) + len(needed) <= 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(HOUSE)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for match in LINK.finditer(page.read_text("utf-8")):
        target = match["target"]
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_way_of_a_job_names_functions_that_exist() -> None:
    page = HOUSE / "docs" / "explanation" / "way-of-a-job.md"
    way = page.read_text("utf-8").partition("```mermaid")[0]
    steps = re.findall(r"^\d\. ", way, re.MULTILINE)
    assert len(steps) == 8
    named = re.findall(r"\[`([\w.]+)`\]\(([^)]+)\)", way)
    assert len(named) >= 8
    for name, target in named:
        word = name.split(".")[-1]
        source = (page.parent / target).read_text("utf-8")
        assert re.search(rf"(def|function makegood\.|function) ?\.?{word}\b", source), (
            f"{name} is not in {target}"
        )


def test_the_diagram_is_the_machine() -> None:
    text = (HOUSE / "README.md").read_text("utf-8")
    [drawn] = [body for kind, body in BLOCK.findall(text) if kind == "mermaid"]
    assert drawn.strip() == mermaid(BaseJob.spec)


def test_the_configuration_file_names_every_key_with_its_default() -> None:
    path = HOUSE / "config" / "makegood.toml"
    text, given = path.read_text("utf-8"), tomllib.loads(path.read_text("utf-8"))
    for key, info in ServiceConfig.model_fields.items():
        assert re.search(rf"^\s*(# )?\[*{key}\b", text, re.MULTILINE), f"{key} is not explained"
        if key in given and key not in ("database_url", "engine", "deadlines", "http", "streams", "page"):
            assert str(given[key]) == str(info.default), key
    for key in S3Config.model_fields:
        assert re.search(rf"^# {key} =", text, re.MULTILINE), f"s3.{key} is not explained"
    for key in WebhooksConfig.model_fields:
        assert re.search(rf"^# {key} =", text, re.MULTILINE), f"webhooks.{key} is not explained"
    for key, info in HttpConfig.model_fields.items():
        shown = re.search(rf"^# {key} = (.*?) +#", text, re.MULTILINE)
        assert shown, f"http.{key} is not explained"
        assert tomllib.loads(f"it = {shown[1]}")["it"] == HttpConfig().model_dump(mode="json")[key], info
    for key in StreamsConfig.model_fields:
        shown = re.search(rf"^# {key} = (.*?) +#", text, re.MULTILINE)
        assert shown, f"streams.{key} is not explained"
        assert tomllib.loads(f"it = {shown[1]}")["it"] == getattr(StreamsConfig(), key), key
    for key in PageConfig.model_fields:
        shown = re.search(rf"^# {key} = (.*?) +#", text, re.MULTILINE)
        assert shown, f"page.{key} is not explained"
        assert tomllib.loads(f"it = {shown[1]}")["it"] == getattr(PageConfig(), key), key
    for key in AccountConfig.model_fields:
        assert re.search(rf"^# {key} =", text, re.MULTILINE), f"accounts.{key} is not explained"
    for key in (*AuthConfig.model_fields, *LimitsConfig.model_fields):
        assert re.search(rf"^# {key} =", text, re.MULTILINE), f"{key} of auth or limits is not explained"
    for field in fields(Settings):
        if field.name in given["engine"]:
            assert given["engine"][field.name] == field.default, field.name
        else:
            assert re.search(rf"^# {field.name} =", text, re.MULTILINE), (
                f"engine.{field.name} is not explained"
            )
    assert set(given["engine"]) <= {field.name for field in fields(Settings)}


def test_every_promise_names_tests_that_exist() -> None:
    text = (HOUSE / "docs" / "explanation" / "promises.md").read_text("utf-8")
    for path in re.findall(r"`(tests/[\w/.]+)`", text):
        assert (HOUSE / path).exists(), path


def test_every_sqlstate_is_explained() -> None:
    text = (HOUSE / "docs" / "explanation" / "promises.md").read_text("utf-8")
    folder = HOUSE / "adapters" / "makegood_adapters" / "postgres" / "migrations"
    used = {code for path in folder.glob("*.sql") for code in re.findall(r"'(MG\d{3})'", path.read_text())}
    assert used == set(re.findall(r"\| (MG\d{3}) \|", text))


def test_the_kinds_of_buckets_are_listed_with_their_defaults() -> None:
    text = (HOUSE / "docs" / "explanation" / "money.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (?:(\d+) days)?", text, re.MULTILINE)
    told = {kind: (int(priority), int(days) if days else None) for kind, priority, days in rows}
    assert told == {
        name: (kind.priority, kind.lifetime.days if kind.lifetime else None) for name, kind in KINDS.items()
    }


def test_every_decision_is_listed() -> None:
    folder = HOUSE / "docs" / "decisions"
    text = (folder / "README.md").read_text("utf-8")
    for path in folder.glob("0*.md"):
        assert f"({path.name})" in text
        assert f"[{path.read_text('utf-8').splitlines()[0].removeprefix('# ')}]" in text
