"""The TypeScript client: what is committed is what the document makes, and Node lives four lives with it."""

import json
import shutil
from pathlib import Path
from uuid import UUID

from makegood import Verdict
from tests.api.scene import CREDITS, OWNER, PNG, Scene
from tests.client.conftest import run
from tests.client.site import a_site, node_of


def test_the_committed_client_is_what_the_document_makes(package: Path) -> None:
    committed = _files(package / "src" / "generated")
    shutil.rmtree(package / "src" / "generated")
    run(package, "npm", "run", "--silent", "generate")
    assert _files(package / "src" / "generated") == committed, "run `make client`"


async def test_four_lives_of_jobs_are_seen_by_a_page(programs: Path, database: str, tmp_path: Path) -> None:
    async with a_site(database, tmp_path) as (scene, environment):
        node = await node_of(programs, environment, "out/lives.js")
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
    (programs / "order.png").write_bytes(PNG)  # other processes use the folder, and write files of theirs
    async with a_site(database, tmp_path) as (scene, environment):
        node = await node_of(programs, environment, "out/order.js", "order.png")
        assert node.stdout is not None
        told = [(await node.stdout.readline()).decode().strip()]
        [job] = (await scene.engine.list_jobs(OWNER)).jobs
        await scene.complete(job, PNG + b"result", "png")
        told += (await node.stdout.read()).decode().splitlines()
        assert await node.wait() == 0
    assert told[0] == f"held: {job.price} credits"
    assert told[-1] == f"completed {{ held: 0, captured: {job.price}, released: 0 }}"
    assert (programs / "result.png").read_bytes() == PNG + b"result"


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


def _files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
