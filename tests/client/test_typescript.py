"""The TypeScript client: what is committed is what the document makes, and Node lives four lives with it."""

import asyncio
import base64
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import pytest

from makegood import Catalog, Engine, Settings, Verdict
from tests.api.issuer import a_gate, an_issuer
from tests.api.scene import CREDITS, OWNER, PNG, Scene, opened
from tests.npm import npm

HOUSE = Path(__file__).resolve().parent.parent.parent
CLIENT, HERE = HOUSE / "clients" / "typescript", Path(__file__).resolve().parent
QUICK = Settings(loop_interval_seconds=0.05)


@pytest.fixture(scope="module")
def package() -> Iterator[Path]:
    """Yield a copy of the package with what it is made by, built."""
    with TemporaryDirectory(prefix="makegood-client-") as folder:
        root = Path(folder) / "clients" / "typescript"
        made = shutil.ignore_patterns("node_modules", "dist")
        shutil.copytree(CLIENT, root, ignore=made)
        (Path(folder) / "docs").mkdir()
        shutil.copytree(HOUSE / "docs" / "reference", Path(folder) / "docs" / "reference")
        npm(root, "ci")
        _run(root, "npm", "run", "--silent", "build")
        yield root


def test_the_committed_client_is_what_the_document_makes(package: Path) -> None:
    committed = _files(package / "src" / "generated")
    shutil.rmtree(package / "src" / "generated")
    _run(package, "npm", "run", "--silent", "generate")
    assert _files(package / "src" / "generated") == committed, "run `make client`"


@pytest.fixture
def programs(package: Path, tmp_path: Path) -> Path:
    """Return a folder with the programs, type-checked and compiled, to which the package is installed."""
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "makegood-client").symlink_to(package)
    (tmp_path / "node_modules" / "@types").symlink_to(package / "node_modules" / "@types")
    (tmp_path / "node_modules" / "undici-types").symlink_to(package / "node_modules" / "undici-types")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    for source in (HERE / "tsconfig.json", HERE / "lives.ts", HOUSE / "docs" / "examples" / "order.ts"):
        shutil.copy(source, tmp_path)
    _run(tmp_path, "node", str(package / "node_modules" / "typescript" / "bin" / "tsc"), "-p", ".")
    return tmp_path


async def test_four_lives_of_jobs_are_seen_by_a_page(programs: Path, database: str, tmp_path: Path) -> None:
    async with a_site(database, tmp_path) as (scene, environment):
        node = await _node(programs, environment, "out/lives.js")
        assert node.stdout is not None
        heard = 0
        async for line in node.stdout:
            told = json.loads(line)
            if told["what"] == "heard":
                heard = int(told["job_id"])
            else:
                await _let(scene, told["what"], UUID(told["job_id"]))
        assert await node.wait() == 0
        jobs = (await scene.engine.list_jobs(OWNER)).jobs
        assert heard == sum([len(await scene.engine.history(job.id)) for job in jobs])
        assert (await scene.engine.wallet(OWNER)).available == CREDITS - jobs[-1].price


async def test_the_example_orders_follows_and_saves(programs: Path, database: str, tmp_path: Path) -> None:
    (programs / "picture.png").write_bytes(PNG)
    async with a_site(database, tmp_path) as (scene, environment):
        node = await _node(programs, environment, "out/order.js", "picture.png")
        assert node.stdout is not None
        told = [(await node.stdout.readline()).decode().strip()]
        [job] = (await scene.engine.list_jobs(OWNER)).jobs
        await scene.complete(job, PNG + b"result", "png")
        told += (await node.stdout.read()).decode().splitlines()
        assert await node.wait() == 0
    assert told[0] == f"held: {job.price} credits"
    assert told[-1] == f"completed {{ held: 0, captured: {job.price}, released: 0 }}"
    assert (programs / "result.png").read_bytes() == PNG + b"result"


@asynccontextmanager
async def a_site(database: str, folder: Path) -> AsyncIterator[tuple[Scene, dict[str, str]]]:
    """Serve the API behind its real gate; yield the scene and the environment of the owner's programs.

    Another process, which has the loops and no account, gives transitions their places in the stream.
    """
    async with (
        an_issuer() as issuer,
        a_gate(issuer.auth) as gate,
        opened(database, folder / "files", gate=gate, settings=QUICK) as scene,
        Engine(scene.store, Catalog([]), blobs=scene.blobs, settings=QUICK),
    ):
        yield (
            scene,
            {
                **os.environ,
                "MAKEGOOD_URL": scene.client.base,
                "MAKEGOOD_TOKEN": issuer.token(sub=OWNER),
                "PICTURE": base64.b64encode(PNG).decode(),
            },
        )


async def _let(scene: Scene, what: str, job_id: UUID) -> None:
    job = await scene.engine.get(job_id)
    if what == "complete":
        await scene.complete(job, PNG, "png")
    else:
        job = await scene.drive.submit(await scene.drive.dispatch(job))
        job = await scene.drive.event(job, "begin", Verdict.ACCEPTED)
        await scene.drive.event(
            job, "fail", Verdict.FAILED, error={"category": "provider", "message": "It failed."}
        )


async def _node(folder: Path, environment: dict[str, str], *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        "node", *words, cwd=folder, env=environment, stdout=asyncio.subprocess.PIPE
    )


def _run(folder: Path, *words: str) -> None:
    told = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


def _files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
