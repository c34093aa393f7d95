"""What job types and their inputs once let through: values without a meaning, foreign hosts, foreign eyes."""

from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiohttp import web

from makegood import InsufficientCredits, InvalidInput, JobMoney
from makegood.errors import DeclarationError
from makegood_adapters.toolfiles import load_tool
from tests.adapters.queue_manager.scene import CREDITS, OWNER, Scene, served
from tests.engine.world import PRICE, Upscale, World

TOOL = """
name = "frame"
version = 1
label = "Frame"
extends = "base@1"
pool = "runninghub"
price = 20

[inputs.ratio]
kind = "choice"
choices = ["1:1", "16:9"]
default = "{default}"

[[apps]]
app = "2018000000000000000"
nodes = [{{ node = "7", field = "value", input = "ratio" }}]
"""


def test_f5_a_default_that_is_no_choice_is_refused_when_the_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "frame.toml"
    file.write_text(TOOL.format(default="auto"))
    with pytest.raises(DeclarationError, match="ratio"):
        load_tool(file)


@pytest.mark.parametrize("given", [{}, {"ratio": None}])
def test_f5_what_is_not_said_is_the_declared_default_and_what_is_unknown_is_refused(
    given: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "frame.toml"
    file.write_text(TOOL.format(default="16:9"))
    frame = load_tool(file)
    [node] = frame.request(frame.parse(given))["nodes"]
    assert node["value"] == "16:9"
    with pytest.raises(InvalidInput, match="ratio"):
        frame.parse({"ratio": "21:9"})


REFUSED = ((200, "INVALID_IMAGE_SOURCE"), (200, "INVALID_IMAGE_URL"))


async def test_f6_no_address_is_taken_for_a_file_and_none_is_fetched(scene: Scene) -> None:
    """Look-alikes of our storage, hosts inside our network, files of this machine."""
    asked: list[str] = []

    async def serve(request: web.Request) -> web.Response:
        asked.append(request.path)
        raise web.HTTPFound("http://169.254.169.254/latest/meta-data")

    bait = web.Application()
    bait.router.add_route("*", "/{path:.*}", serve)
    async with served(bait) as trap:
        port = trap.base.rpartition(":")[2]
        addresses = (
            f"{trap.base}/input.png",
            f"http://localhost:{port}/storage/v1/object/public/input.png",
            f"http://storage.ours.example@127.0.0.1:{port}/input.png",
            "https://not-ours.example/input.png",
            "https://evilours.example/input.png",
            "http://169.254.169.254/latest/meta-data",
            "http://[::1]/input.png",
            "file:///etc/passwd",
            "../../../../etc/passwd",
            "//etc/passwd",
        )
        for address in addresses:
            draft = await scene.insert("upscaler_jobs", input_url=address)
            call = {"jobId": str(draft.id)}
            reply = await scene.page.call("POST", "/functions/v1/runninghub-upscaler/run", json=call)
            assert (reply.status, reply.body["code"]) in REFUSED, (address, reply)
            assert (await scene.engine.get(draft.id)).state == "failed"
            with pytest.raises(InvalidInput):
                await scene.engine.submit("upscaler", OWNER, {"image": address})
        assert asked == []
    assert (await scene.engine.wallet(OWNER)).available == CREDITS


async def test_f3_who_is_refused_for_want_of_credits_reads_the_true_balance(world: World) -> None:
    await world.engine.grant("bo", PRICE + 30, source_ref="order-2")
    job = await world.engine.accept((await world.engine.submit(Upscale, "bo", {})).id)
    again = await world.engine.submit(Upscale, "bo", {})
    with pytest.raises(InsufficientCredits, match=f"costs {PRICE} credits and bo has 30") as refused:
        await world.engine.accept(again.id)
    assert (refused.value.price, refused.value.available) == (PRICE, 30)
    assert (await world.engine.wallet("bo")).available == 30
    assert await world.money(again) == JobMoney()
    assert await world.money(job) == JobMoney(held=PRICE)


async def test_d38_a_role_that_was_given_nothing_sees_and_changes_no_row(
    world: World, plain: asyncpg.Connection, nobody: asyncpg.Connection
) -> None:
    """Every table and view of the schema, every verb."""
    job = await world.running()
    relations = await plain.fetch(
        "SELECT relname FROM pg_class"
        " WHERE relnamespace = 'makegood'::regnamespace AND relkind IN ('r', 'v', 'p')"
    )
    assert len(relations) > 10
    for relation in relations:
        name = relation["relname"]
        for statement in (
            f"SELECT * FROM makegood.{name}",
            f"INSERT INTO makegood.{name} DEFAULT VALUES",
            f"DELETE FROM makegood.{name}",
            f"TRUNCATE makegood.{name}",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await nobody.execute(statement)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await nobody.execute("UPDATE makegood.job SET owner_id = 'eve'")
    assert await world.job(job) == job
