"""Workflows, machines and seeds in a tool file: what RunningHub is asked, at each try of a job the same."""

from pathlib import Path
from typing import Any

import pytest

from makegood import Catalog, Engine, ProviderAccount
from makegood.errors import DeclarationError
from makegood.outcome import Failed, Trouble
from makegood.settings import Settings
from makegood.testing.provider import ScriptedProvider
from makegood_adapters.memory import MemoryBlobs, MemoryStore
from makegood_adapters.runninghub.request import read_request
from makegood_adapters.toolfiles import ToolJob, load_tool, to_toml

DREAM = """
name = "dream"
version = 1
label = "Dream"
extends = "base@1"
pool = "runninghub"
price = 7

[inputs.words]
kind = "text"
required = true

[inputs.seed]
kind = "integer"
min = 0
max = 1000

[[apps]]
workflow = "1904136902449209346"
instance_type = "plus"
nodes = [
    { node = "6", field = "text", input = "words" },
    { node = "3", field = "seed", seed = true, input = "seed" },
    { node = "4", field = "noise_seed", seed = true },
]
"""
SEED = 'seed = true, input = "seed"'


def made(folder: Path, text: str = DREAM) -> type[ToolJob]:
    path = folder / "dream.toml"
    path.write_text(text, encoding="utf-8")
    return load_tool(path)


def asked(job_type: type[ToolJob], **raw: Any) -> Any:
    return job_type.request(job_type.parse({"words": "a cat", **raw}))


def test_a_workflow_is_asked_with_its_machine_and_seed(tmp_path: Path) -> None:
    request = asked(made(tmp_path), seed=7)
    drawn = request["nodes"][2]["value"]
    assert request == {
        "workflow": "1904136902449209346",
        "nodes": [
            {"node": "6", "field": "text", "value": "a cat"},
            {"node": "3", "field": "seed", "value": "7"},
            {"node": "4", "field": "noise_seed", "value": drawn},
        ],
        "instance_type": "plus",
    }
    assert 0 <= int(drawn) < 2**32
    call = read_request(request, {}, None, "v1")
    assert call.path_and_body("v1")[1]["instanceType"] == "plus"


def test_a_seed_that_nobody_gives_is_drawn_for_the_job(tmp_path: Path) -> None:
    dream = made(tmp_path)
    jobs = [asked(dream) for _ in range(5)]
    pairs = {tuple(node["value"] for node in job["nodes"][1:]) for job in jobs}
    assert len(pairs) == 5
    assert all(first == second for first, second in pairs)


async def test_every_try_of_a_job_sends_the_same_seed(tmp_path: Path) -> None:
    dream, provider = made(tmp_path), ScriptedProvider()
    provider.plan(None, Failed("Broken pipe", trouble=Trouble.PASSING))
    accounts = {ProviderAccount(name="main", pool="runninghub", capacity=1): provider}
    settings = Settings(loop_interval_seconds=0.05, poll_interval_seconds=0.05, defer_seconds=0)
    store = MemoryStore()
    async with Engine(
        store, Catalog([dream]), blobs=MemoryBlobs(), providers=accounts, settings=settings
    ) as engine:
        await engine.grant("ana", 10, source_ref="order-1")
        job = await engine.submit("dream", "ana", {"words": "a cat"}, key="click")
        again = await engine.submit("dream", "ana", {"words": "a cat"}, key="click")
        assert again.request == job.request
        await engine.accept(job.id)
        steps = [step.to_state async for step in engine.watch(job.id)]
    assert steps[-1] == "completed"
    first, second = provider.tasks.values()
    assert first.request == second.request == job.request
    assert not (await store.audit()).violations


def test_such_a_file_is_written_as_it_was_read(tmp_path: Path) -> None:
    dream = made(tmp_path)
    again = made(tmp_path, to_toml(dream))
    assert asked(again, seed=7)["nodes"][:2] == asked(dream, seed=7)["nodes"][:2]
    assert again.tool == dream.tool


MISTAKES = {
    "both": (
        "workflow =",
        'app = "1"\nworkflow =',
        "apps #1: it is one of app, workflow and model, here is more than one",
    ),
    "neither": (
        'workflow = "1904136902449209346"\n',
        "",
        "apps #1: it is one of app, workflow and model, here is none",
    ),
    "number": (
        'workflow = "1904136902449209346"',
        "workflow = 19",
        "apps #1.workflow: must be text in quotes",
    ),
    "blank": (
        "1904136902449209346",
        "1904136902449209346 ",
        "apps #1.workflow: '1904136902449209346 ' has a character that no id has",
    ),
    "machine": (
        '"plus"',
        '"huge"',
        "apps #1.instance_type: must be 'default', 'plus' or 'ultra', not 'huge'",
    ),
    "constant": (SEED, 'seed = true, constant = "5"', "takes no constant but an input; remove one"),
    "given": (SEED, SEED + ", if_given = true", "takes no default, if_given or at_most; remove them"),
    "text": (SEED, 'seed = true, input = "words"', "a seed is a whole number, and 'words' is none"),
    "always": ("max = 1000", "max = 1000\ndefault = 5", "'seed' is never missing, so that no seed is ever"),
    "no input": (SEED, 'seed = true, input = "sed"', "there is no input 'sed'; did you mean 'seed'?"),
    "not true": (SEED, 'seed = "yes"', "apps #1.nodes #2.seed: must be a valid boolean, not 'yes'"),
    "without": (
        SEED,
        "seed = false",
        "exactly one of input, file, address and constant, here is none of them",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_when_the_file_is_read(tmp_path: Path, name: str) -> None:
    old, new, told = MISTAKES[name]
    assert old in DREAM
    with pytest.raises(DeclarationError) as refused:
        made(tmp_path, DREAM.replace(old, new, 1))
    assert any(told in str(problem) for problem in refused.value.problems), refused.value
