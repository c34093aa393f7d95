"""`makegood init` as a new user meets it: an empty folder, then a service that carries a job to its end."""

import asyncio
import os
import re
import subprocess
import sys
import tomllib
from io import BytesIO
from pathlib import Path

import aiohttp
import pytest
from PIL import Image

from makegood import Catalog, Engine
from makegood_adapters.cli.init.command import init
from makegood_adapters.folder import FolderBlobs
from makegood_adapters.postgres.store import PostgresStore
from makegood_adapters.runninghub.simulator import Simulator
from makegood_adapters.toolfiles import load_tools
from tests import command
from tests.adapters.simulated_site import FAST
from tests.ports import kept_port
from tests.test_serve_command import PATIENCE_SECONDS

HOUSE = Path(__file__).resolve().parent.parent


def makegood(folder: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    clean = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "RUNNINGHUB_API_KEY")}
    return command.run(*words, folder=folder, environment={**clean, **environment})


async def test_from_an_empty_folder_to_a_job_that_is_done(database: str, tmp_path: Path) -> None:
    async with Simulator(keys={"my-key": 3}, pace=FAST) as simulator:
        with kept_port() as port:
            await _from_nothing_to_a_job(database, tmp_path, port, simulator.url)


async def _from_nothing_to_a_job(database: str, tmp_path: Path, port: int, provider: str) -> None:
    told = makegood(tmp_path, "init", "--simulator", "--port", str(port), DATABASE_URL=database)
    assert (told.returncode, told.stderr) == (0, "")
    assert "  makegood simulate  " in told.stdout
    config = tmp_path / "config" / "makegood.toml"
    # The port of `makegood simulate` may be taken here.
    config.write_text(config.read_text().replace("http://127.0.0.1:8188", provider))
    doctor = await asyncio.to_thread(makegood, tmp_path, "doctor")
    assert doctor.returncode == 0, doctor.stdout
    process = await asyncio.create_subprocess_exec(command.PROGRAM, "serve", cwd=tmp_path, stderr=-3)
    try:
        await answers(port)
        assert await end_of_a_job(database, tmp_path) == "completed"
    finally:
        process.terminate()
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await process.wait() == 0


def test_a_new_folder_is_an_app_whose_tests_pass_and_whose_job_type_runs(tmp_path: Path) -> None:
    told = makegood(tmp_path, "init", "my-shop")
    assert (told.returncode, told.stderr) == (0, "")
    for line in ("  cd my-shop", "  makegood dev my_shop.py  ", "  pytest  "):
        assert f"\n{line}" in told.stdout
    app = tmp_path / "my-shop"
    listed = told.stdout.splitlines()[0].removeprefix("written: ").replace(" (readable by you alone)", "")
    there = {str(path.relative_to(app)) for path in app.rglob("*") if path.is_file()}
    assert set(listed.split(", ")) == {"secrets/" if "secrets" in name else name for name in there}
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
    tested = subprocess.run(words, cwd=app, capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "6 passed, 4 skipped" in tested.stdout  # without a Postgres those that need one are left out
    assert tested.stdout.count("needs a Postgres") == 4
    assert "Warning" not in tested.stdout + tested.stderr
    ran = makegood(app, "dev", "my_shop.py", "--once")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    readme = (HOUSE / "README.md").read_text("utf-8")
    [promised] = re.findall(r"^```text\n(portrait .*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert ran.stdout.startswith(promised)
    package = tomllib.loads((app / "pyproject.toml").read_text())["project"]
    [(name, address)] = package["entry-points"]["makegood.job_types"].items()
    script = f"import importlib.metadata as m; print(m.EntryPoint({name!r}, {address!r}, '').load().name)"
    loaded = command.run_python(script, app, os.environ)
    assert (loaded.stdout, loaded.stderr) == ("portrait\n", "")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("2nd", "'2nd' cannot be the name of a Python file"),
        ("lambda", "'lambda' cannot be the name of a Python file"),
        ("test", "'test' is the name of a Python module that is installed"),
        ("aiohttp", "'aiohttp' is the name of a Python module that is installed"),
    ],
)
def test_a_name_that_could_not_be_imported_is_refused(name: str, sentence: str, tmp_path: Path) -> None:
    told = makegood(tmp_path, "init", name)
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith(f"makegood: {sentence}")
    assert list(tmp_path.iterdir()) == []


async def answers(port: int) -> None:
    async with aiohttp.ClientSession(trust_env=False) as session, asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{port}/readyz") as reply:
                    if reply.status == 200:
                        return
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)


async def end_of_a_job(dsn: str, folder: Path) -> str:
    picture = BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    catalog, blobs = Catalog(load_tools(folder / "tools")), FolderBlobs(folder / "makegood-files")
    async with (
        PostgresStore.open(dsn) as store,
        Engine(store, catalog, blobs=blobs, run_loops=False) as engine,
    ):
        await engine.grant("ada", 1_000, source_ref="order-1")
        image = await blobs.put(picture.getvalue(), "person.png")
        job = await engine.submit(
            "upscaler", "ada", {"image": image, "category": "comida", "resolution": 1024}
        )
        await engine.accept(job.id)
        last = ""
        async for step in engine.watch(job.id):
            last = step.to_state
    return last


def test_secrets_are_files_of_their_own_and_stay_out_of_a_repository(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("/build/\n/secrets/")
    told = makegood(
        tmp_path, "init", DATABASE_URL="postgresql://u:s3same@h/d", RUNNINGHUB_API_KEY="key-of-mine"
    )
    assert told.returncode == 0
    assert "s3same" not in told.stdout
    assert "key-of-mine" not in told.stdout
    for name, content in (
        ("database_url", "postgresql://u:s3same@h/d\n"),
        ("runninghub_key", "key-of-mine\n"),
    ):
        path = tmp_path / "secrets" / name
        assert (path.read_text(), path.stat().st_mode & 0o777) == (content, 0o600)
    drawn = tmp_path / "secrets" / "link_secret"
    assert re.fullmatch(r"[0-9a-f]{64}\n", drawn.read_text())
    assert drawn.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / ".gitignore").read_text() == "/build/\n/secrets/\n/makegood-files/\n"
    shown = makegood(tmp_path, "config", "--changed")
    assert re.search(r"^accounts\.0\.api_key +\*+ +file secrets/runninghub_key$", shown.stdout, re.MULTILINE)
    assert shown.stderr == ""


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "makegood.toml").write_text("mine")
    told = makegood(tmp_path, "init")
    assert told.returncode == 2
    assert told.stderr.startswith(
        "makegood: config/makegood.toml is there already, and nothing is overwritten"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["config"]
    assert (tmp_path / "config" / "makegood.toml").read_text() == "mine"


def test_without_anything_it_says_what_is_to_be_written_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("RUNNINGHUB_API_KEY", raising=False)
    init(tmp_path / "shop")
    told = capsys.readouterr().out
    for line in (
        f"  cd {tmp_path / 'shop'}",
        "  write the address of your Postgres into secrets/database_url",
        "  write your API key into secrets/runninghub_key and uncomment the account in config/makegood.toml",
    ):
        assert line in told.splitlines()
    shown = makegood(tmp_path / "shop", "config", "--changed")
    assert (shown.returncode, "accounts" in shown.stdout) == (0, False)
    advice = makegood(tmp_path / "shop", "doctor").stdout
    assert "fail  database" in advice
    assert "[redacted]" not in advice  # of what it says itself nothing is a secret
    config = tmp_path / "shop" / "config" / "makegood.toml"
    config.write_text(
        re.sub(r"^# (\[\[|name|base_url|api_key)", r"\1", config.read_text(), flags=re.MULTILINE)
    )
    told = makegood(tmp_path / "shop", "config").stderr
    assert "accounts.0.api_key_file: secrets/runninghub_key cannot be read" in told
